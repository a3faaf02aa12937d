// What an engine sees to by itself, when nobody asks for it: what is too old goes, in namespaces that nobody uses too; what
// was not done when a process ended goes on.
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
    if (where != nullptr) where->shard.submit({.space = where, .what = TrimRequest{}});
  }
}

// What clients of the process before this one may still have, where history is kept: hashes that it noted, and the tree as it
// left it. Whoever comes finds all of it there, for nobody is served yet.
Result<void> Engine::take_up_hashes(const std::shared_ptr<const Snapshot>& snapshot, const Names& names,
                                    const SpaceOf& space_of) {
  if (names.empty()) return {};
  bool has_logs = false;
  RETURN_IF_ERROR(snapshot->first_rows(Table::History, [&](uint32_t, std::string_view) { has_logs = true; }));
  if (!has_logs) return {};
  begun_.store(std::chrono::steady_clock::now());
  beginning_.keep(snapshot);
  for (const auto& [name, number] : names) {
    const std::string from = row_key(Table::Beside, number, kPointRows);
    ResumePointsRequest known;
    std::shared_ptr<NamespaceState> where;
    const auto pass_on = [&, name = name] {
      if (known.rows.empty()) return;
      if (where == nullptr) where = space_of(name);
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
  const bool is_long_ago = std::chrono::steady_clock::now() - begun_.load() >= kBeginningKept;
  if (is_long_ago || beginning->rows_since() > kBeginningRowsMax) beginning_.let_go();
}

// Children may have become too old while the database was closed. The looks come one after the other, in each shard's turn.
Result<void> Engine::resume_expiry(const Names& names) {
  const auto snapshot = store_->snapshot();
  for (const auto& [name, number] : names) {
    ASSIGN_OR_RETURN(const auto paths, snapshot->get(row_key(Table::Setting, number, kPathPlanSetting)));
    if (paths) alarms_.set(name, Alarms::For::Expiry, std::chrono::milliseconds(0));
  }
  return {};
}

Result<void> Engine::resume(const Names& names) {
  RETURN_IF_ERROR(resume_expiry(names));
  return resume_indexes(names);
}

// Goes on with the indexes of namespaces that have others than they should, or that are still building them.
Result<void> Engine::resume_indexes(const Names& names) {
  const auto snapshot = store_->snapshot();
  for (const auto& [name, number] : names) {
    ASSIGN_OR_RETURN(const auto row, snapshot->get(row_key(Table::Index, number, kPlanRow)));
    IndexPlan plan;
    if (row) {
      ASSIGN_OR_RETURN(plan, IndexPlan::decode(*row));
    }
    const auto wanted = wanted_indexes(SnapshotSettings(snapshot, number), options_.indexes);
    if (wanted.ok() && is_current(plan, wanted.value()) && !plan.is_building()) continue;
    const std::shared_ptr<NamespaceState> where = space(name);
    if (where != nullptr) where->shard.submit({.space = where, .what = MaintainRequest{}});
  }
  return resume_mirrors(names, snapshot);
}

// And with documents whose JSON lacked something when the process died.
Result<void> Engine::resume_mirrors(const Names& names, const std::shared_ptr<const Snapshot>& snapshot) {
  std::set<uint32_t> marked;
  Result<void> looked;
  RETURN_IF_ERROR(snapshot->first_rows(Table::Mirror, [&](uint32_t number, std::string_view) {
    const auto any = SnapshotView(snapshot, number, Table::Mirror).any("\x01", "\xff");
    if (!any.ok()) looked = any.error();
    if (any.ok() && any.value()) marked.insert(number);
  }));
  RETURN_IF_ERROR(looked);
  for (const auto& [name, number] : names) {
    if (!marked.contains(number)) continue;
    const std::shared_ptr<NamespaceState> where = space(name);
    if (where != nullptr) where->shard.submit({.space = where, .what = MirrorsRequest{}});
  }
  return {};
}

// Takes over the queues of sessions whose process died. These sessions count as ended unless they come back soon.
Result<void> Engine::adopt_orphans(const Names& names, const SpaceOf& space_of) {
  std::map<uint32_t, std::string> by_number;
  for (const auto& [name, number] : names) by_number[number] = name;
  const auto snapshot = store_->snapshot();
  std::vector<uint32_t> numbers;
  RETURN_IF_ERROR(snapshot->first_rows(Table::Disconnect, [&](uint32_t number, std::string_view) {
    if (by_number.contains(number)) numbers.push_back(number);
  }));
  Orphans orphans;
  for (const uint32_t number : numbers) {
    std::map<std::string, std::shared_ptr<DisconnectQueue>> queues;  // by session
    Result<void> damaged;
    const auto row = [&](std::string_view key, std::string_view rows) {
      const std::string_view rest = key.substr(std::min(key.size(), kTableAndNumber));
      // Session ids are hex, so the first zero byte ends one; the path behind it has zeros of its own.
      const size_t end = rest.find('\0');
      if (end == std::string_view::npos) {
        damaged = Error{ErrorCode::Corruption, "a row of a session's disconnect queue has no session"};
        return false;
      }
      const std::string session(rest.substr(0, end));
      auto& queue = queues[session];
      if (queue == nullptr) queue = std::make_shared<DisconnectQueue>(session);
      damaged = queue->restore(rest.substr(end + 1), rows);
      return damaged.ok();
    };
    RETURN_IF_ERROR(snapshot->scan(row_key(Table::Disconnect, number), row_key(Table::Disconnect, number + 1), row));
    RETURN_IF_ERROR(damaged);
    const std::shared_ptr<NamespaceState> where = space_of(by_number[number]);
    for (auto& [session, queue] : queues) {
      where->shard.submit({.space = where, .what = AdoptRequest{session, queue}});
      orphans.sessions.emplace_back(where, session);
    }
  }
  if (orphans.sessions.empty()) return {};
  orphans.due = std::chrono::steady_clock::now() + options_.disconnect_grace;
  const std::lock_guard lock(orphans_mutex_);
  orphans_.push_back(std::move(orphans));
  if (!orphans_end_.joinable()) {
    orphans_end_ = std::jthread([this](const std::stop_token& stopping) { end_orphans(stopping); });
  }
  orphans_more_.notify_all();
  return {};
}

// When the database closes the rows stay, for the next start.
void Engine::end_orphans(const std::stop_token& stopping) {
  std::unique_lock lock(orphans_mutex_);
  while (!stopping.stop_requested()) {
    if (orphans_.empty()) {
      if (!follows()) return;
      orphans_more_.wait(lock, stopping, [this] { return !orphans_.empty(); });
      continue;
    }
    // A sleep that close() can end: the stop token wakes it.
    const auto due = orphans_.front().due;
    if (std::chrono::steady_clock::now() < due) {
      orphans_more_.wait_until(lock, stopping, due, [&] { return orphans_.empty() || orphans_.front().due != due; });
      continue;
    }
    const Orphans over = std::move(orphans_.front());
    orphans_.pop_front();
    lock.unlock();
    for (const auto& [where, session] : over.sessions) {
      where->shard.submit({.space = where, .what = OrphanRequest{session}});
    }
    lock.lock();
  }
}

// Whoever owns the shard next adopts them.
void Engine::drop_orphans(uint32_t shard) {
  const std::lock_guard lock(orphans_mutex_);
  for (Orphans& orphans : orphans_) {
    std::erase_if(orphans.sessions, [&](const auto& one) { return one.first->tree.number % shards_.size() == shard; });
  }
}

void Engine::ring(const std::string& name, Alarms::For what) {
  if (!exists(name)) return;
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return;  // of a shard that was disowned meanwhile
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
