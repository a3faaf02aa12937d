#include "net/io/gate.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <deque>
#include <fstream>
#include <functional>
#include <future>
#include <sstream>
#include <string>
#include <thread>

#include "db/base/step.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;

namespace {

// One end of a pair of sockets, which is read when it is told of; the other end speaks.
struct Speaker final : http::Waiting {
  explicit Speaker(http::IoLoop& of) : loop(of) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    here = http::Fd(ends[0]);
    there = http::Fd(ends[1]);
    if (!watch.set(loop, *this, here.get(), EPOLLIN)) std::abort();
  }
  void on_ready(uint32_t) override {
    char bytes[16];
    heard += ::recv(here.get(), bytes, sizeof bytes, 0) > 0 ? 1 : 0;
    hearth::db::Step::here().count({0, step_bytes, 0});
    if (then) then();
  }
  void say() const {
    if (::send(there.get(), "x", 1, 0) != 1) std::abort();
  }
  void go_through(int poller) {
    if (!watch.move_to(loop, *this, here.get(), poller)) std::abort();
  }

  http::IoLoop& loop;
  http::Watch watch;
  http::Fd here, there;
  std::atomic<int> heard = 0;
  uint64_t step_bytes = 1;
  std::function<void()> then{};
};

struct OneThread {
  OneThread() { io.start(); }
  ~OneThread() {
    run([&] {
      gate.reset();
      speakers.clear();
    });
    io.stop();
    io.join();
  }
  void run(const std::function<void()>& task) {
    std::promise<void> done;
    io.post(0, [&] {
      task();
      done.set_value();
    });
    done.get_future().get();
  }
  // On the thread.
  void begin(size_t count) {
    for (size_t i = 0; i < count; ++i) speakers.emplace_back(io.loop(0));
    gate = http::Gate::take();
    for (Speaker& one : speakers) one.go_through(gate->poller());
  }
  int heard() const {
    int all = 0;
    for (const Speaker& one : speakers) all += one.heard;
    return all;
  }
  http::IoPool io{1};
  std::deque<Speaker> speakers{};
  http::GateLease gate{};
};

// The state of a thread, and how often it has gone to sleep.
std::pair<char, long> sleeps_of(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/status");
  char state = '?';
  long count = -1;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name == "State:") words >> state;
    if (name == "voluntary_ctxt_switches:") words >> count;
  }
  return {state, count};
}

}  // namespace

TEST_CASE("Gate: what comes while it is shut wakes nobody, and is heard at once when it opens", "[net][io]") {
  OneThread thread;
  pid_t id = 0;
  thread.run([&] {
    thread.begin(20);
    thread.gate->shut(1h);
    id = ::gettid();
  });
  REQUIRE(eventually([&] { return sleeps_of(id).first == 'S'; }));
  const long before = sleeps_of(id).second;
  for (Speaker& one : thread.speakers) {
    one.say();
    std::this_thread::sleep_for(1ms);
  }
  CHECK(sleeps_of(id) == std::pair('S', before));
  CHECK(thread.heard() == 0);
  int at_once = 0;
  bool was_shut = false;
  std::chrono::steady_clock::duration waited{0}, later{1};
  thread.run([&] {
    was_shut = thread.gate->is_shut();
    thread.speakers[0].then = [&] { waited = thread.gate->waited(); };
    thread.gate->hear();
    at_once = thread.heard();
    later = thread.gate->waited();
  });
  CHECK(was_shut);
  CHECK(at_once == 20);
  CHECK(waited >= 20ms);
  CHECK(later == 0ms);
  thread.speakers[3].say();  // it is open now
  CHECK(eventually([&] { return thread.heard() == 21; }));
}

TEST_CASE("Gate: it opens by itself when its time is over, and a shorter time does not open a longer one",
          "[net][io]") {
  OneThread thread;
  thread.run([&] {
    thread.begin(1);
    thread.gate->shut(5ms);
  });
  thread.speakers[0].say();
  CHECK(eventually([&] { return thread.heard() == 1; }));
  bool is_shut = false;
  thread.run([&] {
    thread.gate->shut(1h);
    thread.gate->shut(1ms);
  });
  std::this_thread::sleep_for(10ms);
  thread.run([&] { is_shut = thread.gate->is_shut(); });
  CHECK(is_shut);
}

TEST_CASE("Gate: a socket that had much to say keeps it open, until that is heard", "[net][io]") {
  OneThread thread;
  bool was_shut = true;
  thread.run([&] {
    thread.begin(2);
    thread.speakers[0].then = [&] { thread.gate->shut(1h); };
    thread.speakers[1].step_bytes = http::kMuchHeardBytes;
    for (Speaker& one : thread.speakers) one.say();
    thread.gate->hear();
    was_shut = thread.gate->is_shut();
    thread.gate->shut(1h);
    was_shut = was_shut || thread.gate->is_shut();
    thread.speakers[0].then = nullptr;
    thread.speakers[1].step_bytes = 1;
  });
  CHECK_FALSE(was_shut);
  thread.speakers[0].say();
  CHECK(eventually([&] { return thread.heard() == 3; }));
  thread.run([&] {
    thread.gate->shut(1h);
    was_shut = thread.gate->is_shut();
  });
  CHECK(was_shut);
}

TEST_CASE("Gate: a socket leaves it as it came, and one that is given back is open and used again", "[net][io]") {
  OneThread thread;
  thread.run([&] {
    thread.begin(2);
    thread.gate->shut(1h);
    thread.speakers[0].go_through(thread.io.loop(0).poller());
  });
  for (Speaker& one : thread.speakers) one.say();
  CHECK(eventually([&] { return thread.speakers[0].heard == 1; }));
  CHECK(thread.speakers[1].heard == 0);
  const http::Gate *first = nullptr, *second = nullptr;
  thread.run([&] {
    first = thread.gate.get();
    thread.gate.reset();
    thread.gate = http::Gate::take();
    second = thread.gate.get();
  });
  CHECK(first == second);
  CHECK(eventually([&] { return thread.speakers[1].heard == 1; }));
}

TEST_CASE("Gate: there is none where the descriptors that are left are kept for files", "[net][io]") {
  OneThread thread;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{160, before.rlim_max};  // ten are kept
  ::setrlimit(RLIMIT_NOFILE, &low);
  std::vector<int> files;
  while (files.empty() || files.back() < 149) files.push_back(::open("/dev/null", O_RDONLY));
  bool was_there = true, is_there = false;
  thread.run([&] { was_there = http::Gate::take() != nullptr; });
  for (const int file : files) ::close(file);
  thread.run([&] { is_there = http::Gate::take() != nullptr; });
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK_FALSE(was_there);
  CHECK(is_there);
}

TEST_CASE("Gate: a thread has no more than kGatesMax", "[net][io]") {
  OneThread thread;
  size_t taken = 0;
  bool is_there = false;
  thread.run([&] {
    std::vector<http::GateLease> all;
    while (auto one = http::Gate::take()) all.push_back(std::move(one));
    taken = all.size();
    all.pop_back();
    is_there = http::Gate::take() != nullptr;
  });
  CHECK(taken == http::kGatesMax);
  CHECK(is_there);
}
