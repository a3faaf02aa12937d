// Closing a database that is busy: nothing hangs, nothing runs afterwards, and what was acknowledged is there.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "tests/db/talk.h"
#include "tests/support/watchdog.h"

using namespace hearth::test;

namespace {

constexpr int kRounds = 8;  // what races is tried more than once

using Run = std::function<void(std::function<void()>)>;

std::unique_ptr<Host> open_busy(const TempFolder& folder, Run run = {}) {
  Database::Options options;
  options.folder = folder.path();
  options.shards = 3;
  options.sync = SyncMode::Os;
  options.run = std::move(run);
  return Host::open(options).value();
}

void wait_until(const std::function<bool()>& is_so) {
  for (int tries = 0; !is_so() && tries < 60'000; ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(is_so());
}

// An app's loop, turned by the test.
class Loop {
 public:
  Run run() {
    return [this](std::function<void()> task) {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    };
  }
  size_t turn() {
    std::deque<std::function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(tasks_);
    }
    for (const auto& task : now) task();
    return now.size();
  }
  size_t waiting() {
    const std::lock_guard lock(mutex_);
    return tasks_.size();
  }

 private:
  std::mutex mutex_;  // Guards tasks_.
  std::deque<std::function<void()>> tasks_;
};

// A write whose end begins the next one, whatever came of it.
struct Chain {
  Namespace space;
  std::string path;
  std::atomic<int64_t> written{0}, refused{0}, odd{0};

  Chain(Namespace in, std::string at) : space(std::move(in)), path(std::move(at)) {}
  void next() {
    space.set_async(path, Value::integer(written + 1), [this](const Result<Written>& done) {
      if (done.ok()) {
        ++written;
      } else if (done.error().code == ErrorCode::Unavailable) {
        ++refused;
      } else {
        ++odd;
      }
      next();
    });
  }
};

ErrorCode code_of(const auto& result) {
  REQUIRE_FALSE(result.ok());
  return result.error().code;
}

}  // namespace

TEST_CASE("Closing: what was accepted before is told once and is on disk, and nobody is told anything later", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  constexpr int kWrites = 500;
  std::atomic<int> told{0}, read{0}, failed{0};
  auto database = open_busy(folder);
  for (int i = 0; i < kWrites; ++i) {
    Namespace space = database->space("s" + std::to_string(i % 7)).value();
    space.set_async("n" + std::to_string(i), Value::integer(i),
                    [&](const Result<Written>& done) { ++(done.ok() ? told : failed); });
    space.get_async("n" + std::to_string(i), [&](const Result<Value>& got) { ++(got.ok() ? read : failed); });
  }
  database->close();
  CHECK(told == kWrites);
  CHECK(read == kWrites);
  CHECK(failed == 0);
  database.reset();
  database = open_busy(folder);
  for (int i = 0; i < kWrites; ++i) {
    Namespace space = database->space("s" + std::to_string(i % 7)).value();
    CHECK(space.get("n" + std::to_string(i)).value() == Value::integer(i));
  }
}

TEST_CASE("Closing: a listener that writes from its callback is no hindrance", "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    std::vector<std::atomic<int64_t>> written(6);
    std::atomic<int> cancelled{0};
    auto database = open_busy(folder);
    std::vector<Namespace> spaces;
    for (size_t i = 0; i < written.size(); ++i) spaces.push_back(database->space("s" + std::to_string(i)).value());
    std::vector<Listener> listeners;
    for (size_t i = 0; i < written.size(); ++i) {
      Namespace& space = spaces[i];
      ListenerCallbacks callbacks;
      callbacks.value = [&space, &count = written[i]](const Value& value) {
        space.set_async("n", Value::integer(value.is_null() ? 1 : value.as_integer() + 1),
                        [&count](const Result<Written>& done) {
                          if (done.ok()) ++count;
                        });
      };
      callbacks.cancelled = [&](const Error& why) {
        if (why.code == ErrorCode::Unavailable) ++cancelled;
        space.set_async("n", Value::integer(0));
      };
      listeners.push_back(space.listen("n", std::move(callbacks)).value());
    }
    for (const auto& count : written) wait_until([&] { return count > 20; });
    database->close();
    CHECK(cancelled == 6);
    const std::vector<int64_t> last(written.begin(), written.end());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    CHECK(std::equal(last.begin(), last.end(), written.begin()));
    database.reset();
    const auto again = open_busy(folder);
    for (size_t i = 0; i < last.size(); ++i) {
      const Value found = again->space("s" + std::to_string(i)).value().get("n").value();
      CHECK(found.as_integer() >= last[i]);  // a listener is told before the write's own callback
    }
  }
}

TEST_CASE("Closing: writes that begin one another come to an end", "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    auto database = open_busy(folder);
    std::deque<Chain> chains;
    for (int i = 0; i < 8; ++i) chains.emplace_back(database->space("s" + std::to_string(i)).value(), "at");
    for (Chain& chain : chains) chain.next();
    for (Chain& chain : chains) wait_until([&] { return chain.written > 5; });
    database.reset();
    database = open_busy(folder);
    for (int i = 0; i < 8; ++i) {
      const Chain& chain = chains[static_cast<size_t>(i)];
      CHECK(chain.odd == 0);
      CHECK(chain.refused > 0);
      CHECK(database->space("s" + std::to_string(i)).value().get("at").value() == Value::integer(chain.written));
    }
  }
}

TEST_CASE("Closing: threads that write, read, listen and open hear of it, and what they were told is there", "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    auto database = open_busy(folder);
    std::atomic<int> begun{0}, odd{0};
    const auto is_over = [&](const Result<void>& done) {
      ++begun;
      if (done.ok()) return false;
      if (done.error().code != ErrorCode::Unavailable) ++odd;
      return true;
    };
    const auto status = [](const auto& result) { return result.ok() ? Result<void>() : Result<void>(result.error()); };
    std::vector<std::thread> threads;
    std::vector<int64_t> last(3, 0);
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        Namespace space = database->space("w" + std::to_string(t)).value();
        for (int64_t i = 1; !is_over(status(space.set("n", Value::integer(i)))); ++i) last[static_cast<size_t>(t)] = i;
      });
    }
    threads.emplace_back([&] {
      const Namespace space = database->space("w0").value();
      while (!is_over(status(space.get("n")))) continue;
    });
    threads.emplace_back([&] {
      const Query newest = Query::by_key().limit_to_last(3);
      const Namespace space = database->space("w1").value();
      while (!is_over(status(space.get("", newest)))) continue;
    });
    threads.emplace_back([&] {
      for (;;) {
        ListenerCallbacks callbacks;
        callbacks.value = [&](const Value&) { ++begun; };
        if (is_over(status(database->space("w2").value().listen("n", callbacks)))) return;
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; !is_over(database->create("c" + std::to_string(i))); ++i) continue;
    });
    threads.emplace_back([&] {
      for (int i = 0; !is_over(status(database->client("w1", "", [] {}))); ++i) (void)database->figures();
    });
    wait_until([&] { return begun > 500; });
    database->close();
    for (std::thread& thread : threads) thread.join();
    CHECK(odd == 0);
    database.reset();
    database = open_busy(folder);
    for (int t = 0; t < 3; ++t) {
      const Value found = database->space("w" + std::to_string(t)).value().get("n").value();
      CHECK((last[static_cast<size_t>(t)] == 0 || found == Value::integer(last[static_cast<size_t>(t)])));
    }
  }
}

TEST_CASE("Closing: a transaction under way ends, with its value or the reason", "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    auto database = open_busy(folder);
    std::atomic<int64_t> added{0};
    std::atomic<int> odd{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        Namespace space = database->space("t").value();
        for (;;) {
          const auto done = space.transaction("n", [](const Value& old) -> std::optional<Value> {
            return Value::integer(old.is_null() ? 1 : old.as_integer() + 1);
          });
          if (done.ok()) ++added;
          if (done.ok() || done.error().code == ErrorCode::Stale) continue;
          if (done.error().code != ErrorCode::Unavailable) ++odd;
          return;
        }
      });
    }
    // Makes tries vain.
    threads.emplace_back([&] {
      Namespace space = database->space("t").value();
      while (space.set("n/.priority", Value::integer(added)).ok()) continue;
    });
    wait_until([&] { return added > 20; });
    database->close();
    for (std::thread& thread : threads) thread.join();
    CHECK(odd == 0);
    database.reset();
    CHECK(open_busy(folder)->space("t").value().get("n").value().as_integer() == added);
  }
  SECTION("closed by its own change") {
    const TempFolder folder;
    auto database = open_busy(folder);
    Namespace space = database->space("t").value();
    const auto done = space.transaction("n", [&](const Value&) -> std::optional<Value> {
      database.reset();
      return Value::integer(1);
    });
    CHECK(code_of(done) == ErrorCode::Unavailable);
    CHECK(open_busy(folder)->space("t").value().get("n").value().is_null());
  }
}

TEST_CASE("Closing: listeners come and go meanwhile, from threads and from callbacks, of values and of queries",
          "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder folder;
    std::mutex mutex;  // Guards within.
    std::deque<Listener> within;
    std::atomic<int> told{0};
    std::atomic<bool> is_closed{false};
    std::atomic<int> late{0};
    auto database = open_busy(folder);
    Namespace space = database->space("t").value();
    for (int i = 0; i < 200; ++i)
      space.set_async("list/k" + std::to_string(i), json(R"({"rank":)" + std::to_string(i % 13) + "}"));
    std::function<void(int)> listen = [&](int kind) {
      const Query ranked = Query::by_child("rank").limit_to_first(5);
      ListenerCallbacks callbacks;
      callbacks.child_added = [&](const std::string&, const Value&, const std::string&) { ++told; };
      callbacks.value = [&, kind](const Value&) {
        if (is_closed) ++late;
        ++told;
        listen(kind + 1);
        const std::lock_guard lock(mutex);
        if (within.size() > 20) within.pop_front();
      };
      auto running = kind % 2 == 0 ? space.listen("list", std::move(callbacks))
                                   : space.listen("list", ranked, std::move(callbacks));
      if (!running.ok()) return;
      const std::lock_guard lock(mutex);
      within.push_back(std::move(running).value());
    };
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; space.set("list/k" + std::to_string(i % 200) + "/rank", Value::integer(i % 17)).ok(); ++i)
          listen(i + t);
      });
    }
    wait_until([&] { return told > 500; });
    database->close();
    is_closed = true;
    for (std::thread& thread : threads) thread.join();
    database.reset();
    const std::lock_guard lock(mutex);
    within.clear();
    CHECK(late == 0);
  }
}

TEST_CASE("Closing: what waits in the app's loop is never called, and holds nothing", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  Loop loop;
  auto mark = std::make_shared<int>(0);
  const std::weak_ptr<int> held = mark;
  bool is_closed = false;
  int late = 0, told = 0;
  auto database = open_busy(folder, loop.run());
  Namespace space = database->space("t").value();
  const auto note = [&, mark] { ++(is_closed ? late : told); };
  ListenerCallbacks callbacks;
  callbacks.value = [&space, note](const Value& value) {
    note();
    space.set_async("n", Value::integer(value.is_null() ? 1 : value.as_integer() + 1),
                    [note](const Result<Written>&) { note(); });
  };
  callbacks.cancelled = [note](const Error&) { note(); };
  std::optional<Listener> listener = space.listen("n", std::move(callbacks)).value();
  wait_until([&] {
    loop.turn();
    return told > 20;
  });
  for (int i = 0; i < 100; ++i) {
    space.set_async("busy/" + std::to_string(i), Value::integer(i), [note](const Result<Written>&) { note(); });
    space.get_async("busy", [note](const Result<Value>&) { note(); });
  }
  wait_until([&] { return loop.waiting() > 50; });
  database->close();
  is_closed = true;
  space.set_async("n", Value::integer(0), [note](const Result<Written>&) { note(); });  // refused, and not told either
  const size_t waited = loop.waiting();
  CHECK(waited > 50);
  database.reset();
  SECTION("with the listener") { CHECK(loop.turn() == waited); }
  SECTION("without it") {
    listener.reset();
    CHECK(loop.turn() == waited);
  }
  CHECK(late == 0);
  CHECK(loop.waiting() == 0);
  listener.reset();
  mark.reset();
  CHECK(held.use_count() == 1);  // `note` itself
  const auto again = open_busy(folder);
  CHECK(again->space("t").value().get("busy/99").value() == Value::integer(99));
}

TEST_CASE("Closing: waits for a callback that runs in a loop on another thread", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  for (int round = 0; round < kRounds; ++round) {
    Loop loop;
    std::atomic<bool> is_closed{false}, stops{false};
    std::atomic<int> late{0}, told{0};
    auto database = open_busy(folder, loop.run());
    std::thread turning([&] {
      while (!stops) loop.turn();
    });
    Namespace space = database->space("t").value();
    std::atomic<int64_t> writes{0};
    std::function<void()> next = [&] {
      space.set_async("n", Value::integer(++writes), [&](const Result<Written>&) {
        ++told;
        std::this_thread::yield();
        next();
        if (is_closed) ++late;
      });
    };
    for (int i = 0; i < 5; ++i) next();
    wait_until([&] { return told > 50; });
    database.reset();
    is_closed = true;
    stops = true;
    turning.join();
    CHECK(late == 0);
  }
}

TEST_CASE("Closing: may be done by a callback", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  Loop loop;
  const bool in_loop = GENERATE(false, true);
  CAPTURE(in_loop);
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<int> late{0};
    std::promise<void> closed;
    std::atomic<bool> is_closed{false};
    auto database = open_busy(folder, in_loop ? loop.run() : Run());
    Namespace space = database->space("t").value();
    std::deque<Chain> chains;
    for (int i = 0; i < 4; ++i) chains.emplace_back(database->space("s" + std::to_string(i)).value(), "at");
    for (Chain& chain : chains) chain.next();
    space.set_async("n", Value::integer(round), [&](const Result<Written>& done) {
      if (!done.ok()) ++late;
      for (int i = 0; i < 50; ++i)
        space.set_async("more", Value::integer(i), [&](const Result<Written>&) { late += is_closed ? 1 : 0; });
      database.reset();
      is_closed = true;
      if (space.set("n", Value::integer(-1)).ok()) ++late;
      closed.set_value();
    });
    const auto told = closed.get_future();
    wait_until([&] {
      if (in_loop) loop.turn();
      return told.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    });
    loop.turn();
    CHECK(late == 0);
    CHECK(open_busy(folder)->space("t").value().get("n").value() == Value::integer(round));
  }
}

TEST_CASE("Closing: when two close, neither returns before it is done", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  for (int round = 0; round < kRounds; ++round) {
    auto database = open_busy(folder);
    std::atomic<bool> is_closed{false};
    std::atomic<int> late{0}, told{0};
    Namespace space = database->space("t").value();
    for (int i = 0; i < 200; ++i) {
      space.set_async("n", Value::integer(i), [&, i](const Result<Written>&) {
        if (i == 50) database->close();  // while others do
        if (is_closed) ++late;
        ++told;
      });
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        database->close();
        is_closed = true;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(late == 0);
    CHECK(told > 50);
  }
}

TEST_CASE("Closing: handles that outlive the database are refused, and harmless", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  auto database = open_busy(folder);
  Namespace space = database->space("t").value();
  std::atomic<int> told{0};
  ListenerCallbacks callbacks;
  callbacks.value = [&](const Value&) { ++told; };
  Listener listener = space.listen("a", callbacks).value();
  Listener of_query = space.listen("a", Query::by_value().limit_to_first(2), callbacks).value();
  std::atomic<int> woken{0};
  const auto client = database->client("t", "", [&] { ++woken; }).value();
  client->listen(1, 1, listen_to("a"));
  client->on_disconnect(2, {Disconnect::Kind::Put, at("gone"), {{at("gone"), Slot::Value, Value::integer(1)}}},
                        nullptr);
  const std::function<void()> nudge = client->waker();
  wait_until([&] { return told == 2; });
  database->close();
  Host& closed = *database;

  SECTION("calls of the database itself") {
    int refused = 0;
    const auto count = [&](const auto& result) { refused += code_of(result) == ErrorCode::Unavailable ? 1 : 0; };
    const auto count_answer = [&](const Answer& answer) { count(answer.status); };
    closed.read("t", get("a"), count_answer);
    closed.write("t", set("a", Value::integer(1)), count_answer);
    closed.judge("t", set("a", Value::integer(1)), count_answer);
    closed.end_conversations("t", "label", {ErrorCode::Unavailable, "over"}, count_answer);
    closed.setting("t", "rules", count);
    closed.indexes("t", count);
    closed.dump({}, count);
    closed.restore("none", {}, count);
    closed.stats("t", {}, count);
    closed.compact(count);
    CHECK(refused == 10);
    CHECK(code_of(closed.remove("t")) == ErrorCode::Unavailable);
    CHECK(code_of(closed.create("u")) == ErrorCode::Unavailable);
    CHECK(code_of(closed.client("t", "", [] {})) == ErrorCode::Unavailable);
    CHECK(code_of(closed.begin_upload()) == ErrorCode::Unavailable);
    CHECK(code_of(closed.upload("none", 0, "x")) == ErrorCode::Unavailable);
    CHECK(code_of(closed.health()) == ErrorCode::Unavailable);
    CHECK(closed.figures().namespaces == 0);
    CHECK(closed.store_id().size() > 8);
    CHECK(closed.space("v").ok());
    closed.close();
  }
  database.reset();
  CHECK(code_of(space.get("a")) == ErrorCode::Unavailable);
  CHECK(code_of(space.set("a", Value::integer(1))) == ErrorCode::Unavailable);
  CHECK(code_of(space.push("a", Value::integer(1))) == ErrorCode::Unavailable);
  CHECK(code_of(space.update("a", {{"b", Value::integer(1)}})) == ErrorCode::Unavailable);
  CHECK(code_of(space.transaction("a", [](const Value&) { return Value::integer(1); })) == ErrorCode::Unavailable);
  CHECK(code_of(space.listen("a", callbacks)) == ErrorCode::Unavailable);
  space.set_async("a", Value::integer(1), [&](const Result<Written>&) { ++told; });
  space.set_async("a.b", Value::integer(1), [&](const Result<Written>&) { ++told; });
  space.get_async("a", [&](const Result<Value>&) { ++told; });
  CHECK_FALSE(space.push_async("a", Value::integer(1), [&](const Result<Written>&) { ++told; }).empty());
  listener.stop();
  of_query = space.listen("", callbacks).ok() ? Listener() : std::move(of_query);
  client->write(3, set("a", Value::integer(1)));
  client->read(4, get("a"));
  client->unlisten(5, 1);
  nudge();
  const std::vector<Item> story = client->take();
  REQUIRE_FALSE(story.empty());
  REQUIRE(std::holds_alternative<Ended>(story.back()));
  CHECK(std::get<Ended>(story.back()).reason.code == ErrorCode::Unavailable);
  client->end();
  CHECK(told == 2);

  const auto again = open_busy(folder);
  CHECK(again->space("t").value().get("a").value().is_null());
}

TEST_CASE("Closing: one of two databases goes, the other goes on", "[db]") {
  const Watchdog watchdog;
  for (int round = 0; round < kRounds; ++round) {
    const TempFolder first_folder, second_folder;
    auto first = open_busy(first_folder), second = open_busy(second_folder);
    Namespace one = first->space("t").value(), two = second->space("t").value();
    std::atomic<int64_t> copied{0}, refused{0};
    // What changes in the second is written to the first, and each is waited for: it is another database's thread.
    ListenerCallbacks callbacks;
    callbacks.value = [&](const Value& value) { ++(one.set("copy", value).ok() ? copied : refused); };
    const Listener listener = two.listen("n", std::move(callbacks)).value();
    std::atomic<bool> stops{false};
    std::atomic<int> failed{0};
    std::thread writing([&] {
      for (int64_t i = 1; !stops; ++i) failed += two.set("n", Value::integer(i)).ok() ? 0 : 1;
    });
    wait_until([&] { return copied > 10; });
    first.reset();
    wait_until([&] { return refused > 10; });
    stops = true;
    writing.join();
    CHECK(failed == 0);
    CHECK(two.get("n").value().as_integer() > 10);
  }
}

TEST_CASE("Closing: dumps and uploads under way end", "[db]") {
  const Watchdog watchdog;
  const TempFolder folder;
  auto database = open_busy(folder);
  Namespace space = database->space("t").value();
  for (int i = 0; i < 50; ++i) REQUIRE(space.set("n" + std::to_string(i), Value::integer(i)).ok());
  std::atomic<int> told{0};
  std::optional<DumpPieces> pieces;
  for (int i = 0; i < 3; ++i) {
    database->dump({}, [&](Result<DumpPieces> made) {
      ++told;
      if (made.ok()) pieces = std::move(made).value();
    });
  }
  const std::string upload = database->begin_upload().value();
  REQUIRE(database->upload(upload, 0, "no dump").ok());
  database->restore(upload, {}, [&](const auto& restored) {
    if (!restored.ok()) ++told;
  });
  database->close();
  CHECK(told == 4);
  database.reset();
  REQUIRE(pieces);  // they have files of their own
  std::string dumped;
  for (bool more = true; more;) {
    const auto next = (*pieces)(dumped);
    REQUIRE(next.ok());
    more = next.value();
  }
  CHECK(dumped.size() > 50);
}
