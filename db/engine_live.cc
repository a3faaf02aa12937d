// What lives in a namespace beside its tree, as it is asked for: what its shard knows, and Yjs documents, which are read from
// the disk on a thread for long jobs.
#include <utility>

#include "db/engine.h"
#include "db/shard/stored_documents.h"
#include "db/store/snapshot.h"

namespace hearth::db {

// Whoever uses a namespace holds it, so one that the map alone holds has no session.
std::vector<std::string> Engine::names_in_use(size_t most) const {
  std::vector<std::string> names;
  const std::shared_lock lock(mutex_);
  for (const auto& [name, space] : spaces_) {
    if (names.size() >= most) break;
    if (space.use_count() > 1) names.push_back(name);
  }
  return names;
}

void Engine::live(const std::string& name, LiveAsk ask, std::function<void(Result<Live>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  const auto found = std::make_shared<Live>();
  auto tell = [found, done = std::move(done)](const Answer& answer) {
    done(answer.status.ok() ? Result<Live>(std::move(*found)) : Result<Live>(answer.status.error()));
  };
  where->shard.submit({.space = where, .what = LiveRequest{std::move(ask), found}, .done = std::move(tell)});
}

void Engine::documents(const std::string& name, Path after, size_t most,
                       std::function<void(Result<DocumentsPage>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*scans_, *where, std::move(done), [this, where, after = std::move(after), most](Turn& turn) {
    const SnapshotView rows(store_->snapshot(), where->tree.number, Table::Document);
    return list_documents(TurnView(rows, turn), after, most);
  });
}

void Engine::document(const std::string& name, Path path, std::function<void(Result<DocumentContent>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*scans_, *where, std::move(done), [this, where, path = std::move(path)](Turn& turn) {
    const SnapshotView rows(store_->snapshot(), where->tree.number, Table::Document);
    return read_document_content(TurnView(rows, turn), path);
  });
}

}  // namespace hearth::db
