// One node's life in a cluster: it says that it is alive, watches the others, follows every shard, and owns those that are
// its own to own. All decisions are made from one look at the board; everybody looks at the same board, and each change of an
// owner is a compare-and-set there, so two nodes that decide the same at once do no harm.
//
//   control  ── renew 0.5 s, look 0.25 s ──▶ Board                    decides, and gives orders to the lanes
//   lanes    ── take, catch up, own, leave, apply ─────▶ Replica      a shard's all on one lane, one after the other
//   guard    ── cuts off whose time has come, 0.1 s                   waits for nothing, so that it is not late
//   upkeep   ── sync 1 s, check and cut 10 s                          what may wait
//   seeder   ── Bus::ask_seed ─▶ Replica::plant                       for a shard that the log does not reach any more
//
//             ┌────────────── wish, drain, balance, stop: Leaving ─────────────┐ disown, give up, nudge
//             ▼                                                                │
//   Follows ──── free or expired, our turn: Taking ──── caught up, owned ────▶ Owns
//     ▲  │                                                                     │
//     │  └─ the log does not reach back: Seeding ─┐        lost, or stale for too long: disown
//     └───────────────────────────────────────────┘◀──────────────────────────┘
//   Stopped: what is here does not follow on the log. Nothing is applied, owned or rolled back until it is seeded anew.
//
// Whose turn it is to take: the one the shard was meant for (a wish), else the first by rendezvous hash at once, the second a
// second later, and so on: whoever should take and cannot is passed over by itself.
//
// Why threads of five kinds: a renewal must not wait for a disk, an apply or another statement. So the control thread alone
// renews and looks, by lease_board; all others share the other one, behind a mutex. They may be the same one, if that has a
// connection for beats and looks alone.
#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "db/cluster/board.h"
#include "db/cluster/bus.h"
#include "db/cluster/directory.h"
#include "db/cluster/figures.h"
#include "db/cluster/guarded_log.h"
#include "db/cluster/lease.h"
#include "db/cluster/log_bytes.h"
#include "db/cluster/replica.h"

namespace hearth::db {

inline constexpr BootTime kCheckEvery{10'000};
inline constexpr BootTime kSyncEvery{1'000};
inline constexpr BootTime kCutEvery{10'000};
inline constexpr BootTime kTurnAfter{1'000};             // for whom it is not the turn yet, by place in the ranking
inline constexpr BootTime kWishAgainAfter{10'000};       // a shard that was given up as asked for, and not taken
inline constexpr BootTime kGiftEvery{2'000};             // a shard that is given up so that others have as many
inline constexpr BootTime kSettledAfter{5'000};          // of being alive: then a node is given some
inline constexpr BootTime kNoGiftsAfterLoss{10'000};     // to who gave a shard up, or lost it
inline constexpr BootTime kLeaveTimeMax{3'000};          // for the last group of a shard that is given up
inline constexpr BootTime kStopTimeMax{10'000};          // for giving all up
inline constexpr BootTime kAwayTimeMax{24 * 3'600'000};  // after that the log is not kept for a node that is away
inline constexpr uint64_t kAwayBytesMax = 1u << 30;      // of a shard's log; the same
inline constexpr uint64_t kTakeBehindMax = 10'000;       // batches: who lacks more lets others go first
inline constexpr size_t kLogReadBytesMax = 4u << 20;     // of one read of the log
inline constexpr size_t kChangesKept = 64;

// A change of an owner, for the log and the status.
struct ClusterChange {
  BootTime at{0};
  uint32_t shard = 0;
  std::string from, to;  // "": nobody
  std::string why;
  BootTime took{0};
};

struct ClusterOptions {
  std::string node, run;     // the run is the one that the board's and the log's connections name
  std::string peer, client;  // as others and clients reach it
  uint32_t formats = 1;
  BootTime stale_reads_max{30'000};
  size_t lanes = 2;
  uint32_t pace =
      1;  // tests: the clock of NodeStanding runs so many times as fast as the world, and all waits are as much shorter
  size_t inbox_bytes_max = 64u << 20;  // of batches that were told and are not applied; more are read from the log
  std::function<void(const ClusterChange&)> on_change{};  // any thread
  // What an operator should hear. `is_loud`: it will not go away by itself.
  enum class Level : uint8_t { Info, Warning, Error };
  std::function<void(Level, const std::string&)> on_word{};
  std::function<void()> on_out{};  // another run has this name, or it was forgotten: this process has to end
};

class Member {
 public:
  struct Parts {
    Board& lease_board;
    Board& board;
    GuardedLog& log;
    Replica& replica;
    Bus& bus;
    NodeStanding& standing;
  };
  // All outlive it.
  Member(Parts with, ClusterOptions options);
  ~Member();  // stop()s

  // Enters the cluster. Errors: InvalidArgument (other numbers of shards, a format that is not known here), Unavailable (the
  // engine is not there, or not as it has to be: the message has what the check found wrong).
  Result<void> start();
  // Gives up what it owns, so that others take it at once, and leaves.
  void stop();

  Directory& directory() { return directory_; }
  // The log of a shard takes nothing more from us (ShardLog). Any thread, and soon back.
  void lost(uint32_t shard, const std::string& why);

  // Operators' wishes. Block. Errors: NotFound (no such node or shard), Unavailable.
  Result<void> move(uint32_t shard, const std::string& node);
  Result<void> drain(const std::string& node, bool is_drained);
  Result<void> forget(const std::string& node);
  void reseed();  // takes all shards anew from the others; those that it owns are given up before

  ClusterFigures figures() const;
  std::string status_json() const;

 private:
  using Level = ClusterOptions::Level;
  enum class Here : uint8_t { Follows, Taking, Owns, Leaving, Seeding, Stopped };
  struct Order {
    enum class Kind : uint8_t { Take, Leave, Disown, GiveBack } kind = Kind::Take;
    ClusterShard seen{};    // Take, GiveBack
    std::string old_run{};  // Take: of who had it
    uint64_t beat = 0;      // the same
    std::string to{};       // Leave: who shall have it
    std::string why{};
    BootTime since{0};
  };
  struct Shard {
    Here here = Here::Follows;
    std::string why{};                   // Stopped
    std::optional<ClusterShard> seen{};  // by the last look
    LogPosition before_look{};           // applied, when the look began
    uint64_t due = 0;                    // of the look before: by now it has come, or it will not
    std::deque<BusBatch> inbox{};
    size_t inbox_bytes = 0;
    bool has_gap = false;  // the log is to be read
    std::optional<Order> order{};
    std::optional<BootTime> takeable_since{};
    BootTime not_before{0};       // of the next try of what has failed
    BootTime wish_not_before{0};  // likewise of giving it to whom an operator wishes
    bool must_seed = false;
    bool is_followed_now = false;  // by its lane: nothing else may touch it
    LogBytes bytes{};
  };

  // member.cc
  void control();
  bool renew();
  void check();
  void look();
  void out(const std::string& why);
  void tell_peers();
  BootTime now() const { return with_.standing.now(); }
  std::chrono::microseconds real(BootTime time) const { return std::chrono::microseconds(time) / options_.pace; }
  void word(Level level, const std::string& text) const;
  void changed(ClusterChange change);
  bool confirm();  // waits for a renewal that began after this call

  // member_decide.cc. Precondition: mutex_ is held.
  void decide(BootTime now);
  void decide_owned(Shard& shard, uint32_t number, BootTime now);
  void decide_followed(Shard& shard, uint32_t number, BootTime now);
  void balance(BootTime now);
  bool is_behind_log(const Shard& shard, uint32_t number) const;
  void check_tail(Shard& shard, uint32_t number, std::vector<std::string>& loud);
  bool may_own(const std::string& name) const;                  // alive, and not drained
  bool is_able(const std::string& name, uint32_t shard) const;  // and has all of the shard, or nearly so
  std::vector<std::string> candidates() const;                  // this node among them
  std::string heir(uint32_t shard) const;  // who shall have what this node gives up; "": nobody is there
  void order(uint32_t shard, Order order);
  void point(uint32_t number);  // the directory

  // member_lanes.cc
  void lane(size_t number);
  void wake(uint32_t shard) { to_work_[shard % to_work_.size()].notify_one(); }  // its lane
  void wake_all();
  std::optional<uint32_t> next_work(size_t lane);
  void work(uint32_t shard, std::unique_lock<std::mutex>& lock);
  void take(uint32_t shard, const Order& order);
  Result<std::optional<LogPosition>> take_on_board(uint32_t shard, const Order& order);
  void leave(uint32_t shard, const Order& order);
  void disown(uint32_t shard, const Order& order);
  void follow(uint32_t shard);
  Result<void> apply_inbox(uint32_t shard);
  Result<void> read_log(uint32_t shard, uint64_t upto, bool is_durable);  // some of it
  Result<void> apply(uint32_t shard, const std::string& batch);
  void stop_shard(uint32_t shard, const std::string& why);
  void settle(uint32_t shard, Here here, BootTime not_before = BootTime{0});
  void give_back(uint32_t shard, uint64_t epoch);  // what was taken, and cannot be owned

  // member_upkeep.cc
  void guard();
  void upkeep();
  void cut();
  void erase_left();
  void end_wishes();                                       // of what is here already
  std::optional<uint64_t> cut_upto(uint32_t shard) const;  // Precondition: mutex_ is held
  void stop_when_stale(BootTime now);
  void seeder();
  Result<void> seed(uint32_t shard, const std::vector<BusPeer>& peers);

  void on_batch(BusBatch batch);

  const Parts with_;
  const ClusterOptions options_;
  Directory directory_;
  std::mutex
      board_mutex_;  // Guards with_.board: its functions are for one thread at a time. Never locked under mutex_.

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable
      changed_;  // for who waits for this node: renewals, orders that are done, stopping; the seeder's
  std::condition_variable to_look_;               // the control thread's
  std::condition_variable to_keep_;               // upkeep's: stopping
  std::vector<std::condition_variable> to_work_;  // each lane's: orders, batches, stopping
  std::vector<Shard> shards_;
  ClusterView view_;
  ClusterFacts facts_;
  EngineCheck check_;
  BootTime checked_at_{0}, view_at_{0}, last_gift_{0};
  NodeLease lease_;
  BeatWatch watch_;
  std::string own_run_before_;
  std::set<std::string> ended_runs_;  // whose connections were ended
  std::map<std::string, BootTime> no_gifts_until_;
  std::optional<std::pair<uint32_t, std::string>> gift_;
  uint64_t renewals_begun_ = 0, renewals_answered_ = 0;  // by number
  bool must_renew_ = false, must_look_ = false;
  bool is_leaving_ = false, is_stopped_ = false, is_out_ = false, is_started_ = false;
  std::deque<ClusterChange> changes_;
  ClusterFigures counts_;  // what is counted, of it
  size_t inbox_bytes_ = 0;
  std::map<uint32_t, uint64_t> tidied_;  // of the upkeep's thread: by shard, the epoch in which erase_left() was done
  std::vector<std::thread> threads_;
};

}  // namespace hearth::db
