#include "db/cluster/guarded_log.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "tests/support/memory_board.h"

using namespace hearth::db;
using namespace hearth::test;
using Appended = CommitLog::Appended;

namespace {

// One owner of one shard, whose lease is the test's.
struct Owner {
  Owner() {
    engine.view.shards[0].owner = "n1";
    engine.view.shards[0].last.epoch = 1;
    log.on_accepted = [this](BusBatch batch) { told.push_back(batch); };
    renew();
    log.admit(0, 1);
  }
  void renew() {
    NodeLease lease;
    lease.renewed(now, now.load());
    standing.set(lease);
  }
  void append(uint64_t behind, const std::string& id = std::string(kBatchIdBytes, 'a')) {
    log.append(0, {behind, 1, ""}, id, sealed("bytes"), [this](Appended what) { answers.push_back(what); });
  }
  ClusterView view() {
    const std::lock_guard lock(engine.mutex);
    return engine.view;
  }

  struct Clock {
    std::atomic<int64_t> ms{10'000};
    operator BootTime() const { return BootTime(ms.load()); }  // NOLINT: as the time it is
    BootTime load() const { return BootTime(ms.load()); }
  } now;
  MemoryEngine engine{1};
  MemoryWay way;
  MemoryShardLog inner{engine, way, "n1"};
  NodeStanding standing{[this] { return now.load(); }};
  GuardedLog log{inner, standing};
  std::vector<Appended> answers;
  std::vector<BusBatch> told;
};

}  // namespace

TEST_CASE("Guarded log: while the node is good, answers are passed on and others hear of the batch",
          "[cluster][guard]") {
  Owner n1;
  n1.append(0);
  REQUIRE(n1.answers == std::vector{Appended::Accepted});
  REQUIRE(n1.told.size() == 1);
  CHECK(n1.told[0].at.sequence == 1);
  CHECK(n1.told[0].at.epoch == 1);
  CHECK(*n1.told[0].bytes == "bytes");
}

TEST_CASE("Guarded log: what is accepted after the lease is held until it is renewed", "[cluster][guard]") {
  Owner n1;
  n1.now.ms += 5'000;
  n1.append(0);
  CHECK(n1.answers.empty());
  CHECK(n1.told.empty());
  n1.log.release(n1.view());  // a look without a renewal says nothing
  CHECK(n1.answers.empty());
  n1.renew();
  SECTION("still ours") {
    n1.log.release(n1.view());
    CHECK(n1.answers == std::vector{Appended::Accepted});
    CHECK(n1.told.size() == 1);
  }
  SECTION("another's by now") {
    n1.engine.view.shards[0].last.epoch = 2;
    n1.engine.view.shards[0].owner = "n2";
    n1.log.release(n1.view());
    CHECK(n1.answers == std::vector{Appended::Unknown});
    CHECK(n1.told.empty());
    const auto begun = n1.log.begin_epoch(0, 1);
    REQUIRE(begun.ok());
    CHECK_FALSE(begun.value());
  }
}

TEST_CASE("Guarded log: a shard that is cut off answers at once, and begins no epoch", "[cluster][guard]") {
  Owner n1;
  n1.now.ms += 5'000;
  n1.append(0);
  CHECK(n1.answers.empty());
  n1.log.cut_off(0);
  CHECK(n1.answers == std::vector{Appended::Unknown});
  const auto begun = n1.log.begin_epoch(0, 1);
  REQUIRE(begun.ok());
  CHECK_FALSE(begun.value());
  n1.append(1);
  CHECK(n1.answers.back() == Appended::Conflict);
  n1.renew();
  n1.log.release(n1.view());
  CHECK(n1.answers.size() == 2);  // each once
}

TEST_CASE("Guarded log: it is cut off at a time as well", "[cluster][guard]") {
  Owner n1;
  n1.now.ms += 5'000;
  n1.append(0);
  n1.log.cut_off_at(0, n1.now.load() + BootTime(1'000));
  n1.log.tick(n1.now);
  CHECK(n1.answers.empty());
  n1.now.ms += 1'000;
  n1.log.tick(n1.now);
  CHECK(n1.answers == std::vector{Appended::Unknown});
}

TEST_CASE("Guarded log: with the engine away a new epoch waits until it is back, and the batch that had landed is told",
          "[cluster][guard]") {
  Owner n1;
  n1.way.loses_answers = true;
  n1.append(0);
  REQUIRE(n1.answers == std::vector{Appended::Unknown});
  n1.way.loses_answers = false;
  n1.way.is_away = true;
  std::atomic<bool> is_done{false};
  std::optional<LogPosition> found;
  std::thread settles([&] {
    const auto begun = n1.log.begin_epoch(0, 1);
    if (begun.ok()) found = begun.value();
    is_done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
  CHECK_FALSE(is_done);
  n1.way.is_away = false;
  settles.join();
  REQUIRE(found);
  CHECK(found->sequence == 1);
  CHECK(found->epoch == 2);
  CHECK(n1.log.epoch(0) == 2);
  REQUIRE(n1.told.size() == 1);  // others hear of it as we do
  CHECK(n1.told[0].at.epoch == 1);
}

TEST_CASE("Guarded log: an epoch that waits ends when the shard is cut off, and at the end", "[cluster][guard]") {
  Owner n1;
  n1.way.is_away = true;
  std::optional<Result<std::optional<LogPosition>>> begun;
  std::thread settles([&] { begun = n1.log.begin_epoch(0, 1); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  SECTION("cut off") { n1.log.cut_off(0); }
  SECTION("stop") { n1.log.stop(); }
  settles.join();
  REQUIRE(begun);
  CHECK((!begun->ok() || !begun->value()));
}

TEST_CASE("Guarded log: an answer that never comes is not waited for for ever", "[cluster][guard]") {
  struct Silent final : CommitLog {
    void append(uint32_t, const LogPosition&, const std::string&, SealedBatch,
                std::function<void(Appended)> done) override {
      asked.push_back(std::move(done));
    }
    Result<LogPosition> take(uint32_t) override { return LogPosition(); }
    Result<std::optional<LogPosition>> begin_epoch(uint32_t, uint64_t epoch) override {
      return std::optional(LogPosition{0, epoch + 1, ""});
    }
    Result<void> add_file_part(uint32_t, const std::string&, std::string_view) override { return {}; }
    std::vector<std::function<void(Appended)>> asked;
  } inner;
  std::atomic<int64_t> ms = 1'000;
  NodeStanding standing([&] { return BootTime(ms); });
  NodeLease lease;
  lease.renewed(BootTime(1'000), BootTime(1'000));
  standing.set(lease);
  GuardedLog log(inner, standing);
  log.admit(0, 1);
  std::vector<Appended> answers;
  log.append(0, {0, 1, ""}, "id", sealed("bytes"), [&](Appended what) { answers.push_back(what); });
  ms += kAnswerWaitMax.count() - 1;
  log.tick(BootTime(ms));
  CHECK(answers.empty());
  ms += 1;
  log.tick(BootTime(ms));
  CHECK(answers == std::vector{Appended::Unknown});
  CHECK(log.figures().unanswered == 1);
  inner.asked.front()(Appended::Accepted);  // too late
  CHECK(answers.size() == 1);
}

TEST_CASE("Guarded log: an answer that comes twice, or after another append, is heard once", "[cluster][guard]") {
  struct Twice final : CommitLog {
    void append(uint32_t, const LogPosition&, const std::string&, SealedBatch,
                std::function<void(Appended)> done) override {
      first.push_back(done);
      done(Appended::Accepted);
      done(Appended::Conflict);
      for (const auto& one : first) one(Appended::Unknown);
    }
    Result<LogPosition> take(uint32_t) override { return LogPosition(); }
    Result<std::optional<LogPosition>> begin_epoch(uint32_t, uint64_t) override { return std::optional<LogPosition>(); }
    Result<void> add_file_part(uint32_t, const std::string&, std::string_view) override { return {}; }
    std::vector<std::function<void(Appended)>> first;
  } inner;
  NodeStanding standing([] { return BootTime(1'000); });
  NodeLease lease;
  lease.renewed(BootTime(1'000), BootTime(1'000));
  standing.set(lease);
  GuardedLog log(inner, standing);
  log.admit(0, 1);
  std::vector<Appended> answers;
  for (uint64_t i = 0; i < 3; ++i) {
    log.append(0, {i, 1, ""}, "id", sealed("bytes"), [&](Appended what) { answers.push_back(what); });
  }
  CHECK(answers == std::vector(3, Appended::Accepted));
}
