// The end of a shard in a process that goes on: another node of the cluster has its namespaces from here on, or will have them
// (db/engine_replica.cc). There is no way back: who owns the shard again makes another Shard, which knows nothing but the disk.
//
//   stop()     any thread      requests are refused, from the next one on. What is being written goes on
//   close()    who disowns     what has begun is finished, also at heavy shards, and the thread is gone
//   end_all()  the same        each conversation hears Ended, and nothing behind it
//
// What must hold:
// - A request by itself is answered, always: somebody waits for it.
// - A conversation is not answered any more once the shard is over. Clients of the Firebase protocol take a refusal for the last
//   word and roll back; one whose socket closes keeps its writes and sends them where the shard is now.
// - Queues for the end of sessions stay on disk, for who owns the shard next.
#include <utility>

#include "db/base/mail_batch.h"
#include "db/shard/shard.h"

namespace hearth::db {

void Shard::stop(const Error& why) {
  const std::lock_guard lock(mutex_);
  if (why_over_) return;
  why_over_ = why;
  is_over_.store(true, std::memory_order_release);
}

Error Shard::why_over() const {
  const std::lock_guard lock(mutex_);
  return *why_over_;
}

// At home or as a guest's: the namespace's own shard is over.
void Shard::refuse_over(ShardRequest& request) {
  const Error why = request.space->shard.why_over();
  if (const auto* swap = std::get_if<SwapRequest>(&request.what)) swap->swap->refuse(why);
  if (request.conversation == nullptr) return answer(request, {.status = why});
  if (!std::holds_alternative<BeginRequest>(request.what)) return;  // it is among those that end_all() ends
  request.conversation->ended = true;
  tell(request.conversation, Ended{why});
}

// The shard's thread is gone.
void Shard::refuse_late(std::list<ShardRequest>& requests, const Error& why) {
  for (ShardRequest& request : std::exchange(requests, {})) {
    if (const auto* swap = std::get_if<SwapRequest>(&request.what)) swap->swap->refuse(why);
    if (std::holds_alternative<BeginRequest>(request.what)) request.conversation->story.end(why);
    if (request.conversation != nullptr || request.done == nullptr) continue;
    Answer answer;
    answer.status = why;
    request.done(std::move(answer));
  }
}

void Shard::end_all(const std::vector<std::shared_ptr<NamespaceState>>& spaces, const Error& why) {
  const MailBatch batch;  // what one io thread is told leaves as one message
  for (const std::shared_ptr<NamespaceState>& space : spaces) {
    for (const auto& [id, one] : std::exchange(space->sessions, {})) {
      const std::shared_ptr<Conversation> conversation = one.lock();
      if (conversation == nullptr || std::exchange(conversation->ended, true)) continue;
      conversation->is_gone = true;
      conversation->story.end(why);
      conversation->queue = nullptr;
      counted_.sessions.add(-1);
      for (const auto& [listener, subscription] : conversation->subscriptions) space->registry.remove(*subscription);
      conversation->subscriptions.clear();  // they hold it
      const auto others = std::move(conversation->others);
      if (others == nullptr) continue;
      for (const auto& [listener, rows] : others->rows) space->rows.remove(*rows);
      for (const auto& [listener, place] : others->topics) {
        space->registry.remove(place->being);
        space->registry.remove(place->speaking);
        (void)space->topics->leave(*place, with_.clock.now());
      }
    }
    space->topics.reset();
    space->documents.clear();
    space->openings.clear();
    space->throttles.clear();
    space->row_throttles.clear();
    space->awaiting.clear();
    space->firsts.clear();
    space->view_firsts.clear();
    space->orphans.clear();
    drop_queues(*space);
  }
}

}  // namespace hearth::db
