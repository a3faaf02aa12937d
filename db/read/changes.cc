// The log as changes. What concerns documents, queues and settings is in the log too, and is passed over: the feed
// tells of the tree. So are indexes in what was written by a Hearth that built them by commits.
//
//   since ─▶ is it known? (LogReader::knows) ─▶ entries behind it ─▶ places at, above, below `path` ─▶ changes, `next`
//
// A change is told at the place where it was made. Only when that is above the path that was asked for, the path itself
// is told, with its part of the value. A commit that touched nothing there gives no change, and yet moves `next`: so a
// reader who asks for a quiet path does not read the same entries again.
//
// A page ends when it is full, or with the log. is_end says which: whoever follows the feed asks again at once, or
// waits for a commit behind page.sequence.
//
// An id names the run that wrote the entry, and not the one that reads it. So an id stays the same over restarts. Where
// there is no entry to name, the present run and the sequence stand for the place.
//
// What stood there before (`before`) is read from the versions, by a look for each place. It is left out where the
// versions do not reach back so far, or where the value is too large, and the change itself is told all the same.
//
// A namespace whose log is on and has nothing yet is not unknown: it answers an empty page with "0" to go on from.
#include "db/read/changes.h"

#include <utility>

#include "db/log/log_reader.h"
#include "db/read/past.h"

namespace hearth::db {
namespace {

Error is_unknown() {
  return {ErrorCode::NotFound,
          "What happened since then is not known any more, or never was: the id is from before the log begins, or of "
          "another store. Read the data anew, and go on with since=0 or the id of that read."};
}

// What `effect` means at and below `path`.
void add_places(const Effect& effect, const Path& path, std::vector<PlaceChange>& to) {
  const bool is_set = effect.kind == Effect::Kind::Set;
  if (is_set && effect.name == kPurged) {
    if (path.contains(effect.path)) to.push_back({.path = effect.path, .is_purged = true});
    if (!path.contains(effect.path) && effect.path.contains(path)) to.push_back({.path = path, .is_purged = true});
    return;
  }
  if (!is_set && effect.kind != Effect::Kind::SetPriority) return;
  const Slot slot = is_set ? Slot::Value : Slot::Priority;
  if (path.contains(effect.path)) {
    to.push_back({.path = effect.path, .slot = slot, .value = is_set ? effect.value : effect.value.priority()});
  } else if (is_set && effect.path.contains(path)) {
    to.push_back({.path = path, .slot = slot, .value = effect.value.at(path.relative_to(effect.path))});
  }
}

Change change_of(LogEntry&& entry, const Path& path) {
  Change change;
  change.time = entry.record.time;
  change.by = std::move(entry.by);
  if (entry.kind == LogEntry::Kind::Restore) {
    if (path.contains(entry.base)) change.places.push_back({.path = entry.base, .is_restored = true});
    if (!path.contains(entry.base) && entry.base.contains(path))
      change.places.push_back({.path = path, .is_restored = true});
    return change;
  }
  for (const Effect& effect : entry.record.effects) add_places(effect, path, change.places);
  return change;
}

// What stood at the places of a change before it. `first`: the first sequence whose tree is known.
Result<void> add_before(Change& change, uint64_t sequence, uint64_t first, size_t& bytes,
                        const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Turn& turn) {
  if (sequence <= first) return {};
  for (PlaceChange& place : change.places) {
    if (place.is_purged) continue;
    auto was = value_after(sequence - 1, place.path, kBeforeBytesMax, snapshot, number, turn);
    if (turn.is_over()) return turn.error();
    if (!was.ok() && was.error().code == ErrorCode::TooLarge) continue;
    if (!was.ok()) return was.error();
    place.before = place.slot == Slot::Value ? std::move(was).value() : was.value().priority();
    bytes += place.before->byte_count();
  }
  return {};
}

}  // namespace

Result<ChangesPage> read_changes(const ChangesRead& read, const TreeStore& store,
                                 const std::shared_ptr<const Snapshot>& snapshot, uint32_t number,
                                 const HistoryPlan& usual, Turn& turn) {
  const LogReader log(snapshot, number);
  ASSIGN_OR_RETURN(const auto state, log.state());
  const SnapshotSettings settings(snapshot, number);
  ASSIGN_OR_RETURN(const Head head, settings.head());
  if (!state) {
    ASSIGN_OR_RETURN(const auto own, settings.text(kHistorySetting));
    ASSIGN_OR_RETURN(const HistoryPlan plan, plan_of(own, usual));
    if (plan.is_on() && (read.since == "0" || read.since == kSinceNow)) {
      ChangesPage page;
      page.next = "0";
      page.sequence = head.sequence;
      page.is_end = true;
      return page;
    }
    if (plan.is_on()) return is_unknown();
    return Error{ErrorCode::InvalidArgument,
                 "This namespace keeps no history: start the server with --history 24h,1GB, or set "
                 "/.settings/history.json."};
  }
  // Of an entry: the run that wrote it stays the same, so its id does too.
  const auto id_of = [&](uint32_t life, uint64_t sequence) {
    const std::string* name = store.life_of(life);
    return (name != nullptr ? *name : store.life()) + ":" + std::to_string(sequence);
  };
  ChangesPage page;
  page.sequence = state->cut;
  page.next = id_of(store.life_index(), state->cut);  // where there are no entries
  uint64_t first_past = 0;
  if (read.before) {
    ASSIGN_OR_RETURN(first_past, first_known_past(snapshot, number));
  }
  if (read.since == kSinceNow) {
    page.sequence = head.sequence;
    page.next = id_of(store.life_index(), head.sequence);
    page.is_end = true;
    return page;
  }
  if (read.since != "0") {
    const auto id = parse_event_id(read.since);
    if (!id) {
      return Error{ErrorCode::InvalidArgument,
                   "since must be 0, now, or an id that this feed or an event stream gave."};
    }
    const auto life = store.life_index_of(id->life);
    if (!life) return is_unknown();
    ASSIGN_OR_RETURN(const bool knows, log.knows(*state, head.sequence, *life, id->sequence));
    if (!knows) return is_unknown();
    page.sequence = id->sequence;
    page.next = read.since;
  }
  size_t bytes = 0;
  bool is_full = false;
  Result<void> before;
  const Result<void> done = log.read(page.sequence, [&](LogEntry&& entry, uint64_t size) {
    if (!turn.spend(work_of_row(size))) return false;
    page.sequence = entry.record.sequence;
    page.next = id_of(entry.life, page.sequence);
    if (page.first.empty()) page.first = page.next, page.first_sequence = page.sequence;
    Change change = change_of(std::move(entry), read.path);
    if (!change.places.empty()) {
      if (read.before) before = add_before(change, page.sequence, first_past, bytes, snapshot, number, turn);
      if (!before.ok()) return false;
      change.id = page.next;
      page.changes.push_back(std::move(change));
      bytes += size;
    }
    is_full = page.changes.size() >= read.changes_max || bytes >= read.bytes_max;
    return !is_full;
  });
  if (turn.is_over()) return turn.error();
  RETURN_IF_ERROR(before);
  if (!done.ok()) return done.error().code == ErrorCode::NotFound ? is_unknown() : done.error();
  page.is_end = !is_full || page.sequence == head.sequence;
  return page;
}

}  // namespace hearth::db
