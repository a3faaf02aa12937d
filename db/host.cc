#include "db/host.h"

#include "db/engine.h"

namespace hearth::db {

Result<std::unique_ptr<Host>> Host::open(const Options& options) {
  ASSIGN_OR_RETURN(std::shared_ptr<Engine> engine, Engine::open(options));
  return std::unique_ptr<Host>(new Host(std::move(engine)));
}

// A conversation without callbacks, whose owner takes its items itself.
Result<std::unique_ptr<Client>> Host::client(std::string_view name, std::string_view replaces, Wake wake) {
  ASSIGN_OR_RETURN(const std::string stored, check_namespace_name(name));
  ASSIGN_OR_RETURN(auto conversation, engine_->converse(stored, replaces, std::move(wake)));
  return std::make_unique<Client>(std::move(conversation));
}

void Host::end_conversations(const std::string& name, std::string label, Error reason,
                             std::function<void(Answer)> done) {
  engine_->end_conversations(name, std::move(label), std::move(reason), std::move(done));
}

void Host::read(const std::string& name, Read read, std::function<void(Answer)> done) {
  engine_->read(name, std::move(read), std::move(done));
}

void Host::judge(const std::string& name, Write write, std::function<void(Answer)> done) {
  engine_->judge(name, std::move(write), std::move(done));
}

void Host::revive_by(Revive revive) { engine_->revive_by(std::move(revive)); }
void Host::setting(const std::string& name, std::string which,
                   std::function<void(Result<std::optional<std::string>>)> done) {
  engine_->setting(name, std::move(which), std::move(done));
}

void Host::changes(const std::string& name, ChangesRead read, std::function<void(Result<ChangesPage>)> done) {
  engine_->changes(name, std::move(read), std::move(done));
}

void Host::purge(const std::string& name, Path path, std::function<void(Answer)> done) {
  engine_->purge(name, std::move(path), std::move(done));
}

void Host::undo(const std::string& name, EventId id, std::string by, std::function<void(Answer)> done) {
  engine_->undo(name, std::move(id), std::move(by), std::move(done));
}

void Host::history(const std::string& name, HistoryRead read, std::function<void(Result<PathHistory>)> done) {
  engine_->history(name, std::move(read), std::move(done));
}

Result<BesideRows> Host::beside(const std::string& name, const BesideRead& read) const {
  return engine_->beside(name, read);
}

Result<void> Host::keep_beside(const std::string& name, const BesideWrite& write) {
  return engine_->keep_beside(name, write);
}

Result<std::vector<std::string>> Host::with_rows_beside() const { return engine_->with_rows_beside(); }

void Host::indexes(const std::string& name, std::function<void(Result<IndexPlan>)> done) {
  engine_->indexes(name, std::move(done));
}

void Host::write(const std::string& name, Write write, std::function<void(Answer)> done) {
  engine_->write(name, std::move(write), std::move(done));
}

void Host::say(const std::string& name, std::string topic, std::shared_ptr<const Precondition> may_speak,
               std::shared_ptr<TopicMessage> message, bool is_kept, std::function<void(Answer)> done) {
  engine_->say(name, std::move(topic), std::move(may_speak), std::move(message), is_kept, std::move(done));
}

std::vector<std::string> Host::names_in_use(size_t most) const { return engine_->names_in_use(most); }

void Host::live(const std::string& name, LiveAsk ask, std::function<void(Result<Live>)> done) {
  engine_->live(name, std::move(ask), std::move(done));
}

void Host::documents(const std::string& name, Path after, size_t most,
                     std::function<void(Result<DocumentsPage>)> done) {
  engine_->documents(name, std::move(after), most, std::move(done));
}

void Host::document(const std::string& name, Path path, std::function<void(Result<DocumentContent>)> done) {
  engine_->document(name, std::move(path), std::move(done));
}

void Host::dump(DumpRequest request, std::function<void(Result<DumpPieces>)> done) {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return done(closed_error());
  engine_->backups().dump(std::move(request), std::move(done));
}

std::optional<double> Host::dump_part(const std::string& name) const {
  const Gate::Pass pass(engine_->gate());
  return pass ? engine_->backups().dump_part(name) : std::nullopt;
}

Result<std::string> Host::begin_upload() {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return closed_error();
  return engine_->backups().begin_upload();
}

Result<void> Host::upload(const std::string& id, uint64_t at, std::string_view bytes) {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return closed_error();
  return engine_->backups().upload(id, at, bytes);
}

std::optional<UploadState> Host::upload_state(const std::string& id) const {
  const Gate::Pass pass(engine_->gate());
  return pass ? engine_->backups().upload_state(id) : std::nullopt;
}

Result<void> Host::give_up_upload(const std::string& id) {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return closed_error();
  return engine_->backups().give_up_upload(id);
}

void Host::restore(const std::string& id, RestoreRequest request,
                   std::function<void(Result<std::vector<RestoredTree>>)> done) {
  const Gate::Pass pass(engine_->gate());
  if (!pass) return done(closed_error());
  engine_->backups().restore(id, std::move(request), std::move(done));
}

Replica* Host::replica() { return engine_->follows() ? engine_.get() : nullptr; }

void Host::give_up_compaction() {
  const Gate::Pass pass(engine_->gate());
  if (pass) engine_->backups().give_up_compaction();
}

const std::string& Host::life() const { return engine_->life(); }
const std::string& Host::store_id() const { return engine_->store_id(); }
const Clock& Host::clock() const { return engine_->clock(); }
SyncMode Host::sync() const { return engine_->sync(); }
Figures Host::figures() const {
  const Gate::Pass pass(engine_->gate());
  return pass ? engine_->figures() : Figures();
}

}  // namespace hearth::db
