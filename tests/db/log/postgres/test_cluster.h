// A cluster for one test, in a database of its own of the program's three servers.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "db/base/random.h"
#include "db/log/postgres/postgres_board.h"
#include "db/log/postgres/postgres_log.h"
#include "db/log/postgres/schema.h"
#include "tests/support/named_batches.h"
#include "tests/support/postgres.h"

namespace hearth::test {

class TestCluster {
 public:
  explicit TestCluster(uint32_t shards = 16) : database_(trio().make_database()), url_(trio().url(database_)) {
    const auto made = db::init_cluster(url_, shards);
    INFO((made.ok() ? "" : made.error().message));
    REQUIRE(made.ok());
    facts = made.value();
  }
  ~TestCluster() { trio().give_back(database_); }
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;
  const std::string& database() const { return database_; }
  const std::string& url() const { return url_; }
  // Each call is another run of the node.
  db::PostgresTarget target(const std::string& node = "n1") const {
    db::PostgresTarget target;
    target.url = url_;
    target.node = node;
    target.run = db::random_hex(4);
    return target;
  }
  db::PostgresLog::Options log_options(const std::string& node = "n1") const {
    db::PostgresLog::Options options;
    options.target = target(node);
    return options;
  }
  db::PostgresBoard::Options board_options(const std::string& node = "n1") const {
    db::PostgresBoard::Options options;
    options.target = target(node);
    return options;
  }
  db::Result<void> enter(db::PostgresBoard& board, const db::PostgresBoard::Options& options) const {
    db::ClusterNode node;
    node.name = options.target.node;
    node.run = options.target.run;
    node.peer = "127.0.0.1:1";
    node.formats = 1;
    node.durable.resize(facts.shards);
    return board.enter(node);
  }
  std::string ask(const std::string& sql) const {
    return trio().ask_primary("SET search_path=hearth;" + sql, database_);
  }

  db::ClusterFacts facts;

 private:
  std::string database_, url_;
};

// A value, or a failed test that says why there is none.
template <typename T>
T must(db::Result<T> result) {
  INFO((result.ok() ? "" : result.error().message));
  REQUIRE(result.ok());
  return std::move(result).value();
}
inline void must(const db::Result<void>& result) {
  INFO((result.ok() ? "" : result.error().message));
  REQUIRE(result.ok());
}

// One append, and what it was answered.
inline db::CommitLog::Appended append(db::CommitLog& log, uint32_t shard, const db::LogPosition& last,
                                      const std::string& id, const std::string& batch) {
  std::mutex mutex;
  std::condition_variable told;
  std::optional<db::CommitLog::Appended> answer;
  log.append(shard, last, id, db::sealed(batch), [&](db::CommitLog::Appended what) {
    const std::lock_guard lock(mutex);
    answer = what;
    told.notify_all();
  });
  std::unique_lock lock(mutex);
  told.wait(lock, [&] { return answer.has_value(); });
  return *answer;
}

inline NamedBatches batches_in_engine(db::PostgresBoard& board, uint32_t shard) {
  NamedBatches there;
  while (true) {
    const auto more = must(board.batches(shard, there.last().sequence, 1 << 20));
    if (more.empty()) return there;
    for (const std::string& batch : more) there.follow(batch);
  }
}

inline std::string new_id() {
  std::string id(db::kBatchIdBytes, '\0');
  db::random_bytes(id.data(), id.size());
  return id;
}

}  // namespace hearth::test
