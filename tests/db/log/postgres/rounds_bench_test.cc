// How many appends of one-row batches an engine of this machine takes, as the floor for what a cluster does: `postgres_test
// [.bench]`, on a quiet machine. BENCH_SECONDS, BENCH_BYTES and BENCH_SHARDS change what is run.
#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "tests/db/log/postgres/test_cluster.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Appended = CommitLog::Appended;
using Steady = std::chrono::steady_clock;

uint64_t number_of(const char* variable, uint64_t otherwise) {
  const char* given = std::getenv(variable);
  return given == nullptr ? otherwise : std::strtoull(given, nullptr, 10);
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Of batches in a time, on the screen.
class Measured {
 public:
  explicit Measured(std::string what) : what_(std::move(what)) {}
  void tell(uint64_t batches, uint64_t rounds) const {
    const double wall = std::chrono::duration<double>(Steady::now() - start_).count();
    const double cpu = cpu_seconds() - cpu_;
    WARN(what_ << ": " << static_cast<uint64_t>(static_cast<double>(batches) / wall) << " batches/s, "
               << (rounds == 0 ? 0 : batches / rounds) << " in a round, " << cpu / static_cast<double>(batches) * 1e6
               << " us of this process's CPU a batch");
  }

 private:
  const std::string what_;
  const Steady::time_point start_ = Steady::now();
  const double cpu_ = cpu_seconds();
};

}  // namespace

TEST_CASE("Bench: appends of one-row batches, by bare rounds, by the log, and by shards that wait for each",
          "[.bench]") {
  const auto seconds = std::chrono::seconds(number_of("BENCH_SECONDS", 5));
  const std::string batch(number_of("BENCH_BYTES", 132), 'x');
  const auto shards = static_cast<uint32_t>(number_of("BENCH_SHARDS", 16));
  const TestCluster cluster(shards);
  {
    PostgresLog taker(cluster.log_options());
    for (uint32_t shard = 0; shard < shards; ++shard) must(taker.take(shard));
    // The same statement as the log's, by hand: what any client of this protocol would reach.
    auto bare = must(PostgresConnection::open(cluster.target()));
    must(
        bare->prepare("append",
                      "WITH h AS (UPDATE hearth_shard SET seq = seq + 1, last = $4"
                      " WHERE shard = $1 AND seq = $2 AND epoch = $3 RETURNING seq, epoch)"
                      " INSERT INTO hearth_log (shard, seq, epoch, id, batch) SELECT $1, h.seq, h.epoch, $4, $5 FROM h",
                      PostgresValues().int4(0).int8(0).int8(0).bytes("").bytes("")));
    must(bare->enter_rounds());
    const Measured measured("bare rounds");
    const auto end = Steady::now() + seconds;
    uint64_t rounds = 0;
    for (; Steady::now() < end; ++rounds) {
      const std::string id = new_id();
      for (uint32_t shard = 0; shard < shards; ++shard) {
        bare->add("append", PostgresValues().int4(shard).int8(rounds).int8(1).bytes(id).bytes(batch));
      }
      REQUIRE(must(bare->finish_round()) == std::vector<uint64_t>(shards, 1));
    }
    measured.tell(rounds * shards, rounds);
  }
  {
    // Each answer brings the next append of its shard, from the log's own thread.
    PostgresLog log(cluster.log_options());
    const SealedBatch bytes = sealed(batch);
    std::vector<LogPosition> last(shards);
    for (uint32_t shard = 0; shard < shards; ++shard) last[shard] = must(log.take(shard));
    const Measured measured("the log, from its own thread");
    std::atomic<bool> is_over = false;
    std::atomic<uint32_t> ended = 0, failed = 0;
    std::function<void(uint32_t)> next = [&](uint32_t shard) {
      const std::string id = new_id();
      log.append(shard, last[shard], id, bytes, [&, shard, id](Appended what) {
        failed += what == Appended::Accepted ? 0 : 1;
        last[shard].sequence += 1;
        last[shard].id = id;
        if (is_over || what != Appended::Accepted) {
          ++ended;
        } else {
          next(shard);
        }
      });
    };
    for (uint32_t shard = 0; shard < shards; ++shard) next(shard);
    std::this_thread::sleep_for(seconds);
    is_over = true;
    while (ended < shards) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    measured.tell(log.figures().appends.value(), log.figures().rounds.value());
    CHECK(failed == 0);
  }
  {
    PostgresLog log(cluster.log_options());
    std::vector<std::unique_ptr<ShardLog>> logs;
    for (uint32_t i = 0; i < shards; ++i) logs.push_back(std::make_unique<ShardLog>(log, i, must(log.take(i))));
    BatchEntry entry;
    std::string entries;
    entry.append_to(entries);
    entries.resize(batch.size());
    const Measured measured("shards, a thread each");
    const auto end = Steady::now() + seconds;
    std::atomic<uint32_t> failed = 0;
    std::vector<std::thread> threads;
    for (auto& one : logs) {
      threads.emplace_back([&failed, &entries, &one, end] {
        while (Steady::now() < end) {
          const auto turn = one->turn();
          failed += one->append(entries, Timestamp(1)).ok() ? 0 : 1;
        }
      });
    }
    for (std::thread& one : threads) one.join();
    measured.tell(log.figures().appends.value(), log.figures().rounds.value());
    CHECK(failed == 0);
  }
}
