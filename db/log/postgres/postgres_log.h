// The log of a cluster, in PostgreSQL: appends in rounds.
//
//   shard 0 ── append ──┐                      one connection, one thread
//   shard 3 ── append ──┼─▶ waiting ─▶ round: UPDATE head, INSERT log │ … │ … │ sync ──▶ one transaction, one wait for a standby
//   shard 7 ── append ──┘                       └ "1": Accepted   "0": Conflict, which harms no other of the round
//
// One round is under way at a time; what arrives meanwhile is the next one, and so are those that the last one answered, as
// far as they are back by then. What may end a round otherwise:
//
//   in doubt (connection.h)   Unknown for all of it. The shards settle that by begin_epoch(), each for itself.
//   an error of the engine    none of it happened: each append is sent once more, in a round of its own, so that one that cannot
//                             succeed does not stop the others. Who fails again is told Unknown: that is always true enough.
//   no connection             nothing was sent, so nothing is in doubt: appends wait until there is one, or settle_max is over
//
// What is waited for is bounded by the shards: each has one batch under way, of at most kInFileFrom bytes in memory here.
// Thread: any; its own for rounds. `take`, `begin_epoch` and parts of files use a second connection, one after the other.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <thread>

#include "db/base/metrics.h"
#include "db/log/commit_log.h"
#include "db/log/postgres/connection.h"

namespace hearth::db {

inline constexpr size_t kAloneFrom = size_t{1} << 20;      // a larger batch is a round of its own
inline constexpr size_t kRoundBytesMax = size_t{4} << 20;  // what is more waits for the next round
inline constexpr size_t kInFileFrom = size_t{4} << 20;     // a larger batch goes into hearth_file, and its row names it

struct PostgresLogFigures {
  Counter connects;
  Counter rounds;
  Counter appends;  // that were accepted
  Counter bytes;    // of those, as they were stored
  Counter conflicts;
  Counter unknown;
  Counter refused;            // rounds that the engine answered with an error
  Counter epochs;             // that were begun
  TimeHistogram append_time;  // of what was accepted, from append() to its answer
};

class PostgresLog final : public CommitLog {
 public:
  struct Options {
    PostgresTarget target{};
    size_t compress_from = size_t{64} << 10;  // smaller batches cost more CPU than their bytes are worth
    std::chrono::milliseconds settle_max{
        600'000};  // how long an engine may be away before a shard is lost to this node
    std::function<void(const std::string&)> tell = [](const std::string&) {};  // troubles, for a log. Thread: any
  };
  explicit PostgresLog(Options options);
  ~PostgresLog() override;
  // Answers Unknown to all that waits, and Unavailable to all that asks, from now on.
  void close();

  void append(uint32_t shard, const LogPosition& last, const std::string& id, SealedBatch batch,
              std::function<void(Appended)> done) override;
  Result<LogPosition> take(uint32_t shard) override;
  // Goes on trying for settle_max: while the engine is away, who owns the shard stays its owner.
  Result<std::optional<LogPosition>> begin_epoch(uint32_t shard, uint64_t epoch) override;
  std::string new_file(uint32_t shard) override;
  Result<void> add_file_part(uint32_t shard, const std::string& file, std::string_view part) override;

  const PostgresLogFigures& figures() const { return figures_; }

 private:
  struct Waiting {
    uint32_t shard = 0;
    LogPosition last;
    std::string id;
    std::string stored;
    std::vector<std::string> files;  // named by it
    std::function<void(Appended)> done;
    std::chrono::steady_clock::time_point since;
  };
  using Round = std::vector<Waiting>;

  void work();
  Round next_round();
  bool connect(std::chrono::steady_clock::time_point since);
  void send(Round round, bool is_again);
  void answer(Waiting& one, Appended what);
  void end_left_behind(PostgresConnection& connection);
  enum class Tried : uint8_t { Here, ByAnother, InVain };  // InVain: no other try will do either
  Result<PostgresRows> try_aside(const char* statement, const std::function<PostgresValues()>& values,
                                 uint64_t& unclear, Tried& tried);
  // Asks on the second connection until the engine answers. `unclear` counts the tries that may have happened.
  Result<PostgresRows> insist(const char* statement, const std::function<PostgresValues()>& values, uint64_t& unclear);
  Result<void> put_part(const std::string& file, uint32_t number, std::string_view part);
  bool pause();  // for a moment; false: closing

  const Options options_;
  const int interrupt_;  // an eventfd, readable from close() on
  const PostgresTarget target_;
  PostgresLogFigures figures_;

  // How far the engine's epoch of a shard may be ahead of the one that was asked for: tries whose answers were lost.
  struct Unclear {
    uint64_t epoch = 0;
    uint64_t tries = 0;
  };

  std::mutex mutex_;                 // Guards the next eight.
  std::condition_variable arrived_;  // thread_ alone waits for it: one word of an append is for nobody else
  std::condition_variable closes_;   // whoever pauses
  std::deque<Waiting> waiting_;
  size_t expected_ = 0;  // of the next round: who waited when the last one was answered, and who was in that
  bool is_closing_ = false;
  std::map<uint32_t, std::map<std::string, uint32_t>> files_;  // by shard, those no batch has named yet: their parts
  int left_behind_ = 0;                                        // the backend of a connection that was lost, or 0
  std::map<uint32_t, Unclear> unclear_;                        // by shard

  std::atomic<uint64_t> aside_lost_ = 0;  // how often aside_ could not be made, or was lost
  std::mutex aside_mutex_;                // Guards the next two, and is held while aside_lost_ changes.
  std::unique_ptr<PostgresConnection> aside_;
  std::string why_aside_lost_;

  std::unique_ptr<PostgresConnection> rounds_;  // of thread_
  std::string told_;                            // of thread_: the last trouble, so that it is told once
  std::thread thread_;
};

}  // namespace hearth::db
