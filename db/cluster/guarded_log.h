// The log as an owner may use it: an owner whose lease has run out tells nobody anything, however good the answers are that
// still reach it.
//
//   ShardLog ── append ──▶ GuardedLog ──▶ CommitLog (the engine)
//                             │ Accepted, and this node is good ────────────▶ done(Accepted), and the bus
//                             │ Accepted, and it is not: held ── renewed, still the owner's epoch ──▶ done(Accepted), bus
//                             │                               └─ renewed, another epoch ──▶ done(Unknown)
//                             │ cut_off(): the shard is taken from us ──▶ done(Unknown), and begin_epoch says "another's"
//
// When the engine is away, an answer does not come, and ShardLog asks for a new epoch; that waits here until the node is good
// again, for as long as the shard is not cut off: nobody else can have it while the engine is away for all, and a group that
// waits is better than one that is refused (§8 of the design).
//
// No state here ends by a word of somebody else alone. An append that the log has had for kAnswerWaitMax without a word is
// Unknown, whatever became of it: the next epoch settles that.
//
// So of each shard: admitted from own() to the moment it is cut off, and one append under way at most. Thread: any.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/cluster/board.h"
#include "db/cluster/bus.h"
#include "db/cluster/lease.h"
#include "db/log/commit_log.h"

namespace hearth::db {

inline constexpr BootTime kAnswerWaitMax{15'000};

class GuardedLog final : public CommitLog {
 public:
  GuardedLog(CommitLog& log, const NodeStanding& standing) : log_(log), standing_(standing) {}

  // Called with each batch of ours that is in the log, after its answer was passed on. Set before the first append.
  std::function<void(BusBatch batch)> on_accepted;

  // From here on the shard's appends are passed on; it was taken with that epoch. Before Replica::own().
  void admit(uint32_t shard, uint64_t epoch);
  // The epoch that the shard is ours by, or was at last.
  uint64_t epoch(uint32_t shard) const;
  // The shard is another's: what is under way is Unknown at once, and no epoch is begun. Before Replica::disown().
  void cut_off(uint32_t shard);
  // The same at that moment, unless it was done by then: what is under way may finish until then.
  void cut_off_at(uint32_t shard, BootTime when);
  // The node is good, and this is what the board said since: answers that are held go on.
  void release(const ClusterView& view);
  // Now and then: cuts off whose time has come, and waits no more for answers that do not come.
  void tick(BootTime now);
  void stop();  // cuts off all

  void append(uint32_t shard, const LogPosition& last, const std::string& id, SealedBatch batch,
              std::function<void(Appended)> done) override;
  Result<LogPosition> take(uint32_t shard) override { return log_.take(shard); }
  CommitLog& unguarded() { return log_; }
  Result<std::optional<LogPosition>> begin_epoch(uint32_t shard, uint64_t epoch) override;
  std::string new_file(uint32_t shard) override { return log_.new_file(shard); }
  Result<void> add_file_part(uint32_t shard, const std::string& file, std::string_view part) override {
    return log_.add_file_part(shard, file, part);
  }

  GuardFigures figures() const;

 private:
  struct UnderWay {
    BusBatch batch;  // sealed for the sequence behind `last`
    std::function<void(Appended)> done;
    uint64_t number = 0;
    bool is_held = false;             // Accepted, and not told
    std::optional<BootTime> since{};  // the log has all of it
  };
  struct Shard {
    bool is_admitted = false;
    uint64_t epoch = 0;
    std::optional<BootTime> cut_off_at;
    std::optional<UnderWay> under_way;
    std::optional<BusBatch> in_doubt;  // what was Unknown, until an epoch ends the doubt
  };
  void on_answer(uint32_t shard, uint64_t number, Appended what);
  void tell(UnderWay under_way, Appended what);
  void cut_off_locked(Shard& shard, std::vector<UnderWay>& ended);
  bool must_stop(uint32_t shard);

  CommitLog& log_;
  const NodeStanding& standing_;
  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::map<uint32_t, Shard> shards_;
  uint64_t next_number_ = 0;
  bool is_stopped_ = false;
  GuardFigures figures_;
};

}  // namespace hearth::db
