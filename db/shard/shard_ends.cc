// How a session ends at its shard, and how what it has queued for its end is queued and written.
//
//   End, Ended by an admin, replaced ─▶ unlisten_some … ─▶ end() ─▶ run_next(): RunQueueRequest, first in the line
//   a dead process ─▶ AdoptRequest ─ comes back: BeginRequest, or not: OrphanRequest ─▶ end_orphan() ─▶ run_next()
#include <utility>

#include "db/shard/shard.h"

namespace hearth::db {

void Shard::handle(ShardRequest& request, EndRequest&) {
  if (!unlisten_some(*request.conversation)) end(request.conversation);
}

// Ends up to kUnlistensPerStep listeners of a session that ends. True: there are more, and the request must come again.
bool Shard::unlisten_some(Conversation& conversation) {
  auto& subscriptions = conversation.subscriptions;
  for (size_t count = 0; count < kUnlistensPerStep && !subscriptions.empty(); ++count) {
    Subscription& first = *subscriptions.begin()->value;
    note_leaving(conversation, first);
    conversation.space->registry.remove(first);
    subscriptions.erase(subscriptions.begin());
    Step::here().count_row(0);
  }
  if (OtherListeners* others = conversation.others.get()) {
    size_t count = 0;
    for (; count < kUnlistensPerStep && !others->rows.empty(); ++count) {
      leave(*conversation.space, conversation, others->rows.begin()->first);
    }
    for (; count < kUnlistensPerStep && !others->topics.empty(); ++count) {
      leave(*conversation.space, conversation, others->topics.begin()->first);
    }
    if (others->rows.empty() && others->topics.empty()) conversation.others.reset();
  }
  again_ = !subscriptions.empty() || conversation.others != nullptr;
  return again_;
}

void Shard::handle(ShardRequest& request, DisconnectRequest& what) {
  NamespaceState& space = *request.space;
  Answer reply;
  reply.status = may_queue(space, what.disconnect);
  if (Step::here().is_over()) return;
  if (what.check != nullptr && reply.status.ok()) {
    // Judged now as if it ended now, and again when it does.
    Write trial;
    trial.overwrites = what.disconnect.overwrites;
    trial.access = what.check;
    if (what.disconnect.kind == Disconnect::Kind::Cancel) trial.overwrites.clear();
    reply.status = committer_.judge(space.tree, trial, with_.clock.now());
    if (Step::here().is_over()) return;
  }
  const Step::Whole whole;
  if (reply.status.ok()) {
    reply.status = queue_for_end(space, *request.conversation, what);
  }
  answer(request, std::move(reply));
}

void Shard::handle(ShardRequest& request, RecheckDisconnectRequest& what) {
  const Step::Whole whole;
  Conversation& conversation = *request.conversation;
  if (conversation.queue == nullptr || conversation.queue->empty())
    return;  // what is queued from here on brings its own
  conversation.queue_check = std::move(what.check);
  auto effects = conversation.queue->sign(conversation.queue_check == nullptr ? "" : conversation.queue_check->memo());
  conversation.queue->keep();
  if (effects.empty()) return;
  // A store that fails is broken for all: who sees to that is told by the writes that it refuses.
  const auto accepted = committer_.queue(request.space->tree, std::move(effects), with_.clock.now());
  if (!accepted.ok()) return;
}

void Shard::handle(ShardRequest& request, AdoptRequest& what) {
  count_queue(*request.space, *what.queue);
  request.space->orphans[what.session] = std::move(what.queue);
}

void Shard::handle(ShardRequest& request, OrphanRequest& what) { end_orphan(request.space, what.session); }

void Shard::end_orphan(const std::shared_ptr<NamespaceState>& space, const std::string& session) {
  const auto found = space->orphans.find(session);
  if (found == space->orphans.end()) return;
  std::shared_ptr<DisconnectQueue> queue = std::move(found->second);
  space->orphans.erase(found);
  auto check = queue->memo().empty() ? nullptr : with_.revive(space->tree.name, queue->memo());
  run_next(space, std::move(queue), std::move(check));
}

void Shard::end(const std::shared_ptr<Conversation>& conversation) {
  if (conversation->ended) return;
  conversation->ended = true;
  conversation->is_gone = true;
  counted_.sessions.add(-1);
  NamespaceState& space = *conversation->space;
  for (auto& [id, subscription] : conversation->subscriptions) {
    note_leaving(*conversation, *subscription);
    space.registry.remove(*subscription);
  }
  Step::here().count({conversation->subscriptions.size(), 0, 0});
  conversation->subscriptions.clear();
  if (OtherListeners* others = conversation->others.get()) {
    while (!others->rows.empty()) leave(space, *conversation, others->rows.begin()->first);
    while (!others->topics.empty()) leave(space, *conversation, others->topics.begin()->first);
    conversation->others.reset();
  }
  space.sessions.erase(conversation->id);
  if (conversation->holder != 0) release_at_end(conversation->space, conversation->holder);
  if (conversation->queue == nullptr) return;
  run_next(conversation->space, std::move(conversation->queue), std::move(conversation->queue_check));
}

// Writes the queue as the next request of its namespace: a request that takes long can be moved to a heavy shard.
void Shard::run_next(const std::shared_ptr<NamespaceState>& space, std::shared_ptr<DisconnectQueue> queue,
                     std::shared_ptr<const Precondition> check) {
  if (queue->empty()) return;
  Line& line = line_of(*space);
  line.requests.push_front({.space = space, .what = RunQueueRequest{std::move(queue), std::move(check)}});
  counted_.waiting.add();
  if (is_heavy()) --space->done_away;  // it is counted when it is done, and was not sent
}

// One commit for all that was queued, which also removes the queue: it is run exactly once
// (db/model/data-model.md §12).
void Shard::handle(ShardRequest& request, RunQueueRequest& what) {
  NamespaceState& space = *request.space;
  DisconnectQueue& queue = *what.queue;
  std::vector<Overwrite> queued = queue.overwrites();
  std::vector<Effect> removed = queue.clear();
  std::vector<Write> writes;
  for (Overwrite& overwrite : queued) {
    Write write;
    write.base = overwrite.path;
    write.overwrites.push_back(std::move(overwrite));
    write.access = what.check;
    writes.push_back(std::move(write));
  }
  const Path root;
  // A store that fails is broken for all; the rows then stay, and a restart runs them.
  const auto done =
      committer_.write_each(space.tree, writes, std::move(removed), with_.clock.now(), teller(space, true, root));
  if (Step::here().is_over()) return queue.undo();
  queue.keep();
  count_queue(space, queue);
  if (!done.ok()) return end_listeners_if_unmatched(space);
  if (space.tree.head.has_documents) end_removed_documents(space, done.value().record);
  counted_.disconnect_writes_run.add(writes.size());
}

}  // namespace hearth::db
