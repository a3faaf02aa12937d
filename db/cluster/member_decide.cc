// What a look at the board means: which shards are lost, given up, taken, read or seeded. Only orders are given here, which
// lanes carry out; so this is fast, and holds mutex_ throughout.
//
// Calm: one shard is given up at a time, a new node gets nothing before it has been alive for 5 s, and a gift that was not
// taken is not repeated soon. Taking is never calm: nobody writes meanwhile.
#include <algorithm>
#include <cstdio>
#include <string>

#include "db/cluster/member.h"
#include "db/cluster/placement.h"

namespace hearth::db {
namespace {

constexpr int kBehindPlaces = 5;             // that who lacks much of the log stands further back
constexpr BootTime kGiftAgainAfter{60'000};  // to a node that did not take one
constexpr uint64_t kGiftBehindMax = kTakeBehindMax;

std::string seconds_text(BootTime time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(time.count()) / 1000);
  return text;
}

}  // namespace

bool Member::may_own(const std::string& name) const {
  const ClusterNode* found = view_.node(name);
  return found != nullptr && !found->is_drained && found->formats >= facts_.format &&
         (name == options_.node || watch_.is_alive(name));
}

std::vector<std::string> Member::candidates() const {
  std::vector<std::string> names;
  for (const ClusterNode& one : view_.nodes) {
    if (may_own(one.name)) names.push_back(one.name);
  }
  return names;
}

// By what it has said to be on its disk: nothing at all, while it takes the shard anew.
bool Member::is_able(const std::string& name, uint32_t shard) const {
  const ClusterNode* found = view_.node(name);
  if (found == nullptr || shard >= found->durable.size()) return false;
  const uint64_t last = shards_[shard].seen->last.sequence;
  return last == 0 || (found->durable[shard] > 0 && found->durable[shard] + kGiftBehindMax >= last);
}

std::string Member::heir(uint32_t shard) const {
  std::string next;
  for (const std::string& name : ranking(shard, candidates())) {
    if (name == options_.node) continue;
    if (is_able(name, shard)) return name;
    if (next.empty()) next = name;
  }
  return next;
}

void Member::order(uint32_t shard, Order order) {
  Shard& at = shards_[shard];
  if (at.order && at.order->kind == Order::Kind::Disown) return;  // nothing is more urgent
  at.order = std::move(order);
  wake(shard);
}

void Member::point(uint32_t number) {
  const Shard& shard = shards_[number];
  ShardOwner to;
  to.shard = number;
  if (shard.here == Here::Owns) {
    to.is_here = true;
    to.node = options_.node;
    to.epoch = with_.log.epoch(number);
  } else if (shard.seen && !(shard.here == Here::Leaving && shard.seen->owner == options_.node)) {
    to.node = shard.seen->owner;
    to.epoch = shard.seen->last.epoch;
  }
  if (const ClusterNode* found = view_.node(to.node); found != nullptr) {
    to.peer = found->peer;
    to.client = found->client;
  }
  // What we have given up or lost is nobody's until a look says whose it is.
  const auto last = directory_.owner(number);
  if (!to.is_here && last->is_here && to.node == options_.node) to.node.clear();
  directory_.set(std::move(to));
}

// The log says less than what is here, or something else: the engine was put back, or this folder is not this cluster's.
// `before_look` was applied before the look began, so it cannot be that the look is merely old.
void Member::check_tail(Shard& shard, uint32_t number, std::vector<std::string>& loud) {
  if (shard.here == Here::Seeding || shard.here == Here::Stopped || !shard.why.empty() || shard.must_seed) return;
  const LogPosition& last = shard.seen->last;
  const LogPosition& own = shard.before_look;
  if (last.sequence > own.sequence) return;
  if (last.sequence == own.sequence && (last.sequence == 0 || last.id == own.id)) return;
  shard.why =
      "The log of shard " + std::to_string(number) + " ends at batch " + std::to_string(last.sequence) +
      ", and this node has " +
      (last.sequence == own.sequence ? std::string("another batch of that number")
                                     : "applied batch " + std::to_string(own.sequence)) +
      ": the engine was put back to an older state, or this is another cluster's folder. The shard is stopped here, "
      "and its data are kept. If other nodes are well, `hearth cluster reseed " +
      options_.node + "` takes it anew from them; if none is, this copy may be the best: see the chapter.";
  loud.push_back(shard.why);
  if (shard.here == Here::Owns) {
    order(number, {.kind = Order::Kind::Disown, .why = shard.why, .since = now()});
  } else if (shard.here == Here::Follows) {
    shard.here = Here::Stopped;
    ++counts_.stopped;
  }
}

bool Member::is_behind_log(const Shard& shard, uint32_t number) const {
  return with_.replica.must_be_planted(number) || with_.replica.applied(number).sequence < shard.seen->cut;
}

void Member::decide(BootTime at) {
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    Shard& shard = shards_[number];
    if (!shard.seen) continue;
    if (shard.here == Here::Owns && !shard.order) {
      decide_owned(shard, number, at);
    } else if (shard.here == Here::Follows && !shard.order) {
      decide_followed(shard, number, at);
    }
    // What this node owns by the table, and cannot serve, is for others to take: they see that we are alive.
    const bool is_unfit = shard.here == Here::Stopped || (shard.here == Here::Follows && shard.must_seed);
    if (is_unfit && !shard.order && shard.seen->owner == options_.node && with_.standing.is_good()) {
      order(number, {.kind = Order::Kind::GiveBack, .seen = *shard.seen, .since = at});
    }
  }
  balance(at);
}

void Member::decide_owned(Shard& shard, uint32_t number, BootTime at) {
  const ClusterShard& seen = *shard.seen;
  if (seen.last.epoch < with_.log.epoch(number)) return;  // from before it was ours
  if (seen.owner != options_.node) {
    return order(number,
                 {.kind = Order::Kind::Disown,
                  .why = seen.owner.empty() ? "the board says that it is nobody's" : seen.owner + " has taken it",
                  .since = at});
  }
  if (is_leaving_ || !with_.standing.is_good()) return;
  const bool is_another_leaving = std::any_of(shards_.begin(), shards_.end(), [](const Shard& one) {
    return one.here == Here::Leaving || (one.order && one.order->kind == Order::Kind::Leave);
  });
  if (is_another_leaving) return;
  const ClusterNode* own = view_.node(options_.node);
  const bool is_wished_away = !seen.wish.empty() && !seen.is_gift && seen.wish != options_.node;
  if (is_wished_away && at >= shard.wish_not_before && may_own(seen.wish) && is_able(seen.wish, number)) {
    return order(
        number,
        {.kind = Order::Kind::Leave, .to = seen.wish, .why = "it was asked to be " + seen.wish + "'s", .since = at});
  }
  if (shard.must_seed || (own != nullptr && own->is_drained)) {
    const std::string to = heir(number);
    if (to.empty()) return;  // better here than nowhere
    order(number, {.kind = Order::Kind::Leave,
                   .to = to,
                   .why = shard.must_seed ? "this node's copy is taken anew" : "this node is drained",
                   .since = at});
  }
}

void Member::decide_followed(Shard& shard, uint32_t number, BootTime at) {
  const ClusterShard& seen = *shard.seen;
  const LogPosition applied = with_.replica.applied(number);
  if (applied.sequence < shard.due) shard.has_gap = true;  // the bus had a whole look's time to bring it
  shard.due = seen.last.sequence;
  if (is_behind_log(shard, number)) shard.must_seed = true;

  const bool is_free = seen.owner.empty();
  const bool is_own = seen.owner == options_.node;  // of our run before, or of before we were stale
  const bool is_expired = !is_free && !is_own && !watch_.is_alive(seen.owner);
  const bool may = !is_leaving_ && !is_out_ && !shard.must_seed && with_.standing.is_good() && at >= shard.not_before;
  if (!may || !(is_free || is_own || is_expired)) {
    shard.takeable_since.reset();
    return;
  }
  if (!shard.takeable_since) shard.takeable_since = at;
  int place = 0;
  if (!is_own && seen.wish != options_.node) {
    const std::vector<std::string> ranked = ranking(number, candidates());
    place = static_cast<int>(std::find(ranked.begin(), ranked.end(), options_.node) - ranked.begin());
    if (!seen.wish.empty() && may_own(seen.wish)) ++place;
    if (seen.last.sequence > applied.sequence + kTakeBehindMax) place += kBehindPlaces;
  }
  if (at - *shard.takeable_since < place * kTurnAfter) return;
  shard.takeable_since.reset();
  Order order;
  order.kind = Order::Kind::Take;
  order.seen = seen;
  order.since = at;
  order.why = is_own ? "it was this node's" : is_free ? "it was given up" : "";
  if (is_expired) {
    const ClusterNode* owner = view_.node(seen.owner);
    if (owner != nullptr) {
      order.old_run = owner->run;
      order.beat = owner->beat;
      order.why = seen.owner + " was not heard of for " + seconds_text(*watch_.unmoved(seen.owner));
    } else {
      order.why = seen.owner + " is no node any more";
    }
  }
  this->order(number, std::move(order));
}

void Member::balance(BootTime at) {
  // Whether the last gift was taken by the one it was for.
  if (gift_) {
    const auto& [number, to] = *gift_;
    const Shard& shard = shards_[number];
    if (shard.seen && shard.seen->owner == to) {
      gift_.reset();
    } else if (at - last_gift_ >= kGiftEvery) {
      no_gifts_until_[to] = at + kGiftAgainAfter;
      gift_.reset();
    }
  }
  if (is_leaving_ || gift_ || at - last_gift_ < kGiftEvery || !with_.standing.is_good()) return;
  std::vector<Holding> holdings;
  std::vector<uint32_t> kept;
  for (const std::string& name : candidates()) {
    const bool is_settled = name == options_.node || watch_.alive_for(name) >= kSettledAfter;
    const auto barred = no_gifts_until_.find(name);
    if (!is_settled || (barred != no_gifts_until_.end() && at < barred->second)) continue;
    holdings.push_back({name, {}});
  }
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    const Shard& shard = shards_[number];
    // Only while all is quiet: everything has an owner that is alive, and nothing is on its way.
    if (!shard.seen || shard.order || shard.here == Here::Taking || shard.here == Here::Leaving) return;
    if (shard.seen->owner.empty() || (shard.seen->owner != options_.node && !watch_.is_alive(shard.seen->owner)))
      return;
    for (Holding& one : holdings) {
      if (one.node == shard.seen->owner) one.shards.push_back(number);
    }
    if (!shard.seen->wish.empty() && !shard.seen->is_gift) kept.push_back(number);  // an operator says where it goes
  }
  const auto gift = surplus_of(options_.node, holdings, kept);
  if (!gift) return;
  const Shard& shard = shards_[gift->shard];
  if (shard.here != Here::Owns || !is_able(gift->to, gift->shard)) return;
  last_gift_ = at;
  gift_ = {gift->shard, gift->to};
  order(gift->shard, {.kind = Order::Kind::Leave, .to = gift->to, .why = gift->to + " has fewer", .since = at});
}

}  // namespace hearth::db
