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
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

// The log is looked at when it may be an eighth too long, or too old by an eighth.
constexpr uint64_t kTrimPart = 8;
constexpr Timestamp kTrimPauseMin{1'000};

}  // namespace

Result<void> Committer::load_log(Tree& tree, const Restored* restored) {
  ASSIGN_OR_RETURN(const auto setting, durable()->get(row_key(Table::Setting, tree.number, kHistorySetting)));
  tree.log = {};
  tree.log.plan = history_;
  if (setting) {
    ASSIGN_OR_RETURN(tree.log.plan, parse_history(*setting));
  }
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
      append_entry(pending(tree), std::move(entry));
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
  rows_.put(row_key(Table::History, tree.number), tree.log.state->encode());
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

bool Committer::wants_trim(const Tree& tree, Timestamp now) const {
  const TreeLog& log = tree.log;
  if (!log.state || log.state->cut == tree.head.sequence) return false;
  const uint64_t kept = log.offset - log.state->cut_offset;
  if (kept > log.plan.bytes + log.plan.bytes / kTrimPart) return true;
  return now - log.trimmed > std::max(kTrimPauseMin, log.plan.age / static_cast<int64_t>(kTrimPart));
}

// Reads what is durable: the entries of a group that is being formed are the newest, and stay.
Result<void> Committer::trim(Tree& tree, Timestamp now) {
  RETURN_IF_ERROR(load(tree));
  TreeLog& log = tree.log;
  if (!log.state) return {};
  log.trimmed = now;
  const LogReader reader(durable(), tree.number);
  ASSIGN_OR_RETURN(const LogState trimmed, reader.trimmed(*log.state, log.plan, {tree.head.sequence, log.offset}, now));
  if (trimmed.cut <= log.state->cut) return {};
  PendingTree& at = pending(tree);
  log.state = trimmed;
  rows_.put(row_key(Table::History, tree.number), trimmed.encode());
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
