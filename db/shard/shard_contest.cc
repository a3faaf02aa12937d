// Where the shard asks contests.h: after each conditional write, and before those are woken who were told something.
#include <utility>

#include "db/base/mail_batch.h"
#include "db/shard/shard.h"

namespace hearth::db {

void Shard::note_contest(const ShardRequest& request, const WriteRequest& write, const Result<void>& verdict) {
  if (request.conversation == nullptr || write.write.preconditions.empty()) return;
  const bool is_stale = !verdict.ok() && verdict.error().code == ErrorCode::Stale;
  if (!verdict.ok() && !is_stale) return;
  contests_.judged(*request.conversation, request.space.get(), write.write.base,
                   is_stale ? Contests::Verdict::Stale : Contests::Verdict::Taken, group_);
}

// The letters to one io thread leave together.
void Shard::wake_told(std::vector<std::shared_ptr<Conversation>> told) {
  const MailBatch batch;
  if (!contests_.empty()) {
    const size_t at_once = with_.durability == TreeStore::Durability::Synced ? kContestCalled : 1;
    told = contests_.wake_now(std::move(told), group_, std::chrono::steady_clock::now(), at_once);
  }
  for (const auto& conversation : told) conversation->story.wake();
}

void Shard::wake_late() {
  for (const auto& conversation : contests_.wake_all()) conversation->story.wake();
}

}  // namespace hearth::db
