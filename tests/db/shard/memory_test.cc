#include "db/shard/memory.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <thread>

#include "db/commit/disconnect_queue.h"
#include "db/shard/namespace_state.h"
#include "tests/db/talk.h"

using namespace hearth::test;

namespace {

std::unique_ptr<Host> open_with(const TempFolder& folder, const std::function<void(Database::Options&)>& change) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = 1;
  options.disconnect_grace = std::chrono::hours(1);
  change(options);
  return Host::open(options).value();
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 2'000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// One request and its answer at a time.
class Asker : public Talk {
 public:
  explicit Asker(Host& database, const std::string& space = "t") : Talk(database, "", space) {}

  Answer listen(uint64_t listener, Listen listen) {
    client->listen(++last_, listener, std::move(listen));
    return answer();
  }
  Answer listen(uint64_t listener, std::string_view path, SharedQuery query = {}) {
    Listen listen = listen_to(path);
    listen.query = std::move(query);
    return this->listen(listener, std::move(listen));
  }
  Answer unlisten(uint64_t listener) {
    client->unlisten(++last_, listener);
    return answer();
  }
  Answer write(std::string_view path, Value value) {
    client->write(++last_, set(path, std::move(value)));
    return answer();
  }
  Answer queue(std::string_view path, Value value) {
    Disconnect disconnect;
    disconnect.path = at(path);
    disconnect.overwrites = {{disconnect.path, Slot::Value, std::move(value)}};
    client->on_disconnect(++last_, std::move(disconnect), nullptr);
    return answer();
  }
  Answer cancel(std::string_view path) {
    Disconnect disconnect;
    disconnect.kind = Disconnect::Kind::Cancel;
    disconnect.path = at(path);
    client->on_disconnect(++last_, std::move(disconnect), nullptr);
    return answer();
  }
  std::vector<Event> events;  // before the last answer

 private:
  Answer answer() {
    events.clear();
    const std::vector<Item> items = items_until(last_);
    for (const Item& item : items) {
      if (const auto* event = std::get_if<Event>(&item)) events.push_back(*event);
    }
    REQUIRE(std::holds_alternative<Answer>(items.back()));  // it is never cut off
    return std::get<Answer>(items.back());
  }
  uint64_t last_ = 0;
};

uint64_t reached(const Host& database, MemoryLimit limit) {
  return database.figures().memory_limits_reached[static_cast<size_t>(limit)];
}

ErrorCode code_of(const Answer& answer) {
  REQUIRE_FALSE(answer.status.ok());
  return answer.status.error().code;
}

Query from(size_t bytes) { return Query::by_value().start_at(Value::string(std::string(bytes, 'x'))); }

}  // namespace

TEST_CASE("Memory: a refusal names whose limit it is, how much it would be, and the flag", "[db][limits]") {
  Memory memory({});
  const Error error = memory.refuse(MemoryLimit::QuerySize, "The query of a listener", 101, 100);
  CHECK(error.code == ErrorCode::TooLarge);
  CHECK(error.message == "The query of a listener would be 101 bytes, and may be 100 (--max-query-size).");
  const Error of_all = memory.refuse(MemoryLimit::TotalListeners, "The listeners of this server", 3, 2);
  CHECK(of_all.code == ErrorCode::Unavailable);
  CHECK(of_all.message == "The listeners of this server would be 3, and may be 2 (--max-total-listeners).");
  MemoryLimitsReached counts{};
  memory.add_to(counts);
  CHECK(counts[static_cast<size_t>(MemoryLimit::QuerySize)] == 1);
  CHECK(counts[static_cast<size_t>(MemoryLimit::TotalListeners)] == 1);
}

TEST_CASE("Memory: a query may have as many bytes as it may, and not one more", "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto& options) { options.memory.query_bytes_max = 10'000; });
  Asker ada(*database);
  const size_t beside = from(0).byte_count() - sizeof(Query);
  CHECK(ada.listen(1, "c", from(10'000 - beside)).status.ok());
  const Answer refused = ada.listen(2, "c", from(10'001 - beside));
  CHECK(code_of(refused) == ErrorCode::TooLarge);
  CHECK(refused.status.error().message.find("10001 bytes") != std::string::npos);
  Listen kept_elsewhere = listen_to("c");
  kept_elsewhere.query = from(1);
  kept_elsewhere.bytes_beside = 10'001;
  CHECK(code_of(ada.listen(3, std::move(kept_elsewhere))) == ErrorCode::TooLarge);
  CHECK(reached(*database, MemoryLimit::QuerySize) == 2);
  CHECK(database->figures().listeners == 1);
  CHECK(ada.write("c/a", Value::string(std::string(20'000, 'x'))).status.ok());  // what is there hears of it
  CHECK(ada.events.size() == 1);
}

TEST_CASE("Memory: listeners of a connection, of a namespace and of all have their bytes, and give them back",
          "[db][limits]") {
  struct Row {
    MemoryLimit limit;
    void (*lower)(MemoryLimits&);
    ErrorCode code;
    bool holds_for_others, holds_elsewhere;  // for another connection, and in another namespace
  };
  constexpr uint64_t kMost = 100'000;
  const Row rows[] = {
      {MemoryLimit::ListenersSize, [](MemoryLimits& m) { m.session_listener_bytes_max = kMost; }, ErrorCode::TooLarge,
       false, false},
      {MemoryLimit::NamespaceListenersSize, [](MemoryLimits& m) { m.space_listener_bytes_max = kMost; },
       ErrorCode::Unavailable, true, false},
      {MemoryLimit::TotalListenersSize, [](MemoryLimits& m) { m.listener_bytes_max = kMost; }, ErrorCode::Unavailable,
       true, true},
  };
  for (const Row& row : rows) {
    INFO("limit " << static_cast<int>(row.limit));
    const TempFolder folder;
    auto database = open_with(folder, [&](auto& options) { row.lower(options.memory); });
    Asker ada(*database), bob(*database), eve(*database, "elsewhere");
    uint64_t count = 0;
    Answer last;
    while ((last = ada.listen(count + 1, "c", from(5'000 + count))).status.ok()) REQUIRE(++count < 100);
    CHECK(count >= 4);
    CHECK(code_of(last) == row.code);
    CHECK(reached(*database, row.limit) == 1);
    CHECK(database->figures().listeners == count);
    CHECK(database->figures().listener_bytes <= kMost + 1'000);  // what leads to a path is counted when it is there
    CHECK(bob.listen(1, "c", from(5'500)).status.ok() == !row.holds_for_others);
    CHECK(eve.listen(1, "c", from(5'500)).status.ok() == !row.holds_elsewhere);
    CHECK(ada.unlisten(1).status.ok());
    CHECK(ada.listen(count + 1, "c", from(5'000)).status.ok());  // there is room again
    for (uint64_t i = 2; i <= count + 1; ++i) CHECK(ada.unlisten(i).status.ok());
    CHECK(bob.unlisten(1).status.ok());
    CHECK(eve.unlisten(1).status.ok());
    CHECK(database->figures().listener_bytes == 0);
  }
}

TEST_CASE("Memory: so many listeners of a namespace, and so many of all", "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto& options) {
    options.memory.space_listeners_max = 3;
    options.memory.listeners_max = 4;
  });
  Asker ada(*database), bob(*database), eve(*database, "elsewhere");
  CHECK(ada.listen(1, "a").status.ok());
  CHECK(ada.listen(2, "b", Query::by_key().limit_to_first(1)).status.ok());
  CHECK(bob.listen(1, "a").status.ok());
  CHECK(code_of(bob.listen(2, "a/b")) == ErrorCode::Unavailable);
  CHECK(eve.listen(1, "a").status.ok());
  CHECK(code_of(eve.listen(2, "b")) == ErrorCode::Unavailable);
  CHECK(reached(*database, MemoryLimit::NamespaceListeners) == 1);
  CHECK(reached(*database, MemoryLimit::TotalListeners) == 1);
  ada.client->end();
  CHECK(eventually([&] { return database->figures().listeners == 2; }));
  CHECK(eve.listen(2, "b").status.ok());
}

TEST_CASE("Memory: windows have bytes: too large a one is refused, and one that grows too large is ended",
          "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto& options) { options.memory.space_listener_bytes_max = 200'000; });
  Asker ada(*database);
  std::vector<std::pair<std::string, Value>> many;
  for (int i = 0; i < 2'000; ++i) many.emplace_back("k" + std::to_string(10'000 + i), Value::integer(i));
  REQUIRE(ada.write("many", Value::object(many)).status.ok());
  CHECK(ada.listen(1, "many", Query::by_key().limit_to_last(50)).status.ok());
  CHECK(code_of(ada.listen(2, "many", Query::by_key().limit_to_last(1'900))) == ErrorCode::Unavailable);
  CHECK(ada.listen(3, "few", Query::by_key().limit_to_last(1'900)).status.ok());
  const uint64_t small = database->figures().listener_bytes;
  CHECK(small < 100'000);
  std::vector<uint64_t> revoked;
  for (size_t i = 0; i < many.size() && revoked.empty(); ++i) {
    REQUIRE(ada.write("few/" + many[i].first, many[i].second).status.ok());
    for (const Event& event : ada.events) {
      if (event.kind == Event::Kind::Revoked) revoked.push_back(event.listener);
    }
    CHECK(database->figures().listener_bytes <= 201'000);
  }
  CHECK(revoked == std::vector<uint64_t>{3});
  CHECK(database->figures().listener_bytes < small);
  CHECK(ada.write("many/z", Value::integer(1)).status.ok());
  CHECK(ada.events.size() == 1);  // the other one goes on
}

TEST_CASE("Memory: what is queued for the end of a connection has bytes: of one, of a namespace, of all",
          "[db][limits]") {
  struct Row {
    MemoryLimit limit;
    void (*lower)(MemoryLimits&);
    ErrorCode code;
    bool holds_for_others, holds_elsewhere;
  };
  constexpr uint64_t kMost = 100'000;
  const Row rows[] = {
      {MemoryLimit::DisconnectSize, [](MemoryLimits& m) { m.session_disconnect_bytes_max = kMost; },
       ErrorCode::TooLarge, false, false},
      {MemoryLimit::NamespaceDisconnectSize, [](MemoryLimits& m) { m.space_disconnect_bytes_max = kMost; },
       ErrorCode::Unavailable, true, false},
      {MemoryLimit::TotalDisconnectSize, [](MemoryLimits& m) { m.disconnect_bytes_max = kMost; },
       ErrorCode::Unavailable, true, true},
  };
  const size_t beside =
      kDisconnectEntryBytes + 2 + Value::string("").byte_count();  // of an entry at "/a1", its characters aside
  for (const Row& row : rows) {
    INFO("limit " << static_cast<int>(row.limit));
    const TempFolder folder;
    auto database = open_with(folder, [&](auto& options) { row.lower(options.memory); });
    Asker ada(*database), bob(*database), eve(*database, "elsewhere");
    REQUIRE(ada.queue("a1", Value::string(std::string(50'000 - beside, 'x'))).status.ok());
    CHECK(database->figures().disconnect_bytes == 50'000);
    CHECK(code_of(ada.queue("a2", Value::string(std::string(50'001 - beside, 'x')))) == row.code);
    CHECK(database->figures().disconnect_bytes == 50'000);
    REQUIRE(ada.queue("a2", Value::string(std::string(50'000 - beside, 'x'))).status.ok());
    CHECK(database->figures().disconnect_bytes == kMost);
    CHECK(reached(*database, row.limit) == 1);
    CHECK(bob.queue("b", Value::integer(1)).status.ok() == !row.holds_for_others);
    CHECK(eve.queue("e", Value::integer(1)).status.ok() == !row.holds_elsewhere);
    CHECK(ada.cancel("a1").status.ok());
    CHECK(ada.queue("a3", Value::string("small")).status.ok());
    bob.client->end();
    eve.client->end();
    ada.client->end();
    CHECK(eventually([&] { return database->figures().disconnect_bytes == 0; }));
    Namespace space = database->space("t").value();
    CHECK(eventually([&] { return !space.get("a3").value().is_null(); }));
    CHECK(space.get("a1").value().is_null());
    CHECK(space.get("a2").value().as_string().size() == 50'000 - beside);
    CHECK(space.get("a3").value().as_string() == "small");
  }
}

TEST_CASE("Memory: a refused operation leaves the queue as it was, in memory and on disk", "[db][limits]") {
  const TempFolder folder;
  const auto lower = [](Database::Options& options) { options.memory.session_disconnect_bytes_max = 20'000; };
  const auto is_there = [](Host& database) {
    Namespace space = database.space("t").value();
    CHECK(eventually([&] { return text(space.get("").value()) == R"({"p":{"x":1,"y":2},"q":3})"; }));
  };
  {
    auto database = open_with(folder, lower);
    Asker ada(*database);
    REQUIRE(ada.queue("p", json(R"({"x":1,"y":2})")).status.ok());
    REQUIRE(ada.queue("q", json("3")).status.ok());
    const std::string large(20'000, 'x');
    CHECK(code_of(ada.queue("p/y", Value::string(large))) == ErrorCode::TooLarge);  // it edits an entry
    CHECK(code_of(ada.queue("", Value::string(large))) == ErrorCode::TooLarge);     // it replaces both
    CHECK(code_of(ada.queue("r", Value::string(large))) == ErrorCode::TooLarge);    // it adds one
    ada.client->end();
    CHECK(eventually([&] { return database->figures().disconnect_bytes == 0; }));
    is_there(*database);
  }
  auto database = open_with(folder, lower);
  is_there(*database);
}

TEST_CASE("Memory: what would be written at the end counts for the namespace's limit when it is queued",
          "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto& options) {
    options.namespace_bytes_max = 100'000;
    options.namespace_rows_max = 50;
  });
  Asker ada(*database), bob(*database);
  REQUIRE(ada.write("here", Value::string(std::string(40'000, 'x'))).status.ok());
  CHECK(ada.queue("a", Value::string(std::string(40'000, 'x'))).status.ok());
  CHECK(code_of(bob.queue("b", Value::string(std::string(40'000, 'x')))) == ErrorCode::TooLarge);
  CHECK(bob.queue("here", Value()).status.ok());  // that removes something
  CHECK(bob.queue("b", Value::integer(1)).status.ok());
  std::vector<std::pair<std::string, Value>> many;
  for (int i = 0; i < 50; ++i) many.emplace_back("k" + std::to_string(i), Value::integer(i));
  CHECK(code_of(bob.queue("c", Value::object(many))) == ErrorCode::TooLarge);
}

TEST_CASE("Memory: with the disk reserve reached nothing is queued, and what is queued can be cancelled",
          "[db][limits]") {
  const TempFolder folder;
  {
    auto database = open_with(folder, [](auto& options) { options.free_bytes_min = 0; });
    REQUIRE(database->create("t").ok());
  }
  auto database = open_with(folder, [](auto& options) { options.free_bytes_min = UINT64_MAX; });
  Asker ada(*database);
  CHECK(code_of(ada.queue("a", Value::integer(1))) == ErrorCode::Unavailable);
  CHECK(ada.cancel("a").status.ok());
  CHECK(database->figures().writes_without_room == 1);
}

TEST_CASE("Memory: changes are remembered for streams, and where none ever was nothing is", "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto&) {});
  Asker ada(*database), eve(*database, "elsewhere");
  for (int i = 0; i < 100; ++i) REQUIRE(ada.write("n/" + std::to_string(i), Value::integer(i)).status.ok());
  CHECK(database->figures().remembered_bytes == 0);
  Listen stream = listen_to("s");
  stream.wants_ids = true;
  REQUIRE(ada.listen(1, stream).status.ok());
  const uint64_t before = database->figures().remembered_bytes;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(ada.write("n/" + std::to_string(i), Value::integer(-i)).status.ok());
    REQUIRE(eve.write("n/" + std::to_string(i), Value::integer(-i)).status.ok());
  }
  const uint64_t more = database->figures().remembered_bytes - before;
  CHECK(more >= 100 * kMissedBytes);
  CHECK(more <= 110 * kMissedBytes);
}

TEST_CASE("Memory: what is remembered has a limit, past which the namespace used longest ago is forgotten",
          "[db][limits]") {
  const TempFolder folder;
  constexpr uint64_t kMost = 400'000;
  auto database = open_with(folder, [](auto& options) { options.memory.remembered_bytes_max = kMost; });
  std::vector<std::unique_ptr<Asker>> all;
  for (int i = 0; i < 20; ++i) {
    all.push_back(std::make_unique<Asker>(*database, "space" + std::to_string(i)));
    REQUIRE(all.back()->write("v", Value::string(std::string(20'000, 'x'))).status.ok());
    Listen stream = listen_to("v");
    stream.wants_ids = true;
    REQUIRE(all.back()->listen(1, stream).status.ok());
    REQUIRE(
        all.back()->write("w", Value::integer(1)).status.ok());  // its first value is counted, and remembered from here
    CHECK(database->figures().remembered_bytes <= kMost + 50'000);
  }
  CHECK(reached(*database, MemoryLimit::RememberedSize) > 0);
  CHECK(database->figures().remembered_bytes > kMost / 2);
  const uint64_t reads = database->figures().first_values_read;
  REQUIRE(all.back()->listen(2, "v").status.ok());  // the latest is remembered
  CHECK(database->figures().first_values_read == reads);
  REQUIRE(all.front()->listen(2, "v").status.ok());  // the oldest is not, and is read again
  CHECK(database->figures().first_values_read == reads + 1);
  REQUIRE(all.front()->write("v", Value::integer(1)).status.ok());
  CHECK(all.front()->events.size() == 2);  // both of its listeners go on
}

TEST_CASE("Memory: a namespace that nobody uses leaves memory after a while, and is as before", "[db][limits]") {
  const TempFolder folder;
  auto database = open_with(folder, [](auto& options) { options.space_idle_time = std::chrono::milliseconds(50); });
  for (int i = 0; i < 50; ++i) {
    Asker ada(*database, "space" + std::to_string(i));
    REQUIRE(ada.write("v", Value::integer(i)).status.ok());
    REQUIRE(ada.listen(1, "v").status.ok());
  }
  Asker stays(*database, "space7");
  CHECK(eventually([&] { return database->figures().namespaces_in_memory == 1; }));
  CHECK(database->figures().namespaces == 50);
  CHECK(stays.write("w", Value::integer(1)).status.ok());
  Asker bob(*database, "space9");
  const Answer first = bob.listen(1, "v");
  REQUIRE(first.first != nullptr);
  CHECK(first.first->value().as_integer() == 9);
  CHECK(first.sequence == 1);
  CHECK(bob.write("v", Value::integer(10)).sequence == 2);
}

TEST_CASE("Memory: queues of a process that is gone count as well", "[db][limits]") {
  const TempFolder folder;
  uint64_t bytes = 0;
  {
    auto database = open_with(folder, [](auto&) {});
    Asker ada(*database);
    REQUIRE(ada.queue("a", Value::string(std::string(50'000, 'x'))).status.ok());
    bytes = database->figures().disconnect_bytes;
    database->close();  // as at a restart: what was queued stays on disk
  }
  auto database = open_with(folder, [](auto& options) { options.memory.space_disconnect_bytes_max = 60'000; });
  Asker bob(*database);
  REQUIRE(bob.write("x", Value::integer(1)).status.ok());
  CHECK(database->figures().disconnect_bytes == bytes);
  CHECK(code_of(bob.queue("b", Value::string(std::string(20'000, 'x')))) == ErrorCode::Unavailable);
}
