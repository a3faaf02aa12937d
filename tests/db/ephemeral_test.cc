// What lies at ephemeral paths: who is told of it, how long it stays, and that nothing of it is on disk, compared with a flat
// map of leaves and those for whom they stay.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <thread>

#include "db/commit/ephemeral.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "db/store/tree_store.h"
#include "db/upkeep/fsck.h"
#include "tests/db/talk.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"
#include "tests/support/value_view.h"

using namespace hearth::test;

namespace {

constexpr std::string_view kEphemeralPlan = "/a/$/b\tephemeral\t1\n/2\tephemeral\t1\n";

std::unique_ptr<Host> opened_with_ephemeral(const std::string& folder, const Clock* clock = nullptr,
                                            uint64_t bytes_max = 16u << 20) {
  Database::Options options;
  options.folder = folder;
  options.shards = 2;
  options.sync = SyncMode::Os;
  options.clock = clock;
  options.history = {std::chrono::hours(24), 1u << 30, true};
  options.memory.space_ephemeral_bytes_max = bytes_max;
  auto database = Host::open(options);
  INFO((database.ok() ? "" : database.error().message));
  REQUIRE(database.ok());
  return std::move(database).value();
}

Answer write_alone(Host& database, Write write) {
  const auto done = std::make_shared<std::promise<Answer>>();
  database.write("t", std::move(write), [done](Answer answer) { done->set_value(std::move(answer)); });
  return done->get_future().get();
}

Answer set_paths(Host& database, std::optional<std::string> text) {
  Write setting;
  setting.settings.push_back({std::string(kPathPlanSetting), std::move(text)});
  return write_alone(database, std::move(setting));
}

Write with_ttl(Write write, std::chrono::milliseconds ttl) {
  write.ttl = ttl;
  return write;
}

std::string shown_at(Host& database, std::string_view path) {
  return text(database.space("t").value().get(path).value());
}

template <typename Is>
bool becomes_so(const Is& is, ManualClock* clock = nullptr) {
  for (int i = 0; i < 10'000; ++i) {
    if (is()) return true;
    if (clock != nullptr) clock->advance(Timestamp(10));
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return is();
}

std::string said_of(const Answer& answer) { return answer.status.ok() ? "taken" : answer.status.error().message; }

// Each byte of each file of the folder.
bool is_anywhere(const std::string& folder, const std::string& marker) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (bytes.find(marker) != std::string::npos) return true;
  }
  return false;
}

void check_sound(const std::string& folder) {
  const auto report = fsck(folder, Repair::No, {}, nullptr);
  INFO((report.ok() ? "" : report.error().message));
  REQUIRE(report.ok());
  for (const std::string& one : report.value().told) UNSCOPED_INFO(one);
  REQUIRE(report.value().problems == 0);
}

// Leaves by path, each with the number of its writer.
class Leaves {
 public:
  void set(const Path& path, const Value& value, int writer) {
    std::erase_if(leaves_, [&](const auto& leaf) { return path.contains(at(leaf.first)); });
    if (value.is_null()) return;
    std::erase_if(leaves_, [&](const auto& leaf) { return at(leaf.first).contains(path); });
    for (size_t i = 0; i < value.row_count(); ++i) {
      const Path leaf = decode_path(encode_path(path) + std::string(value.row(i).key)).value();
      leaves_[leaf.text()] = {decode_leaf(value.row(i).leaf).value(), writer};
    }
  }
  void end(int writer) {
    std::erase_if(leaves_, [&](const auto& leaf) { return leaf.second.second == writer && is_ephemeral(leaf.first); });
  }
  void restart() {
    std::erase_if(leaves_, [&](const auto& leaf) { return is_ephemeral(leaf.first); });
  }
  std::string all() const {
    ReferenceTree tree;
    for (const auto& [path, leaf] : leaves_) tree.set(at(path), leaf.first);
    return text(tree.value());
  }

 private:
  static bool is_ephemeral(std::string_view path) {
    const Path parsed = at(path);
    const auto keys = parsed.keys();
    return keys.front() == "2" || (keys.size() >= 3 && keys[0] == "a" && keys[2] == "b");
  }
  std::map<std::string, std::pair<Value, int>> leaves_;
};

Path some_path(RandomTree& random) {
  static const std::vector<std::string> keys = {"a", "b", "2", "c"};
  Path path;
  for (size_t depth = 1 + random.below(4); depth > 0; --depth) path = path.child(keys[random.below(4)]).value();
  return path;
}

std::string some_json(RandomTree& random, int depth = 0) {
  if (depth == 3 || random.chance(0.4)) return std::to_string(random.below(5));
  static const std::vector<std::string> keys = {"a", "b", "2", "c"};
  std::string text = "{";
  for (const std::string& key : keys) {
    if (random.chance(0.6)) continue;
    text += (text.size() > 1 ? ",\"" : "\"") + key + "\":" + some_json(random, depth + 1);
  }
  return text + "}";
}

void follow(ReferenceTree& tree, const std::vector<Item>& items) {
  for (const Item& item : items) {
    const Body* body = nullptr;
    if (const auto* event = std::get_if<Event>(&item)) body = event->body.get();
    if (const auto* answer = std::get_if<Answer>(&item)) body = answer->first.get();
    if (body == nullptr) continue;
    if (body->kind() == Body::Kind::Put) {
      tree.set(body->path(), body->value());
    } else {
      std::vector<Overwrite> all;
      for (const auto& [below, value] : body->entries()) {
        all.push_back({body->path().join(at(below)).value(), Slot::Value, value});
      }
      tree.apply(all);
    }
  }
}

}  // namespace

TEST_CASE("Ephemeral: random writes, ends of connections and restarts leave what a map of leaves has",
          "[db][ephemeral]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  Leaves expected;
  int writers = 0;
  for (int round = 0; round < 6; ++round) {
    auto database = opened_with_ephemeral(folder.path());
    if (round == 0) REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
    expected.restart();
    REQUIRE(shown_at(*database, "") == expected.all());
    Talk reader(*database);
    reader.client->listen(1, 1, listen_to(""));
    ReferenceTree heard;
    follow(heard, reader.items_until(1));
    std::map<int, std::unique_ptr<Talk>> talks;
    for (int step = 0; step < 150; ++step) {
      if (talks.size() < 3) talks.emplace(++writers, std::make_unique<Talk>(*database));
      auto talk = talks.begin();
      std::advance(talk, random.below(talks.size()));
      if (random.chance(0.06)) {
        expected.end(talk->first);
        talks.erase(talk);
        REQUIRE(becomes_so([&] { return shown_at(*database, "") == expected.all(); }));
      } else {
        Write write;
        const bool is_update = random.chance(0.3);
        write.merge = is_update;
        for (size_t count = is_update ? 2 : 1; count > 0; --count) {
          const Path path = some_path(random);
          Value value = random.chance(0.2) ? Value() : json(some_json(random));
          std::vector<Overwrite> with = write.overwrites;
          with.push_back({path, Slot::Value, value});
          if (check_overlap(with).ok()) write.overwrites = std::move(with);
        }
        if (!is_update) write.base = write.overwrites.front().path;
        for (const Overwrite& one : write.overwrites) expected.set(one.path, one.value, talk->first);
        talk->second->client->write(9, std::move(write));
        const auto items = talk->second->items_until(9);
        INFO(said_of(std::get<Answer>(items.back())));
        REQUIRE(std::get<Answer>(items.back()).status.ok());
      }
      reader.client->reply(2, {});
      follow(heard, reader.items_until(2));
      INFO("round " << round << ", step " << step);
      REQUIRE(shown_at(*database, "") == expected.all());
      REQUIRE(text(heard.value()) == expected.all());
      // Part of it, and by keys, over both.
      const Path part = some_path(random);
      ReferenceTree whole;
      whole.set(Path(), json(expected.all()));
      REQUIRE(shown_at(*database, part.text()) == text(whole.value(part)));
    }
    talks.clear();
    reader.client->end();
    database->close();
    check_sound(folder.path());
  }
}

TEST_CASE("Ephemeral: nothing of 10,000 writes is in the folder, nor in the log, and the sequence stays",
          "[db][ephemeral]") {
  const TempFolder folder;
  auto database = opened_with_ephemeral(folder.path());
  REQUIRE(set_paths(*database, std::string("/rooms/$/cursors\tephemeral\t1\n")).status.ok());
  REQUIRE(write_alone(*database, set("rooms/a/name", json("\"A\""))).status.ok());
  Talk talk(*database);
  talk.client->write(1, set("rooms/a/cursors/first", json("1")));
  const uint64_t sequence = std::get<Answer>(talk.items_until(1).back()).sequence;
  for (int i = 0; i < 10'000; ++i) {
    const std::string place = "rooms/a/cursors/keymarker" + std::to_string(i % 100);
    talk.client->write(2, set(place, json(R"({"x":)" + std::to_string(i) + R"(,"who":"valuemarker"})")));
    if (i % 500 == 499) talk.items_until(2);  // the first of those that are under way
  }
  // One that concerns both.
  talk.client->write(3, set("rooms/b", json(R"({"name":"namemarker","cursors":{"keymarker":"valuemarker"}})")));
  CHECK(std::get<Answer>(talk.items_until(3).back()).sequence == sequence + 1);
  CHECK(shown_at(*database, "rooms/b") == R"({"cursors":{"keymarker":"valuemarker"},"name":"namemarker"})");
  CHECK(database->figures().ephemeral_values >= 200);
  CHECK(database->figures().ephemeral_writes >= 10'000);
  ChangesRead read;
  read.since = "0";
  std::promise<size_t> changes;
  database->changes("t", read, [&](const Result<ChangesPage>& page) {
    size_t count = 0;
    for (const Change& change : page.value().changes) {
      for (const PlaceChange& place : change.places) {
        count += place.path.text().find("cursors") != std::string::npos ||
                         text(place.value).find("valuemarker") != std::string::npos
                     ? 1
                     : 0;
      }
    }
    changes.set_value(count);
  });
  CHECK(changes.get_future().get() == 0);
  database->close();
  CHECK(is_anywhere(folder.path(), "namemarker"));
  CHECK_FALSE(is_anywhere(folder.path(), "valuemarker"));
  CHECK_FALSE(is_anywhere(folder.path(), "keymarker"));
  database = opened_with_ephemeral(folder.path());
  CHECK(shown_at(*database, "rooms") == R"({"a":{"name":"A"},"b":{"name":"namemarker"}})");
}

TEST_CASE("Ephemeral: what is written with a ttl goes when it is over, unless it is said again", "[db][ephemeral]") {
  const TempFolder folder;
  ManualClock clock(Timestamp(1'700'000'000'000));
  const auto database = opened_with_ephemeral(folder.path(), &clock);
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  using std::chrono::seconds;
  REQUIRE(write_alone(*database, with_ttl(set("2/x", json("1")), seconds(10))).status.ok());
  REQUIRE(write_alone(*database, with_ttl(set("2/y", json("1")), seconds(10))).status.ok());
  clock.advance(Timestamp(9'000));
  REQUIRE(write_alone(*database, with_ttl(set("2/y", json("1")), seconds(60))).status.ok());  // the same value
  CHECK(shown_at(*database, "2") == R"({"x":1,"y":1})");
  Talk reader(*database);
  reader.client->listen(1, 7, listen_to("2"));
  CHECK(reader.until(1) == Words{R"(a1 2={"x":1,"y":1})"});
  REQUIRE(becomes_so([&] { return shown_at(*database, "2") == R"({"y":1})"; }, &clock));
  reader.client->reply(2, {});
  CHECK(reader.until(2) == Words{"e7 2/x=null", "a2"});
  clock.advance(Timestamp(60'000));
  REQUIRE(becomes_so([&] { return shown_at(*database, "2") == "null"; }, &clock));
}

TEST_CASE("Ephemeral: what is not done there is refused with a reason, and changes nothing", "[db][ephemeral]") {
  const TempFolder folder;
  const auto database = opened_with_ephemeral(folder.path());
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  const auto holds = [](const std::string& message, std::string_view part) {
    INFO(message);
    CHECK(message.find(part) != std::string::npos);
  };
  using std::chrono::milliseconds;
  holds(said_of(write_alone(*database, set("2/x", json("1")))), "?ttl=SECONDS");
  holds(said_of(write_alone(*database, set("a", json(R"({"k":{"b":1}})")))), "/a/k/b is ephemeral");
  holds(said_of(write_alone(*database, with_ttl(set("2/x", json("1")), milliseconds(60'001)))), "at most 60 seconds");
  holds(said_of(write_alone(*database, with_ttl(set("c", json("1")), milliseconds(5'000)))), "and this is not");
  Talk talk(*database);
  Write conditional = set("2/x", json("1"));
  conditional.preconditions.push_back(std::make_shared<HashIs>(at("2/x"), ""));
  talk.client->write(1, std::move(conditional));
  holds(said_of(std::get<Answer>(talk.items_until(1).back())), "transactions");
  talk.client->write(2, set("2/x", json(R"({".value":1,".priority":2})")));
  holds(said_of(std::get<Answer>(talk.items_until(2).back())), "no priorities");
  talk.client->on_disconnect(3, {Disconnect::Kind::Put, at("2/x"), {{at("2/x"), Slot::Value, {}}}}, nullptr);
  holds(said_of(std::get<Answer>(talk.items_until(3).back())), "onDisconnect");
  talk.client->on_disconnect(4, {Disconnect::Kind::Put, at("a/k"), {{at("a/k"), Slot::Value, json(R"({"b":1})")}}},
                             nullptr);
  holds(said_of(std::get<Answer>(talk.items_until(4).back())), "onDisconnect");
  DocumentOpen open;
  open.path = at("2/x");
  talk.client->open_document(5, 5, std::move(open));
  holds(said_of(std::get<Answer>(talk.items_until(5).back())), "ephemeral");
  CHECK(shown_at(*database, "") == "null");
  // A namespace that has no ephemeral path.
  REQUIRE(set_paths(*database, std::nullopt).status.ok());
  holds(said_of(write_alone(*database, with_ttl(set("c", json("1")), milliseconds(5'000)))), "has none");
}

TEST_CASE("Ephemeral: past the limit a write that makes it more is refused, and others are taken", "[db][ephemeral]") {
  const TempFolder folder;
  const auto database = opened_with_ephemeral(folder.path(), nullptr, 20'000);
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  Talk talk(*database);
  size_t taken = 0;
  std::string last;
  for (int i = 0; i < 200 && last.empty(); ++i) {
    talk.client->write(1, set("2/k" + std::to_string(i), json("1")));
    const auto answer = std::get<Answer>(talk.items_until(1).back());
    if (!answer.status.ok()) last = answer.status.error().message;
    taken += answer.status.ok() ? 1 : 0;
  }
  INFO(last);
  CHECK(last.find("--max-ephemeral-size") != std::string::npos);
  CHECK(taken > 20);
  talk.client->write(2, set("2/k0", json("2")));
  CHECK(std::get<Answer>(talk.items_until(2).back()).status.ok());
  talk.client->write(3, set("c", json("1")));
  CHECK(std::get<Answer>(talk.items_until(3).back()).status.ok());
  talk.client->write(4, set("2", json("null")));
  CHECK(std::get<Answer>(talk.items_until(4).back()).status.ok());
  CHECK(database->figures().ephemeral_values == 0);
}

TEST_CASE("Ephemeral: a path becomes ephemeral where nothing is on disk, and what was there goes when it ceases",
          "[db][ephemeral]") {
  const TempFolder folder;
  const auto database = opened_with_ephemeral(folder.path());
  REQUIRE(write_alone(*database, set("a/k/b/x", json("1"))).status.ok());
  const std::string why = said_of(set_paths(*database, std::string(kEphemeralPlan)));
  INFO(why);
  CHECK(why.find("There is data on disk at /a/k/b") != std::string::npos);
  REQUIRE(write_alone(*database, set("a/k/b", json("null"))).status.ok());
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  Talk talk(*database);
  talk.client->write(1, set("", json(R"({"2":{"x":1},"a":{"k":{"b":2,"c":3}}})")));
  talk.client->listen(2, 7, listen_to(""));
  CHECK(talk.until(2).back() == R"(a2 ={"2":{"x":1},"a":{"k":{"b":2,"c":3}}})");
  REQUIRE(set_paths(*database, std::string("/2\tephemeral\t1\n")).status.ok());
  talk.client->reply(3, {});
  CHECK(talk.until(3) == Words{"e7 a/k/b=null", "a3"});
  CHECK(shown_at(*database, "") == R"({"2":{"x":1},"a":{"k":{"c":3}}})");
  REQUIRE(write_alone(*database, set("a/k/b", json("5"))).status.ok());  // it is as any other path now
  talk.client->end();
  REQUIRE(becomes_so([&] { return shown_at(*database, "") == R"({"a":{"k":{"b":5,"c":3}}})"; }));
}

TEST_CASE("Ephemeral: queries find what is in memory, with an index and without", "[db][ephemeral]") {
  const TempFolder folder;
  const auto database = opened_with_ephemeral(folder.path());
  Namespace space = database->space("t").value();
  REQUIRE(space.set_indexes(R"([{"at":"/a","by":"n"},{"at":"/2","by":"n"}])").ok());
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  for (int i = 0; i < 20; ++i) {
    REQUIRE(space.set("a/k" + std::to_string(i), json(R"({"n":)" + std::to_string(i) + "}")).ok());
  }
  Query query = Query::by_child("n");
  query.limit = Limit::First;
  query.count = 2;
  CHECK(text(space.get("a", query).value()) == R"({"k0":{"n":0},"k1":{"n":1}})");
  Talk talk(*database);
  Write both = set("a/new", json(R"({"b":{"x":1}})"));
  talk.client->write(1, std::move(both));
  talk.client->write(2, set("2", json(R"({"q":{"n":7},"p":{"n":9}})")));
  talk.until(2);
  // A child that is in memory alone has no n, and comes first.
  CHECK(text(space.get("a", query).value()) == R"({"k0":{"n":0},"new":{"b":{"x":1}}})");
  CHECK(text(space.get("2", query).value()) == R"({"p":{"n":9},"q":{"n":7}})");
  query.count = 1;
  CHECK(text(space.get("2", query).value()) == R"({"q":{"n":7}})");
  talk.client->end();
  REQUIRE(becomes_so([&] { return shown_at(*database, "a/new") == "null"; }));
  query.count = 2;
  CHECK(text(space.get("a", query).value()) == R"({"k0":{"n":0},"k1":{"n":1}})");
  database->close();
  check_sound(folder.path());
}

TEST_CASE("Ephemeral: along an index reads and listeners find what a look at the whole tree finds; random",
          "[db][ephemeral]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const TempFolder folder;
  const auto database = opened_with_ephemeral(folder.path());
  Namespace space = database->space("t").value();
  REQUIRE(space
              .set_indexes(R"([{"at":"/a","by":"n"},{"at":"/a","by":"b/x"},{"at":"/2","by":"n"},)"
                           R"({"at":"/2","by":".value","covers":true}])")
              .ok());
  REQUIRE(set_paths(*database, std::string(kEphemeralPlan)).status.ok());
  std::vector<std::pair<std::string, Query>> queries;
  for (const char* by : {"n", "b/x"}) {
    const Query query = Query::by_child(by);
    queries.insert(queries.end(), {{"a", query.limit_to_first(3)},
                                   {"a", query.limit_to_last(2)},
                                   {"a", query.start_at(Value::integer(2)).limit_to_first(2)},
                                   {"a", query.equal_to(Value::integer(1))}});
  }
  queries.emplace_back("2", Query::by_child("n").limit_to_last(2));
  queries.emplace_back("2", Query::by_value().limit_to_first(2));
  queries.emplace_back("2", Query::by_value().start_at(Value::integer(1)).end_at(Value::integer(3)));
  Talk reader(*database);
  std::vector<ReferenceTree> heard(queries.size());
  const auto hear = [&](const std::vector<Item>& items) {
    for (const Item& item : items) {
      const auto* event = std::get_if<Event>(&item);
      const auto* answer = std::get_if<Answer>(&item);
      const bool is_first = answer != nullptr && answer->request <= heard.size();
      if (event != nullptr || is_first) follow(heard[event != nullptr ? event->listener : answer->request - 1], {item});
    }
  };
  for (size_t i = 0; i < queries.size(); ++i) {
    Listen listen = listen_to(queries[i].first);
    listen.query = queries[i].second;
    reader.client->listen(i + 1, i, listen);
  }
  hear(reader.items_until(queries.size()));
  std::map<int, std::unique_ptr<Talk>> talks;
  uint64_t asked = 1'000;
  int writers = 0;
  const auto key = [&] { return "k" + std::to_string(random.below(8)); };
  const auto number = [&] { return json(std::to_string(random.below(5))); };
  for (int step = 0; step < 300; ++step) {
    while (talks.size() < 3) talks.emplace(++writers, std::make_unique<Talk>(*database));
    auto talk = talks.begin();
    std::advance(talk, random.below(talks.size()));
    if (random.chance(0.05)) {
      talks.erase(talk);
    } else {
      const std::vector<std::pair<std::string, Value>> writes = {
          {"a/" + key() + "/n", number()},
          {"a/" + key() + "/b/x", number()},
          {"a/" + key() + "/b", json(R"({"y":1})")},
          {"a/" + key(), json(R"({"n":2,"b":{"x":3}})")},
          {"a/" + key(), number()},
          {"a/" + key(), Value()},
          {"a/" + key() + "/b", Value()},
          {"2/" + key(), number()},
          {"2/" + key() + "/n", number()},
          {"2/" + key(), Value()},
      };
      const auto& [path, value] = writes[random.below(writes.size())];
      talk->second->client->write(9, set(path, value));
      talk->second->until(9);
    }
    // Ends of connections are told in their own time: then both are looked at again.
    const auto agree = [&] {
      reader.client->reply(++asked, {});
      hear(reader.items_until(asked));
      for (size_t i = 0; i < queries.size(); ++i) {
        const auto& [path, query] = queries[i];
        const Value whole = json(shown_at(*database, path));
        const std::string expected = text(read_query(ValueView(whole), Path(), query, false, kReadBytesMax).value());
        if (text(space.get(path, query).value()) != expected) return false;
        if (text(heard[i].value(at(path))) != expected) return false;
      }
      return true;
    };
    INFO("step " << step);
    REQUIRE(becomes_so(agree));
  }
  talks.clear();
  reader.client->end();
  database->close();
  check_sound(folder.path());
}
