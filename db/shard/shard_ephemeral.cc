// Ephemeral values and those for whom they stay (holders.h).
//
//   a write ─▶ take_hold(): which holder ─▶ committer ─▶ keep_hold(): where it has written
//   a session ends ─▶ ReleaseRequest, first in the line ─┐
//   a ttl is over ─▶ an alarm ─▶ LapseRequest ───────────┴─▶ release_held(): ordinary removals, told as any, some at a time
//
// Rules are not asked for a removal: what was written to go goes.
#include <algorithm>
#include <utility>

#include "db/model/key_order.h"
#include "db/shard/shard.h"

namespace hearth::db {

// Says with whom goes what the write may put at ephemeral paths. Errors: InvalidArgument.
Result<void> Shard::take_hold(ShardRequest& request, Write& write) {
  NamespaceState& space = *request.space;
  RETURN_IF_ERROR(committer_.load(space.tree));
  const bool has_ephemeral = space.tree.ephemeral_paths() != nullptr;
  if (write.ttl.count() != 0) {
    if (!has_ephemeral) {
      return Error{ErrorCode::InvalidArgument,
                   "ttl is for what is written at ephemeral paths, and this namespace has none "
                   "(/.settings/paths.json)."};
    }
    if (write.ttl < kEphemeralTtlMin || write.ttl > kEphemeralTtlMax)
      return Error{ErrorCode::InvalidArgument, "The ttl of what is ephemeral is at most 60 seconds."};
    write.holder = space.holders.next();
  } else if (has_ephemeral && request.conversation != nullptr) {
    uint64_t& holder = request.conversation->holder;
    if (holder == 0) holder = space.holders.next();
    write.holder = holder;
  }
  return {};
}

// The write was accepted.
void Shard::keep_hold(NamespaceState& space, const Write& write) {
  const PathPlan* paths = space.tree.ephemeral_paths();
  if (paths == nullptr) return;
  const auto puts = ephemeral_puts(write, *paths);
  if (!puts.ok() || puts.value().empty()) return;
  const auto until = write.ttl.count() != 0 ? std::optional(with_.alarms.now() + write.ttl) : std::nullopt;
  space.holders.add(write.holder, puts.value(), until, committer_.ephemeral(space.tree));
  space.tree.ephemeral.holder_bytes = space.holders.byte_count();
  if (until) watch_holders(space);
}

void Shard::watch_holders(NamespaceState& space) {
  const auto due = space.holders.next_due();
  if (!due) return;
  with_.alarms.set(space.tree.name, Alarms::For::Ephemeral, std::max(*due - with_.alarms.now(), Timestamp(1)));
}

// Removes what goes with the holder, or some of it. Returns whether nothing is left to be done; that must not be believed
// when the step is over.
bool Shard::release_held(NamespaceState& space, uint64_t holder) {
  Tree& tree = space.tree;
  if (!committer_.load(tree).ok()) return true;
  Holders::Released released = space.holders.released(holder, committer_.ephemeral(tree));
  if (Step::here().is_over()) return true;
  bool is_removed = true;
  if (!released.removals.empty()) {
    Write write;
    write.merge = released.removals.size() > 1;
    write.base = released.removals.front().path;
    for (const Overwrite& removal : released.removals) {
      while (!write.base.contains(removal.path)) write.base = write.base.parent();
    }
    write.overwrites = std::move(released.removals);
    const size_t told = releases_.size();
    const Result<Accepted> accepted =
        committer_.write(tree, write, with_.clock.now(), teller(space, write.merge, write.base));
    if (Step::here().is_over()) return true;
    if (!accepted.ok()) {  // the store is broken; what is in memory goes with the process
      releases_.resize(told);
      end_listeners_if_unmatched(space);
      is_removed = false;
    }
  }
  const Step::Whole whole;
  if (!released.is_all && is_removed) return false;
  space.holders.forget(holder);
  tree.ephemeral.holder_bytes = space.holders.byte_count();
  return true;
}

// As the next request of its namespace: one that takes long can be moved to a heavy shard.
void Shard::release_at_end(const std::shared_ptr<NamespaceState>& space, uint64_t holder) {
  Line& line = line_of(*space);
  line.requests.push_front({.space = space, .what = ReleaseRequest{holder}});
  counted_.waiting.add();
  if (is_heavy()) --space->done_away;  // it is counted when it is done, and was not sent
}

void Shard::handle(ShardRequest& request, ReleaseRequest& what) { again_ = !release_held(*request.space, what.holder); }

void Shard::handle(ShardRequest& request, LapseRequest&) {
  NamespaceState& space = *request.space;
  // One in a step: what a step that is over has told is taken back, so it may not have been accepted.
  const auto holder = space.holders.due(with_.alarms.now());
  if (!holder) return watch_holders(space);
  (void)release_held(space, *holder);
  again_ = true;
}

// What a session queues for its end is on disk until then; what is ephemeral goes by itself.
Result<void> Shard::may_queue(NamespaceState& space, const Disconnect& disconnect) {
  RETURN_IF_ERROR(committer_.load(space.tree));
  const PathPlan* paths = space.tree.ephemeral_paths();
  if (paths == nullptr || disconnect.kind == Disconnect::Kind::Cancel) return {};
  Write trial;
  trial.holder = 1;
  trial.overwrites = disconnect.overwrites;
  ASSIGN_OR_RETURN(const std::vector<Path> puts, ephemeral_puts(trial, *paths));
  for (const Overwrite& overwrite : disconnect.overwrites) {
    if (puts.empty() && !paths->is_ephemeral(encode_path(overwrite.path))) continue;
    const Path& at = puts.empty() ? overwrite.path : puts.front();
    return Error{ErrorCode::InvalidArgument,
                 "What is at " + at.slashed() +
                     " is ephemeral: it goes by itself when the connection ends, and onDisconnect is not done there."};
  }
  return {};
}

}  // namespace hearth::db
