// The past of a tree: what was where at a moment, compared with a tree that is kept beside it.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "db/log/versions.h"
#include "db/read/past.h"
#include "tests/support/lossy_env.h"
#include "tests/support/open_host.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::test;

namespace {

constexpr HistoryPlan kPlan{std::chrono::hours(24), 1'000'000'000, true};

std::unique_ptr<Host> open_with(const std::string& folder, const HistoryPlan& plan = kPlan,
                                const Clock* clock = nullptr, LossyEnv* disk = nullptr) {
  Database::Options options = host_options(folder, clock);
  options.history = plan;
  options.environment = disk;
  if (disk != nullptr) options.sync = SyncMode::Group;
  return open_host(options);
}

std::string put(Host& database, std::string_view path, Value value) {
  const Answer answer = write(database, set(path, std::move(value)));
  REQUIRE(answer.status.ok());
  return database.life() + ":" + std::to_string(answer.sequence);
}

Answer read_at(Host& database, const std::string& moment, Read read) {
  read.at = std::make_shared<PastMoment>(parse_moment(moment).value());
  std::promise<Answer> done;
  database.read("t", std::move(read), [&](Answer answer) { done.set_value(std::move(answer)); });
  return done.get_future().get();
}

std::string then(Host& database, const std::string& moment, std::string_view path) {
  const Answer answer = read_at(database, moment, get(path));
  return answer.status.ok() ? text(answer.value) : answer.status.error().message;
}

ErrorCode refusal(Host& database, const std::string& moment) {
  return read_at(database, moment, get("")).status.error().code;
}

Result<PathHistory> history_of(Host& database, std::string_view path, size_t most = 100) {
  HistoryRead read;
  read.path = at(path);
  read.values_max = most;
  std::promise<Result<PathHistory>> done;
  database.history("t", std::move(read), [&](Result<PathHistory> history) { done.set_value(std::move(history)); });
  return done.get_future().get();
}

Words values(const PathHistory& history) {
  Words words{text(history.before)};
  for (const PastValue& one : history.values) words.push_back(text(one.value));
  return words;
}

void wait_for_versions(Host& database) {
  for (int tries = 0;; ++tries) {
    const auto history = history_of(database, "");
    if (history.ok() || history.error().code != ErrorCode::Unavailable) return;
    REQUIRE(tries < 1'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

uint64_t version_rows(const std::string& folder) {
  const auto frozen = open_frozen(folder).value();
  uint64_t rows = 0;
  REQUIRE(frozen.snapshot
              ->scan(row_key(Table::Version, ""), row_key(Table::End, ""), [&](auto, auto) { return ++rows > 0; })
              .ok());
  return rows;
}

Value many(int count, int first = 0) {
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < count; ++i) children.emplace_back("k" + std::to_string(i), Value::integer(first + i));
  return Value::object(children);
}

}  // namespace

TEST_CASE("Past: what was where, by id and by time", "[db][history]") {
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  const auto database = open_with(folder.path(), kPlan, &clock);
  const std::string one = put(*database, "a", json(R"({"b":1,"c":{"d":2}})"));
  clock.advance(Timestamp(1'000));
  const std::string two = put(*database, "a/c", Value::string("leaf"));
  clock.advance(Timestamp(1'000));
  const std::string three = put(*database, "a", Value());
  clock.advance(Timestamp(1'000));
  const std::string four = put(*database, "a/c/e", Value::integer(5));
  CHECK(then(*database, one, "") == R"({"a":{"b":1,"c":{"d":2}}})");
  CHECK(then(*database, two, "a") == R"({"b":1,"c":"leaf"})");
  CHECK(then(*database, two, "a/c/d") == "null");
  CHECK(then(*database, three, "") == "null");
  CHECK(then(*database, four, "") == R"({"a":{"c":{"e":5}}})");
  CHECK(then(*database, "1700000000000", "a/b") == "1");
  CHECK(then(*database, "1700000001999", "a") == R"({"b":1,"c":"leaf"})");
  CHECK(then(*database, "2023-11-14T22:13:22Z", "a") == "null");
  CHECK(then(*database, "1999999999999", "a") == R"({"c":{"e":5}})");
  // Before the first commit of all nothing was there.
  CHECK(then(*database, "1699999999999", "") == "null");
  CHECK(refusal(*database, "feedfeedfeedfeed:1") == ErrorCode::NotFound);
  CHECK(refusal(*database, database->life() + ":5") == ErrorCode::NotFound);
  // Queries go through what was there.
  Read query = get("a");
  query.query = Query::by_key();
  query.query->limit = Limit::Last;
  query.query->count = 1;
  CHECK(text(read_at(*database, two, query).value) == R"({"c":"leaf"})");
  Read keys = get("a");
  keys.shallow = true;
  CHECK(text(read_at(*database, one, keys).value) == R"({"b":true,"c":true})");
}

TEST_CASE("Past: of what was never written all of the past is known: nothing was there", "[db][history]") {
  for (const HistoryPlan& plan : {kPlan, HistoryPlan{}}) {
    const TempFolder folder;
    const auto database = open_with(folder.path(), plan);
    CHECK(then(*database, "0", "a") == "null");
    CHECK(then(*database, "2100-01-01T00:00:00Z", "") == "null");
    CHECK(refusal(*database, database->life() + ":1") == ErrorCode::NotFound);
    const PathHistory history = history_of(*database, "a").value();
    CHECK(values(history) == Words{"null"});
    CHECK(history.is_whole);
    if (!plan.is_on()) continue;
    const std::string first = put(*database, "a", Value::integer(1));
    CHECK(then(*database, "0", "a") == "null");
    CHECK(then(*database, first, "a") == "1");
  }
}

TEST_CASE("Past: the values of one path, with who and when", "[db][history]") {
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  const auto database = open_with(folder.path(), kPlan, &clock);
  put(*database, "n", Value::integer(1));
  put(*database, "other", Value::integer(1));
  clock.advance(Timestamp(500));
  Write by_ada = set("n", Value::integer(2));
  by_ada.by = "ada";
  REQUIRE(write(*database, by_ada).status.ok());
  put(*database, "n", Value::integer(2));
  put(*database, "", Value());
  put(*database, "n/below", Value::boolean(true));
  const PathHistory history = history_of(*database, "n").value();
  CHECK(values(history) == Words{"null", "1", "2", "null", R"({"below":true})"});
  CHECK(history.values[1].by == "ada");
  CHECK(history.values[1].time == Timestamp(1'700'000'000'500));
  CHECK(then(*database, history.values[1].id, "n") == "2");
  CHECK(history.is_whole);
  const PathHistory latest = history_of(*database, "n", 2).value();
  CHECK(values(latest) == Words{"2", "null", R"({"below":true})"});
  CHECK_FALSE(latest.is_whole);
}

TEST_CASE("Past: a large removal leaves a mark, and what was below it can be read", "[db][history]") {
  const TempFolder folder;
  std::string full, gone;
  {
    const auto database = open_with(folder.path());
    full = put(*database, "big", many(5'000));
    const std::string more = put(*database, "big/k7", Value::string("seven"));
    gone = put(*database, "big", Value());
    put(*database, "big/k9", Value::integer(9));
    const std::string again = put(*database, "big", many(3'000, 10));
    CHECK(then(*database, full, "big/k4999") == "4999");
    CHECK(then(*database, more, "big/k7") == R"("seven")");
    CHECK(then(*database, full, "big") == text(many(5'000)));
    CHECK(then(*database, gone, "") == "null");
    CHECK(then(*database, again, "big") == text(many(3'000, 10)));
  }
  // 5,000 + 1 + a mark + 1 + (3,000 and a mark); marks stand for the first PUT too, which emptied nothing.
  CHECK(version_rows(folder.path()) <= 8'010);
}

TEST_CASE("Past: what stood there before is carried over, and until then the past is not known", "[db][history]") {
  const TempFolder folder;
  {
    const auto database = open_with(folder.path(), {});
    put(*database, "big", many(2'000));
    CHECK(refusal(*database, "0") == ErrorCode::InvalidArgument);
  }
  std::string first;
  {
    const auto database = open_with(folder.path());
    put(*database, "big/k5", Value::string("five"));
    wait_for_versions(*database);
    first = put(*database, "big/k6", Value::string("six"));
    put(*database, "big", Value());
    CHECK(then(*database, first, "big/k1999") == "1999");
    CHECK(then(*database, first, "big/k5") == R"("five")");
    CHECK(then(*database, first, "big/k6") == R"("six")");
    CHECK(refusal(*database, "0") == ErrorCode::NotFound);
    CHECK(read_at(*database, "0", get("")).status.error().message.find("begins at 20") != std::string::npos);
  }
  {
    const auto database = open_with(folder.path());
    CHECK(then(*database, first, "big/k1999") == "1999");
  }
  {
    const auto database = open_with(folder.path(), {std::chrono::hours(24), 1'000'000'000, false});
    put(*database, "x", Value::integer(1));
    CHECK(refusal(*database, first) == ErrorCode::InvalidArgument);
  }
  CHECK(version_rows(folder.path()) == 0);
}

TEST_CASE("Past: what is purged is gone from the log, the past and the disk, and nothing else is", "[db][history]") {
  const TempFolder folder;
  std::string first, kept;
  const auto purge = [](Host& database, std::string_view path) {
    std::promise<Answer> done;
    database.purge("t", at(path), [&](Answer answer) { done.set_value(std::move(answer)); });
    const Answer answer = done.get_future().get();
    REQUIRE(answer.status.ok());
    return answer.value.as_integer();
  };
  const auto told = [](Host& database) {
    ChangesRead read;
    read.since = "0";
    std::promise<Result<ChangesPage>> done;
    database.changes("t", std::move(read), [&](Result<ChangesPage> page) { done.set_value(std::move(page)); });
    std::string text_of;
    const ChangesPage page = done.get_future().get().value();
    for (const Change& change : page.changes) {
      for (const PlaceChange& place : change.places)
        text_of += place.path.text() + (place.is_purged ? " purged" : "=" + text(place.value)) + ";";
      text_of += "\n";
    }
    return text_of;
  };
  {
    const auto database = open_with(folder.path());
    first = put(*database, "", json(R"({"users":{"ada":{"name":"SECRET-ADA","age":36},"bob":{"name":"Bob"}}})"));
    put(*database, "users/ada/name", Value::string("SECRET-LOVELACE"));
    put(*database, "users/ada/keys/SECRET-KEY", Value::boolean(true));
    put(*database, "users/ada", many(2'500));
    put(*database, "users/ada", json(R"({"name":"Countess"})"));
    kept = put(*database, "users/bob/name", Value::string("Robert"));
    Listen listen = listen_to("users");
    CHECK(purge(*database, "users/ada") == 5);
    CHECK(then(*database, first, "") == R"({"users":{"bob":{"name":"Bob"}}})");
    CHECK(then(*database, kept, "users") == R"({"ada":{"name":"Countess"},"bob":{"name":"Robert"}})");
    CHECK(values(history_of(*database, "users/bob/name").value()) == Words{"null", R"("Bob")", R"("Robert")"});
    CHECK(
        told(*database) ==
        "={\"users\":{\"bob\":{\"name\":\"Bob\"}}};users/ada purged;\nusers/ada purged;\nusers/ada purged;\nusers/ada "
        "purged;\nusers/ada purged;\nusers/bob/name=\"Robert\";\n");
    CHECK(purge(*database, "users/ada") == 0);
    // A stream from before it is told that something changed there, and what is there now.
    Talk talk(*database);
    listen.wants_ids = true;
    listen.resume = first;
    talk.client->listen(1, 10, std::move(listen));
    CHECK(talk.until(1) == Words{R"(a1 users+ ada={"name":"Countess"} bob/name="Robert")"});
  }
  {
    const auto database = open_with(folder.path());
    put(*database, "users/ada/name", Value::string("Ada"));
    CHECK(then(*database, kept, "users/ada/name") == R"("Countess")");
  }
  check_folder(folder.path());
  // The store's own log has the old rows for as long as it is not used up, so the files are looked at.
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    if (file.path().extension() != ".sst") continue;
    std::ifstream in(file.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    INFO(file.path());
    CHECK(bytes.find("SECRET") == std::string::npos);
  }
}

TEST_CASE("Past: a commit is taken back where nothing has changed since", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  const auto undo = [&](const std::string& id) {
    std::promise<Answer> done;
    database->undo("t", *parse_event_id(id), "", [&](Answer answer) { done.set_value(std::move(answer)); });
    return done.get_future().get();
  };
  put(*database, "a", json(R"({"b":1,"c":2})"));
  const std::string leaf = put(*database, "x", Value::string("leaf"));
  Write update = make_update("a", {{"b", Value::integer(5)}, {"d", Value::integer(7)}}).value();
  const std::string merged = database->life() + ":" + std::to_string(write(*database, update).sequence);
  const std::string deeper = put(*database, "x/y", Value::integer(1));
  put(*database, "other", Value::integer(1));
  CHECK(undo(merged).status.ok());
  CHECK(then(*database, "9999999999999", "a") == R"({"b":1,"c":2})");
  CHECK(undo(merged).status.error().code == ErrorCode::Stale);
  // What made room comes back.
  CHECK(undo(deeper).status.ok());
  CHECK(then(*database, "9999999999999", "x") == R"("leaf")");
  CHECK(undo(leaf).status.ok());
  CHECK(then(*database, "9999999999999", "x") == "null");
  Write setting;
  setting.settings.push_back({"realtime", "{}"});
  const std::string configured = database->life() + ":" + std::to_string(write(*database, setting).sequence);
  CHECK(undo(configured).status.error().code == ErrorCode::InvalidArgument);
  CHECK(undo("feedfeedfeedfeed:1").status.error().code == ErrorCode::NotFound);
}

TEST_CASE("Past: every moment is the reference's own; random, over restarts, power cuts, removals and cuts of the log",
          "[db][history]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  LossyEnv disk;
  const HistoryPlan plan{std::chrono::seconds(40), 1'000'000'000, true};
  auto database = open_with(folder.path(), plan, &clock, &disk);
  ReferenceTree reference;
  struct Then {
    std::string id;
    Timestamp time{};
    Value value;
  };
  std::vector<Then> moments;
  // The past begins with the first commit; a random write may change nothing.
  const Write first = set("a", Value::integer(0));
  REQUIRE(write(*database, first).status.ok());
  reference.apply(first.overwrites);
  uint64_t known = 0, unknown = 0;
  for (int round = 0; round < 600; ++round) {
    Write one;
    if (random.chance(0.03)) {
      one = set("a/b", many(1'200, round));
    } else {
      one.overwrites = random.overwrites(random.path(2), 1 + random.below(3));
      one.merge = one.overwrites.size() > 1;
      if (!one.merge) one.base = one.overwrites.front().path;
    }
    const Answer answer = write(*database, one);
    if (answer.status.ok()) reference.apply(one.overwrites);
    moments.push_back({database->life() + ":" + std::to_string(answer.sequence), clock.now(), reference.value()});
    clock.advance(Timestamp(300));
    if (random.chance(0.03)) {
      const bool is_cut = random.chance(0.5);
      if (is_cut) disk.cut_power();
      database.reset();
      if (is_cut) disk.lose();
      database = open_with(folder.path(), plan, &clock, &disk);
    }
    if (!answer.status.ok() || !random.chance(0.4)) continue;
    const Then& one_of = moments[moments.size() - 1 - random.below(std::min<size_t>(moments.size(), 200))];
    const Path path = random.path(3);
    const Answer was = read_at(*database, one_of.id, get(path.text()));
    if (!was.status.ok()) {
      // Too old, or given out by a run that wrote nothing after it: never within half of what is kept.
      INFO(was.status.error().message);
      CHECK(was.status.error().code == ErrorCode::NotFound);
      ++unknown;
      continue;
    }
    ++known;
    INFO(one_of.id << " /" << path.text());
    REQUIRE(text(was.value) == text(one_of.value.at(path)));
    const Answer by_time = read_at(*database, std::to_string(one_of.time.count() + 150), get(path.text()));
    if (by_time.status.ok()) REQUIRE(text(by_time.value) == text(one_of.value.at(path)));
  }
  CHECK(known > 50);
  CHECK(unknown > 5);
  // What is older than the plan is erased in the end, in slices.
  clock.advance(std::chrono::minutes(5));
  REQUIRE(write(*database, set("", Value())).status.ok());
  clock.advance(std::chrono::minutes(5));
  for (int tries = 0; tries < 300; ++tries) {
    REQUIRE(write(*database, set("last", Value::integer(tries))).status.ok());
    clock.advance(std::chrono::seconds(2));
  }
  clock.advance(std::chrono::minutes(5));
  for (int tries = 0; tries < 50; ++tries) REQUIRE(write(*database, set("last", Value::integer(tries))).status.ok());
  database.reset();
  CHECK(version_rows(folder.path()) < 120);
  check_folder(folder.path(), &disk);
}
