// Children that are too old are removed by ordinary commits: whoever listens hears of them, the log has them, and rules are
// not asked. A little at a time, so that nobody waits for it.
//
//   a group is durable ─▶ watch_expiry(): when is the next look? ─▶ an alarm ─▶ ExpireRequest, in the namespace's own line
//                                 ▲                                                  │
//                                 └──────── take up 200 children, or remove 100 ◀────┘
//
// A removal of several that is refused for one of them is tried again one by one. Who can't be removed at all stays, and is
// tried again after kLookMax; operators are told.
//
// Looks are kPause apart, so that what becomes too old one by one goes together, in one commit; kPauseOfMore, while there is
// more that is too old already, or still to be taken up. A clock that was set back changes nothing for longer than
// kLookMax.
#include <algorithm>
#include <utility>

#include "db/shard/shard.h"

namespace hearth::db {
namespace {

constexpr std::chrono::milliseconds kPause{1'000};
constexpr std::chrono::milliseconds kPauseOfMore{10};
constexpr std::chrono::milliseconds kLookMax = std::chrono::minutes(15);
constexpr size_t kTakenUp = 200;                             // children that get their rows, in one look
constexpr ExpiryBounds kExpiryBounds{100, 500, 128u << 10};  // of one commit; a larger child has one of its own

}  // namespace

// When the next look is to be. Called once what a group did is durable.
void Shard::watch_expiry(NamespaceState& space) {
  TreeExpiry& expiry = space.tree.expiry;
  const bool has_untaken = expiry.plan->has_untaken();
  if (std::exchange(space.is_taking_up, has_untaken) != has_untaken) {
    counted_.spaces_taking_up.add(has_untaken ? 1 : -1);
  }
  if (expiry.plan->rules.empty()) return;
  const Timestamp now = with_.clock.now();
  const bool has_more = expiry.due.count() == 0 || (has_untaken && with_.store.room().ok());
  const Timestamp due = has_more ? now : std::min(expiry.due, has_untaken ? now + kLookMax : Timestamp::max());
  if (due >= expiry.look) return;
  expiry.look = due;
  const auto least = has_more ? kPauseOfMore : kPause;
  with_.alarms.set(space.tree.name, Alarms::For::Expiry, due >= now + kLookMax ? kLookMax : std::max(due - now, least));
}

void Shard::handle(ShardRequest& request, ExpireRequest& what) {
  NamespaceState& space = *request.space;
  Tree& tree = space.tree;
  if (!tree.named || !committer_.load(tree).ok()) return;
  const ExpiryPlan& plan = *tree.expiry.plan;
  tree.expiry.look = Timestamp::max();
  if (plan.rules.empty()) return;
  const Timestamp now = with_.clock.now();
  // A store that fails is broken for all: who sees to that is told by the writes that it refuses. The next write looks on.
  // When the step is over, it is done again elsewhere: what it has put already is right.
  if (plan.has_untaken() && with_.store.room().ok()) {
    (void)committer_.take_up_ages(tree, kTakenUp, now);
    return;
  }
  ExpiryBounds bounds = kExpiryBounds;
  // Where there are priorities, several removals at once would be told as the whole of what is above them (match.cc): so
  // each is a commit of its own, and the request goes on with the next.
  if (tree.head.has_priorities || what.alone > 0) bounds.children = 1;
  const Result<Expired> expired = committer_.expired(tree, now, bounds);
  if (Step::here().is_over()) return;
  if (!expired.ok()) tree.expiry.due = now + kLookMax;
  if (!expired.ok() || expired.value().children.empty()) return;
  Write write;
  write.merge = true;
  write.base = expired.value().children.front().parent();
  for (const Path& child : expired.value().children) {
    while (!write.base.contains(child)) write.base = write.base.parent();
    write.overwrites.push_back({child, Slot::Value, {}});
  }
  const size_t told = releases_.size();
  const Result<Accepted> accepted = committer_.write(tree, write, now, teller(space, write.merge, write.base));
  if (Step::here().is_over()) return;
  if (!accepted.ok()) {
    releases_.resize(told);
    end_listeners_if_unmatched(space);
    const bool is_its_own = accepted.error().code == ErrorCode::InvalidArgument;
    if (is_its_own && write.overwrites.size() > 1) {
      what.alone = write.overwrites.size();
      again_ = true;
    } else if (is_its_own) {
      keep_too_old(space, what, write.overwrites.front().path, accepted.error());
    } else {
      tree.expiry.due = now + kLookMax;
    }
    return;
  }
  const Step::Whole whole;
  if (tree.head.has_documents) end_removed_documents(space, accepted.value().record);
  counted_.expired.add(write.overwrites.size());
  if (what.alone > 0) again_ = --what.alone > 0 && expired.value().has_more;
  if (tree.head.has_priorities) again_ = expired.value().has_more && ++what.removed < kExpiryBounds.children;
}

// A child that nobody may remove: a part of what a Yjs document says. It stays, and does not keep the others from going.
void Shard::keep_too_old(NamespaceState& space, ExpireRequest& what, const Path& child, const Error& why) {
  const Timestamp due = with_.clock.now() + kLookMax;
  if (!committer_.keep_expired(space.tree, child, due).ok()) {
    space.tree.expiry.due = due;
    return;
  }
  if (what.alone > 0) --what.alone;
  again_ = true;
  const OnNotice& tell = with_.store.on_notice();
  if (tell) {
    tell({.kind = Notice::Kind::ExpiredStays, .what = child.slashed() + ": " + why.message, .space = space.tree.name});
  }
}

}  // namespace hearth::db
