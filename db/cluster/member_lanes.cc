// The lanes: what is done with a shard, on the one thread that does anything with it. Orders come first; then what came by
// the bus; then what the log has and the bus did not bring.
//
// Nothing is applied that could still be lost. A batch counts when its owner has told of it, for it tells after the
// acknowledgement; when it stands before one that counts; or when it was read on the primary and this node's own renewal was
// acknowledged afterwards (confirm()): rows show on a primary before they are on a standby.
#include <algorithm>
#include <string>
#include <utility>

#include "db/cluster/member.h"

namespace hearth::db {
namespace {

constexpr BootTime kTryAgainAfter{500};
constexpr BootTime kOwnAgainAfter{5'000};  // after a store that would not own

Error not_owner(const std::string& why) {
  return {ErrorCode::NotOwner, "Another node of the cluster answers for this namespace now (" + why + "); ask again."};
}

}  // namespace

void Member::on_batch(BusBatch batch) {
  const std::lock_guard lock(mutex_);
  ++counts_.told;
  const uint32_t number = batch.shard;
  if (number >= shards_.size()) return;
  Shard& shard = shards_[number];
  if (shard.here != Here::Follows && shard.here != Here::Taking && shard.here != Here::Leaving) return;
  const size_t size = batch.bytes->size();
  if (inbox_bytes_ + size > options_.inbox_bytes_max) {
    // This node does not keep up. What it has no room for is in the log.
    inbox_bytes_ -= shard.inbox_bytes;
    shard.inbox.clear();
    shard.inbox_bytes = 0;
    shard.has_gap = true;
  } else {
    shard.inbox.push_back(std::move(batch));
    shard.inbox_bytes += size;
    inbox_bytes_ += size;
  }
  wake(number);
}

std::optional<uint32_t> Member::next_work(size_t lane) {
  std::optional<uint32_t> found;
  for (uint32_t number = static_cast<uint32_t>(lane); number < shards_.size();
       number += static_cast<uint32_t>(options_.lanes)) {
    const Shard& shard = shards_[number];
    if (shard.order) return number;
    const bool has_batches = shard.here == Here::Follows && now() >= shard.not_before &&
                             (!shard.inbox.empty() || shard.has_gap) && !shard.must_seed;
    if (has_batches && !found) found = number;
  }
  return found;
}

void Member::lane(size_t number) {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    const auto found = next_work(number);
    if (!found) {
      to_work_[number].wait_for(lock, real(kTryAgainAfter));
      continue;
    }
    work(*found, lock);
  }
}

void Member::work(uint32_t number, std::unique_lock<std::mutex>& lock) {
  Shard& shard = shards_[number];
  if (!shard.order) {
    shard.has_gap = false;
    shard.is_followed_now = true;
    lock.unlock();
    follow(number);
    lock.lock();
    shard.is_followed_now = false;
    return;
  }
  const Order order = std::move(*std::exchange(shard.order, {}));
  const bool is_taking = order.kind == Order::Kind::Take;
  // It may have been overtaken by another: then it is of no use any more.
  if (order.kind == Order::Kind::GiveBack) {
    lock.unlock();
    give_back(number, order.seen.last.epoch);
    with_.bus.nudge();
    lock.lock();
    return;
  }
  const bool fits = is_taking ? shard.here == Here::Follows && !is_leaving_ : shard.here == Here::Owns;
  if (!fits) {
    changed_.notify_all();
    return;
  }
  shard.here = is_taking ? Here::Taking : Here::Leaving;
  if (!is_taking) point(number);
  lock.unlock();
  switch (order.kind) {
    case Order::Kind::Take:
      take(number, order);
      break;
    case Order::Kind::Leave:
      leave(number, order);
      break;
    case Order::Kind::Disown:
      disown(number, order);
      break;
    case Order::Kind::GiveBack:
      break;  // above: it changes nothing here
  }
  lock.lock();
}

void Member::settle(uint32_t number, Here here, BootTime not_before) {
  const std::lock_guard lock(mutex_);
  Shard& shard = shards_[number];
  shard.here = here == Here::Follows && !shard.why.empty() ? Here::Stopped : here;
  shard.not_before = not_before;
  if (here == Here::Owns) {
    inbox_bytes_ -= shard.inbox_bytes;
    shard.inbox.clear();
    shard.inbox_bytes = 0;
  }
  point(number);
  must_look_ = true;  // whatever has changed, others may have changed something as well
  to_look_.notify_all();
  changed_.notify_all();
}

void Member::stop_shard(uint32_t number, const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    Shard& shard = shards_[number];
    shard.why = why;
    shard.here = Here::Stopped;
    ++counts_.stopped;
    inbox_bytes_ -= shard.inbox_bytes;
    shard.inbox.clear();
    shard.inbox_bytes = 0;
    point(number);
    changed_.notify_all();
  }
  word(Level::Error, "Shard " + std::to_string(number) + " is stopped on this node: " + why +
                         " `hearth cluster reseed " + options_.node + "` takes it anew from another node.");
}

// ---- following ----

Result<void> Member::apply(uint32_t number, const std::string& batch) {
  const auto applied = with_.replica.apply(
      number, batch, [this](const std::string& file, const std::function<Result<void>(std::string_view)>& part) {
        const std::lock_guard lock(board_mutex_);
        return with_.board.read_file(file, part);
      });
  RETURN_IF_ERROR(applied);
  const uint64_t sequence = with_.replica.applied(number).sequence;
  const std::lock_guard lock(mutex_);
  shards_[number].bytes.add(sequence, batch.size());
  return {};
}

Result<void> Member::apply_inbox(uint32_t number) {
  for (;;) {
    BusBatch next;
    {
      const std::lock_guard lock(mutex_);
      Shard& shard = shards_[number];
      if (shard.inbox.empty() || is_stopped_) return {};
      next = std::move(shard.inbox.front());
      shard.inbox.pop_front();
      shard.inbox_bytes -= next.bytes->size();
      inbox_bytes_ -= next.bytes->size();
    }
    // What is before a batch that was told counts as well: each was appended behind the one before it.
    while (with_.replica.applied(number).sequence + 1 < next.at.sequence) {
      RETURN_IF_ERROR(read_log(number, next.at.sequence - 1, true));
    }
    if (with_.replica.applied(number).sequence + 1 == next.at.sequence) RETURN_IF_ERROR(apply(number, *next.bytes));
  }
}

Result<void> Member::read_log(uint32_t number, uint64_t upto, bool is_durable) {
  const uint64_t behind = with_.replica.applied(number).sequence;
  std::vector<std::string> read;
  {
    const std::lock_guard lock(board_mutex_);
    ASSIGN_OR_RETURN(read, with_.board.batches(number, behind, kLogReadBytesMax));
  }
  if (read.empty() && is_durable) {
    return Error{ErrorCode::NotFound, "the log of shard " + std::to_string(number) + " has nothing behind batch " +
                                          std::to_string(behind) + ", and there is a batch " + std::to_string(upto)};
  }
  if (read.empty()) return {};
  const auto first = read_batch_head(read.front());
  if (first.ok() && first.value().sequence > behind + 1) {
    return Error{ErrorCode::NotFound,
                 "the log of shard " + std::to_string(number) + " begins behind batch " + std::to_string(behind)};
  }
  if (!is_durable && !confirm()) {
    return Error{ErrorCode::Unavailable, "no renewal was acknowledged behind what was read of the log"};
  }
  for (const std::string& batch : read) {
    if (is_durable && with_.replica.applied(number).sequence >= upto) break;  // what is behind it is not known to count
    RETURN_IF_ERROR(apply(number, batch));
  }
  const std::lock_guard lock(mutex_);
  counts_.from_log += read.size();
  return {};
}

void Member::follow(uint32_t number) {
  auto done = apply_inbox(number);
  uint64_t due = 0;
  {
    const std::lock_guard lock(mutex_);
    due = shards_[number].due;
  }
  if (done.ok() && with_.replica.applied(number).sequence < due) done = read_log(number, due, false);
  if (done.ok()) {
    const std::lock_guard lock(mutex_);
    if (with_.replica.applied(number).sequence < due) shards_[number].has_gap = true;
    return;
  }
  if (done.error().code == ErrorCode::Corruption || done.error().code == ErrorCode::Io ||
      done.error().code == ErrorCode::Unsupported) {
    return stop_shard(number, done.error().message + ".");
  }
  // The engine is away, or the log was cut meanwhile: the next look says which.
  const std::lock_guard lock(mutex_);
  shards_[number].has_gap = true;
  shards_[number].not_before = now() + kTryAgainAfter;
}

// ---- taking ----

Result<std::optional<LogPosition>> Member::take_on_board(uint32_t number, const Order& order) {
  const ClusterShard& seen = order.seen;
  // Ours already, by the table: a new epoch ends what our run before, or we ourselves, left under way.
  if (seen.owner == options_.node) return with_.log.unguarded().begin_epoch(number, seen.last.epoch);
  const std::lock_guard lock(board_mutex_);
  if (!seen.owner.empty() && !order.old_run.empty()) {
    bool is_first = false;
    {
      const std::lock_guard own(mutex_);
      is_first = ended_runs_.insert(order.old_run).second;
    }
    // A client that stops within a pipeline holds its row locks for ever (trap 1 of the design).
    if (is_first) {
      const auto ended = with_.board.end_connections(seen.owner, order.old_run);
      if (!ended.ok()) {
        const std::lock_guard own(mutex_);
        ended_runs_.erase(order.old_run);
        return ended.error();
      }
    }
  }
  Board::Take take;
  take.shard = number;
  take.epoch = seen.last.epoch;
  take.from = seen.owner;
  take.beat = order.beat;
  take.to = options_.node;
  return with_.board.take(take);
}

void Member::give_back(uint32_t number, uint64_t epoch) {
  const std::lock_guard lock(board_mutex_);
  const auto given = with_.board.give_up(number, options_.node, epoch);
  if (!given.ok())
    word(Level::Warning, "Shard " + std::to_string(number) + " could not be given up: " + given.error().message);
}

void Member::take(uint32_t number, const Order& order) {
  const std::string name = "Shard " + std::to_string(number);
  const auto taken = take_on_board(number, order);
  if (!taken.ok()) {
    word(Level::Warning, name + " could not be taken: " + taken.error().message);
    return settle(number, Here::Follows, now() + kTryAgainAfter);
  }
  if (!taken.value()) return settle(number, Here::Follows);  // somebody else was first
  // From here on nobody else can append. The answer of the take makes everything up to this position durable.
  const LogPosition last = *taken.value();
  Result<void> caught_up = apply_inbox(number);
  while (caught_up.ok() && with_.replica.applied(number).sequence < last.sequence) {
    caught_up = read_log(number, last.sequence, true);
  }
  const LogPosition applied = with_.replica.applied(number);
  if (caught_up.ok() && (applied.sequence != last.sequence || (last.sequence > 0 && applied.id != last.id))) {
    caught_up = Error{ErrorCode::Corruption, "the log ends at batch " + std::to_string(last.sequence) +
                                                 ", and this node has applied another one at " +
                                                 std::to_string(applied.sequence)};
  }
  if (!caught_up.ok()) {
    give_back(number, last.epoch);
    with_.bus.nudge();
    const ErrorCode code = caught_up.error().code;
    if (code == ErrorCode::Corruption || code == ErrorCode::Io || code == ErrorCode::Unsupported) {
      return stop_shard(number, caught_up.error().message + ".");
    }
    word(Level::Warning,
         name + " was taken, and given up, for it could not be caught up with: " + caught_up.error().message);
    return settle(number, Here::Follows, now() + kOwnAgainAfter);
  }
  with_.log.admit(number, last.epoch);
  const auto owned = with_.replica.own(number, last);
  if (!owned.ok()) {
    with_.log.cut_off(number);
    give_back(number, last.epoch);
    with_.bus.nudge();
    word(Level::Error, name + " was taken, and given up, for the store does not own it: " + owned.error().message);
    return settle(number, Here::Follows, now() + kOwnAgainAfter);
  }
  {
    const std::lock_guard lock(mutex_);
    ++counts_.taken;
  }
  settle(number, Here::Owns);
  with_.bus.nudge();
  changed({now(), number, order.seen.owner, options_.node, order.why, now() - order.since});
  if (order.seen.wish.empty()) return;
  if (!order.seen.is_gift && order.seen.wish != options_.node) {
    // The one it is wished for did not come. The wish holds, and the shard does not go to and fro for it.
    const std::lock_guard lock(mutex_);
    shards_[number].wish_not_before = now() + kWishAgainAfter;
    return;
  }
  const std::lock_guard lock(board_mutex_);
  (void)with_.board.end_wish(order.seen);
}

// ---- leaving ----

void Member::leave(uint32_t number, const Order& order) {
  if (!order.to.empty()) {
    // Before it is free, so that the one whom it is for need not wait for its turn.
    const std::lock_guard lock(board_mutex_);
    (void)with_.board.gift(number, order.to);
  }
  with_.log.cut_off_at(number, now() + kLeaveTimeMax);
  with_.replica.disown(number, not_owner(order.why));
  const uint64_t epoch = with_.log.epoch(number);
  with_.log.cut_off(number);
  give_back(number, epoch);
  {
    const std::lock_guard lock(mutex_);
    ++counts_.given_up;
  }
  settle(number, Here::Follows, now() + kTryAgainAfter);
  with_.bus.nudge();
  changed({now(), number, options_.node, "", order.why, now() - order.since});
}

void Member::disown(uint32_t number, const Order& order) {
  with_.log.cut_off(number);
  with_.replica.disown(number, not_owner(order.why));
  {
    const std::lock_guard lock(mutex_);
    ++counts_.lost;
    if (!shards_[number].why.empty()) ++counts_.stopped;
  }
  settle(number, Here::Follows);  // or Stopped: then the next look gives it back
  changed({now(), number, options_.node, "", order.why, now() - order.since});
}

}  // namespace hearth::db
