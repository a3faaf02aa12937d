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
    where->shard.submit({.space = where, .what = TrimRequest{}});
  }
}

// What clients of the process before this one may still have, where history is kept: hashes that it noted, and the tree as it
// left it. Whoever comes finds all of it there, for nobody is served yet.
Result<void> Engine::take_up_hashes(const std::shared_ptr<const Snapshot>& snapshot) {
  bool has_logs = false;
  RETURN_IF_ERROR(snapshot->first_rows(Table::History, [&](uint32_t, std::string_view) { has_logs = true; }));
  if (!has_logs) return {};
  begun_ = std::chrono::steady_clock::now();
  beginning_.keep(snapshot);
  for (const auto& [name, number] : std::map<std::string, uint32_t>(names_)) {
    const std::string from = row_key(Table::Beside, number, kPointRows);
    ResumePointsRequest known;
    std::shared_ptr<NamespaceState> where;
    const auto pass_on = [&, name = name] {
      if (known.rows.empty()) return;
      if (where == nullptr) where = space(name);
      where->shard.submit({.space = where, .what = std::exchange(known, {})});
    };
    RETURN_IF_ERROR(snapshot->scan(from, row_key(Table::Beside, number + 1), [&](auto key, auto value) {
      if (!key.starts_with(from)) return false;
      known.rows.emplace_back(key, value);
      if (known.rows.size() >= kPointsSavedMax) pass_on();
      return true;
    }));
    pass_on();
  }
  return {};
}

void Engine::end_beginning() {
  const auto beginning = beginning_.get();
  if (beginning == nullptr) return;
  const bool is_long_ago = std::chrono::steady_clock::now() - begun_ >= kBeginningKept;
  if (is_long_ago || beginning->rows_since() > kBeginningRowsMax) beginning_.let_go();
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
  switch (what) {
    case Alarms::For::Expiry:
      return where->shard.submit({.space = where, .what = ExpireRequest{}});
    case Alarms::For::Throttle:
      return where->shard.submit({.space = where, .what = ThrottleRequest{}});
    case Alarms::For::Ephemeral:
      return where->shard.submit({.space = where, .what = LapseRequest{}});
    case Alarms::For::Mirrors:
      return where->shard.submit({.space = where, .what = MirrorsRequest{}});
  }
}

}  // namespace hearth::db
