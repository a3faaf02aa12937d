// What a shard lets its clients hold in memory: asked before something is taken, and again when what was taken has
// grown.
//
//   listeners            of a session, of a namespace, of all   too much: the new one is refused
//   windows of views     grow with what is written              too much: the largest of the namespace end
//   queues for the end   of a session, of a namespace, of all   too much: the operation is undone and refused
//   what is remembered   first values, hashes, changed paths    too much: the namespace used longest ago forgets all
//
// Refusals name the limit's flag. Sums of all shards are gauges that several threads add to, so a limit may be passed
// by as much as comes at the same time.
#include <algorithm>
#include <utility>

#include "db/shard/shard.h"

namespace hearth::db {

// Whether there is room for that many listeners and bytes more. Errors: TooLarge, Unavailable.
Result<void> Shard::room_to_listen(const NamespaceState& space, const Conversation& conversation, size_t listeners,
                                   size_t bytes) {
  Memory& memory = *with_.memory;
  const MemoryLimits& limits = memory.limits;
  const uint64_t own = conversation.listener_bytes + bytes;
  if (own > limits.session_listener_bytes_max) {
    return memory.refuse(MemoryLimit::ListenersSize, "The listeners of this connection", own,
                         limits.session_listener_bytes_max);
  }
  const uint64_t here = space.registry.byte_count() + bytes;
  if (here > limits.space_listener_bytes_max) {
    return memory.refuse(MemoryLimit::NamespaceListenersSize, "The listeners of this namespace", here,
                         limits.space_listener_bytes_max);
  }
  if (space.registry.size() + listeners > limits.space_listeners_max) {
    return memory.refuse(MemoryLimit::NamespaceListeners, "The listeners of this namespace",
                         space.registry.size() + listeners, limits.space_listeners_max);
  }
  const uint64_t all = static_cast<uint64_t>(memory.listeners.bytes.value()) + bytes;
  if (all > limits.listener_bytes_max) {
    return memory.refuse(MemoryLimit::TotalListenersSize, "The listeners of this server", all,
                         limits.listener_bytes_max);
  }
  const uint64_t count = static_cast<uint64_t>(memory.listeners.listeners.value()) + listeners;
  if (count > limits.listeners_max) {
    return memory.refuse(MemoryLimit::TotalListeners, "The listeners of this server", count, limits.listeners_max);
  }
  return {};
}

Result<void> Shard::room_to_listen(const NamespaceState& space, const Conversation& conversation,
                                   const Subscription& subscription) {
  Memory& memory = *with_.memory;
  size_t bytes = subscription.byte_count();
  if (subscription.query) {
    const uint64_t most = memory.limits.query_bytes_max;
    const uint64_t size = std::max(subscription.query->byte_count() - sizeof(Query), subscription.bytes_beside);
    if (size > most) return memory.refuse(MemoryLimit::QuerySize, "The query of a listener", size, most);
    bytes += 2 * subscription.query->byte_count();  // of a view that it may need
  }
  return room_to_listen(space, conversation, 1, bytes);
}

// Windows grow with what is written into them. The largest of the namespace go, until an eighth of the limit is free:
// those who listen are told why, and others stay.
void Shard::end_large_views(NamespaceState& space) {
  Memory& memory = *with_.memory;
  const MemoryLimits& limits = memory.limits;
  const auto over = [&](uint64_t parts) {
    const auto all = static_cast<uint64_t>(memory.listeners.bytes.value());
    return space.registry.byte_count() > limits.space_listener_bytes_max / 8 * parts ||
           all > limits.listener_bytes_max / 8 * parts;
  };
  // Only when the windows have grown since the last look: listeners alone were asked when they came.
  const size_t before = std::exchange(space.view_bytes, space.registry.view_byte_count());
  if (space.view_bytes <= before || !over(8)) return;
  for (View* view : space.registry.largest_views()) {
    if (!over(7)) return;
    const bool here = space.registry.byte_count() > limits.space_listener_bytes_max / 8 * 7;
    const Error error =
        here ? memory.refuse(MemoryLimit::NamespaceListenersSize, "The listeners of this namespace",
                             space.registry.byte_count(), limits.space_listener_bytes_max)
             : memory.refuse(MemoryLimit::TotalListenersSize, "The listeners of this server",
                             static_cast<uint64_t>(memory.listeners.bytes.value()), limits.listener_bytes_max);
    refuse_view(space, *view, take_openings(space, view->number), error);
  }
}

Result<void> Shard::room_to_queue(const NamespaceState& space, const DisconnectQueue& queue) {
  Memory& memory = *with_.memory;
  const MemoryLimits& limits = memory.limits;
  const uint64_t own = queue.byte_count();
  if (own > limits.session_disconnect_bytes_max) {
    return memory.refuse(MemoryLimit::DisconnectSize, "What this connection wants written at its end", own,
                         limits.session_disconnect_bytes_max);
  }
  const uint64_t here = space.disconnect_bytes + own - queue.counted_bytes;
  if (here > limits.space_disconnect_bytes_max) {
    return memory.refuse(MemoryLimit::NamespaceDisconnectSize,
                         "What connections to this namespace want written at their end", here,
                         limits.space_disconnect_bytes_max);
  }
  const uint64_t all = static_cast<uint64_t>(memory.disconnect_bytes.value()) + own - queue.counted_bytes;
  if (all > limits.disconnect_bytes_max) {
    return memory.refuse(MemoryLimit::TotalDisconnectSize, "What connections to this server want written at their end",
                         all, limits.disconnect_bytes_max);
  }
  return {};
}

// Queues an operation that is allowed. One that adds something needs room in memory, on the disk, and in the
// namespace once it will be written.
Result<void> Shard::queue_for_end(NamespaceState& space, Conversation& conversation, const DisconnectRequest& what) {
  const bool adds = what.disconnect.kind != Disconnect::Kind::Cancel;
  if (adds) {
    const Result<void> room = with_.store.room();
    if (!room.ok()) counted_.writes_without_room.add();
    RETURN_IF_ERROR(room);
  }
  if (conversation.queue == nullptr)
    conversation.queue = std::make_unique<DisconnectQueue>(std::string(conversation.id));
  DisconnectQueue& queue = *conversation.queue;
  // First taken in, then asked whether there is room: only the queue itself knows what an operation adds to it.
  const auto take = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(std::vector<Effect> effects, queue.take(what.disconnect));
    if (effects.empty()) return {};
    if (adds) {
      RETURN_IF_ERROR(room_to_queue(space, queue));
      const Size by{
          static_cast<int64_t>(space.disconnect_rows + queue.row_count() - queue.counted_rows),
          static_cast<int64_t>(space.disconnect_data_bytes + queue.data_byte_count() - queue.counted_data_bytes)};
      RETURN_IF_ERROR(committer_.has_room(space.tree, by));
    }
    for (Effect& effect : queue.sign(what.check == nullptr ? "" : what.check->memo()))
      effects.push_back(std::move(effect));
    const bool was_named = space.tree.named;
    RETURN_IF_ERROR(committer_.queue(space.tree, std::move(effects), with_.clock.now()));
    counted_.disconnect_writes_queued.add(what.disconnect.overwrites.size());
    conversation.queue_check = what.check;
    if (!was_named && space.tree.named) named_.emplace_back(space.tree.name, space.tree.number);
    return {};
  };
  Result<void> taken = take();
  if (taken.ok()) {
    queue.keep();
  } else {
    queue.undo();
  }
  count_queue(space, queue);
  if (queue.empty()) conversation.queue = nullptr;
  return taken;
}

void Shard::count_queue(NamespaceState& space, DisconnectQueue& queue) {
  const auto count = [](size_t& of, size_t& counted, size_t now) {
    of += now - counted;
    counted = now;
  };
  with_.memory->disconnect_bytes.add(static_cast<int64_t>(queue.byte_count()) -
                                     static_cast<int64_t>(queue.counted_bytes));
  count(space.disconnect_rows, queue.counted_rows, queue.row_count());
  count(space.disconnect_data_bytes, queue.counted_data_bytes, queue.data_byte_count());
  count(space.disconnect_bytes, queue.counted_bytes, queue.byte_count());
}

// Forgets all queues of a namespace whose rows are gone.
void Shard::drop_queues(NamespaceState& space) {
  with_.memory->disconnect_bytes.add(-static_cast<int64_t>(space.disconnect_bytes));
  space.disconnect_rows = space.disconnect_data_bytes = space.disconnect_bytes = 0;
}

void Shard::remember_missed(NamespaceState& space, const Accepted& accepted) {
  if (!space.had_streams) return;
  if (!space.missed_known) {
    space.missed_known = true;
    space.missed_from = accepted.record.sequence - 1;
  }
  for (const Overwrite& changed : accepted.changed) {
    space.missed_bytes += kMissedBytes + changed.path.text().size();
    space.missed.emplace_back(accepted.record.sequence, Overwrite{changed.path, changed.slot, {}});
  }
  // What is dropped here moves missed_from: a stream from before it can't be told a difference any more.
  while (space.missed.size() > kMissedPathsMax) {
    space.missed_from = space.missed.front().first;
    space.missed_bytes -= kMissedBytes + space.missed.front().second.path.text().size();
    space.missed.pop_front();
  }
}

void Shard::forget_missed(NamespaceState& space) {
  space.missed_known = false;
  space.missed = {};
  space.missed_bytes = 0;
}

void Shard::note_use(const std::shared_ptr<NamespaceState>& space) {
  if (is_heavy()) return;  // home does, when the namespace is back
  if (space->tree.hashes.empty()) space->tree.hash_bytes = 0;
  const size_t replicas = space->mirrors == nullptr ? 0 : space->mirrors->replica_bytes;
  const size_t now = space->missed_bytes + space->tree.hash_bytes + replicas;
  remembered_->add(static_cast<int64_t>(now) - static_cast<int64_t>(space->kept_bytes));
  space->kept_bytes = now;
  if (space->latest) {
    latest_.splice(latest_.end(), latest_, *space->latest);
    return;
  }
  if (latest_.size() >= next_sweep_) {
    std::erase_if(latest_, [](const std::weak_ptr<NamespaceState>& one) { return one.expired(); });
    next_sweep_ = 2 * latest_.size() + 1'000;
  }
  space->latest = latest_.insert(latest_.end(), space);
}

// Forgets what is remembered, of the namespace used longest ago first, until the limit holds. Listeners stay; streams
// that come back are told everything.
void Shard::forget_oldest() {
  const auto is_over = [&] { return static_cast<uint64_t>(remembered_->value()) > with_.remembered_bytes_max; };
  for (auto at = latest_.begin(); at != latest_.end() && is_over();) {
    const std::shared_ptr<NamespaceState> space = at->lock();
    if (space != nullptr && space->away != nullptr) {  // what it knows is the heavy shard's
      ++at;
      continue;
    }
    at = latest_.erase(at);
    if (space == nullptr) continue;
    space->latest.reset();
    if (space->kept_bytes > 0 || !space->firsts.empty() || !space->view_firsts.empty()) with_.memory->count_forgotten();
    space->firsts.clear();
    space->view_firsts.clear();
    space->tree.hashes.clear();
    space->tree.hash_bytes = 0;
    forget_missed(*space);
    if (space->mirrors != nullptr) {
      for (auto& [path, mirror] : space->mirrors->all) drop_replica(*space->mirrors, mirror);
    }
    space->had_streams = space->had_streams && !space->sessions.empty();
    remembered_->add(-static_cast<int64_t>(space->kept_bytes));
    space->kept_bytes = 0;
  }
}

}  // namespace hearth::db
