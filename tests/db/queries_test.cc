// Queries of the embedded API: indexes as they are built, counts, ranges that are removed, live windows.
#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "db/child_events.h"
#include "db/client.h"
#include "db/host.h"
#include "db/model/index.h"
#include "db/model/json.h"
#include "db/model/select.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

std::unique_ptr<Host> open(const TempFolder& folder, std::string indexes = {}, const Clock* clock = nullptr) {
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  options.indexes.own = std::move(indexes);
  options.clock = clock;
  return Host::open(options).value();
}

IndexPlan plan_of(Host& database, const std::string& space) {
  std::promise<IndexPlan> promise;
  database.indexes(space, [&](const Result<IndexPlan>& plan) { promise.set_value(plan.value()); });
  return promise.get_future().get();
}

void wait_for_indexes(Host& database, const std::string& space, size_t count) {
  for (int tries = 0; tries < 10'000; ++tries) {
    const IndexPlan plan = plan_of(database, space);
    if (plan.indexes.size() == count && !plan.is_building()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  FAIL("the indexes are not built");
}

class Lines {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    more_.notify_all();
  }
  std::vector<std::string> take(size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, std::chrono::seconds(60), [&] { return lines_.size() >= count; });
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> lines_;
};

Value scores(int count) {
  std::vector<std::pair<std::string, Value>> all;
  for (int i = 0; i < count; ++i) {
    all.emplace_back("p" + std::to_string(1'000'000 + i), Value::object({{"score", Value::integer(i * 7919 % count)}}));
  }
  return Value::object(all);
}

}  // namespace

TEST_CASE("Queries: an index is built while writes go on, and a restart goes on with it", "[db][query]") {
  const TempFolder folder;
  constexpr int kPlayers = 5'000;
  const Query best = Query::by_child("score").limit_to_last(2);
  {
    auto database = open(folder);
    Namespace game = database->space("game").value();
    REQUIRE(game.set("players", scores(kPlayers)).ok());
    REQUIRE(game.set_indexes(R"([{"at":"/players","by":"score"}])").ok());
    CHECK(game.get("players", best).value().child_count() == 2);  // by a scan, if need be
    REQUIRE(game.set("players/p1000000/score", Value::integer(1'000'000)).ok());
    // It ends here, wherever the index is.
  }
  auto database = open(folder);
  Namespace game = database->space("game").value();
  wait_for_indexes(*database, "game", 1);
  CHECK(text(game.get("players", best).value().child("p1000000").child("score")) == "1000000");
  CHECK(game.count("players").value() == kPlayers);
  CHECK(game.count("players", Query::by_child("score").start_at(Value::integer(kPlayers - 10))).value() == 11);
  REQUIRE(game.set_indexes("[]").ok());
  wait_for_indexes(*database, "game", 0);
  CHECK(game.count("players").value() == kPlayers);
}

TEST_CASE("Queries: namespaces without settings have the indexes of the options", "[db][query]") {
  const TempFolder folder;
  {
    auto database = open(folder);
    REQUIRE(database->space("old").value().set("list/a/n", Value::integer(1)).ok());
  }
  auto database = open(folder, R"([{"at":"/list","by":"n"}])");
  wait_for_indexes(*database, "old", 1);
  REQUIRE(database->space("new").value().set("list/b/n", Value::integer(1)).ok());
  wait_for_indexes(*database, "new", 1);
  CHECK(database->space("old").value().count("list").value() == 1);
}

TEST_CASE("Queries: a count is right after any write, and told when it changes", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder, R"([{"at":"/list","by":"n"}])");
  Namespace space = database->space("s").value();
  REQUIRE(space.set("list", json(R"({"a":{"n":1},"b":{"n":2},"c":{"n":3},"leaf":5})")).ok());
  wait_for_indexes(*database, "s", 1);
  Lines all, some, two;
  const auto listen = [&](Query query, Lines& to) {
    query.counts = true;
    ListenerCallbacks callbacks;
    callbacks.value = [&to](const Value& value) { to.add(text(value)); };
    return space.listen("list", query, std::move(callbacks)).value();
  };
  const Listener first = listen(Query::by_key(), all);
  const Listener second = listen(Query::by_child("n").start_at(Value::integer(2)), some);
  const Listener third = listen(Query::by_child("n").limit_to_first(2), two);
  CHECK(all.take(1) == std::vector<std::string>{"4"});
  CHECK(some.take(1) == std::vector<std::string>{"2"});
  CHECK(two.take(1) == std::vector<std::string>{"2"});
  REQUIRE(space.set("list/d", json(R"({"n":9})")).ok());
  REQUIRE(space.set("list/d/n", Value::integer(1)).ok());
  REQUIRE(space.set("list/d/other", Value::integer(1)).ok());  // no count changes
  REQUIRE(space.remove("list/leaf").ok());
  CHECK(all.take(2) == std::vector<std::string>{"5", "4"});
  CHECK(some.take(2) == std::vector<std::string>{"3", "2"});
  REQUIRE(space.set("list", Value::integer(5)).ok());
  CHECK(all.take(1) == std::vector<std::string>{"0"});
  CHECK(some.take(1) == std::vector<std::string>{"0"});
  CHECK(two.take(1) == std::vector<std::string>{"0"});
  REQUIRE(space.set("list/x/n", Value::integer(2)).ok());
  CHECK(all.take(1) == std::vector<std::string>{"1"});
  CHECK(some.take(1) == std::vector<std::string>{"1"});
  CHECK(two.take(1) == std::vector<std::string>{"1"});
}

TEST_CASE("Queries: a range is removed in one commit, and nothing else", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  for (const bool indexed : {false, true}) {
    if (indexed) REQUIRE(space.set_indexes(R"([{"at":"/list","by":"n"}])").ok());
    if (indexed) wait_for_indexes(*database, "s", 1);
    REQUIRE(space.set("list", json(R"({"a":{"n":1},"b":{"n":2},"c":{"n":3},"d":{"n":4},"leaf":5})")).ok());
    Lines lines;
    ListenerCallbacks callbacks;
    callbacks.value = [&](const Value& value) { lines.add(text(value)); };
    const Listener listener = space.listen("list", std::move(callbacks)).value();
    lines.take(1);
    const auto removed = space.remove("list", Query::by_child("n").start_at(Value::integer(2)).limit_to_first(2));
    REQUIRE(removed.ok());
    CHECK(lines.take(1) == std::vector<std::string>{R"({"a":{"n":1},"d":{"n":4},"leaf":5})"});
    REQUIRE(space.remove("list", Query::by_child("n").equal_to(Value::integer(77))).ok());  // none
    CHECK(space.count("list").value() == 3);
    CHECK(space.remove("list", Query::by_child("n").end_at(Value::integer(9))).ok());
    CHECK(text(space.get("list").value()) == "null");
  }
  REQUIRE(space.set("list", scores(30'000)).ok());
  REQUIRE(space.remove("list", Query::by_key().limit_to_last(29'999)).ok());
  CHECK(space.count("list").value() == 1);
}

TEST_CASE("Queries: a listener hears its children in the order of its query", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder, R"([{"at":"/room","by":"s"}])");
  Namespace space = database->space("s").value();
  REQUIRE(space.set("room", json(R"({"a":{"s":1},"b":{"s":2},"c":{"s":3}})")).ok());
  Lines lines;
  ListenerCallbacks callbacks;
  callbacks.child_added = [&](const std::string& key, const Value&, const std::string& previous) {
    lines.add("added " + key + " [" + previous + "]");
  };
  callbacks.child_moved = [&](const std::string& key, const Value&, const std::string& previous) {
    lines.add("moved " + key + " [" + previous + "]");
  };
  callbacks.child_removed = [&](const std::string& key, const Value& value) {
    lines.add("removed " + key + text(value));
  };
  const Listener listener = space.listen("room", Query::by_child("s").limit_to_first(2), std::move(callbacks)).value();
  CHECK(lines.take(2) == std::vector<std::string>{"added a []", "added b [a]"});
  REQUIRE(space.set("room/a/s", Value::real(2.5)).ok());
  CHECK(lines.take(1) == std::vector<std::string>{"moved a [b]"});
  REQUIRE(space.set("room/a/s", Value::integer(10)).ok());
  CHECK(lines.take(2) == std::vector<std::string>{R"(removed a{"s":2.5})", "added c [b]"});
}

namespace {

// A conversation, and what it was told, in words.
class Talk {
 public:
  Talk(Host& database, const std::string& space) : client_(database.client(space, "", [] {}).value()) {}
  void listen(uint64_t id, std::string_view path, const Query& query,
              std::shared_ptr<const Precondition> check = nullptr) {
    Listen listen;
    listen.path = Path::parse(path).value();
    listen.query = query;
    listen.check = std::move(check);
    client_->listen(id, id, std::move(listen));
  }
  void unlisten(uint64_t id) { client_->unlisten(100 + id, id); }
  std::vector<std::string> take(size_t count) {
    std::vector<std::string> lines;
    for (int tries = 0; lines.size() < count && tries < 20'000; ++tries) {
      for (const Item& item : client_->take()) lines.push_back(words(item));
      if (lines.size() < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return lines;
  }

 private:
  static std::string words(const Item& item) {
    if (const auto* answer = std::get_if<Answer>(&item)) {
      return std::to_string(answer->request) + (answer->status.ok() ? " ok " : " refused ") +
             (answer->first == nullptr ? "" : text(answer->first->value()));
    }
    const auto* event = std::get_if<Event>(&item);
    if (event == nullptr) return "ended";
    return "event of " + std::to_string(event->listener) + (event->kind == Event::Kind::Revoked ? ": revoked" : "");
  }

  std::unique_ptr<Client> client_;
};

// Allowed as long as nothing stands at /locked.
class Unlocked final : public Precondition {
 public:
  Result<void> check(const Moment& moment) const override {
    ASSIGN_OR_RETURN(const bool locked, moment.before.exists(Path::parse("locked").value()));
    if (locked) return Error{ErrorCode::PermissionDenied, "Permission denied"};
    return {};
  }
};

}  // namespace

TEST_CASE("Queries: without an index windows are found elsewhere, and follow what goes on meanwhile", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  constexpr int kPlayers = 3'000;
  REQUIRE(space.set("players", scores(kPlayers)).ok());
  Value shown;
  std::mutex mutex;
  std::condition_variable changed;
  ListenerCallbacks callbacks;
  callbacks.value = [&](const Value& value) {
    const std::lock_guard lock(mutex);
    shown = value;
    changed.notify_all();
  };
  const Query best = Query::by_child("score").limit_to_last(3);
  const Listener listener = space.listen("players", best, std::move(callbacks)).value();
  // While it is looked for, and far more than is known behind its edge.
  for (int round = 0; round < 60; ++round) {
    const Value top = space.get("players", Query::by_child("score").limit_to_last(5)).value();
    for (auto child = top.children(); !child.done(); child.next()) REQUIRE(space.remove("players/" + child.key()).ok());
  }
  const std::string wanted = text(space.get("players", best).value());
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, std::chrono::seconds(20), [&] { return text(shown) == wanted; }));
  lock.unlock();
  REQUIRE(space.set("players", json(R"({"a":{"score":1},"b":{"score":2}})")).ok());
  lock.lock();
  CHECK(changed.wait_for(lock, std::chrono::seconds(20), [&] { return shown.child_count() == 2; }));
}

TEST_CASE("Queries: who leaves or loses access before a scan ends is answered, and told nothing", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  REQUIRE(space.set("players", scores(50'000)).ok());
  const Query best = Query::by_child("score").limit_to_last(1);
  Talk busy(*database, "s"), talk(*database, "s");
  for (uint64_t i = 1; i <= 8; ++i)
    busy.listen(i, "players", Query::by_child("x" + std::to_string(i)).limit_to_last(1));
  talk.listen(1, "players", best);
  talk.listen(2, "players", best, std::make_shared<Unlocked>());
  talk.unlisten(1);
  REQUIRE(space.set("locked", Value::boolean(true)).ok());
  CHECK(talk.take(4) == std::vector<std::string>{"1 ok ", "2 ok ", "101 ok ", "event of 2: revoked"});
  talk.listen(3, "players", best);
  const std::vector<std::string> told = talk.take(1);
  REQUIRE(told.size() == 1);
  CHECK(told.front().starts_with("3 ok {"));
  CHECK(busy.take(8).size() == 8);
  // An answer for each, also when the database goes first.
  busy.listen(20, "players", Query::by_child("y").limit_to_last(1));
}

namespace {

// Allowed when it is first asked, and by then its time has come.
class Brief final : public Precondition {
 public:
  explicit Brief(ManualClock& clock) : clock_(clock) {}
  Result<void> check(const Moment& moment) const override {
    if (moment.now.wall >= kOver) return Error{ErrorCode::PermissionDenied, "Permission denied"};
    clock_.set(kOver);
    return {};
  }
  std::optional<Timestamp> lapses() const override { return kOver; }
  static constexpr Timestamp kOver{5'000};

 private:
  ManualClock& clock_;
};

}  // namespace

TEST_CASE("Queries: whose right is over before a scan ends hears nothing of what it found", "[db][query]") {
  const TempFolder folder;
  ManualClock clock(Timestamp(1'000));
  auto database = open(folder, {}, &clock);
  Namespace space = database->space("s").value();
  REQUIRE(space.set("players", scores(3'000)).ok());
  Talk brief(*database, "s"), lasting(*database, "s");
  const Query query = Query::by_child("score").limit_to_first(1);
  brief.listen(1, "players", query, std::make_shared<Brief>(clock));
  lasting.listen(1, "players", query);
  CHECK(brief.take(2) == std::vector<std::string>{"1 ok ", "event of 1: revoked"});
  CHECK(lasting.take(1).front().starts_with("1 ok {"));
}

TEST_CASE("Queries: reads of others do not wait for one that goes through everything", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  REQUIRE(space.set("players", scores(50'000)).ok());
  std::atomic<int> done = 0;
  for (int i = 0; i < 10; ++i) {
    Read read;
    read.path = Path::parse("players").value();
    read.query = Query::by_child("none").limit_to_last(1);
    database->read("s", std::move(read), [&done](const Answer&) { ++done; });
  }
  CHECK(space.get("players/p1000000/score").ok());
  CHECK(done.load() < 10);
  while (done.load() < 10) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

TEST_CASE("Queries: a listener with a projection hears of nothing else", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  REQUIRE(space.set("list", json(R"({"a":{"n":1,"x":1},"b":{"x":2}})")).ok());
  const Projection only_n = parse_projection("n").value();
  CHECK(text(space.get("list", Query(), only_n).value()) == R"({"a":{"n":1}})");
  Lines lines;
  ListenerCallbacks callbacks;
  callbacks.value = [&](const Value& value) { lines.add(text(value)); };
  callbacks.child_added = [&](const std::string& key, const Value&, const std::string&) { lines.add("added " + key); };
  const Listener listener = space.listen("list", Query(), std::move(callbacks), only_n).value();
  CHECK(lines.take(2) == std::vector<std::string>{"added a", R"({"a":{"n":1}})"});
  REQUIRE(space.set("list/a/x", Value::integer(5)).ok());
  REQUIRE(space.set("list/b/n", Value::integer(6)).ok());
  CHECK(lines.take(2) == std::vector<std::string>{"added b", R"({"a":{"n":1},"b":{"n":6}})"});
}

TEST_CASE("Queries: what cannot be asked is refused with its reason", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("s").value();
  const auto refusal = [&](const Query& query) {
    const auto asked = space.get("list", query);
    REQUIRE_FALSE(asked.ok());
    CHECK(asked.error().code == ErrorCode::InvalidArgument);
    CHECK(space.remove("list", query).error().code == ErrorCode::InvalidArgument);
    CHECK(space.listen("list", query, {}).error().code == ErrorCode::InvalidArgument);
    return asked.error().message;
  };
  CHECK(refusal(Query::by_child("a.b")) == "The query's child is no path of a child.");
  CHECK(refusal(Query::by_value().limit_to_first(0)) == "A query's limit must be positive.");
  CHECK(refusal(Query::by_key().start_at(Value::integer(1))) == "By key, a query's bound must be a string, alone.");
  CHECK(refusal(Query::by_value().end_at(json(R"({"a":1})"))) ==
        "A query's bound must be null, a boolean, a number or a string.");
  CHECK(space.set_indexes("{}").error().code == ErrorCode::InvalidData);
}

TEST_CASE("Queries: int64 values beyond 2^53 keep their order", "[db][query]") {
  const TempFolder folder;
  auto database = open(folder, R"([{"at":"/list","by":".value"}])");
  Namespace space = database->space("s").value();
  const uint64_t seed = seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 200; ++round) {
    const std::string key = "k" + std::to_string(random.below(40));
    const auto far = static_cast<int64_t>(random.below(6)) - 3;
    const int64_t base = random.chance(0.3) ? (int64_t{1} << 53) : random.chance(0.5) ? INT64_MAX - 3 : INT64_MIN + 3;
    const Value value = random.chance(0.2) ? Value::real(static_cast<double>(base + far)) : Value::integer(base + far);
    REQUIRE(space.set("list/" + key, random.chance(0.2) ? Value() : value).ok());
    Query query = Query::by_value().limit_to_first(1 + static_cast<uint32_t>(random.below(5)));
    if (random.chance(0.5)) query = query.limit_to_last(query.count);
    if (random.chance(0.5)) query = query.start_at(Value::integer(base + static_cast<int64_t>(random.below(4)) - 2));
    const Value whole = space.get("list").value();
    const Value found = space.get("list", query).value();
    INFO(query.text() << " of " << text(whole));
    CHECK(text(found) == text(read_query(ValueView(whole), Path(), query, false, kReadBytesMax).value()));
  }
}

TEST_CASE("Queries: what a listener is told leads to the projection of what is there, and reads give the same",
          "[db][query]") {
  const uint64_t seed = seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 300; ++round) {
    Projection projection = {Path::parse(random.key()).value(), random.path(3)};
    if (projection.back().is_root()) projection.pop_back();
    const Path path = Path::parse(random.chance(0.5) ? "a" : "a/b").value();
    Value whole;
    Value shown;
    for (int step = 0; step < 20; ++step) {
      const std::vector<Overwrite> overwrites = random.overwrites(path, 1 + random.below(3));
      std::vector<std::pair<std::string, Value>> entries;
      for (const Overwrite& one : overwrites) {
        if (one.slot == Slot::Priority) continue;
        whole = whole.with(one.path, one.value);
        entries.emplace_back(one.path.relative_to(path).text(), one.value);
      }
      if (entries.empty()) continue;
      const bool is_put = entries.size() == 1 || entries.front().first.empty();
      const auto body = is_put ? Body::put(Path::parse(path.text() + "/" + entries.front().first).value(), Slot::Value,
                                           entries.front().second)
                               : Body::merge(path, entries);
      if (const auto told = projected(body, path, projection)) shown = applied(shown, path, *told);
      const Value wanted = projected(whole.at(path).without_priority(), projection);
      INFO(text(whole) << " told as " << text(shown));
      if (!wanted.is_leaf() && !shown.is_leaf()) REQUIRE(text(shown.without_priority()) == text(wanted));
      if (!wanted.is_leaf()) {
        const auto read = read_query(ValueView(whole), path, Query(), true, kReadBytesMax, projection);
        REQUIRE(text(read.value()) == text(wanted));
      }
    }
  }
}
