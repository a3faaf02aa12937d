// The primary dies under load, a standby is promoted, and what was acknowledged is there once.
#include <catch2/catch.hpp>
#include <set>

#include "tests/db/log/postgres/test_cluster.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("Failover: SIGKILL of the primary under load loses nothing that was acknowledged, and doubles nothing",
          "[postgres][failover]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const bool is_long = std::getenv("HEARTH_LONG") != nullptr;
  const int rounds = is_long ? 30 : 2;
  constexpr uint32_t kShards = 8;
  const TestCluster cluster(kShards);
  const auto options = cluster.log_options();
  PostgresLog log(options);
  PostgresBoard board(cluster.board_options("n1"));
  must(board.facts());

  std::atomic<bool> is_over = false;
  std::vector<std::vector<std::string>> acknowledged(kShards);
  std::vector<std::string> lost(kShards);
  std::vector<std::thread> writers;
  std::vector<std::unique_ptr<ShardLog>> shards;
  for (uint32_t i = 0; i < kShards; ++i) shards.push_back(std::make_unique<ShardLog>(log, i, must(log.take(i))));
  for (uint32_t i = 0; i < kShards; ++i) {
    writers.emplace_back([&, i] {
      for (int n = 0; !is_over; ++n) {
        const std::string name = std::to_string(i) + "-" + std::to_string(n);
        const auto turn = shards[i]->turn();
        const auto done = shards[i]->append(entry_named(name), Timestamp(1));
        if (!done.ok()) {
          lost[i] = done.error().message;
          return;
        }
        acknowledged[i].push_back(name);
      }
    });
  }
  uint32_t timeline = 0;
  for (int round = 0; round < rounds; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200 + random.below(400)));
    trio().kill_primary();
    trio().promote();
    trio().rejoin();
    const EngineCheck check = must([&] {
      auto found = board.check();
      return found.ok() ? std::move(found) : board.check();  // the first one may meet the connection that died
    }());
    CHECK(check.timeline > timeline);
    timeline = check.timeline;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  is_over = true;
  for (std::thread& one : writers) one.join();

  size_t count = 0;
  for (uint32_t i = 0; i < kShards; ++i) {
    INFO("shard " << i << ": " << lost[i]);
    CHECK(lost[i].empty());  // the owner stays the owner
    const NamedBatches there = batches_in_engine(board, i);
    CHECK(there.names() == acknowledged[i]);
    count += there.names().size();
  }
  CHECK(count > 100);
  WARN(count << " acknowledged over " << rounds << " failovers, " << log.figures().unknown.value() << " in doubt, "
             << log.figures().epochs.value() - kShards << " epochs to settle them");
}

TEST_CASE("Failover: a former primary that comes back as one is not taken, and the right one is",
          "[postgres][failover]") {
  const TestCluster cluster(1);
  const auto options = cluster.board_options();
  PostgresBoard board(options);
  must(board.facts());
  must(board.check());
  const int former = trio().kill_primary();
  const int now = trio().promote();
  REQUIRE(former != now);
  // A node that has seen the new timeline.
  auto first = PostgresConnection::open(options.target);
  REQUIRE(first.ok());
  const uint32_t timeline = options.target.memory->timeline();
  trio().start(former);
  REQUIRE(trio().ask(former, "SELECT pg_is_in_recovery()") == "f");
  PostgresTarget former_alone = options.target;
  former_alone.url = "postgresql://hearth@127.0.0.1:" + std::to_string(trio().port(former)) + "/" + cluster.database();
  const auto refused = PostgresConnection::open(former_alone);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("former primary") != std::string::npos);
  // With all hosts in the URL it is passed over, wherever it stands.
  for (int tries = 0; tries < 3; ++tries) {
    const auto right = PostgresConnection::open(options.target);
    REQUIRE(right.ok());
    CHECK(must(right.value()->ask("SELECT inet_server_port()")).int4(0, 0) == static_cast<uint32_t>(trio().port(now)));
  }
  CHECK(options.target.memory->timeline() == timeline);
  trio().kill_server(former);
  trio().rejoin();
}
