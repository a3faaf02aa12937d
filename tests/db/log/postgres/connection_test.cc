#include "db/log/postgres/connection.h"

#include <catch2/catch.hpp>

#include "tests/db/log/postgres/test_cluster.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("Engine's memory: another engine, and a primary that came back, are refused", "[postgres]") {
  EngineMemory memory;
  must(memory.admit("7000", 3));
  CHECK(memory.timeline() == 3);
  must(memory.admit("7000", 4));
  CHECK_FALSE(memory.admit("7000", 3).ok());
  CHECK_FALSE(memory.admit("7001", 9).ok());
  CHECK(memory.timeline() == 4);
  CHECK(memory.system() == "7000");
}

TEST_CASE("Connection: no message has the password", "[postgres]") {
  // Of each way to fail: it cannot be read, nobody is there, the user is none, the database is none.
  const std::string secret = "s3cr%25t";
  trio().ask_primary("CREATE ROLE stranger LOGIN PASSWORD 's3cr%t'");
  PostgresTarget target;
  for (const std::string& url :
       {"postgresql://ada:" + secret + "%zz@127.0.0.1/x", "postgresql://ada:" + secret + "@127.0.0.1:1/x",
        "postgresql://ada:" + secret + "@127.0.0.1:1/x?no_such_parameter=" + secret,
        trio().url("s3cr%25t", "stranger:" + secret), trio().url("postgres", "nobody:" + secret)}) {
    target.url = url;
    target.node = "n1";
    target.run = "00000000";
    const auto made = PostgresConnection::open(target);
    REQUIRE_FALSE(made.ok());
    INFO(made.error().message);
    CHECK(made.error().message.find("s3cr") == std::string::npos);
    CHECK(shown_url(url).find("s3cr%t@") == std::string::npos);
  }
  CHECK(shown_url("postgresql://ada:secret@db1,db2:5433/hearth?sslmode=require") == "postgresql://db1,db2:5433/hearth");
  CHECK(shown_url("postgresql://ada:secret%zz@db1/").empty());
}

TEST_CASE("Connection: values go and come as they are", "[postgres]") {
  const TestCluster cluster(1);
  auto connection = must(PostgresConnection::open(cluster.target()));
  const std::string bytes("\0\xff'\\", 4);
  const auto rows = must(connection->ask("SELECT $1, $2, $3, $4, $5, $6::text, $7[2] FROM generate_series(1, 2)",
                                         PostgresValues()
                                             .int4(4'000'000)
                                             .int8(1ull << 40)
                                             .text("ä")
                                             .bytes(bytes)
                                             .boolean(true)
                                             .int8s({1, 1ull << 60})
                                             .texts({"a", "b,\"c"})));
  REQUIRE(rows.count() == 2);
  CHECK(rows.int4(1, 0) == 4'000'000);
  CHECK(rows.int8(1, 1) == 1ull << 40);
  CHECK(rows.text(1, 2) == "ä");
  CHECK(rows.text(1, 3) == bytes);
  CHECK(rows.boolean(1, 4));
  CHECK(rows.int8s(1, 5) == std::vector<uint64_t>{1, 1ull << 60});
  CHECK(rows.text(1, 6) == "b,\"c");
  CHECK(must(connection->ask("SELECT $1::text", PostgresValues().int8s({}))).int8s(0, 0).empty());
  CHECK(must(connection->ask("SELECT $1 = ''", PostgresValues().text(std::string_view()))).boolean(0, 0));
}

TEST_CASE("Connection: an error of a statement is no doubt, the end of a backend is one", "[postgres]") {
  const TestCluster cluster(1);
  auto connection = must(PostgresConnection::open(cluster.target()));
  CHECK_FALSE(connection->ask("SELECT 1 / 0").ok());
  CHECK_FALSE(connection->failure().is_in_doubt);
  CHECK(connection->failure().state == "22012");
  CHECK(connection->is_open());

  const auto warned = connection->ask("DO 'BEGIN RAISE WARNING ''something''; END'");
  REQUIRE_FALSE(warned.ok());
  CHECK(connection->failure().is_in_doubt);

  auto second = must(PostgresConnection::open(cluster.target()));
  std::thread ender([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    trio().ask_primary("SELECT pg_terminate_backend(" + std::to_string(second->backend()) + ")");
  });
  CHECK_FALSE(second->ask("SELECT pg_sleep(4)").ok());
  ender.join();
  CHECK(second->failure().is_in_doubt);
  CHECK_FALSE(second->is_open());

  // One that ended while nothing was asked is known before anything is sent.
  auto third = must(PostgresConnection::open(cluster.target()));
  trio().ask_primary("SELECT pg_terminate_backend(" + std::to_string(third->backend()) + ", 2000)");
  CHECK_FALSE(third->is_open());
}

TEST_CASE("Connection: a round is one transaction, and an error leaves nothing of it", "[postgres]") {
  const TestCluster cluster(1);
  auto connection = must(PostgresConnection::open(cluster.target()));
  must(connection->run("CREATE TABLE t (n bigint PRIMARY KEY)"));
  must(connection->prepare("put", "INSERT INTO t SELECT $1 WHERE $1 < 100", PostgresValues().int8(0)));
  must(connection->enter_rounds());
  for (const uint64_t n : {1, 2, 200}) connection->add("put", PostgresValues().int8(n));
  CHECK(must(connection->finish_round()) == std::vector<uint64_t>{1, 1, 0});
  for (const uint64_t n : {3, 1, 4}) connection->add("put", PostgresValues().int8(n));
  CHECK_FALSE(connection->finish_round().ok());
  CHECK(connection->failure().state == "23505");
  CHECK_FALSE(connection->failure().is_in_doubt);
  connection->add("put", PostgresValues().int8(5));
  CHECK(must(connection->finish_round()) == std::vector<uint64_t>{1});
  CHECK(cluster.ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t") == "1 2 5");
}

TEST_CASE("Connection: a server that nobody may write to is not taken", "[postgres]") {
  PostgresTarget target;
  const int standby = (trio().primary() + 1) % 3;
  target.url = "postgresql://hearth@127.0.0.1:" + std::to_string(trio().port(standby)) + "/postgres";
  const auto made = PostgresConnection::open(target);
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().code == ErrorCode::Unavailable);
  INFO(made.error().message);
  CHECK(made.error().message.find("read-only") != std::string::npos);
}

TEST_CASE("Node names: what would not fit into a connection's name is refused", "[postgres]") {
  for (const std::string& name : {std::string("n1"), std::string("A-b_c.9"), std::string(40, 'x')})
    must(check_node_name(name));
  for (const std::string& name :
       {std::string(), std::string(41, 'x'), std::string("a:b"), std::string("ä"), std::string("a b")}) {
    INFO(name);
    CHECK_FALSE(check_node_name(name).ok());
  }
}
