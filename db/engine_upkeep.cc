// What an engine sees to by itself, when nobody asks for it: what is too old goes, in namespaces that nobody uses too.
#include <set>

#include "db/engine.h"
#include "db/model/path_plan.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// The namespaces that have answers which are too old. One seek for each that keeps any.
std::set<uint32_t> with_old_answers(const Snapshot& snapshot, Timestamp now) {
  std::set<uint32_t> numbers;
  (void)snapshot.first_rows(Table::Answer, [&](uint32_t number, std::string_view bytes) {
    const Result<KeptAnswer> oldest = KeptAnswer::decode(bytes);
    if (oldest.ok() && now - oldest.value().wall > kAnswerAge) numbers.insert(number);
  });
  return numbers;
}

}  // namespace

// A log is trimmed by the commits that make it longer, and so are kept answers. Of a namespace that nobody writes they become
// too old all the same.
void Engine::trim_idle() {
  const auto snapshot = store_->snapshot();
  std::set<uint32_t> numbers = with_old_answers(*snapshot, clock_->now());
  (void)snapshot->scan(row_key(Table::History, ""), row_key(Table::Log, ""), [&](std::string_view key, auto) {
    if (key.size() == kTableAndNumber) numbers.insert(read_number(key.substr(1)));
    return true;
  });
  std::vector<std::string> names;
  {
    const std::shared_lock lock(mutex_);
    for (const auto& [name, number] : names_) {
      if (numbers.contains(number)) names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    const std::shared_ptr<NamespaceState> where = space(name);
    where->shard.submit({where, nullptr, 0, TrimRequest{}, nullptr});
  }
}

// Children may have become too old while the database was closed. The looks come one after the other, in each shard's turn.
Result<void> Engine::resume_expiry() {
  const auto snapshot = store_->snapshot();
  const std::shared_lock lock(mutex_);
  for (const auto& [name, number] : names_) {
    ASSIGN_OR_RETURN(const auto paths, snapshot->get(row_key(Table::Setting, number, kPathPlanSetting)));
    if (paths) alarms_.set(name, Alarms::For::Expiry, std::chrono::milliseconds(0));
  }
  return {};
}

void Engine::ring(const std::string& name, Alarms::For what) {
  if (!exists(name)) return;
  const std::shared_ptr<NamespaceState> where = space(name);
  if (what == Alarms::For::Throttle) return where->shard.submit({where, nullptr, 0, ThrottleRequest{}, nullptr});
  if (what == Alarms::For::Ephemeral) return where->shard.submit({where, nullptr, 0, LapseRequest{}, nullptr});
  where->shard.submit({where, nullptr, 0, ExpireRequest{}, nullptr});
}

}  // namespace hearth::db
