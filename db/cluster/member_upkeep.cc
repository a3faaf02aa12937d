// Whose time has come, and what may wait: syncing what was applied, cutting what nobody needs any more, and taking whole
// shards from others.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "db/cluster/member.h"
#include "db/cluster/placement.h"

namespace hearth::db {
namespace {

constexpr BootTime kGuardEvery{100};
constexpr BootTime kUpkeepEvery{100};
constexpr BootTime kSeedAgainAfter{2'000};
constexpr size_t kCutNodesMin = 2;  // that have a batch on disk before the log may lose it
constexpr std::chrono::milliseconds kCutPause{10};
constexpr int kCutsMax = 50;  // deletes of one shard in one go

}  // namespace

void Member::guard() {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    changed_.wait_for(lock, real(kGuardEvery), [this] { return is_stopped_; });
    if (is_stopped_) return;
    stop_when_stale(now());
    lock.unlock();
    with_.log.tick(now());
    lock.lock();
  }
}

void Member::upkeep() {
  BootTime next_sync = now() + kSyncEvery, next_cut = now() + kCutEvery, next_check = now() + kCheckEvery;
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    to_keep_.wait_for(lock, real(kUpkeepEvery), [this] { return is_stopped_; });
    if (is_stopped_) return;
    lock.unlock();
    if (now() >= next_sync) {
      const auto synced = with_.replica.sync_applied();
      if (!synced.ok()) word(Level::Error, "What was applied is not on disk: " + synced.error().message);
      next_sync = now() + kSyncEvery;
    }
    if (now() >= next_check) {
      check();
      next_check = now() + kCheckEvery;
    }
    if (now() >= next_cut) {
      erase_left();
      cut();
      end_wishes();
      next_cut = now() + kCutEvery;
    }
    lock.lock();
  }
}

// Reads of an owner that is cut off go on for a while, marked as old; then nobody can say that they are true of anything.
void Member::stop_when_stale(BootTime at) {
  const auto stale = with_.standing.stale();
  if (!stale || *stale < options_.stale_reads_max || is_leaving_) return;
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    Shard& shard = shards_[number];
    if (shard.here != Here::Owns || shard.order) continue;
    order(number, {.kind = Order::Kind::Disown, .why = "the engine is away for too long", .since = at});
  }
}

// ---- cutting ----

std::optional<uint64_t> Member::cut_upto(uint32_t number) const {
  const Shard& shard = shards_[number];
  uint64_t upto = std::numeric_limits<uint64_t>::max();
  size_t nodes = 0;
  for (const ClusterNode& one : view_.nodes) {
    const uint64_t durable = one.durable_of(number);
    // The log is not kept for ever for who is away: it is seeded anew when it comes back.
    const auto unmoved = watch_.unmoved(one.name);
    if (!watch_.is_alive(one.name) && unmoved &&
        (*unmoved >= kAwayTimeMax || shard.bytes.behind(durable) >= kAwayBytesMax)) {
      continue;
    }
    upto = std::min(upto, durable);
    ++nodes;
  }
  if (nodes < kCutNodesMin || upto <= shard.seen->cut) return {};
  return upto;
}

void Member::cut() {
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    uint64_t upto = 0;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopped_ || shards_[number].here != Here::Owns || !shards_[number].seen || !with_.standing.is_good())
        continue;
      const auto found = cut_upto(number);
      if (!found) continue;
      upto = *found;
    }
    const uint64_t epoch = with_.log.epoch(number);
    for (int i = 0; i < kCutsMax; ++i) {
      const auto is_more = [&] {
        const std::lock_guard lock(board_mutex_);
        return with_.board.cut(number, epoch, upto);
      }();
      if (!is_more.ok() || !is_more.value()) break;
      std::this_thread::sleep_for(kCutPause);  // takes wait for the board as well
    }
  }
}

// Once for each time that a shard became ours: those before us may have died in the middle of a restore.
void Member::erase_left() {
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    {
      const std::lock_guard lock(mutex_);
      if (is_stopped_ || shards_[number].here != Here::Owns || !with_.standing.is_good()) continue;
    }
    const uint64_t epoch = with_.log.epoch(number);
    if (tidied_[number] == epoch) continue;
    const std::lock_guard lock(board_mutex_);
    const auto erased = with_.board.erase_left(number, epoch);
    if (erased.ok() && erased.value()) tidied_[number] = epoch;
  }
}

void Member::end_wishes() {
  std::vector<ClusterShard> fulfilled;
  {
    const std::lock_guard lock(mutex_);
    for (const Shard& shard : shards_) {
      if (shard.here == Here::Owns && shard.seen && shard.seen->wish == options_.node) fulfilled.push_back(*shard.seen);
    }
  }
  for (const ClusterShard& one : fulfilled) {
    const std::lock_guard lock(board_mutex_);
    (void)with_.board.end_wish(one);
  }
}

// ---- seeding ----

void Member::seeder() {
  std::unique_lock lock(mutex_);
  while (!is_stopped_) {
    std::optional<uint32_t> found;
    for (uint32_t number = 0; number < shards_.size() && !found; ++number) {
      const Shard& shard = shards_[number];
      const bool is_at_rest =
          (shard.here == Here::Follows || shard.here == Here::Stopped) && !shard.order && !shard.is_followed_now;
      if (shard.must_seed && is_at_rest && now() >= shard.not_before) found = number;
    }
    std::vector<BusPeer> peers;
    if (found) {
      std::vector<std::string> names;
      for (const ClusterNode& one : view_.nodes) {
        if (one.name != options_.node && watch_.is_alive(one.name)) names.push_back(one.name);
      }
      names = ranking(*found, std::move(names));  // not all of a new node's shards from the same one
      // The owner has what is newest, and is the one of whom it is known that it has all.
      std::stable_partition(names.begin(), names.end(),
                            [&](const std::string& name) { return name == shards_[*found].seen->owner; });
      for (const std::string& name : names) peers.push_back({name, view_.node(name)->peer});
    }
    if (peers.empty()) {
      changed_.wait_for(lock, real(kLookEvery));
      continue;
    }
    Shard& shard = shards_[*found];
    const std::string why = std::exchange(shard.why, {});
    shard.here = Here::Seeding;
    inbox_bytes_ -= shard.inbox_bytes;
    shard.inbox.clear();
    shard.inbox_bytes = 0;
    lock.unlock();
    const BootTime began = now();
    const auto seeded = seed(*found, peers);
    if (seeded.ok()) {
      word(Level::Info, "Shard " + std::to_string(*found) + " was taken from another node, up to batch " +
                            std::to_string(with_.replica.applied(*found).sequence) + ", in " +
                            std::to_string((now() - began).count()) + " ms.");
    } else {
      word(Level::Warning,
           "Shard " + std::to_string(*found) + " could not be taken from another node: " + seeded.error().message);
    }
    lock.lock();
    shard.here = Here::Follows;
    if (seeded.ok()) {
      ++counts_.seeded;
      shard.must_seed = false;
      shard.due = 0;
    } else {
      shard.not_before = now() + kSeedAgainAfter;
      if (!why.empty()) {
        shard.why = why;
        shard.here = Here::Stopped;
      }
    }
    must_look_ = true;
    to_look_.notify_all();
    wake_all();
  }
}

// The first peer that gives it. Each try begins with an empty shard.
Result<void> Member::seed(uint32_t number, const std::vector<BusPeer>& peers) {
  Result<void> last = Error{ErrorCode::Unavailable, "no other node is alive"};
  for (const BusPeer& peer : peers) {
    ASSIGN_OR_RETURN(const auto planting, with_.replica.plant(number));
    last = with_.bus.ask_seed(peer, number, [&](std::string_view piece) -> Result<void> {
      {
        const std::lock_guard lock(mutex_);
        if (is_stopped_) return Error{ErrorCode::Unavailable, "this node stops"};
      }
      return planting->add(piece);
    });
    if (!last.ok()) continue;
    const auto planted = planting->finish();
    if (planted.ok()) return {};
    last = planted.error();
  }
  return last;
}

}  // namespace hearth::db
