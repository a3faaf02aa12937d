#include "db/host.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "db/engine.h"
#include "db/model/json.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using hearth::test::TempFolder;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

std::unique_ptr<Host> open(const TempFolder& folder, size_t shards = 2) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = shards;
  auto opened = Host::open(options);
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

// Lines from callbacks, waited for on the test's thread.
class Lines {
 public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    more_.notify_all();
  }
  std::vector<std::string> wait(size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait_for(lock, std::chrono::seconds(10), [&] { return lines_.size() >= count; });
    return lines_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("Database: what was written is read, and is there after a reopen", "[db]") {
  const TempFolder folder;
  {
    auto database = open(folder);
    Namespace chat = database->space("Chat").value();
    CHECK(chat.name() == "chat");
    REQUIRE(chat.set("rooms/r1", json(R"({"name":"Lobby","n":5,"big":9223372036854775807})")).ok());
    REQUIRE(chat.update("rooms", {{"r1/n", Value::integer(6)}, {"r2", json(R"({"name":"Hall"})")}}).ok());
    CHECK(text(chat.get("rooms").value()) ==
          R"({"r1":{"big":9223372036854775807,"n":6,"name":"Lobby"},"r2":{"name":"Hall"}})");
    CHECK(database->namespaces() == std::vector<std::string>{"chat"});
    CHECK(database->space("other").value().get("").value().is_null());
    CHECK_FALSE(database->exists("other"));
  }
  auto database = open(folder);
  Namespace chat = database->space("chat").value();
  CHECK(text(chat.get("rooms/r1/n").value()) == "6");
  const Written next = chat.set("rooms/r1/n", Value::integer(7)).value();
  CHECK(next.sequence == 3);
}

TEST_CASE("Database: each way of writing has its effect, and refusals name their reason", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("t").value();
  SECTION("leaf and object make room for each other, the leaf's priority stays") {
    REQUIRE(space.set("a", Value::integer(1).with_priority(Value::integer(3))).ok());
    REQUIRE(space.set("a/b/c", Value::integer(2)).ok());
    CHECK(text(space.get("").value()) == R"({"a":{".priority":3,"b":{"c":2}}})");
    REQUIRE(space.set("a/b", Value::boolean(true)).ok());
    CHECK(text(space.get("").value()) == R"({"a":{".priority":3,"b":true}})");
    REQUIRE(space.remove("a/b").ok());
    CHECK(space.get("").value().is_null());
    REQUIRE(space.set("a/b", Value::boolean(true)).ok());
    CHECK(text(space.get("").value()) == R"({"a":{"b":true}})");
  }
  SECTION("a priority alone") {
    REQUIRE(space.set("a/.priority", Value::integer(3)).ok());
    CHECK(space.get("").value().is_null());
    REQUIRE(space.set("a", json(R"({"x":1})")).ok());
    REQUIRE(space.set("a/.priority", Value::string("hi")).ok());
    CHECK(text(space.get("a").value()) == R"({".priority":"hi","x":1})");
  }
  SECTION("server values") {
    REQUIRE(space.set("n", Value::increment(Value::integer(2))).ok());
    REQUIRE(space.set("n", Value::increment(Value::integer(3))).ok());
    CHECK(text(space.get("n").value()) == "5");
    const Written at = space.set("at", Value::server_timestamp()).value();
    CHECK(space.get("at").value().as_integer() == at.time.count());
  }
  SECTION("the same value again is no commit") {
    const auto first = space.set("a", json(R"({"x":1})")).value();
    CHECK(space.set("a", json(R"({"x":1})")).value().sequence == first.sequence);
    CHECK(space.set("a/x/y", Value()).value().sequence == first.sequence);
  }
  SECTION("compare and set") {
    REQUIRE(space.compare_and_set("n", Value(), Value::integer(1)).ok());
    CHECK(space.compare_and_set("n", Value(), Value::integer(2)).error().code == ErrorCode::Stale);
    REQUIRE(space.compare_and_set("n", Value::integer(1), Value::integer(2)).ok());
  }
  SECTION("transaction") {
    std::vector<std::thread> threads;
    std::atomic<int> failed{0};
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        Namespace mine = database->space("t").value();  // turns are the database's, not a handle's
        for (int i = 0; i < 20; ++i) {
          auto done = mine.transaction("n", [](const Value& old) -> std::optional<Value> {
            return Value::integer(old.is_null() ? 1 : old.as_integer() + 1);
          });
          if (!done.ok()) ++failed;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(failed == 0);
    CHECK(text(space.get("n").value()) == "60");
  }
  SECTION("bad requests") {
    CHECK(space.set("a.b", Value::integer(1)).error().code == ErrorCode::InvalidPath);
    CHECK(space.update("", {{"a", Value::integer(1)}, {"a/b", Value::integer(1)}}).error().code ==
          ErrorCode::InvalidData);
    CHECK(space.update("", {{"a", Value::integer(1)}, {"/a", Value::integer(1)}}).error().code ==
          ErrorCode::InvalidData);
    CHECK(database->space("no/name").error().code == ErrorCode::InvalidArgument);
    CHECK(space.get("").value().is_null());
  }
}

TEST_CASE("Database: a listener is told the first value and then every change, in order", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Namespace space = database->space("t").value();
  REQUIRE(space.set("list", json(R"({"a":1,"b":2})")).ok());
  Lines lines;
  ListenerCallbacks callbacks;
  callbacks.value = [&](const Value& value) { lines.add("value " + text(value)); };
  callbacks.child_added = [&](const std::string& key, const Value& value, const std::string& previous) {
    lines.add("added " + key + "=" + text(value) + " after " + previous);
  };
  callbacks.child_changed = [&](const std::string& key, const Value& value, const std::string& previous) {
    lines.add("changed " + key + "=" + text(value) + " after " + previous);
  };
  callbacks.child_moved = [&](const std::string& key, const Value&, const std::string& previous) {
    lines.add("moved " + key + " after " + previous);
  };
  callbacks.child_removed = [&](const std::string& key, const Value& value) {
    lines.add("removed " + key + "=" + text(value));
  };
  Listener listener = space.listen("list", callbacks).value();
  lines.wait(3);
  REQUIRE(space.update("list", {{"c", Value::integer(3)}, {"a", Value()}}).ok());
  REQUIRE(space.set("list/b/.priority", Value::integer(9)).ok());
  REQUIRE(space.set("elsewhere", Value::integer(1)).ok());
  REQUIRE(space.remove("").ok());
  const std::vector<std::string> expected = {"added a=1 after ",
                                             "added b=2 after a",
                                             R"(value {"a":1,"b":2})",
                                             "removed a=1",
                                             "added c=3 after b",
                                             R"(value {"b":2,"c":3})",
                                             "moved b after c",
                                             R"(changed b={".value":2,".priority":9} after c)",
                                             R"(value {"b":{".value":2,".priority":9},"c":3})",
                                             "removed c=3",
                                             R"(removed b={".value":2,".priority":9})",
                                             "value null"};
  CHECK(lines.wait(expected.size()) == expected);
}

TEST_CASE("Database: callbacks run where the app says", "[db]") {
  const TempFolder folder;
  std::mutex mutex;
  std::deque<std::function<void()>> tasks;
  Database::Options options;
  options.folder = folder.path();
  options.run = [&](std::function<void()> task) {
    const std::lock_guard lock(mutex);
    tasks.push_back(std::move(task));
  };
  auto database = Host::open(options).value();
  Namespace space = database->space("t").value();
  int told = 0;
  bool refused = false;
  space.set_async("a", Value::integer(1), [&](const Result<Written>& done) {
    told += done.ok() ? 1 : 100;
    refused = !space.set("b", Value::integer(1)).ok();  // would wait for itself
  });
  for (int i = 0; i < 1000 && told == 0; ++i) {
    std::function<void()> task;
    {
      const std::lock_guard lock(mutex);
      if (!tasks.empty()) {
        task = std::move(tasks.front());
        tasks.pop_front();
      }
    }
    if (task != nullptr) task();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(told == 1);
  CHECK(refused);
}

TEST_CASE("Database: a folder in use, a foreign store and an unwritable place are refused with their reason", "[db]") {
  const TempFolder folder;
  auto database = open(folder);
  Database::Options options;
  options.folder = folder.path();
  const auto second = Host::open(options);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::Locked);
  options.folder = "/proc/hearth";
  CHECK(Host::open(options).error().code == ErrorCode::Io);
}

TEST_CASE("Database: of more namespaces than are kept in memory each goes on where it was", "[db]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  std::atomic<int> written{0};  // before the database, whose callbacks it outlives
  auto database = Host::open(options).value();
  constexpr int kSpaces = 10'500;
  static_assert(kSpaces > kSpacesInMemoryMax);
  for (const int round : {1, 2}) {
    for (int i = 0; i < kSpaces; ++i) {
      Namespace space = database->space("s" + std::to_string(i)).value();
      space.set_async("n", Value::integer(i * round), [&](const Result<Written>& done) {
        if (done.ok() && done.value().sequence == static_cast<uint64_t>(round)) ++written;
      });
    }
    for (int tries = 0; tries < 120'000 && written < kSpaces * round - (round - 1); ++tries) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  CHECK(written == 2 * kSpaces - 1);  // the second value of the first is its first: no commit
  CHECK(database->namespaces().size() == kSpaces);
  CHECK(text(database->space("s77").value().get("n").value()) == "154");
}
