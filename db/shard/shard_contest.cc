// Who is told first, when several clients change one value by compare-and-set.
//
// A transaction reads, writes on the condition that nothing has changed, and when something has, tries again with what is
// there now. Whoever hears the new value first tries first, and wins. Left alone that is always the same one, the winner:
// its answer leaves with its own group, and the refusals of the others with the next.
//
//   group n     A wins; all are told the new value                      nobody of them is woken yet
//   group n+1   B, C, D are stale     ─▶    woken: D (lost 3 times), B (2), C (1), and then A
//
// So on a shard where a write was stale a short while ago, a winner is woken with the next group, or after kContestWait
// when there is none. While there is more to do, those who lost before wait for the next group too: there they hear the
// value and the refusal in one go, which costs one send for two, and those who have lost most come first. Nothing is held
// back but the waking: what each is told is in its story already, in its order.
//
// Only sessions contend so. A request by itself (REST) is answered at once.
#include <algorithm>
#include <utility>

#include "db/base/mail_batch.h"
#include "db/shard/shard.h"

namespace hearth::db {

void Shard::note_contest(const ShardRequest& request, const WriteRequest& write, const Result<void>& verdict) {
  if (request.conversation == nullptr || write.write.preconditions.empty()) return;
  Conversation& conversation = *request.conversation;
  if (verdict.ok()) {
    conversation.losses = 0;
    conversation.won_in = group_;
  } else if (verdict.error().code == ErrorCode::Stale) {
    ++conversation.losses;
    stale_in_ = group_;
  }
}

// The letters to one io thread leave together.
void Shard::wake_told(std::vector<std::shared_ptr<Conversation>> told) {
  const MailBatch batch;
  if (stale_in_ == 0 || group_ - stale_in_ > kContestGroups) {
    for (const auto& conversation : told) conversation->story.wake();
    return wake_late();
  }
  bool has_more = !turns_.empty();
  if (!has_more) {
    const std::lock_guard lock(mutex_);
    has_more = !inbox_.empty();
  }
  const auto is_late = [&](const Conversation& one) {
    if (one.late_in + 1 == group_) return false;  // nobody twice in a row
    return one.won_in == group_ || (has_more && one.losses > 0 && one.answered_in != group_);
  };
  std::vector<std::shared_ptr<Conversation>> now = std::exchange(late_wakes_, {});
  for (auto& conversation : told) {
    if (is_late(*conversation)) {
      conversation->late_in = group_;
      late_wakes_.push_back(std::move(conversation));
    } else {
      now.push_back(std::move(conversation));
    }
  }
  const auto has_won = [this](const Conversation& one) { return one.won_in + 1 >= group_; };
  std::stable_sort(now.begin(), now.end(), [&](const auto& a, const auto& b) {
    return has_won(*a) != has_won(*b) ? has_won(*b) : a->losses > b->losses;
  });
  for (const auto& conversation : now) conversation->story.wake();
}

void Shard::wake_late() {
  for (const auto& conversation : std::exchange(late_wakes_, {})) conversation->story.wake();
}

}  // namespace hearth::db
