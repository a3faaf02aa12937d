#include "db/log/commit_log.h"

#include <catch2/catch.hpp>
#include <set>

#include "tests/support/memory_log.h"
#include "tests/support/named_batches.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Behaviour = MemoryLog::Behaviour;

Result<void> append(ShardLog& log, const std::string& name) {
  const auto turn = log.turn();
  return log.append(entry_named(name), Timestamp(1));
}

std::vector<std::string> names_in(const MemoryLog& log, uint32_t shard) {
  NamedBatches there;
  for (const std::string& batch : log.batches(shard)) there.follow(batch);
  return there.names();
}

}  // namespace

TEST_CASE("Shard log: whatever the log does with an append, a batch is there once, in its order, or it is refused",
          "[log][commit_log]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  MemoryLog log;
  static constexpr Behaviour kAll[] = {Behaviour::Honest,       Behaviour::Forgets,         Behaviour::LandsUnknown,
                                       Behaviour::AnswersTwice, Behaviour::UnknownThenLate, Behaviour::Delays};
  log.behave = [&] { return random.chance(0.8) ? Behaviour::Honest : kAll[random.below(std::size(kAll))]; };
  ShardLog shard(log, 2, log.take(2).value());
  std::vector<std::string> accepted;
  for (int i = 0; i < 500; ++i) {
    const std::string name = "n" + std::to_string(i);
    if (append(shard, name).ok()) accepted.push_back(name);
    REQUIRE_FALSE(
        shard.is_lost());  // eight unknown answers in a row do not come by these odds, of any seed that matters
  }
  CHECK(accepted.size() == 500);
  CHECK(names_in(log, 2) == accepted);
  CHECK(log.wrong == 0);
}

TEST_CASE("Shard log: after a conflict nothing is appended any more, nor asked, and somebody is told once",
          "[log][commit_log]") {
  MemoryLog log;
  int asked = 0, told = 0;
  log.behave = [&] { return ++asked == 2 ? Behaviour::Conflicts : Behaviour::Honest; };
  ShardLog shard(log, 0, log.take(0).value(), [&](uint32_t lost, const Error& why) {
    CHECK(lost == 0);
    CHECK(why.code == ErrorCode::NotOwner);
    ++told;
  });
  REQUIRE(append(shard, "one").ok());
  const Result<void> refused = append(shard, "two");
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::NotOwner);
  CHECK(shard.is_lost());
  CHECK_FALSE(append(shard, "three").ok());
  CHECK(asked == 2);
  CHECK(told == 1);
  CHECK(names_in(log, 0) == std::vector<std::string>{"one"});
}

TEST_CASE("Shard log: where another took the shard while the answer did not come, the batch is refused",
          "[log][commit_log]") {
  MemoryLog log;
  bool is_taken = false;
  log.behave = [&] { return is_taken ? Behaviour::Forgets : Behaviour::Honest; };
  ShardLog shard(log, 0, log.take(0).value());
  REQUIRE(append(shard, "one").ok());
  is_taken = true;
  (void)log.take(0);
  CHECK_FALSE(append(shard, "two").ok());
  CHECK(shard.is_lost());
}

TEST_CASE("Shard log: one that was given up appends nothing, and nobody is told", "[log][commit_log]") {
  MemoryLog log;
  ShardLog shard(log, 0, log.take(0).value(), [](uint32_t, const Error&) { FAIL("it was no loss"); });
  REQUIRE(append(shard, "one").ok());
  {
    const auto turn = shard.turn();
    shard.end({ErrorCode::NotOwner, "given up"});
  }
  CHECK(append(shard, "two").error() == Error{ErrorCode::NotOwner, "given up"});
  CHECK(names_in(log, 0) == std::vector<std::string>{"one"});
}

TEST_CASE("Shard log: a batch that may be there, and nobody can say, ends it", "[log][commit_log]") {
  MemoryLog log;
  ShardLog shard(log, 0, log.take(0).value());
  log.behave = [] { return Behaviour::LandsUnknown; };
  log.is_away = true;
  CHECK_FALSE(append(shard, "one").ok());
  log.is_away = false;
  log.behave = [] { return Behaviour::Honest; };
  CHECK_FALSE(append(shard, "two").ok());  // behind a batch that this node has not applied
  CHECK(names_in(log, 0) == std::vector<std::string>{"one"});
}

TEST_CASE("Shard log: a log that never answers is given up after some tries", "[log][commit_log]") {
  MemoryLog log;
  int asked = 0;
  log.behave = [&] { return ++asked > 0 ? Behaviour::Forgets : Behaviour::Honest; };
  ShardLog shard(log, 0, log.take(0).value());
  CHECK_FALSE(append(shard, "one").ok());
  CHECK(asked == kSettleTriesMax);
}

TEST_CASE("Shard log: a store takes the shards of a log only where it has applied all of it", "[log][commit_log]") {
  const TempFolder folder;
  auto store = TreeStore::open({folder.path(), 2, nullptr}).value();
  MemoryLog log;
  auto logs = take_logs(log, *store->snapshot(), 2);
  REQUIRE(logs.ok());
  ShardLog& shard = logs.value().of(3);
  CHECK(shard.shard() == 1);
  REQUIRE(append(shard, "one").ok());
  const auto behind = take_logs(log, *store->snapshot(), 2);
  REQUIRE_FALSE(behind.ok());
  CHECK(behind.error().code == ErrorCode::Unavailable);
  Batch applied;
  const auto [key, value] = applied_row(1, shard.last());
  applied.put(key, value);
  REQUIRE(store->commit(applied, TreeStore::Durability::Os).ok());
  const auto again = take_logs(log, *store->snapshot(), 2);
  REQUIRE(again.ok());
  CHECK(again.value().of(1).last().sequence == 1);
  CHECK(again.value().of(1).last().epoch > shard.last().epoch);
}

TEST_CASE("Shard log: a name is of one shard for ever, and gets the next number of it", "[log][commit_log]") {
  CHECK(shard_of("shop", 16) == shard_of("shop", 16));
  std::set<uint32_t> shards;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "n" + std::to_string(i);
    const uint32_t shard = shard_of(name, 16);
    shards.insert(shard);
    for (uint32_t from = 1; from < 40; ++from) {
      const uint32_t number = number_for(name, from, 16);
      REQUIRE(number % 16 == shard);
      REQUIRE(number >= from);
      REQUIRE(number < from + 16);
    }
  }
  CHECK(shards.size() == 16);
  CHECK(shard_of("shop", 65'536) == 0x1d3);  // of all machines the same, for as long as there are clusters
}
