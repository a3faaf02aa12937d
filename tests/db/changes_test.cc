// The log of a database: the change feed, streams that come back after a restart, and what is cut.
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <map>
#include <random>
#include <thread>

#include "db/log/log_reader.h"
#include "db/read/changes.h"
#include "tests/support/dumps.h"
#include "tests/support/lossy_env.h"
#include "tests/support/open_host.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::test;

namespace {

struct Opening {
  HistoryPlan history{std::chrono::hours(24), 1'000'000'000, false};
  const Clock* clock = nullptr;
  LossyEnv* disk = nullptr;  // then each commit is synced
};

std::unique_ptr<Host> open_with(const std::string& folder, const Opening& with = {}) {
  Database::Options options = host_options(folder, with.clock);
  options.history = with.history;
  options.environment = with.disk;
  if (with.disk != nullptr) options.sync = SyncMode::Group;
  return open_host(options);
}

void put(Host& database, std::string_view path, Value value) {
  REQUIRE(write(database, set(path, std::move(value))).status.ok());
}

Result<ChangesPage> changes(Host& database, std::string since, std::string_view path = "", size_t most = 1'000,
                            const std::string& space = "t") {
  ChangesRead read;
  read.since = std::move(since);
  read.path = at(path);
  read.changes_max = most;
  std::promise<Result<ChangesPage>> done;
  database.changes(space, std::move(read), [&](Result<ChangesPage> page) { done.set_value(std::move(page)); });
  return done.get_future().get();
}

// "path=value …" of each change.
Words told(const ChangesPage& page) {
  Words words;
  for (const Change& change : page.changes) {
    std::string word;
    for (const PlaceChange& place : change.places) {
      word += (word.empty() ? "" : " ") + place.path.text() + (place.slot == Slot::Priority ? "/.priority" : "") +
              (place.is_restored ? " restored" : "=" + text(place.value));
    }
    words.push_back(word);
  }
  return words;
}

std::string id_now(Host& database) { return changes(database, "0").value().next; }

// What a stream that comes back with `id` is told.
std::string resumed(Host& database, std::string id, std::string_view path = "") {
  Talk talk(database);
  Listen listen = listen_to(path);
  listen.wants_ids = true;
  listen.resume = std::move(id);
  talk.client->listen(1, 10, std::move(listen));
  const auto items = talk.items_until(1);
  const auto& answer = std::get<Answer>(items.back());
  REQUIRE(answer.status.ok());
  return (answer.resumed ? "net" : "whole") + Talk::word(items.back()).substr(2);
}

uint64_t log_rows(const std::string& folder) {
  const auto frozen = open_frozen(folder).value();
  uint64_t rows = 0;
  REQUIRE(frozen.snapshot
              ->scan(row_key(Table::History, ""), row_key(Table::End, ""), [&](auto, auto) { return ++rows > 0; })
              .ok());
  return rows;
}

}  // namespace

TEST_CASE("Changes: each commit once, in order, by its paths; a page ends where it is full", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  put(*database, "a", json(R"({"b":1,"c":2})"));
  put(*database, "a/b", Value::integer(5));
  put(*database, "x", Value::string("else"));
  Write update = make_update("a", {{"b", Value()}, {"c/d", Value::integer(7)}}).value();
  update.by = "ada";
  REQUIRE(write(*database, update).status.ok());
  put(*database, "a", Value());
  const ChangesPage all = changes(*database, "0").value();
  CHECK(told(all) == Words{R"(a={"b":1,"c":2})", "a/b=5", R"(x="else")", "a/b=null a/c/d=7", "a=null"});
  CHECK(all.is_end);
  CHECK(all.changes[3].by == "ada");
  CHECK(all.changes[4].id == all.next);
  CHECK(told(changes(*database, all.changes[2].id).value()) == Words{"a/b=null a/c/d=7", "a=null"});
  // What stands above the path is told as what it means there.
  CHECK(told(changes(*database, "0", "a/c").value()) == Words{"a/c=2", "a/c/d=7", "a/c=null"});
  const ChangesPage first = changes(*database, "0", "", 2).value();
  CHECK(told(first) == Words{R"(a={"b":1,"c":2})", "a/b=5"});
  CHECK_FALSE(first.is_end);
  CHECK(told(changes(*database, first.next, "", 2).value()) == Words{R"(x="else")", "a/b=null a/c/d=7"});
  CHECK(told(changes(*database, all.next).value()).empty());
  CHECK(changes(*database, all.next).value().next == all.next);
}

TEST_CASE("Changes: ids are good after restarts, and those of nobody are unknown", "[db][history]") {
  const TempFolder folder;
  std::string first, second;
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(1));
    first = id_now(*database);
    put(*database, "a", Value::integer(2));
  }
  {
    const auto database = open_with(folder.path());  // writes nothing
    CHECK(told(changes(*database, first).value()) == Words{"a=2"});
    second = database->life() + ":2";
  }
  const auto database = open_with(folder.path());
  put(*database, "a", Value::integer(3));
  CHECK(told(changes(*database, first).value()) == Words{"a=2", "a=3"});
  CHECK(told(changes(*database, second).value()) == Words{"a=3"});
  CHECK(changes(*database, "0123456789abcdef:2").error().code == ErrorCode::NotFound);
  CHECK(changes(*database, database->life() + ":9").error().code == ErrorCode::NotFound);
  // The second commit was not made in this run, so nobody got this id from it when the third was there.
  CHECK(changes(*database, database->life() + ":1").error().code == ErrorCode::NotFound);
  CHECK(changes(*database, "yesterday").error().code == ErrorCode::InvalidArgument);
  // Nothing has happened there yet.
  const ChangesPage none = changes(*database, "0", "", 10, "unwritten").value();
  CHECK(none.changes.empty());
  CHECK(none.next == "0");
}

TEST_CASE("Changes: a folder that was put back to an older state knows none of the ids since", "[db][history]") {
  const TempFolder folder, copy;
  std::string before, after;
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(1));
    before = id_now(*database);
  }
  std::filesystem::copy(folder.path(), copy.path(),
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::overwrite_existing);
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(2));
    after = id_now(*database);
  }
  const auto database = open_with(copy.path());
  CHECK(told(changes(*database, before).value()).empty());
  CHECK(changes(*database, after).error().code == ErrorCode::NotFound);
  put(*database, "a", Value::integer(3));
  CHECK(changes(*database, after).error().code == ErrorCode::NotFound);
  CHECK(told(changes(*database, before).value()) == Words{"a=3"});
  CHECK(resumed(*database, after, "a") == "whole a=3");
}

TEST_CASE("Changes: a stream that comes back after a restart is told what it missed", "[db][history]") {
  const TempFolder folder;
  std::string id;
  {
    const auto database = open_with(folder.path());
    put(*database, "big", json(R"({"a":1,"b":2,"c":{"d":3}})"));
    id = database->life() + ":1";
    CHECK(resumed(*database, id, "big") == "net");
    put(*database, "big/b", Value::integer(9));
    put(*database, "other", Value::integer(1));
  }
  const auto database = open_with(folder.path());
  CHECK(resumed(*database, id, "big") == "net big+ b=9");
  put(*database, "big/c/d", Value());
  CHECK(resumed(*database, id, "big") == "net big+ b=9 c/d=null");
  CHECK(resumed(*database, id, "other") == "net other=1");
  CHECK(resumed(*database, id, "none") == "net");
  put(*database, "", json(R"({"big":{"z":1}})"));
  CHECK(resumed(*database, id, "big") == R"(net big={"z":1})");
  CHECK(resumed(*database, "feedfeedfeedfeed:1", "big") == R"(whole big={"z":1})");
}

TEST_CASE("Changes: without history nothing is kept, and a log that is given up goes", "[db][history]") {
  const TempFolder folder;
  std::string id;
  {
    const auto database = open_with(folder.path(), {{}, nullptr});
    put(*database, "a", Value::integer(1));
    CHECK(changes(*database, "0").error().code == ErrorCode::InvalidArgument);
  }
  CHECK(log_rows(folder.path()) == 0);
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(2));
    CHECK(told(changes(*database, "0").value()) == Words{"a=2"});
    id = id_now(*database);
  }
  CHECK(log_rows(folder.path()) == 2);
  {
    const auto database = open_with(folder.path(), {{}, nullptr});
    put(*database, "a", Value::integer(3));
    CHECK(changes(*database, id).error().code == ErrorCode::InvalidArgument);
  }
  CHECK(log_rows(folder.path()) == 0);
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(4));
    // The third commit was not kept: who knows the second is not told a gap.
    CHECK(changes(*database, id).error().code == ErrorCode::NotFound);
    CHECK(told(changes(*database, "0").value()) == Words{"a=4"});
    // A setting of the namespace wins, from the commit on that sets it.
    Write off;
    off.settings.push_back({std::string(kHistorySetting), "off"});
    REQUIRE(write(*database, off).status.ok());
    CHECK(changes(*database, "0").error().code == ErrorCode::InvalidArgument);
    Write on;
    on.settings.push_back({std::string(kHistorySetting), "1h,1MB"});
    REQUIRE(write(*database, on).status.ok());
    put(*database, "a", Value::integer(5));
    CHECK(told(changes(*database, "0").value()) == Words{"a=5"});
  }
  check_folder(folder.path());
}

TEST_CASE("Changes: the log is cut by its size and by its age", "[db][history]") {
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  const HistoryPlan plan{std::chrono::hours(1), 20'000, false};
  {
    const auto database = open_with(folder.path(), {plan, &clock});
    put(*database, "n", Value::integer(0));
    const std::string first = id_now(*database);
    for (int i = 1; i <= 300; ++i) {
      put(*database, "n", Value::string(std::string(200, 'x') + std::to_string(i)));
      clock.advance(Timestamp(10));
    }
    clock.advance(std::chrono::seconds(2));
    put(*database, "n", Value::integer(301));
    put(*database, "n", Value::integer(302));
    CHECK(changes(*database, first).error().code == ErrorCode::NotFound);
    const ChangesPage kept = changes(*database, "0").value();
    CHECK(kept.changes.size() > 50);
    CHECK(kept.changes.size() < 110);
    CHECK(kept.changes.back().id == kept.next);
    CHECK(resumed(*database, first) == "whole =" + text(json(R"({"n":302})")));
    clock.advance(std::chrono::hours(2));
    put(*database, "n", Value::integer(303));
    clock.advance(std::chrono::minutes(10));
    put(*database, "n", Value::integer(304));
    CHECK(told(changes(*database, "0").value()) == Words{"n=303", "n=304"});
    // Nothing of what was cut is on disk when it has been compacted.
    std::promise<Result<Compacted>> done;
    database->compact([&](Result<Compacted> compacted) { done.set_value(std::move(compacted)); });
    REQUIRE(done.get_future().get().ok());
  }
  CHECK(log_rows(folder.path()) == 1 + 2);
  check_folder(folder.path());
}

TEST_CASE("Changes: what is too old goes from a namespace that nobody writes, too", "[db][history]") {
  const TempFolder folder;
  ManualClock clock{Timestamp(1'700'000'000'000)};
  Database::Options options;
  options.folder = folder.path();
  options.history = {std::chrono::hours(1), 1'000'000, false};
  options.clock = &clock;
  options.space_idle_time = std::chrono::milliseconds(20);
  const auto database = Host::open(options).value();
  put(*database, "a", Value::integer(1));
  put(*database, "a", Value::integer(2));
  CHECK(changes(*database, "0").value().changes.size() == 2);
  clock.advance(std::chrono::hours(2));
  for (int tries = 0; !changes(*database, "0").value().changes.empty(); ++tries) {
    REQUIRE(tries < 1'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST_CASE("Changes: a restore is an entry, and what was before it stays known", "[db][history]") {
  const TempFolder folder;
  std::string id, dumped;
  {
    const auto database = open_with(folder.path());
    put(*database, "a", json(R"({"b":1})"));
    dumped = dump(*database);
    put(*database, "a/b", Value::integer(2));
    id = id_now(*database);
    RestoreRequest into;
    into.existing = Existing::Replace;
    const std::string upload = database->begin_upload().value();
    REQUIRE(database->upload(upload, 0, dumped).ok());
    std::promise<bool> done;
    database->restore(upload, into, [&](const auto& restored) { done.set_value(restored.ok()); });
    REQUIRE(done.get_future().get());
    put(*database, "c", Value::integer(3));
    CHECK(told(changes(*database, id).value()) == Words{" restored", "c=3"});
    CHECK(told(changes(*database, id, "a").value()) == Words{"a restored"});
    CHECK(resumed(*database, id, "a") == R"(net a={"b":1})");
  }
  const auto database = open_with(folder.path());
  CHECK(told(changes(*database, id).value()) == Words{" restored", "c=3"});
  CHECK(resumed(*database, id, "a") == R"(net a={"b":1})");
}

TEST_CASE("Changes: a namespace that is removed takes its log along", "[db][history]") {
  const TempFolder folder;
  {
    const auto database = open_with(folder.path());
    put(*database, "a", Value::integer(1));
    const std::string id = id_now(*database);
    REQUIRE(database->remove("t").ok());
    CHECK(changes(*database, id).error().code == ErrorCode::NotFound);
    put(*database, "b", Value::integer(2));
    CHECK(changes(*database, id).error().code == ErrorCode::NotFound);
    CHECK(told(changes(*database, "0").value()) == Words{"b=2"});
    REQUIRE(database->remove("t").ok());
  }
  CHECK(log_rows(folder.path()) == 0);
}

TEST_CASE("Changes: a value larger than a part is in the log, and read whole", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  const std::string large(3'500'000, 'v');
  put(*database, "a", Value::string(large));
  put(*database, "b", Value::integer(1));
  const ChangesPage page = changes(*database, "0").value();
  REQUIRE(page.changes.size() == 2);
  CHECK(page.changes[0].places[0].value == Value::string(large));
  CHECK(changes(*database, page.changes[0].id).value().changes.size() == 1);
}

TEST_CASE("Changes: whoever waits for a commit is answered by the next one", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  put(*database, "a", Value::integer(1));
  Talk waiting(*database);
  waiting.client->await_commit(1, 0);
  CHECK(std::get<Answer>(waiting.items_until(1).back()).sequence == 1);
  waiting.client->await_commit(2, 1);
  // Groups without a commit tell nothing.
  Talk other(*database);
  for (uint64_t request = 1; request <= 20; ++request) {
    other.client->read(request, get("a"));
    other.until(request);
    CHECK(waiting.client->take().empty());
  }
  put(*database, "b", Value::integer(2));
  CHECK(std::get<Answer>(waiting.items_until(2).back()).sequence == 2);
}

TEST_CASE("Changes: applied one after the other they make the tree; random, over restarts and power cuts",
          "[db][history]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  LossyEnv disk;
  auto database = open_with(folder.path(), {.disk = &disk});
  ReferenceTree reference, follower;
  std::string id = "0";
  const auto follow = [&] {
    for (;;) {
      const ChangesPage page = changes(*database, id, "", 1 + random.below(5)).value();
      for (const Change& change : page.changes) {
        std::vector<Overwrite> overwrites;
        for (const PlaceChange& place : change.places) overwrites.push_back({place.path, place.slot, place.value});
        follower.apply(overwrites);
      }
      id = page.next;
      if (page.is_end) break;
    }
  };
  for (int round = 0; round < 400; ++round) {
    Write one;
    one.overwrites = random.overwrites(random.path(2), 1 + random.below(3));
    one.merge = one.overwrites.size() > 1;
    if (!one.merge) one.base = one.overwrites.front().path;
    const Answer answer = write(*database, one);
    if (answer.status.ok()) reference.apply(one.overwrites);
    if (random.chance(0.3)) {
      follow();
      REQUIRE(follower.value() == reference.value());
    }
    if (random.chance(0.03)) {
      const bool is_cut = random.chance(0.5);
      if (is_cut) disk.cut_power();
      database.reset();
      if (is_cut) disk.lose();
      database = open_with(folder.path(), {.disk = &disk});
    }
  }
  follow();
  CHECK(follower.value() == reference.value());
}

TEST_CASE("Changes: since now there is nothing, and what comes after it", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  put(*database, "a", Value::integer(1));
  const ChangesPage now = changes(*database, "now").value();
  CHECK(now.changes.empty());
  CHECK(now.is_end);
  CHECK(now.next == id_now(*database));
  put(*database, "a", Value::integer(2));
  CHECK(told(changes(*database, now.next).value()) == Words{"a=2"});
  // Where nothing was ever written there is no id yet.
  CHECK(changes(*database, "now", "", 10, "empty").value().next == "0");
  // The first entry that was looked at is told, whatever it was about.
  const ChangesPage elsewhere = changes(*database, "0", "b").value();
  CHECK(elsewhere.changes.empty());
  CHECK(elsewhere.first == changes(*database, "0").value().changes.front().id);
  CHECK(elsewhere.first_sequence == parse_event_id(elsewhere.first)->sequence);
}

TEST_CASE("Changes: what stood there before, as the reference tree had it", "[db][history]") {
  const TempFolder folder;
  Opening with;
  with.history.versions = true;
  const auto database = open_with(folder.path(), with);
  const auto ask = [&](std::string since, std::string_view path) {
    ChangesRead read;
    read.since = std::move(since);
    read.path = at(path);
    read.before = true;
    std::promise<Result<ChangesPage>> done;
    database->changes("t", std::move(read), [&](Result<ChangesPage> page) { done.set_value(std::move(page)); });
    return done.get_future().get();
  };
  put(*database, "first", Value::boolean(true));
  for (int tries = 0; !ask("0", "").ok(); ++tries) {
    REQUIRE(tries < 2'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const std::string begin = id_now(*database);
  std::mt19937 random(Catch::rngSeed());
  const auto space = [&] { return database->space("t").value(); };
  const uint64_t first = parse_event_id(begin)->sequence;
  std::map<uint64_t, Value> trees = {{first, space().get("").value()}};  // by the commit after which they were
  for (int i = 0; i < 200; ++i) {
    std::string path(1, static_cast<char>('a' + random() % 3));
    if (random() % 2 == 0) path += std::string("/") + static_cast<char>('a' + random() % 3);
    const auto value = random() % 4 == 0 ? Value() : Value::integer(static_cast<int64_t>(random() % 1'000));
    const uint64_t sequence = space().set(path, value).value().sequence;
    trees[sequence] = space().get("").value();
  }
  const ChangesPage page = ask(begin, "").value();
  for (const Change& change : page.changes) {
    const uint64_t sequence = parse_event_id(change.id)->sequence;
    for (const PlaceChange& place : change.places) {
      INFO(change.id << " " << place.path.text());
      REQUIRE(place.before);
      CHECK(text(*place.before) == text(trees.at(sequence - 1).at(place.path)));
      CHECK(text(place.value) == text(trees.at(sequence).at(place.path)));
    }
  }
  CHECK(page.changes.size() > 100);
}

TEST_CASE("Changes: before is refused where no versions are kept, with what to do", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  put(*database, "a", Value::integer(1));
  ChangesRead read;
  read.since = "0";
  read.before = true;
  const auto page = database->space("t").value().changes(read);
  REQUIRE_FALSE(page.ok());
  CHECK(page.error().code == ErrorCode::InvalidArgument);
  CHECK(page.error().message.find("24h,1GB,versions") != std::string::npos);
}

TEST_CASE("Changes: an app waits for what comes, and is told of its path alone", "[db][history]") {
  const TempFolder folder;
  const auto database = open_with(folder.path());
  Namespace space = database->space("t").value();
  REQUIRE(space.set("b", Value::integer(1)).ok());
  ChangesRead read;
  read.since = "now";
  read.path = at("a");
  CHECK(space.changes(read, std::chrono::milliseconds(30)).value().changes.empty());
  read.since = space.changes(read).value().next;
  auto waiting = std::async(std::launch::async, [&] { return space.changes(read, std::chrono::seconds(20)); });
  REQUIRE(space.set("b", Value::integer(2)).ok());
  REQUIRE(space.set("a/x", Value::integer(3)).ok());
  CHECK(told(waiting.get().value()) == Words{"a/x=3"});
  std::promise<Result<ChangesPage>> later;
  space.changes_async(read, [&](Result<ChangesPage> page) { later.set_value(std::move(page)); });
  CHECK(told(later.get_future().get().value()) == Words{"a/x=3"});
  // In a callback it would wait for itself; and the end of the database ends a wait.
  std::promise<ErrorCode> within;
  space.set_async("a/x", Value::integer(4), [&](const auto&) { within.set_value(space.changes(read).error().code); });
  CHECK(within.get_future().get() == ErrorCode::InvalidArgument);
  read.since = "now";
  read.since = space.changes(read).value().next;
  auto cut = std::async(std::launch::async, [&] { return space.changes(read, std::chrono::seconds(20)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  database->close();
  CHECK(cut.get().error().code == ErrorCode::Unavailable);
}
