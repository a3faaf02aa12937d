// The committer's part in the log (db/log): each accepted commit of a namespace that keeps one becomes an entry, in the
// same batch.
//
//   accept() ─▶ keep_log()   plan off, no log       nothing; one comparison
//                            plan on, no log        begin_log(): it begins with this commit
//                            plan on, a log         append_entry()
//                            plan off, a log        end_log(): all of it goes, with this commit
//
// A log has no gaps. So one that stops is removed, and one that finds another head than its last entry says begins anew:
// somebody has changed the tree without it, by a restore that died before its entry was written.
#include <algorithm>

#include "db/commit/pending_tree.h"
#include "db/log/log_reader.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// The log is looked at when it may be an eighth too long, or too old by an eighth.
constexpr uint64_t kTrimPart = 8;
constexpr Timestamp kTrimPauseMin{1'000};
constexpr size_t kPurgeRows = 200;          // and entries, of one step
constexpr uint64_t kPurgeBytes = 1u << 20;  // of entries

}  // namespace

Result<void> Committer::load_log(Tree& tree, const Restored* restored) {
  ASSIGN_OR_RETURN(const auto setting, durable()->get(row_key(Table::Setting, tree.number, kHistorySetting)));
  tree.log = {};
  ASSIGN_OR_RETURN(tree.log.plan, plan_of(setting, history_));
  const LogReader reader(durable(), tree.number);
  ASSIGN_OR_RETURN(tree.log.state, reader.state());
  if (!tree.log.state) return {};
  const LogState state = *tree.log.state;
  const uint64_t head = tree.head.sequence;
  // The offset behind the entry of a sequence, or nothing.
  const auto end_of = [&](uint64_t sequence) -> Result<std::optional<uint64_t>> {
    if (sequence == state.cut) return std::optional(state.cut_offset);
    ASSIGN_OR_RETURN(const auto found, reader.head_of(sequence));
    if (!found) return std::optional<uint64_t>();
    return std::optional(found->entry.offset + found->size);
  };
  ASSIGN_OR_RETURN(const auto end, end_of(head));
  if (end) {
    tree.log.offset = *end;
    return {};
  }
  if (restored != nullptr && head > state.cut) {
    ASSIGN_OR_RETURN(const auto before, end_of(head - 1));
    if (before) {
      tree.log.offset = *before;
      LogEntry entry;
      entry.kind = LogEntry::Kind::Restore;
      entry.wall = restored->wall;
      entry.base = restored->at;
      entry.record = {head, tree.head.time, {}};
      PendingTree& at = pending(tree);
      append_entry(at, std::move(entry));
      // What the restore brought has no versions, and what it took away no marks: they begin anew.
      if (state.versions != LogState::Versions::None) {
        end_versions(at);
        begin_versions(at);
      }
      return {};
    }
  }
  begin_log(pending(tree), head);
  return {};
}

void Committer::begin_log(PendingTree& at, uint64_t cut) {
  Tree& tree = at.tree;
  if (tree.log.state) end_log(at);
  tree.log.state = LogState{cut, 0};
  tree.log.offset = 0;
  put_state(tree);
  at.changed = true;
  if (is_life_written_) return;
  is_life_written_ = true;
  const auto [key, value] = store_.life_row();
  rows_.put(key, value);
}

void Committer::end_log(PendingTree& at) {
  at.ends_log = true;
  at.log_rows.clear();
  at.cut.reset();
  if (at.tree.log.state && at.tree.log.state->versions != LogState::Versions::None) end_versions(at);
  at.tree.log.state.reset();
  at.tree.log.offset = 0;
  rows_.erase(row_key(Table::History, at.tree.number));
}

void Committer::append_entry(PendingTree& at, LogEntry entry) {
  TreeLog& log = at.tree.log;
  at.changed = true;
  entry.life = store_.life_index();
  entry.offset = log.offset;
  const std::string bytes = entry.encode();
  log.offset += bytes.size();
  each_log_row(entry.record.sequence, bytes,
               [&](std::string row, std::string value) { at.log_rows.emplace_back(std::move(row), std::move(value)); });
}

void Committer::keep_log(PendingTree& at, const Accepted& accepted, const Told& told) {
  Tree& tree = at.tree;
  for (const Effect& effect : accepted.record.effects) {
    if (effect.kind != Effect::Kind::Configure || effect.name != kHistorySetting) continue;
    tree.log.plan = history_;
    if (effect.value.is_null()) continue;
    const Result<HistoryPlan> plan = parse_history(effect.value.as_string());
    if (plan.ok()) tree.log.plan = plan.value();  // one that can't be read was refused before it came here
  }
  if (!tree.log.plan.is_on()) {
    if (tree.log.state) end_log(at);
    return;
  }
  if (!tree.log.state) begin_log(at, accepted.record.sequence - 1);
  const bool has_versions = tree.log.state->versions != LogState::Versions::None;
  if (tree.log.plan.versions && !has_versions) begin_versions(at);
  if (!tree.log.plan.versions && has_versions) end_versions(at);
  LogEntry entry;
  entry.wall = accepted.wall;
  entry.record = accepted.record;
  if (told.write != nullptr) {
    entry.told_as_update = told.write->merge;
    entry.base = told.write->base;
    entry.by = told.write->by;
  }
  append_entry(at, std::move(entry));
}

Result<void> Committer::load_restored(Tree& tree, const Path& at, Timestamp now) {
  const Restored restored{at, now};
  return load(tree, &restored);
}

void Committer::put_state(Tree& tree) { rows_.put(row_key(Table::History, tree.number), tree.log.state->encode()); }

// Before the first commit of all, there is nothing to be carried over.
void Committer::begin_with_versions(PendingTree& at) {
  begin_log(at, 0);
  at.tree.log.state->versions = LogState::Versions::Known;
  put_state(at.tree);
}

// The commit that is being accepted is in the tree already, and is carried over with the rest.
void Committer::begin_versions(PendingTree& at) {
  LogState& state = *at.tree.log.state;
  state.versions = LogState::Versions::Carried;
  state.carried.clear();
  put_state(at.tree);
  at.changed = true;
}

void Committer::end_versions(PendingTree& at) {
  at.ends_versions = true;
  at.version_rows.clear();
  at.erased_versions.clear();
  at.tree.log.sweep.reset();
  at.tree.log.state->versions = LogState::Versions::None;
  put_state(at.tree);
  at.changed = true;
}

// The rows that the commit puts or takes away are its versions. Where it emptied ranges, each path that it set has a mark:
// it took away what was there, and what it put has the mark's own sequence.
void Committer::keep_versions(PendingTree& at, const After& after, const Record& record) {
  if (at.tree.log.state->versions == LogState::Versions::None) return;
  after.tree.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
    if (after.paths != nullptr && after.paths->is_ephemeral(key)) return;
    at.version_rows.emplace_back(version_row_of(key, record.sequence), leaf.value_or(std::string_view()));
  });
  if (!after.tree.has_ranges()) return;
  for (const Effect& effect : record.effects) {
    if (effect.kind != Effect::Kind::Set) continue;
    at.version_rows.emplace_back(version_row(encode_path(effect.path), VersionKind::Mark, record.sequence), "");
  }
}

bool Committer::wants_carry(const Tree& tree) const {
  const TreeLog& log = tree.log;
  if (!log.state || log.is_carrying) return false;
  return log.state->versions == LogState::Versions::Carried || log.sweep != nullptr;
}

Result<void> Committer::carry(Tree& tree, size_t rows) {
  RETURN_IF_ERROR(load(tree));
  tree.log.is_carrying = false;
  if (!tree.log.state) return {};
  LogState& state = *tree.log.state;
  PendingTree& at = pending(tree);
  if (state.versions == LogState::Versions::Carried) {
    size_t seen = 0;
    std::string next;
    RETURN_IF_ERROR(at.durable_view().scan(state.carried, "\xff", [&](std::string_view key, std::string_view leaf) {
      if (seen++ == rows) {
        next = key;
        return false;
      }
      at.version_rows.emplace_back(version_row_of(key, 0), leaf);
      return true;
    }));
    if (next.empty()) {
      state.versions = LogState::Versions::Known;
      state.versions_from = tree.head.sequence;
    }
    state.carried = std::move(next);
    put_state(tree);
    at.changed = true;
    return {};
  }
  if (tree.log.sweep == nullptr) return {};
  RETURN_IF_ERROR(tree.log.sweep->step(*durable(), tree.number, rows, [&](std::string row) {
    at.erased_versions.push_back(std::move(row));
    at.changed = true;
  }));
  if (tree.log.sweep->is_done()) {
    const bool is_behind = tree.log.sweep->cut() < state.cut;
    tree.log.sweep = is_behind ? std::make_unique<VersionSweep>(state.cut) : nullptr;
  }
  return {};
}

namespace {

// Takes what is at and below `path` out of an effect. Returns whether it said something of it.
bool purge_effect(const Path& path, Effect& effect, std::vector<Effect>& to) {
  const bool is_of_data = effect.kind == Effect::Kind::Set || effect.kind == Effect::Kind::SetPriority ||
                          effect.kind == Effect::Kind::Unleaf;
  if (!is_of_data || effect.name == kPurged) {
    to.push_back(std::move(effect));
    return false;
  }
  Effect purged{.kind = Effect::Kind::Set, .path = path, .name = std::string(kPurged)};
  if (path.contains(effect.path)) {
    // Several places below are one: not even their keys stay.
    const bool is_there =
        std::any_of(to.begin(), to.end(), [&](const Effect& one) { return one.name == kPurged && one.path == path; });
    if (!is_there) to.push_back(std::move(purged));
    return true;
  }
  const bool is_above = effect.kind == Effect::Kind::Set && effect.path.contains(path);
  const bool says_something = is_above && !effect.value.at(path.relative_to(effect.path)).is_null();
  if (says_something) effect.value = effect.value.with(path.relative_to(effect.path), {});
  to.push_back(std::move(effect));
  if (says_something) to.push_back(std::move(purged));
  return says_something;
}

}  // namespace

Result<void> Committer::purge(Tree& tree, Purge& purge) {
  RETURN_IF_ERROR(load(tree));
  if (logs_ != nullptr && !std::exchange(purge.is_sealed, true)) {
    BatchEntry entry;
    entry.kind = BatchEntry::Kind::Purge;
    entry.at = purge.path;
    seal(tree, std::move(entry));
  }
  if (purge.has_answers) return purge_answers(tree, purge);
  if (!tree.log.state) {
    purge.is_done = true;
    return {};
  }
  const LogState& state = *tree.log.state;
  PendingTree& at = pending(tree);
  const std::string base = encode_path(purge.path);
  if (!purge.has_begun) {
    purge.has_begun = true;
    purge.row = base;
    purge.since = state.cut;
    purge.upto = tree.head.sequence;
    at.purged.emplace_back(base + kPriorityMark, base + kPastChildren);
    // What waits in this group is of the past as well: it is put again with the rest.
    std::erase_if(at.version_rows, [&](const auto& row) { return row.first.starts_with(base); });
    at.changed = true;
    return {};
  }
  if (!purge.row.empty() && state.versions != LogState::Versions::None) {
    size_t seen = 0;
    std::string next;
    RETURN_IF_ERROR(
        at.durable_view().scan(purge.row, base + kPastChildren, [&](std::string_view key, std::string_view leaf) {
          if (seen++ == kPurgeRows) {
            next = key;
            return false;
          }
          at.version_rows.emplace_back(version_row_of(key, tree.head.sequence), leaf);
          return true;
        }));
    purge.row = std::move(next);
    at.changed = true;
    return {};
  }
  const uint64_t since = std::max(*purge.since, state.cut);
  uint64_t last = since, bytes = 0;
  RETURN_IF_ERROR(LogReader(durable(), tree.number).read(since, [&](LogEntry&& entry, uint64_t size) {
    last = entry.record.sequence;
    bytes += size;
    std::vector<Effect> effects;
    bool says_something = entry.base != purge.path && purge.path.contains(entry.base);
    if (says_something) entry.base = purge.path;
    for (Effect& effect : entry.record.effects) says_something |= purge_effect(purge.path, effect, effects);
    entry.record.effects = std::move(effects);
    if (says_something) {
      ++purge.commits;
      // The rows of a longer entry go.
      for (uint64_t part = 1; part * kPartBytes < size; ++part) {
        at.erased_log.push_back(log_row(last, static_cast<uint32_t>(part)));
      }
      each_log_row(last, entry.encode(), [&](std::string row, std::string value) {
        at.log_rows.emplace_back(std::move(row), std::move(value));
      });
      at.changed = true;
    }
    return last - since < kPurgeRows && bytes < kPurgeBytes;
  }));
  // What was written since it has begun is of the present. The entries before that are durable with the next group.
  purge.is_done = last >= purge.upto;
  purge.since = last;
  return {};
}

bool Committer::wants_trim(const Tree& tree, Timestamp now) const {
  const TreeLog& log = tree.log;
  if (!log.state || log.state->cut == tree.head.sequence) return false;
  const uint64_t kept = log.offset - log.state->cut_offset;
  if (kept > log.plan.bytes + log.plan.bytes / kTrimPart) return true;
  return now - log.trimmed > std::max(kTrimPauseMin, log.plan.age / static_cast<int64_t>(kTrimPart));
}

// Looks at what is durable: entries of a group that is being formed are not there yet, and are the newest, which stay.
Result<void> Committer::trim(Tree& tree, Timestamp now) {
  RETURN_IF_ERROR(load(tree));
  TreeLog& log = tree.log;
  if (!log.state) return {};
  log.trimmed = now;
  const LogReader reader(durable(), tree.number);
  ASSIGN_OR_RETURN(const Head head, SnapshotSettings(durable(), tree.number).head());
  ASSIGN_OR_RETURN(const auto last, reader.head_of(head.sequence));
  if (!last) return {};  // it is empty, or what is durable is of before it
  const LogReader::End end{head.sequence, last->entry.offset + last->size};
  ASSIGN_OR_RETURN(const LogState trimmed, reader.trimmed(*log.state, log.plan, end, now));
  if (trimmed.cut <= log.state->cut) return {};
  PendingTree& at = pending(tree);
  log.state->cut = trimmed.cut;
  log.state->cut_offset = trimmed.cut_offset;
  put_state(tree);
  if (log.state->versions == LogState::Versions::Known && log.sweep == nullptr) {
    log.sweep = std::make_unique<VersionSweep>(trimmed.cut);
  }
  at.cut = trimmed.cut;
  at.changed = true;
  return {};
}

// What is below a cut is removed once the cut is durable: readers that come now do not look there.
void Committer::cut_logs() {
  for (const auto& [number, pending] : pending_) {
    if (!pending->cut) continue;
    auto job = [store = &store_, number = number, cut = *pending->cut] { store->cut_log(number, cut); };
    if (in_background_) {
      in_background_(std::move(job));
    } else {
      job();
    }
  }
}

}  // namespace hearth::db
