#include "net/io/io_pool.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <future>

#include "net/io/io_loop.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;

TEST_CASE("Tasks of one poster run in the order posted, on the thread they were posted to", "[net][http]") {
  constexpr int kTasks = 20'000;
  std::vector<std::vector<int>> seen(3 * 2);  // by thread and poster
  std::atomic<int> done = 0;
  std::atomic<bool> at_home = true;
  http::IoPool io(3);
  io.start();
  std::vector<std::thread> posters;
  for (size_t poster = 0; poster < 2; ++poster) {
    posters.emplace_back([&, poster] {
      for (int i = 0; i < kTasks; ++i) {
        for (size_t thread = 0; thread < 3; ++thread) {
          io.post(thread, [&, poster, thread, i] {
            if (http::IoPool::current() != thread) at_home = false;
            seen[thread * 2 + poster].push_back(i);
            ++done;
          });
        }
      }
    });
  }
  for (auto& poster : posters) poster.join();
  CHECK(eventually([&] { return done == kTasks * 2 * 3; }));
  io.stop();
  CHECK(at_home);
  CHECK(http::IoPool::current() == http::IoPool::kNone);
  for (const auto& tasks : seen) {
    CHECK(tasks.size() == kTasks);
    CHECK(std::is_sorted(tasks.begin(), tasks.end()));
  }
}

TEST_CASE("A task may post to its own thread, and what it posts comes later", "[net][http]") {
  http::IoPool io(1);
  io.start();
  Signal done;
  std::string order;
  io.post(0, [&] {
    io.post(0, [&] {
      order += "second";
      done.set();
    });
    order += "first ";
  });
  REQUIRE(done.wait());
  io.stop();
  CHECK(order == "first second");
}

TEST_CASE("What is to run after a flush runs when all that was said before it has been sent", "[net][http]") {
  struct Sender final : http::Flushable {
    explicit Sender(std::string& to) : story(to) {}
    void flush() override { story += "sent "; }
    std::string& story;
  };
  std::string story;
  const auto sender = std::make_shared<Sender>(story);
  http::IoPool io(1);
  io.start();
  std::promise<void> done;
  io.post(0, [&] {
    http::IoLoop& loop = io.loop(0);
    loop.mark_dirty(sender);
    http::IoPool::after_flush([&] {
      story += "after ";
      done.set_value();
    });
    loop.later([&] { story += "later "; });
  });
  done.get_future().get();
  io.stop();
  io.join();
  CHECK(story == "later sent after ");
}

TEST_CASE("Timers fire in order of their time, and not when they are gone", "[net][http]") {
  http::IoPool io(1);
  io.start();
  Signal done;
  std::string order;
  std::vector<http::Timer> timers;
  io.post(0, [&] {
    const auto say = [&](const char* what) { return [&order, what] { order += what; }; };
    timers.push_back(http::IoPool::schedule(60ms, say("3")));
    timers.push_back(http::IoPool::schedule(20ms, say("1")));
    timers.push_back(http::IoPool::schedule(40ms, say("2")));
    timers.push_back(http::IoPool::schedule(30ms, say("never")));
    timers[3].cancel();
    { const auto dropped = http::IoPool::schedule(35ms, say("neither")); }
    http::Timer moved = http::IoPool::schedule(50ms, say("-"));
    timers.push_back(std::move(moved));
    timers.push_back(http::IoPool::schedule(80ms, [&] {
      timers.clear();
      done.set();
    }));
  });
  REQUIRE(done.wait());
  io.stop();
  CHECK(order == "12-3");
}

namespace {
// One of many deadlines, and between which times it was to come.
struct Late final : http::Timed {
  Late(http::IoLoop& loop, std::vector<const Late*>& all) : told(all), deadline(loop, *this) {}
  void on_deadline() override { told.push_back(this); }
  void set(std::chrono::milliseconds after) {
    earliest = std::chrono::steady_clock::now() + after;
    deadline.set(after);
    latest = std::chrono::steady_clock::now() + after;
  }
  std::vector<const Late*>& told;
  http::Deadline deadline;
  http::IoLoop::Time earliest{}, latest{};
};
}  // namespace

TEST_CASE("Deadlines come in order of their time, wherever they were moved, and not when they are gone",
          "[net][http]") {
  http::IoPool io(1);
  io.start();
  Signal done;
  std::vector<const Late*> told;
  std::vector<std::unique_ptr<Late>> all;
  http::Timer end;
  io.post(0, [&] {
    const auto at = [](int number) { return std::chrono::milliseconds(10 + 5 * number); };
    for (int i = 0; i < 40; ++i) {
      const int number = i * 17 % 40;  // in no order
      all.push_back(std::make_unique<Late>(io.loop(0), told));
      // Set as it is to come; moved later; moved nearer; cleared; destroyed.
      if (number % 5 == 1) all.back()->set(at(0));
      if (number % 5 == 2) all.back()->set(at(200));
      all.back()->set(at(number));
      if (number % 5 == 3) all.back()->deadline.clear();
      if (number % 5 == 4) all.back().reset();
    }
    end = http::IoPool::schedule(at(42), [&] { done.set(); });
  });
  REQUIRE(done.wait());
  io.stop();
  io.join();
  CHECK(told.size() == 24);
  for (size_t i = 1; i < told.size(); ++i) CHECK(told[i - 1]->earliest <= told[i]->latest);
}

TEST_CASE("The longest step of an io thread is that of one letter or timer, not their sum", "[net][http]") {
  http::IoPool io(2);
  io.start();
  Signal done;
  http::Timer timer;
  const auto work = [](uint64_t rows, uint64_t bytes) { hearth::db::Step::here().count({rows, bytes, 1}); };
  io.post(0, [&] { work(5, 10); });
  io.post(0, [&] { work(3, 100); });
  io.post(0, [&] {
    timer = http::IoPool::schedule(1ms, [&] {
      work(4, 4);
      io.post(0, [&] { done.set(); });
    });
  });
  REQUIRE(done.wait());
  io.stop();
  io.join();
  const hearth::db::Work longest = io.longest_step(0);
  CHECK(longest.rows == 5);
  CHECK(longest.bytes == 100);
  CHECK(longest.evaluations == 1);
  CHECK(io.longest_step(1).rows == 0);
}

TEST_CASE("What is posted to a pool that has stopped never runs, and is destroyed", "[net][http]") {
  const auto held = std::make_shared<int>(0);
  {
    http::IoPool io(2);
    io.start();
    io.stop();
    io.post(1, [held] { ++*held; });
  }
  CHECK(*held == 0);
  CHECK(held.use_count() == 1);
}

namespace {

// Hears of one end of a pair of sockets; what comes is written to the other.
struct Heard final : http::Waiting {
  explicit Heard(http::IoLoop& on) : loop(on) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    here = http::Fd(ends[0]);
    there = http::Fd(ends[1]);
  }
  void on_ready(uint32_t) override {
    ++times;
    const auto now = next;  // it may put another in its place
    if (now) now();
  }
  size_t take() const {
    char bytes[16];
    const ssize_t got = ::recv(here.get(), bytes, sizeof bytes, 0);
    return got < 0 ? 0 : static_cast<size_t>(got);
  }
  void watch(uint32_t events) { (void)watched.set(loop, *this, here.get(), events); }
  void say(size_t bytes) const { (void)!::send(there.get(), "0123456789", bytes, 0); }

  http::IoLoop& loop;
  http::Watch watched;
  http::Fd here, there;
  int times = 0;
  std::function<void()> next;
};

}  // namespace

TEST_CASE("A socket is told of in each turn while it has something, and not while nobody wants to hear",
          "[net][http]") {
  http::IoPool io(1);
  std::optional<Heard> heard(std::in_place, io.loop(0));
  std::string story;
  Signal done;
  std::vector<http::Timer> timers;
  // What is left of ten bytes after each time it was told; then silence; then told of it again, though nothing came.
  heard->next = [&] {
    if (heard->times < 3) return;
    heard->take();
    story += "told " + std::to_string(heard->times);
    heard->watch(0);
    heard->say(1);
    heard->next = [&] { story += " too soon"; };
    timers.push_back(http::IoPool::schedule(20ms, [&] {
      story += " silence";
      heard->next = [&] {
        story += " again";
        heard->watch(0);
        done.set();
      };
      heard->watch(EPOLLIN);
    }));
  };
  io.start();
  io.post(0, [&] {
    heard->say(10);
    heard->watch(EPOLLIN);
  });
  REQUIRE(done.wait());
  io.post(0, [&] { timers.clear(); });
  io.stop();
  io.join();
  CHECK(story == "told 3 silence again");
  CHECK(heard->times == 4);
}

TEST_CASE("A thread that sleeps is woken by a letter and by nothing else; timers of a thread fire without one",
          "[net][http]") {
  http::IoPool io(1);
  io.start();
  Signal first, second;
  std::vector<http::Timer> timers;
  io.post(0, [&] {
    timers.push_back(http::IoPool::schedule(10ms, [&] { first.set(); }));
    timers.push_back(http::IoPool::schedule(1h, [] {}));
  });
  REQUIRE(first.wait());
  // It waits for an hour now. Each letter comes by itself.
  for (int i = 0; i < 1'000; ++i) {
    const auto heard = std::make_shared<std::promise<void>>();
    io.post(0, [heard] { heard->set_value(); });
    heard->get_future().get();
  }
  io.post(0, [&] {
    timers.clear();
    second.set();
  });
  REQUIRE(second.wait());
}
