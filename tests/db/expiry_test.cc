// Children that are older than the ttl of their path: who is removed and when, what is heard of it, and what is on disk,
// compared with a tree that is kept beside it.
#include <catch2/catch.hpp>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include "db/model/expiry.h"
#include "tests/support/dumps.h"
#include "tests/support/lossy_env.h"
#include "tests/support/open_host.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::test;

namespace {

constexpr Timestamp kBegin{1'700'000'000'000};
constexpr std::string_view kMessages = "/rooms/$/messages\tttl\t60000\n";

std::unique_ptr<Host> opened(const std::string& folder, const Clock& clock, void* environment = nullptr) {
  Database::Options options = host_options(folder, &clock);
  if (environment != nullptr) options.sync = SyncMode::Group;
  options.environment = environment;
  return open_host(options);
}

void put(Host& database, std::string_view path, std::string value) {
  const Answer answer = write(database, set(path, json(std::move(value))));
  INFO((answer.status.ok() ? "" : answer.status.error().message));
  REQUIRE(answer.status.ok());
}

// From here on that is the plan, and everything is taken up.
void plan(Host& database, ManualClock& clock, std::optional<std::string> text) {
  Write setting;
  setting.settings.push_back({std::string(kPathPlanSetting), std::move(text)});
  REQUIRE(write(database, std::move(setting)).status.ok());
  put(database, "other", "null");  // behind the group of the setting
  for (int i = 0; database.figures().expiry_untaken > 0; ++i) {
    REQUIRE(i < 20'000);
    if (i < 100 || i % 500 == 0) clock.advance(Timestamp(10));  // an alarm may be set late
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// The clock goes on until it is so, up to 2 s.
template <typename Is>
bool settles(ManualClock& clock, const Is& is) {
  for (int i = 0; i < 10'000; ++i) {
    if (is()) return true;
    if (i < 200 || i % 500 == 0) clock.advance(Timestamp(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return is();
}

size_t expiry_rows(const std::string& folder) { return rows_on_disk(folder, Table::Expiry, Table::End); }

}  // namespace

TEST_CASE("Expiry: children older than the ttl go in a commit that listeners hear", "[db][expiry]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder.path(), clock);
  plan(*database, clock, std::string(kMessages));
  put(*database, "rooms/a", R"({"name":"A","messages":{"m1":{"text":"one"},"m2":"two"}})");
  Talk talk(*database);
  talk.client->listen(1, 7, listen_to("rooms/a"));
  talk.until(1);
  clock.advance(Timestamp(30'000));
  put(*database, "rooms/a/messages/m3", "\"three\"");
  put(*database, "rooms/b/messages/m1", "1");
  put(*database, "rooms/a/messages/m2", "\"again\"");  // is as new as m3 now
  clock.advance(Timestamp(29'000));
  CHECK(stored(*database, "rooms/a/messages/m1/text") == "\"one\"");
  REQUIRE(settles(clock, [&] { return stored(*database, "rooms/a/messages/m1") == "null"; }));
  CHECK(stored(*database, "rooms") ==
        R"({"a":{"messages":{"m2":"again","m3":"three"},"name":"A"},"b":{"messages":{"m1":1}}})");
  // What was removed was told, as what anybody removes.
  talk.client->reply(2, {});
  const Words words = talk.until(2);
  CHECK(words == Words{"e7 rooms/a/messages/m3=\"three\"", "e7 rooms/a/messages/m2=\"again\"",
                       "e7 rooms/a/messages+ m1=null", "a2"});
  clock.advance(Timestamp(30'000));
  REQUIRE(settles(clock, [&] { return stored(*database, "rooms") == R"({"a":{"name":"A"}})"; }));
  CHECK(database->figures().expired == 4);
}

TEST_CASE("Expiry: an age that a child says counts from there, and what says none stays", "[db][expiry]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  const auto database = opened(folder.path(), clock);
  plan(*database, clock, "/sessions\tttl\t60000\tby\tseen/at\n");
  const auto at = [](Timestamp time) { return R"({"seen":{"at":)" + std::to_string(time.count()) + "},\"n\":1}"; };
  put(*database, "sessions/new", R"({"seen":{"at":{".sv":"timestamp"}}})");
  put(*database, "sessions/old", at(kBegin - Timestamp(50'000)));
  put(*database, "sessions/future", at(kBegin + Timestamp(100'000)));
  put(*database, "sessions/never", R"({"seen":{"at":"yesterday"}})");
  put(*database, "sessions/none", "true");
  const auto keys = [&] {
    Read read = get("sessions");
    read.shallow = true;
    std::promise<std::string> found;
    database->read("t", read, [&](const Answer& answer) { found.set_value(text(answer.value)); });
    return found.get_future().get();
  };
  clock.advance(Timestamp(11'000));
  REQUIRE(settles(clock, [&] { return stored(*database, "sessions/old") == "null"; }));
  put(*database, "sessions/new/n", "2");  // says nothing of its age
  clock.advance(Timestamp(50'000));
  REQUIRE(settles(clock, [&] { return stored(*database, "sessions/new") == "null"; }));
  CHECK(keys() == R"({"future":true,"never":true,"none":true})");
  put(*database, "sessions/never/seen/at", std::to_string(kBegin.count()));
  REQUIRE(settles(clock, [&] { return stored(*database, "sessions/never") == "null"; }));
  clock.advance(Timestamp(100'000));
  REQUIRE(settles(clock, [&] { return stored(*database, "sessions") == R"({"none":true})"; }));
}

TEST_CASE("Expiry: what was there before is taken up, and a restart forgets no age", "[db][expiry]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  auto database = opened(folder.path(), clock);
  std::string many = "{";
  for (int i = 0; i < 3'000; ++i) many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":{\"n\":1}";
  put(*database, "rooms/a/messages", many + "}");
  clock.advance(Timestamp(100'000));
  plan(*database, clock, std::string(kMessages));
  clock.advance(Timestamp(30'000));
  put(*database, "rooms/a/messages/k5/n", "2");
  database.reset();
  check_folder(folder.path());
  CHECK(expiry_rows(folder.path()) == 6'001);
  database = opened(folder.path(), clock);
  clock.advance(Timestamp(25'000));
  CHECK(database->space("t").value().count("rooms/a/messages").value() == 3'000);
  database.reset();
  // It is closed while they become too old. What is removed then is removed in slices.
  clock.advance(Timestamp(6'000));
  database = opened(folder.path(), clock);
  Talk talk(*database);
  talk.client->listen(1, 7, listen_to("rooms"));
  talk.until(1);
  REQUIRE(settles(clock, [&] { return stored(*database, "rooms") == R"({"a":{"messages":{"k5":{"n":2}}}})"; }));
  talk.client->reply(2, {});
  size_t largest = 0;
  for (const Item& item : talk.items_until(2)) {
    if (const auto* event = std::get_if<Event>(&item)) largest = std::max(largest, event->body->entries().size());
  }
  CHECK(largest <= 100);
  CHECK(largest > 1);
  database.reset();
  check_folder(folder.path());
  CHECK(expiry_rows(folder.path()) == 3);
}

TEST_CASE("Expiry: a large removal leaves rows that remove nothing later, and go", "[db][expiry]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  auto database = opened(folder.path(), clock);
  plan(*database, clock, std::string(kMessages));
  std::string many = "{";
  for (int i = 0; i < 900; ++i) many += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":1";
  for (int half = 0; half < 3; ++half) {
    put(*database, "rooms/r" + std::to_string(half) + "/messages", many + "}");
  }
  put(*database, "rooms", "null");  // 2,700 at once
  clock.advance(Timestamp(30'000));
  put(*database, "rooms/r1/messages/k7", "2");
  database.reset();
  check_folder(folder.path());
  CHECK(expiry_rows(folder.path()) == 1 + 2'700 + 2);
  database = opened(folder.path(), clock);
  clock.advance(Timestamp(31'000));
  REQUIRE(settles(clock, [&] { return database->figures().rows_written >= 2'700; }));
  CHECK(stored(*database, "rooms") == R"({"r1":{"messages":{"k7":2}}})");
  database.reset();
  check_folder(folder.path());
  CHECK(expiry_rows(folder.path()) == 3);
}

TEST_CASE("Expiry: the log has what was removed; without a ttl nothing is kept", "[db][expiry]") {
  const TempFolder folder;
  ManualClock clock(kBegin);
  Database::Options options;
  options.folder = folder.path();
  options.clock = &clock;
  options.history = {std::chrono::hours(24), 1'000'000, false};
  {
    const auto database = Host::open(options).value();
    put(*database, "rooms/a/messages/m0", "0");
    plan(*database, clock, std::string(kMessages));
    put(*database, "rooms/a/messages/m1", "1");
    clock.advance(Timestamp(61'000));
    REQUIRE(settles(clock, [&] { return stored(*database, "rooms") == "null"; }));
    std::promise<Result<ChangesPage>> page;
    database->changes("t", {"0", at("rooms"), 100}, [&](auto read) { page.set_value(std::move(read)); });
    const auto read = page.get_future().get();
    REQUIRE(read.ok());
    const auto& places = read.value().changes.back().places;
    CHECK(read.value().changes.back().by.empty());
    REQUIRE(!places.empty());
    CHECK(places.back().value.is_null());
    plan(*database, clock, std::nullopt);
    put(*database, "rooms/a/messages/m2", "1");
  }
  CHECK(expiry_rows(folder.path()) == 1);  // which numbers were used
}

TEST_CASE("Expiry: what a dump brings is since its restore, the rest since its write", "[db][expiry]") {
  const TempFolder folder, other;
  ManualClock clock(kBegin);
  const auto restore = [](Host& database, const std::string& text, const RestoreRequest& request) {
    const std::string id = database.begin_upload().value();
    REQUIRE(database.upload(id, 0, text).ok());
    std::promise<Result<std::vector<RestoredTree>>> told;
    database.restore(id, request, [&](auto result) { told.set_value(std::move(result)); });
    const auto done = told.get_future().get();
    INFO((done.ok() ? "" : done.error().message));
    REQUIRE(done.ok());
  };
  auto database = opened(folder.path(), clock);
  plan(*database, clock, std::string(kMessages) + "/by\tttl\t60000\tby\tat\n");
  put(*database, "rooms/a/messages/m1", "1");
  put(*database, "rooms/b/messages/m1", "1");
  put(*database, "by/x/at", std::to_string(clock.now().count()));
  const std::string all = dump(*database);
  clock.advance(Timestamp(40'000));
  // Into a path: what is beside it keeps its age.
  RestoreRequest into;
  into.into = at("rooms/a");
  into.existing = Existing::Replace;
  into.space = "t";
  restore(*database, R"({"messages":{"m1":"restored","m2":"restored"}})", into);
  put(*database, "other", "null");
  // Into another store: there everything is since now, but for what says its age itself.
  ManualClock clock_there(clock.now());
  auto there = opened(other.path(), clock_there);
  restore(*there, all, {});
  put(*there, "other", "null");
  for (int i = 0; database->figures().expiry_untaken + there->figures().expiry_untaken > 0; ++i) {
    REQUIRE(i < 10'000);
    if (i < 50) clock.advance(Timestamp(10));
    if (i < 50) clock_there.advance(Timestamp(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  clock.advance(Timestamp(21'000));
  REQUIRE(settles(clock, [&] { return stored(*database, "rooms/b") == "null" && stored(*database, "by") == "null"; }));
  CHECK(stored(*database, "rooms") == R"({"a":{"messages":{"m1":"restored","m2":"restored"}}})");
  clock_there.advance(Timestamp(21'000));
  REQUIRE(settles(clock_there, [&] { return stored(*there, "by") == "null"; }));
  CHECK(stored(*there, "rooms") == R"({"a":{"messages":{"m1":1}},"b":{"messages":{"m1":1}}})");
  clock_there.advance(Timestamp(40'000));
  REQUIRE(settles(clock_there, [&] { return stored(*there, "rooms") == "null"; }));
  database.reset();
  there.reset();
  check_folder(folder.path());
  check_folder(other.path());
}

TEST_CASE("Expiry: random writes, plans, restarts and power cuts leave what a reference has", "[db][expiry]") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  RandomTree random(seed);
  const TempFolder folder;
  LossyEnv disk;
  ManualClock clock(kBegin);
  auto database = opened(folder.path(), clock, &disk);

  struct Ttl {
    Timestamp of_a{0}, of_b{0}, of_zz{0};  // 0: none
    bool excepts = false;                  // /zz/b
    std::string text() const {
      std::string text;
      const auto line = [&](const char* path, Timestamp ttl, const char* more) {
        if (ttl.count() > 0) text += std::string(path) + "\tttl\t" + std::to_string(ttl.count()) + more + "\n";
      };
      line("/a", of_a, "");
      line("/b/$", of_b, "\tby\t1");
      line("/zz/$/$", of_zz, "");
      if (excepts) text += "/zz/b\n";
      return text;
    }
  } ttl;
  ReferenceTree tree;
  std::map<std::string, Timestamp> since;  // of children, by the last write

  std::vector<Path> places;
  const std::vector<std::string> keys = {"a", "b", "1", "2", "10", "-3", "03", "é", "😀", "\uF000", "zz"};
  for (const auto& one : keys) {
    places.push_back(at("a/" + one));
    for (const auto& two : keys) {
      places.push_back(at("b/" + one + "/" + two));
      for (const auto& three : keys) places.push_back(at("zz/" + one + "/" + two + "/" + three));
    }
  }
  const auto ttl_of = [&](const Path& child) {
    const auto all = child.keys();
    if (all[0] == "a") return ttl.of_a;
    if (all[0] == "b") return ttl.of_b;
    return ttl.excepts && all[1] == "b" ? Timestamp(0) : ttl.of_zz;
  };
  // Children with an age, and since when they are.
  const auto aged = [&] {
    std::vector<std::pair<Path, Timestamp>> found;
    const Value all = tree.value();
    for (const Path& place : places) {
      if (ttl_of(place).count() == 0) continue;
      const Value child = all.at(place);
      if (child.is_null()) continue;
      if (place.keys()[0] != "b") {
        found.emplace_back(place, since.at(place.text()));
      } else if (const Value said = child.at(at("1")); said.is_number()) {
        found.emplace_back(place, Timestamp(static_cast<int64_t>(std::clamp(said.as_double(), 0.0, 9e18))));
      }
    }
    return found;
  };
  // From here on `since` has those that are there. `is_written`: whether it was just now.
  const auto note = [&](const auto& is_written) {
    const Value all = tree.value();
    std::map<std::string, Timestamp> now;
    for (const Path& place : places) {
      if (place.keys()[0] == "b" || ttl_of(place).count() == 0 || all.at(place).is_null()) continue;
      const auto old = since.find(place.text());
      now[place.text()] = old == since.end() || is_written(place) ? clock.now() : old->second;
    }
    since = now;
  };
  const auto remove_expired = [&] {
    for (const auto& [child, time] : aged()) {
      if (time <= clock.now() - ttl_of(child)) tree.set(child, {});
    }
    note([](const Path&) { return false; });
  };
  const auto settle = [&] {
    remove_expired();
    const std::string wanted = text(tree.value());
    const bool is_so = settles(clock, [&] { return stored(*database, "") == wanted; });
    if (!is_so) CHECK(stored(*database, "") == wanted);
    REQUIRE(is_so);
    // On to the next moment of the grid.
    constexpr int64_t kGrid = 10'000;
    const int64_t rest = (clock.now() - kBegin).count() % kGrid;
    if (rest > 0) clock.advance(Timestamp(kGrid - rest));
    remove_expired();
    const std::string then = text(tree.value());
    REQUIRE(settles(clock, [&] { return stored(*database, "") == then; }));
  };
  int removed = 0;
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    if (round % 6 == 0) {
      const auto some = [&](int64_t base) {
        return Timestamp(random.chance(0.2) ? 0 : base + 10'000 * random.below(3));
      };
      ttl = {some(25'000), some(35'000), some(45'000), random.chance(0.3)};
      const std::string text = ttl.text();
      const Timestamp before = clock.now();
      note([](const Path&) { return false; });
      plan(*database, clock, text.empty() ? std::nullopt : std::optional(text));
      REQUIRE(clock.now() - before < Timestamp(2'000));
    }
    for (size_t writes = random.below(6); writes > 0; --writes) {
      const Path base = random.path(4);
      Write one;
      one.base = base;
      one.merge = random.chance(0.5);
      for (Overwrite& overwrite : random.overwrites(base, one.merge ? 3 : 1)) {
        if (overwrite.slot == Slot::Value) one.overwrites.push_back(std::move(overwrite));
      }
      if (random.chance(0.4)) {  // one that says its age
        const Path child = at("b/" + random.key() + "/" + random.key());
        const Timestamp time = clock.now() + Timestamp(10'000 * (static_cast<int64_t>(random.below(7)) - 4));
        one.base = child;
        one.merge = false;
        one.overwrites = {{child, Slot::Value, Value::object({{"1", Value::integer(time.count())}})}};
      }
      if (!one.merge && one.overwrites.size() > 1) one.overwrites.resize(1);
      if (one.overwrites.empty() || !check_overlap(one.overwrites).ok()) continue;
      const Value before = tree.value();
      const Answer answer = write(*database, one);
      REQUIRE(answer.status.ok());
      tree.apply(one.overwrites);
      const auto is_written = [&](const Path& place) {
        return std::any_of(one.overwrites.begin(), one.overwrites.end(), [&](const Overwrite& overwrite) {
          const bool meets = overwrite.path.contains(place) || place.contains(overwrite.path);
          return meets && !(before.at(overwrite.path) == overwrite.value);
        });
      };
      note(is_written);
    }
    if (random.chance(0.2)) {
      const bool is_cut = random.chance(0.5);
      if (is_cut) disk.cut_power();
      database.reset();
      if (is_cut) disk.lose();
      check_folder(folder.path(), &disk);
      database = opened(folder.path(), clock, &disk);
    }
    const size_t there = aged().size();
    clock.advance(Timestamp(10'000 * (1 + random.below(2))));
    settle();
    removed += static_cast<int>(there - std::min(there, aged().size()));
  }
  CHECK(removed > 0);
  database.reset();
  check_folder(folder.path(), &disk);
}
