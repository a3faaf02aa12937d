#include "db/log/postgres/schema.h"

#include <catch2/catch.hpp>

#include "tests/db/log/postgres/test_cluster.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("Cluster's tables: they are made once, with an id and secrets of their own", "[postgres]") {
  const TestCluster cluster(4), other(3);
  CHECK(cluster.facts.id.size() == 16);
  CHECK(cluster.facts.secret.size() >= 32);
  CHECK(cluster.facts.secret != cluster.facts.admin_secret);
  CHECK(cluster.facts.id != other.facts.id);

  PostgresBoard board(cluster.board_options());
  const ClusterFacts read = must(board.facts());
  CHECK(read.id == cluster.facts.id);
  CHECK(read.shards == 4);
  CHECK(read.format == kBatchFormat);
  CHECK(read.secret == cluster.facts.secret);
  CHECK(read.admin_secret == cluster.facts.admin_secret);
  const ClusterView view = must(board.look());
  CHECK(view.nodes.empty());
  REQUIRE(view.shards.size() == 4);
  for (uint32_t i = 0; i < 4; ++i) {
    CHECK(view.shards[i].shard == i);
    CHECK(view.shards[i].last.sequence == 0);
    CHECK(view.shards[i].last.id == LogPosition().id);
    CHECK(view.shards[i].owner.empty());
  }

  const auto again = init_cluster(cluster.url(), 16);
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().code == ErrorCode::InvalidArgument);
  INFO(again.error().message);
  CHECK(again.error().message.find(cluster.facts.id) != std::string::npos);  // names the one that is there
  CHECK(again.error().message.find("4 shards") != std::string::npos);
  CHECK(must(board.facts()).id == cluster.facts.id);
}

TEST_CASE("Cluster's tables: of two that make them at once, one does", "[postgres]") {
  const std::string database = trio().make_database(), url = trio().url(database);
  std::vector<std::optional<Result<ClusterFacts>>> made(4);
  std::vector<std::thread> threads;
  for (auto& one : made) threads.emplace_back([&one, &url] { one = init_cluster(url, 2); });
  for (std::thread& one : threads) one.join();
  int count = 0;
  for (const auto& one : made) {
    count += one->ok() ? 1 : 0;
    if (!one->ok()) CHECK(one->error().code == ErrorCode::InvalidArgument);
  }
  CHECK(count == 1);
  trio().give_back(database);
}

TEST_CASE("Cluster's tables: what cannot be made is refused, and what is missing is said", "[postgres]") {
  const std::string database = trio().make_database();
  const std::string url = trio().url(database);
  for (const uint32_t shards : {0u, kClusterShardsMax + 1}) {
    const auto made = init_cluster(url, shards);
    REQUIRE_FALSE(made.ok());
    CHECK(made.error().code == ErrorCode::InvalidArgument);
  }
  PostgresBoard::Options options;
  options.target.url = url;
  PostgresBoard board(options);
  const auto none = board.facts();
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::NotFound);
  CHECK(none.error().message.find("hearth cluster init") != std::string::npos);

  trio().ask_primary("CREATE SCHEMA hearth", database);
  const auto strange = init_cluster(url, 2);
  REQUIRE_FALSE(strange.ok());
  CHECK(strange.error().message.find("schema hearth") != std::string::npos);
  trio().give_back(database);
}
