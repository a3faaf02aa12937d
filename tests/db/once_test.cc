// Writes with a key are done once: what is kept of them, for how long, how much of it, and what a power cut leaves.
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <set>
#include <thread>

#include "db/commit/kept_answer.h"
#include "db/store/tree_store.h"
#include "tests/support/lossy_env.h"
#include "tests/support/open_host.h"
#include "tests/support/random_tree.h"

using namespace hearth::test;

namespace {

Database::Options options_of(const TempFolder& folder, const Clock* clock = nullptr) {
  return host_options(folder.path(), clock);
}

std::shared_ptr<Once> once(std::string key, std::string asked = "the same") {
  auto once = std::make_shared<Once>();
  once->key = std::move(key);
  once->asked = std::move(asked);
  return once;
}

Write with_key(Write write, std::shared_ptr<Once> once) {
  write.once = std::move(once);
  for (const Overwrite& one : write.overwrites) write.wants_value |= one.value.has_increments();
  return write;
}

// Rows of kept answers, of both kinds, and the bytes of their keys and values, once the database is closed.
struct AnswerRows {
  size_t count = 0, bytes = 0;
};
AnswerRows answers_in(const TempFolder& folder) {
  const auto frozen = open_frozen(folder.path()).value();
  AnswerRows rows;
  const auto add = [&](std::string_view key, std::string_view value) {
    rows.bytes += key.size() + value.size();
    return ++rows.count > 0;
  };
  REQUIRE(frozen.snapshot->scan(row_key(Table::Answer, ""), row_key(Table::Expiry, ""), add).ok());
  return rows;
}
size_t answer_rows(const TempFolder& folder) { return answers_in(folder).count; }

Value plus(int64_t by) { return json(R"({".sv":{"increment":)" + std::to_string(by) + "}}"); }

}  // namespace

TEST_CASE("Once: who comes again is told what the first was told, and nothing changes", "[db][once]") {
  const TempFolder folder;
  auto database = open_host(options_of(folder));
  const Answer first = write(*database, with_key(set("n", plus(2)), once("k")));
  REQUIRE(first.status.ok());
  CHECK(text(first.value) == "2");
  CHECK(first.first_base == nullptr);
  REQUIRE(write(*database, set("n", Value::integer(10))).status.ok());
  // Also after a restart: it is in the store.
  if (GENERATE(false, true)) {
    database.reset();
    database = open_host(options_of(folder));
  }
  const Answer again = write(*database, with_key(set("n", plus(2)), once("k")));
  REQUIRE(again.status.ok());
  CHECK(text(again.value) == "2");
  CHECK(again.sequence == first.sequence);
  CHECK(again.time == first.time);
  REQUIRE(again.first_base != nullptr);
  CHECK(again.first_base->text() == "n");
  CHECK(stored(*database, "n") == "10");
  // Another key is another write; the same key with something else is refused.
  CHECK(text(write(*database, with_key(set("n", plus(2)), once("other"))).value) == "12");
  CHECK(write(*database, with_key(set("n", plus(3)), once("k", "something else"))).status.error().code ==
        ErrorCode::KeyReused);
  CHECK(stored(*database, "n") == "12");
  const Figures figures = database->figures();
  CHECK(figures.keys_reused == 1);
  CHECK(figures.answers_repeated == 1);
}

TEST_CASE("Once: a push that comes again by another name is told the first one's", "[db][once]") {
  const TempFolder folder;
  const auto database = open_host(options_of(folder));
  REQUIRE(write(*database, with_key(set("list/one", Value::integer(1)), once("k"))).status.ok());
  const Answer again = write(*database, with_key(set("list/two", Value::integer(1)), once("k")));
  REQUIRE(again.first_base != nullptr);
  CHECK(again.first_base->text() == "list/one");
  CHECK(stored(*database, "list") == R"({"one":1})");
}

TEST_CASE("Once: a write that changed nothing is kept, one that was refused is not", "[db][once]") {
  const TempFolder folder;
  const auto database = open_host(options_of(folder));
  REQUIRE(write(*database, set("x", Value::integer(5))).status.ok());
  REQUIRE(write(*database, with_key(set("x", Value::integer(5)), once("same"))).status.ok());
  REQUIRE(write(*database, set("x", Value::integer(6))).status.ok());
  CHECK(write(*database, with_key(set("x", Value::integer(5)), once("same"))).first_base != nullptr);
  CHECK(stored(*database, "x") == "6");

  Write conditional = with_key(set("x", Value::integer(7)), once("stale"));
  conditional.preconditions.push_back(std::make_shared<ValueIs>(at("x"), Value::integer(1)));
  CHECK(write(*database, conditional).status.error().code == ErrorCode::Stale);
  REQUIRE(write(*database, set("x", Value::integer(1))).status.ok());
  CHECK(write(*database, conditional).first_base == nullptr);
  CHECK(stored(*database, "x") == "7");
  // It was done, so what it asked for does not have to hold any more.
  CHECK(write(*database, conditional).first_base != nullptr);
}

TEST_CASE("Once: of many that come at the same time one is done", "[db][once]") {
  const TempFolder folder;
  const auto database = open_host(options_of(folder));
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 50; ++i) answers.push_back(ask(*database, with_key(set("n", plus(1)), once("k"))));
  int first = 0;
  for (auto& one : answers) {
    const Answer answer = one.get();
    REQUIRE(answer.status.ok());
    CHECK(text(answer.value) == "1");
    first += answer.first_base == nullptr;
  }
  CHECK(first == 1);
  CHECK(stored(*database, "n") == "1");
}

TEST_CASE("Once: a key is forgotten after a day, and its rows go", "[db][once]") {
  const TempFolder folder;
  ManualClock clock(std::chrono::hours(1'000'000));
  {
    const auto database = open_host(options_of(folder, &clock));
    REQUIRE(write(*database, with_key(set("n", plus(1)), once("k"))).status.ok());
    clock.advance(kAnswerAge - Timestamp(1));
    CHECK(write(*database, with_key(set("n", plus(1)), once("k"))).first_base != nullptr);
    clock.advance(Timestamp(1));
    CHECK(text(write(*database, with_key(set("n", plus(1)), once("k"))).value) == "2");
    // The first answer goes after another hour, and leaves the key to the second.
    clock.advance(std::chrono::hours(2));
    REQUIRE(write(*database, set("other", Value::integer(1))).status.ok());
    REQUIRE(write(*database, set("other", Value::integer(2))).status.ok());
    CHECK(text(write(*database, with_key(set("n", plus(1)), once("k"))).value) == "2");
  }
  CHECK(answer_rows(folder) == 2);
}

TEST_CASE("Once: what is too old goes where nothing is written, too", "[db][once]") {
  const TempFolder folder;
  ManualClock clock(std::chrono::hours(1'000'000));
  Database::Options options = options_of(folder, &clock);
  options.space_idle_time = std::chrono::milliseconds(20);
  {
    const auto database = open_host(options);
    for (int i = 0; i < 1'200; ++i) {
      REQUIRE(write(*database, with_key(set("n", Value::integer(i)), once(std::to_string(i)))).status.ok());
    }
    clock.advance(kAnswerAge + Timestamp(1));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (uint64_t rows = database->figures().rows_written; std::chrono::steady_clock::now() < until;) {
      if (database->figures().rows_written >= rows + 2'400) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK(database->figures().answers_dropped == 0);  // none of them before its time
  }
  CHECK(answer_rows(folder) == 0);
}

TEST_CASE("Once: a namespace keeps as many bytes as it may, the oldest go first and are counted", "[db][once]") {
  const TempFolder folder;
  Database::Options options = options_of(folder);
  options.kept_answers_bytes_max = 20'000;
  {
    const auto database = open_host(options);
    for (int i = 0; i < 1'000; ++i) {
      REQUIRE(write(*database, with_key(set("n", plus(1)), once(std::to_string(i)))).status.ok());
    }
    CHECK(write(*database, with_key(set("n", plus(1)), once("999"))).first_base != nullptr);
    CHECK(write(*database, with_key(set("n", plus(1)), once("950"))).first_base != nullptr);
    CHECK(write(*database, with_key(set("n", plus(1)), once("0"))).first_base == nullptr);
    CHECK(database->figures().answers_dropped > 700);
  }
  const AnswerRows rows = answers_in(folder);
  CHECK(rows.count > 100);
  CHECK(rows.bytes <= options.kept_answers_bytes_max * 9 / 8 + 200);  // looked at when it is an eighth too much
  // Sums of which there would be much to keep are refused before anything is done.
  const auto database = open_host(options);
  Write large = set("large", json(R"({"n":{".sv":{"increment":1}},"text":")" + std::string(1u << 20, 'x') + "\"}"));
  CHECK(write(*database, with_key(large, once("large"))).status.error().code == ErrorCode::TooLarge);
  CHECK(stored(*database, "large") == "null");
  large.wants_value = false;
  CHECK(write(*database, large).status.ok());
}

TEST_CASE("Once: a removed namespace takes its keys along", "[db][once]") {
  const TempFolder folder;
  {
    const auto database = open_host(options_of(folder));
    REQUIRE(write(*database, with_key(set("n", plus(1)), once("k"))).status.ok());
    REQUIRE(database->remove("t").ok());
    // A write that changes nothing makes the namespace: else its key would be a row of nobody's.
    CHECK(write(*database, with_key(set("n", Value()), once("k"))).first_base == nullptr);
    CHECK(database->exists("t"));
    REQUIRE(database->remove("t").ok());
  }
  CHECK(answer_rows(folder) == 0);
}

TEST_CASE("Once: after a power cut a key is there with its write, or neither is", "[db][once]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  constexpr int kKeys = 60;
  for (int round = 0; round < 12; ++round) {
    const TempFolder folder;
    LossyEnv disk;
    Database::Options options = options_of(folder);
    options.environment = &disk;
    options.sync = round % 2 == 0 ? SyncMode::Group : SyncMode::Os;
    // Each key is sent in each of three lives, under another name each time, with a power cut between.
    std::set<std::string> acknowledged;
    for (int life = 0; life < 3; ++life) {
      {
        const auto database = open_host(options);
        const auto cut_at = life < 2 ? random.below(kKeys) : kKeys;
        for (size_t i = 0; i < kKeys; ++i) {
          if (i == cut_at) disk.cut_power();
          const std::string key = std::to_string(i);
          const std::string place = "list/" + key + "-" + std::to_string(life);
          const Answer answer = write(*database, with_key(set(place, plus(1)), once(key)));
          REQUIRE(answer.status.ok());
          CHECK(text(answer.value) == "1");
          if (i < cut_at && options.sync == SyncMode::Group && answer.first_base == nullptr) acknowledged.insert(place);
        }
        if (life == 2) {
          const Value all = database->space("t").value().get("list").value();
          REQUIRE(all.child_count() == kKeys);
          for (const std::string& place : acknowledged) {
            INFO(place);
            CHECK_FALSE(all.child(place.substr(5)).is_null());
          }
        }
      }
      disk.lose();
    }
  }
}

TEST_CASE("Once: what is purged from the past is forgotten here too: answers of writes at or below the path",
          "[db][once]") {
  const TempFolder folder;
  {
    const auto database = open_host(options_of(folder));
    REQUIRE(write(*database, with_key(set("users/ada/n", plus(1)), once("below"))).status.ok());
    REQUIRE(write(*database, with_key(set("users", json(R"({"ada":{"n":1}})")), once("above"))).status.ok());
    REQUIRE(write(*database, with_key(set("users/bob", Value::integer(1)), once("beside"))).status.ok());
    for (int i = 0; i < 1'200; ++i) {  // more than a step looks at
      REQUIRE(
          write(*database, with_key(set("users/ada/n", Value::integer(i)), once("k" + std::to_string(i)))).status.ok());
    }
    std::promise<Answer> done;
    database->purge("t", at("users/ada"), [&](Answer answer) { done.set_value(std::move(answer)); });
    REQUIRE(done.get_future().get().status.ok());
    CHECK(write(*database, with_key(set("users/bob", Value::integer(1)), once("beside"))).first_base != nullptr);
    CHECK(write(*database, with_key(set("users/ada/n", plus(1)), once("below"))).first_base == nullptr);
    CHECK(write(*database, with_key(set("users/ada/n", Value::integer(7)), once("k7"))).first_base == nullptr);
  }
  CHECK(answer_rows(folder) == 2 * 4);
}
