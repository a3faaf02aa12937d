// A moment is an id (STORE:SEQUENCE, of an event or an answer) or a time. Both become a sequence, and a PastView of it is
// read as any other tree.
//
//   carried over          the log's oldest entry                         head
//   ─────┼──────────────────────┼──────────────────────────────────────────┼──▶ sequences
//        │ nothing is known     │ first: its tree is the first that is known
//
//   time ─▶ binary search: the last commit whose entry is not later, by what the clock said then (LogEntry::wall). Where the
//           clock was set back, times of entries fall, and one of the commits around that time is found.
//
// What is known of the past begins where the log does, and not before the versions were carried over. Whoever asks for less
// than that is told from when on there is an answer: nothing is guessed, and an empty value always means that nothing was
// there.
//
// undo_of() makes a write of the difference between two views, one before the commit and one after it. It carries the hash
// of what the commit left at each place, so it is refused where something has changed since (Stale), and is a commit like
// any other, which can be taken back in turn.
#include "db/read/past.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "db/log/log_reader.h"
#include "db/log/versions.h"
#include "db/model/hash.h"
#include "db/model/key_order.h"
#include "db/model/tree_view.h"
#include "db/read/reads.h"

namespace hearth::db {
namespace {

// The first sequence that can be read. Errors: InvalidArgument, Unavailable.
Result<uint64_t> first_known(const std::optional<LogState>& state) {
  if (!state || state->versions == LogState::Versions::None) {
    return Error{ErrorCode::InvalidArgument,
                 "This namespace keeps no values of the past, or nothing was written since they are kept: start the "
                 "server with --history 24h,1GB,versions, or set "
                 "/.settings/history.json with \"versions\": true."};
  }
  if (const auto from = state->past_from()) return *from;
  return Error{ErrorCode::Unavailable,
               "What was there before history was switched on is still being carried over; try again soon."};
}

// Of a namespace that was never written, all of the past is known, whatever is kept: nothing was there.
Result<uint64_t> first_known(const std::optional<LogState>& state, const Head& head) {
  if (!state && head.sequence == 0) return uint64_t{0};
  return first_known(state);
}

Result<uint64_t> too_early(const LogReader& log, uint64_t first, uint64_t head) {
  std::string since = "the present";
  if (first < head) {
    ASSIGN_OR_RETURN(const auto next, log.head_of(first + 1));
    if (next) since = rfc3339(next->entry.wall);
  }
  return Error{ErrorCode::NotFound,
               "That moment is from before what is known of the past, which begins at " + since + "."};
}

}  // namespace

Result<uint64_t> sequence_at(const PastMoment& moment, const TreeStore& store,
                             const std::shared_ptr<const Snapshot>& snapshot, uint32_t number) {
  const LogReader log(snapshot, number);
  ASSIGN_OR_RETURN(const auto state, log.state());
  ASSIGN_OR_RETURN(const Head head, SnapshotSettings(snapshot, number).head());
  ASSIGN_OR_RETURN(const uint64_t first, first_known(state, head));
  if (moment.id) {
    const auto life = store.life_index_of(moment.id->life);
    if (life && state) {
      ASSIGN_OR_RETURN(const bool knows, log.knows(*state, head.sequence, *life, moment.id->sequence));
      if (knows && moment.id->sequence >= first) return moment.id->sequence;
      if (knows) return too_early(log, first, head.sequence);
    }
    return Error{ErrorCode::NotFound, "This id is not known any more, or it is of another store."};
  }
  if (!state) return first;
  // The last commit up to then: everything up to `before` was then, nothing from `later` on.
  uint64_t before = first, later = head.sequence + 1;
  while (before + 1 < later) {
    const uint64_t middle = before + (later - before) / 2;
    ASSIGN_OR_RETURN(const auto found, log.head_of(middle));
    (!found || found->entry.wall <= moment.time ? before : later) = middle;
  }
  if (before > first || first == head.sequence) {
    if (before > first || first == 0 || moment.time >= head.time) return before;
  } else {
    // Nothing that is known was then: only when the commit `first` itself was is it known what was.
    ASSIGN_OR_RETURN(const auto own, log.head_of(first));
    if (first == 0 || (own && own->entry.wall <= moment.time)) return first;
  }
  return too_early(log, first, head.sequence);
}

// What an Unleaf took away comes back with all that was put below it, so of the places only the highest count.
Result<Write> undo_of(const EventId& id, const TreeStore& store, const std::shared_ptr<const Snapshot>& snapshot,
                      uint32_t number, Turn& turn) {
  PastMoment moment;
  moment.id = id;
  ASSIGN_OR_RETURN(const uint64_t sequence, sequence_at(moment, store, snapshot, number));
  if (sequence > 0) moment.id->sequence = sequence - 1;
  const LogReader log(snapshot, number);
  ASSIGN_OR_RETURN(const auto state, log.state());
  ASSIGN_OR_RETURN(const uint64_t first, first_known(state));
  if (sequence <= first) {
    return Error{ErrorCode::NotFound, "What stood there before this commit is not known, so it can't be taken back."};
  }
  std::optional<LogEntry> entry;
  RETURN_IF_ERROR(log.read(sequence - 1, [&](LogEntry&& found, uint64_t size) {
    if (turn.spend(work_of_row(size))) entry = std::move(found);
    return false;
  }));
  if (turn.is_over()) return turn.error();
  const Error not_data{
      ErrorCode::InvalidArgument,
      "This commit changed something else than data (settings, documents, what a client has queued, or "
      "it is a restore): that can't be taken back."};
  if (!entry || entry->kind != LogEntry::Kind::Commit) return not_data;
  std::map<std::string, std::pair<Path, Slot>> places;
  for (const Effect& effect : entry->record.effects) {
    if (effect.name == kPurged) {
      return Error{ErrorCode::NotFound, "What this commit changed was removed from history."};
    }
    const bool is_priority = effect.kind == Effect::Kind::SetPriority;
    if (!is_priority && effect.kind != Effect::Kind::Set && effect.kind != Effect::Kind::Unleaf) return not_data;
    const Slot slot = is_priority ? Slot::Priority : Slot::Value;
    places.emplace(encode_path(effect.path) + (is_priority ? std::string(1, kPriorityMark) : ""),
                   std::pair(effect.path, slot));
  }
  const PastView before(snapshot, number, sequence - 1), after(snapshot, number, sequence);
  const TurnView from(before, turn), to(after, turn);
  Write write;
  write.only_existing = true;
  const std::string* covering = nullptr;
  size_t bytes = 0;
  for (const auto& [key, place] : places) {
    if (covering != nullptr && key.starts_with(*covering)) continue;
    const auto& [path, slot] = place;
    if (slot == Slot::Value) covering = &key;
    ASSIGN_OR_RETURN(Value was, from.read(path, kReadBytesMax - bytes));
    ASSIGN_OR_RETURN(const Value became, to.read(path, kReadBytesMax - bytes));
    bytes += was.byte_count();
    if (bytes > kReadBytesMax) return Error{ErrorCode::TooLarge, "What stood there before is too large."};
    write.preconditions.push_back(std::make_shared<HashIs>(path, exact_hash(became)));
    write.overwrites.push_back({path, slot, slot == Slot::Value ? std::move(was) : was.priority()});
  }
  if (turn.is_over()) return turn.error();
  write.merge = write.overwrites.size() > 1;
  if (!write.merge) write.base = write.overwrites.front().path;
  return write;
}

Result<uint64_t> first_known_past(const std::shared_ptr<const Snapshot>& snapshot, uint32_t number) {
  ASSIGN_OR_RETURN(const auto state, LogReader(snapshot, number).state());
  return first_known(state);
}

Result<Value> value_after(uint64_t sequence, const Path& path, size_t bytes_max,
                          const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Turn& turn) {
  const PastView past(snapshot, number, sequence);
  return TurnView(past, turn).read(path, bytes_max);
}

Result<PathHistory> read_history(const HistoryRead& read, const TreeStore& store,
                                 const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Turn& turn) {
  const LogReader log(snapshot, number);
  ASSIGN_OR_RETURN(const auto state, log.state());
  ASSIGN_OR_RETURN(const Head head, SnapshotSettings(snapshot, number).head());
  ASSIGN_OR_RETURN(const uint64_t first, first_known(state, head));
  const size_t most = std::min(read.values_max, kPastValuesMax);
  // One more than is told, whose value is what was before.
  ASSIGN_OR_RETURN(std::vector<uint64_t> sequences,
                   versions_of(*snapshot, number, read.path, first, most + 1,
                               [&](size_t bytes) { return turn.spend(work_of_row(bytes)); }));
  if (turn.is_over()) return turn.error();
  PathHistory history;
  history.is_whole = sequences.size() <= most;
  size_t bytes = 0;
  const auto value_at = [&](uint64_t sequence) -> Result<Value> {
    const PastView past(snapshot, number, sequence);
    const TurnView view(past, turn);
    ASSIGN_OR_RETURN(Value value, view.read(read.path, read.bytes_max - bytes));
    bytes += value.byte_count();
    return value;
  };
  const uint64_t before = history.is_whole ? first : sequences.front();
  ASSIGN_OR_RETURN(history.before, value_at(before));
  if (!history.is_whole) sequences.erase(sequences.begin());
  const Value* last = &history.before;
  history.values.reserve(sequences.size());
  for (const uint64_t sequence : sequences) {
    ASSIGN_OR_RETURN(Value value, value_at(sequence));
    if (value == *last) continue;  // something above or beside it was written
    ASSIGN_OR_RETURN(const auto found, log.head_of(sequence));
    PastValue past;
    const std::string* life = found ? store.life_of(found->entry.life) : nullptr;
    past.id = (life != nullptr ? *life : store.life()) + ":" + std::to_string(sequence);
    if (found) {
      past.time = found->entry.wall;
      past.by = found->entry.by;
    }
    past.value = std::move(value);
    history.values.push_back(std::move(past));
    last = &history.values.back().value;
  }
  if (turn.is_over()) return turn.error();
  return history;
}

}  // namespace hearth::db
