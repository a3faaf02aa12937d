// The control thread and what begins and ends with a Member.
#include "db/cluster/member.h"

#include <algorithm>
#include <utility>

#include "db/base/invariant.h"

namespace hearth::db {

Member::Member(Parts with, ClusterOptions options)
    : with_(with),
      options_(std::move(options)),
      directory_(with_.replica.shards()),
      to_work_(options_.lanes),
      shards_(with_.replica.shards()) {}

Member::~Member() { stop(); }

Result<void> Member::start() {
  ASSIGN_OR_RETURN(facts_, with_.lease_board.facts());
  if (facts_.shards != with_.replica.shards()) {
    return Error{ErrorCode::InvalidArgument,
                 "The cluster has " + std::to_string(facts_.shards) + " shards, and this folder's data are in " +
                     std::to_string(with_.replica.shards()) + ": start the node with an empty folder."};
  }
  if (facts_.format > options_.formats) {
    return Error{ErrorCode::InvalidArgument, "The cluster writes batches of format " + std::to_string(facts_.format) +
                                                 ", and this program reads up to " + std::to_string(options_.formats) +
                                                 ": install a newer one."};
  }
  ASSIGN_OR_RETURN(check_, with_.lease_board.check());
  if (!check_.wrong.empty()) {
    std::string all;
    for (const std::string& one : check_.wrong) all += (all.empty() ? "" : " ") + one;
    return Error{ErrorCode::Unavailable, all};
  }
  for (const std::string& one : check_.warnings) word(Level::Warning, one);
  checked_at_ = now();
  ASSIGN_OR_RETURN(view_, with_.lease_board.look());
  for (const ClusterNode& one : view_.nodes) {
    if (one.name == options_.node) own_run_before_ = one.run;
  }
  ClusterNode own;
  own.name = options_.node;
  own.run = options_.run;
  own.peer = options_.peer;
  own.client = options_.client;
  own.formats = options_.formats;
  own.durable.assign(shards_.size(), 0);
  for (uint32_t shard = 0; shard < shards_.size(); ++shard) own.durable[shard] = with_.replica.durable(shard);
  RETURN_IF_ERROR(with_.lease_board.enter(own));
  // What our run before left on its way to the engine must not land behind what we take now.
  if (!own_run_before_.empty() && own_run_before_ != options_.run) {
    RETURN_IF_ERROR(with_.lease_board.end_connections(options_.node, own_run_before_));
  }
  with_.bus.on_batch = [this](BusBatch batch) { on_batch(std::move(batch)); };
  with_.bus.on_nudge = [this] {
    const std::lock_guard lock(mutex_);
    must_look_ = true;
    to_look_.notify_all();
  };
  with_.bus.give_seed = [this](uint32_t shard, const auto& take) { return with_.replica.seed(shard, take); };
  with_.log.on_accepted = [this](BusBatch batch) {
    {
      const std::lock_guard lock(mutex_);
      shards_[batch.shard].bytes.add(batch.at.sequence, batch.bytes->size());
    }
    with_.bus.send(std::move(batch));
  };
  with_.bus.start();
  const std::lock_guard lock(mutex_);
  is_started_ = true;
  threads_.emplace_back([this] { control(); });
  threads_.emplace_back([this] { guard(); });
  threads_.emplace_back([this] { upkeep(); });
  threads_.emplace_back([this] { seeder(); });
  for (size_t i = 0; i < options_.lanes; ++i) threads_.emplace_back([this, i] { lane(i); });
  return {};
}

void Member::stop() {
  {
    std::unique_lock lock(mutex_);
    if (!is_started_ || is_stopped_) return;
    is_leaving_ = true;
    const auto deadline = std::chrono::steady_clock::now() + real(kStopTimeMax);
    for (;;) {
      bool is_busy = false;
      for (uint32_t number = 0; number < shards_.size(); ++number) {
        Shard& shard = shards_[number];
        if (shard.here == Here::Owns && !shard.order) {
          order(number, {.kind = Order::Kind::Leave, .to = heir(number), .why = "its owner stops", .since = now()});
        }
        is_busy = is_busy || shard.order || shard.here == Here::Owns || shard.here == Here::Taking ||
                  shard.here == Here::Leaving;
      }
      if (!is_busy) break;
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        word(Level::Warning,
             "Not all shards could be given up in time; others take them when this node's lease has run out.");
        break;
      }
    }
    is_stopped_ = true;
    wake_all();
    to_look_.notify_all();
    to_keep_.notify_all();
  }
  with_.log.stop();  // what waits for the engine is answered
  with_.bus.stop();
  for (std::thread& one : threads_) one.join();
  threads_.clear();
}

void Member::control() {
  BootTime next_renew{0}, next_look{0};
  std::unique_lock lock(mutex_);
  while (!is_stopped_ && !is_out_) {
    const BootTime at = now();
    const bool is_renewing = must_renew_ || at >= next_renew;
    if (!is_renewing && !must_look_ && at < next_look) {
      to_look_.wait_for(lock, real(std::min(next_renew, next_look) - at));
      continue;
    }
    lock.unlock();
    if (is_renewing) {
      next_renew = at + kRenewEvery;
      // A look as well after a time that was not good: the owners may have changed.
      if (renew()) next_look = BootTime{0};
    } else {
      next_look = at + kLookEvery;
      look();
    }
    lock.lock();
  }
}

// True: the node is good again, and was not.
bool Member::renew() {
  std::vector<uint64_t> durable(shards_.size());
  for (uint32_t shard = 0; shard < durable.size(); ++shard) durable[shard] = with_.replica.durable(shard);
  uint64_t number = 0;
  bool was_good = false;
  {
    const std::lock_guard lock(mutex_);
    // What is taken anew is not here: others must not give it to us, and the log is kept for it.
    for (uint32_t shard = 0; shard < durable.size(); ++shard) {
      if (shards_[shard].must_seed) durable[shard] = 0;
    }
    must_renew_ = false;
    number = ++renewals_begun_;
    was_good = with_.standing.is_good();
  }
  const BootTime sent_at = now();
  const auto renewed = with_.lease_board.renew(options_.node, options_.run, durable);
  const BootTime answered_at = now();
  if (renewed.ok() && !renewed.value()) {
    out("Another process has this node's name, or the node was forgotten: this one is no part of the cluster any "
        "more.");
    return false;
  }
  std::unique_lock lock(mutex_);
  if (!renewed.ok()) {
    // Once for each time without the engine, not twice a second.
    const bool is_first = counts_.renewals_failed++ == 0 || was_good;
    lock.unlock();
    if (is_first) word(Level::Warning, "The engine does not answer: " + renewed.error().message);
    return false;
  }
  ++counts_.renewals;
  counts_.renewal_took = answered_at - sent_at;
  lease_.renewed(sent_at, answered_at);
  with_.standing.set(lease_);
  renewals_answered_ = number;
  lock.unlock();
  changed_.notify_all();
  return !was_good && with_.standing.is_good();
}

bool Member::confirm() {
  std::unique_lock lock(mutex_);
  const uint64_t begun = renewals_begun_;
  must_renew_ = true;
  to_look_.notify_all();
  return changed_.wait_for(lock, real(kLeaveTimeMax), [&] { return renewals_answered_ > begun || is_stopped_; }) &&
         !is_stopped_;
}

void Member::check() {
  auto checked = [&] {
    const std::lock_guard lock(board_mutex_);
    return with_.board.check();
  }();
  if (!checked.ok()) return;  // the renewals tell that it is away
  std::vector<std::string> wrong;
  bool was_wrong = false;
  {
    const std::lock_guard lock(mutex_);
    was_wrong = !check_.wrong.empty();
    if (checked.value().wrong != check_.wrong) wrong = checked.value().wrong;
    check_ = std::move(checked).value();
    checked_at_ = now();
    with_.standing.set_sound(check_.wrong.empty());
  }
  for (const std::string& one : wrong) word(Level::Error, "No writes are acknowledged: " + one);
  if (was_wrong && with_.standing.is_good()) word(Level::Info, "The engine is as it has to be again.");
}

void Member::look() {
  std::vector<LogPosition> before(shards_.size());
  for (uint32_t shard = 0; shard < before.size(); ++shard) before[shard] = with_.replica.applied(shard);
  {
    const std::lock_guard lock(mutex_);
    must_look_ = false;
  }
  auto seen = with_.lease_board.look();
  if (!seen.ok()) return;
  std::vector<std::string> loud;
  {
    const std::lock_guard lock(mutex_);
    view_ = std::move(seen).value();
    view_at_ = now();
    watch_.begin_look(view_at_, lease_);
    for (const ClusterNode& one : view_.nodes) watch_.saw(one.name, one.run, one.beat);
    watch_.end_look();
    // Who goes on after a while has new connections: these are ended as well when it stands still again.
    for (const ClusterNode& one : view_.nodes) {
      if (watch_.is_alive(one.name)) ended_runs_.erase(one.run);
    }
    for (const ClusterShard& one : view_.shards) {
      if (one.shard >= shards_.size()) continue;
      Shard& shard = shards_[one.shard];
      // Who had it until now may be about to stop, and is seen as alive for a while.
      if (shard.seen && shard.seen->owner != one.owner && shard.seen->owner != options_.node) {
        BootTime& until = no_gifts_until_[shard.seen->owner];
        until = std::max(until, view_at_ + kNoGiftsAfterLoss);
      }
      shard.seen = one;
      shard.before_look = before[one.shard];
      check_tail(shard, one.shard, loud);
    }
    decide(view_at_);
    for (uint32_t shard = 0; shard < shards_.size(); ++shard) point(shard);
  }
  for (const std::string& one : loud) word(Level::Error, one);
  wake_all();
  tell_peers();
  // What was held while we were not good: this look came after the renewal that made us good.
  with_.log.release(view_);
}

void Member::wake_all() {
  changed_.notify_all();
  for (std::condition_variable& one : to_work_) one.notify_all();
}

void Member::tell_peers() {
  std::vector<BusPeer> peers;
  for (const ClusterNode& one : view_.nodes) {
    if (one.name != options_.node) peers.push_back({one.name, one.peer});
  }
  with_.bus.set_peers(std::move(peers));
}

void Member::out(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    is_out_ = true;
    lease_.end();
    with_.standing.set(lease_);
    for (uint32_t number = 0; number < shards_.size(); ++number) {
      if (shards_[number].here == Here::Owns) {
        order(number,
              {.kind = Order::Kind::Disown, .why = "this node is no part of the cluster any more", .since = now()});
      }
    }
  }
  word(Level::Error, why);
  if (options_.on_out) options_.on_out();
}

void Member::lost(uint32_t shard, const std::string& why) {
  const std::lock_guard lock(mutex_);
  invariant(shard < shards_.size(), "only shards of this store are lost");
  // Clients may have written before the take had come to its end; then it is disowned right behind it.
  if (shards_[shard].here != Here::Owns && shards_[shard].here != Here::Taking) return;
  order(shard, {.kind = Order::Kind::Disown, .why = why, .since = now()});
}

// ---- operators ----

Result<void> Member::move(uint32_t shard, const std::string& to) {
  {
    const std::lock_guard lock(mutex_);
    if (shard >= shards_.size()) {
      return Error{ErrorCode::NotFound, "There is no shard " + std::to_string(shard) + ": they are 0 to " +
                                            std::to_string(shards_.size() - 1) + "."};
    }
    if (view_.node(to) == nullptr) return Error{ErrorCode::NotFound, "There is no node " + to + " in this cluster."};
  }
  const std::lock_guard lock(board_mutex_);
  return with_.board.wish(shard, to);
}

Result<void> Member::drain(const std::string& name, bool is_drained) {
  {
    const std::lock_guard lock(mutex_);
    if (view_.node(name) == nullptr)
      return Error{ErrorCode::NotFound, "There is no node " + name + " in this cluster."};
  }
  const std::lock_guard lock(board_mutex_);
  return with_.board.drain(name, is_drained);
}

Result<void> Member::forget(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (view_.node(name) == nullptr)
      return Error{ErrorCode::NotFound, "There is no node " + name + " in this cluster."};
    if (watch_.is_alive(name)) {
      return Error{ErrorCode::InvalidArgument, "The node " + name + " is alive: stop it before it is forgotten."};
    }
  }
  const std::lock_guard lock(board_mutex_);
  return with_.board.forget(name);
}

void Member::reseed() {
  const std::lock_guard lock(mutex_);
  for (Shard& shard : shards_) shard.must_seed = true;
  must_look_ = true;
  to_look_.notify_all();
}

// ---- telling ----

void Member::word(Level level, const std::string& text) const {
  if (options_.on_word) options_.on_word(level, text);
}

void Member::changed(ClusterChange change) {
  {
    const std::lock_guard lock(mutex_);
    changes_.push_front(change);
    if (changes_.size() > kChangesKept) changes_.pop_back();
  }
  if (options_.on_change) options_.on_change(change);
}

}  // namespace hearth::db
