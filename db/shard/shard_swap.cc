// The shard's part in a restore and in a removal: from one moment to the next its namespaces are others, or gone, and
// whoever listens there is told.
//
//   restores' thread       shard 1                     shard 2
//   stages its files       serves                      serves
//   SwapRequest ─────────▶ (and to shard 2)
//                          alone in a group            ends its group first
//                          meet() ─ waits ─┐           alone in a group
//                                          └─ both ─── meet(): the last one runs swap_in(), the others wait
//                          refresh, forget,            refresh, forget,
//                          tell_swapped                tell_swapped
//                          commit, release             commit, release
//   ◀──────── answers ─────┴───────────────────────────┘
//
// What must hold:
// - Nothing is pending at the moment of the swap. So the request is alone in its group, and waits until every
//   namespace that it names is at home (all_here): a heavy shard could have writes of it in a group.
// - No two swaps wait for each other's shards. There is one restore at a time (db/upkeep/backups.cc), and removals
//   take turns with restores.
// - The snapshot from before is taken before meet(): listeners are told the difference, as of a set of the whole place.
#include "db/model/namespace_name.h"
#include "db/shard/shard.h"

namespace hearth::db {

void Shard::handle(ShardRequest& request, SwapRequest& what) {
  const Step::Whole whole;  // a restore's moment: all shards concerned wait for it
  std::vector<std::shared_ptr<const Snapshot>> before;
  for (const SwapRequest::Place& place : what.places) before.push_back(committer_.readable(place.space->tree));
  Answer reply;
  reply.status = committer_.begin_restoring(what.places.front().space->tree);
  if (!reply.status.ok()) {
    what.swap->refuse(reply.status.error());
    return answer(request, std::move(reply));
  }
  reply.status = what.swap->meet();
  if (!reply.status.ok()) (void)committer_.give_up_restoring(what.places.front().space->tree);
  if (reply.status.ok()) {
    committer_.refresh();
    // Everything that is known of these namespaces is of another tree now: head, plan, hashes, sizes, first values.
    for (size_t index = 0; index < what.places.size(); ++index) {
      const SwapRequest::Place& place = what.places[index];
      NamespaceState& space = *place.space;
      committer_.drop_ephemeral(space.tree, place.at);
      committer_.forget(space.tree);
      if (!space.tree.named) named_.emplace_back(space.tree.name, space.tree.number);
      space.tree.named = true;
      ++space.restores;
      tell_swapped(space, place.at, SnapshotView(before[index], space.tree.number));
      committer_.seal_restored(space.tree, place.at, with_.clock.now());
      // As of a removed one: clients that came back by themselves would add what they still have to what was restored.
      note_other_documents(space, place.at);
      space.mirrors_known = space.mirrors_asked = false;
      if (space.tree.head.has_documents) committer_.set_mirrored_by(space.tree, std::string(kNoMirrorsPlan));
      end_documents(space, place.at, {ErrorCode::NotFound, "The document was replaced by a restore."});
      if (place.space->line.group == group_) continue;
      place.space->line.group = group_;
      in_group_.push_back(place.space);
    }
  }
  answer(request, std::move(reply));
}

// Tells listeners as of a set of the whole place. Where that fails, the listeners end and have to ask again.
void Shard::tell_swapped(NamespaceState& space, const Path& at, const TreeView& before) {
  space.firsts.clear();
  space.view_firsts.clear();
  const size_t told = releases_.size();
  Result<void> status = committer_.load_restored(space.tree, at, with_.clock.now());
  if (status.ok()) {
    const SnapshotView after(committer_.readable(space.tree), space.tree.number);
    const SnapshotSettings settings(committer_.durable(), space.tree.number);
    const Head& head = space.tree.head;
    Accepted accepted;
    accepted.record = {head.sequence, head.time, {}};
    accepted.changed.push_back({at, Slot::Value, {}});
    Difference difference{.changed = accepted.changed,
                          .merge = false,
                          .base = at,
                          .has_priorities = head.has_priorities,
                          .now = {head.time, with_.clock.now()},
                          .settings = settings,
                          .configures = true};
    // The whole tree may be large: only what somebody listens to is read.
    difference.is_unread = true;
    status = note_change(space, accepted, difference, before, after);
  }
  if (status.ok()) return;
  releases_.resize(told);
  end_listeners(space, "The data was replaced by a restore and is to be asked for again: " + status.error().message);
}

// A write that is refused because its listeners could not be told leaves some of them as if it had been taken:
// revoked, or with another window.
void Shard::end_listeners_if_unmatched(NamespaceState& space) {
  if (!unmatched_) return;
  end_listeners(space, "What changed can't be read; the data is to be asked for again: " + unmatched_->message);
  unmatched_.reset();
}

void Shard::end_listeners(NamespaceState& space, const std::string& why) {
  space.firsts.clear();
  space.view_firsts.clear();
  forget_missed(space);
  space.row_throttles.clear();  // they read anew
  for (const auto& [id, one] : space.sessions) {
    const std::shared_ptr<Conversation> conversation = one.lock();
    if (conversation == nullptr) continue;
    for (const auto& [listener, subscription] : conversation->subscriptions) {
      space.registry.remove(*subscription);
      Event event;
      event.kind = Event::Kind::Revoked;
      event.listener = listener;
      event.sequence = space.tree.head.sequence;
      event.error = Error{ErrorCode::Unavailable, why};
      tell(conversation, std::move(event));
    }
    conversation->subscriptions.clear();
    if (conversation->others == nullptr) continue;
    for (const auto& [listener, rows] : conversation->others->rows) {
      RowEvent event;
      event.listener = listener;
      event.is_missed = true;
      tell(conversation, std::move(event));
    }
  }
}

// One commit of a few range tombstones, however large the namespace is.
void Shard::handle(ShardRequest& request, RemoveRequest&) {
  const Step::Whole whole;
  NamespaceState& space = *request.space;
  Answer reply;
  reply.status = space.tree.named ? committer_.remove(space.tree) : no_such_namespace();
  if (!reply.status.ok()) return answer(request, std::move(reply));
  space.is_removed = true;
  with_.on_removed(space.tree.name, space.tree.head.sequence);
  space.orphans.clear();
  drop_queues(space);
  std::vector<std::shared_ptr<Conversation>> all;
  for (const auto& [id, one] : space.sessions) {
    auto conversation = one.lock();
    if (conversation == nullptr) continue;
    conversation->queue = nullptr;  // what was to be written when it ends had its place there
    all.push_back(std::move(conversation));
  }
  end_told(all, {ErrorCode::NotFound, "The namespace was removed by an administrator."});
  answer(request, std::move(reply));
}

void Shard::refuse_removed(const ShardRequest& request) {
  const Error error{ErrorCode::Unavailable,
                    "The namespace has just been removed; ask again, to be told whether there is a new one."};
  if (std::holds_alternative<BeginRequest>(request.what)) {
    request.conversation->ended = true;
    return tell(request.conversation, Ended{error});
  }
  answer(request, {.status = error});
}

}  // namespace hearth::db
