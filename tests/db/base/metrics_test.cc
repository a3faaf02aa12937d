#include "db/base/metrics.h"

#include <catch2/catch.hpp>
#include <thread>

using namespace hearth::db;

namespace {
constexpr std::array<uint64_t, 3> kBounds = {1, 10, 100};
}

TEST_CASE("Histogram: a value counts in the first bucket whose bound it does not pass", "[base][metrics]") {
  struct Case {
    uint64_t value;
    size_t bucket;
  };
  const std::vector<Case> cases = {{0, 0}, {1, 0}, {2, 1}, {10, 1}, {11, 2}, {100, 2}, {101, 3}, {UINT64_MAX / 2, 3}};
  for (const Case& c : cases) {
    INFO(c.value);
    Histogram<kBounds> histogram;
    histogram.observe(c.value);
    Distribution seen;
    histogram.add_to(seen);
    std::vector<uint64_t> expected(4, 0);
    expected[c.bucket] = 1;
    CHECK(seen.counts == expected);
    CHECK(seen.sum == c.value);
    CHECK(seen.count() == 1);
  }
}

TEST_CASE("Histogram: several add up, and one that saw nothing has all its buckets", "[base][metrics]") {
  Histogram<kBounds> first, second;
  Distribution seen;
  first.add_to(seen);
  CHECK(seen.counts == std::vector<uint64_t>(4, 0));
  CHECK(seen.bounds.size() == 3);
  first.observe(uint64_t{5});
  second.observe(uint64_t{5});
  second.observe(uint64_t{500});
  first.add_to(seen);
  second.add_to(seen);
  CHECK(seen.counts == std::vector<uint64_t>{0, 2, 0, 1});
  CHECK(seen.sum == 510);
}

TEST_CASE("Histogram: time is counted in nanoseconds, and never runs backwards", "[base][metrics]") {
  TimeHistogram times;
  times.observe(std::chrono::microseconds(50));  // the first bound
  times.observe(std::chrono::nanoseconds(50'001));
  times.observe(std::chrono::seconds(11));
  times.observe(std::chrono::nanoseconds(-5));
  Distribution seen;
  times.add_to(seen);
  CHECK(seen.counts.front() == 2);
  CHECK(seen.counts[1] == 1);
  CHECK(seen.counts.back() == 1);
  CHECK(seen.sum == 11'000'100'001);
  CHECK(std::is_sorted(kTimeBounds.begin(), kTimeBounds.end()));
}

TEST_CASE("PerThread: what many threads count is neither lost nor counted twice", "[base][metrics]") {
  struct Figures {
    Counter events;
    Gauge open;
  };
  PerThread<Figures> figures;
  constexpr size_t kThreads = PerThread<Figures>::kThreads + 3;  // some share
  constexpr int kTimes = 10'000;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&figures] {
      for (int n = 0; n < kTimes; ++n) {
        figures.mine().events.add();
        figures.mine().open.add(n % 2 == 0 ? 1 : -1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t events = 0;
  int64_t open = 0;
  size_t used = 0;
  figures.each([&](const Figures& one) {
    events += one.events.value();
    open += one.open.value();
    used += one.events.value() > 0 ? 1 : 0;
  });
  CHECK(events == kThreads * kTimes);
  CHECK(open == 0);
  CHECK(used > 1);  // not all in one place
}
