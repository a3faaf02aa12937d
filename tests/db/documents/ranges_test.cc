#include "db/documents/ranges.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

using namespace hearth::db::documents;

namespace {

std::vector<Range> runs_of(const std::set<uint64_t>& clocks) {
  std::vector<Range> runs;
  for (const uint64_t clock : clocks) {
    if (!runs.empty() && runs.back().end == clock) {
      ++runs.back().end;
    } else {
      runs.push_back({clock, clock + 1});
    }
  }
  return runs;
}

}  // namespace

TEST_CASE("Ranges: what touches or overlaps becomes one", "[db][documents]") {
  Ranges ranges;
  ranges.add({5, 7});
  ranges.add({1, 2});
  ranges.add({9, 9});  // empty
  CHECK(ranges.all() == std::vector<Range>{{1, 2}, {5, 7}});
  ranges.add({2, 5});
  CHECK(ranges.all() == std::vector<Range>{{1, 7}});
  CHECK(ranges.has({3, 7}));
  CHECK(ranges.has({8, 8}));
  CHECK_FALSE(ranges.has({0, 2}));
  CHECK_FALSE(ranges.has({6, 8}));
  CHECK(ranges.missing({0, 9}) == std::vector<Range>{{0, 1}, {7, 9}});
  CHECK(ranges.missing({2, 4}).empty());
}

TEST_CASE("Ranges: one by one or many at once, they are the same clocks as a set of them", "[db][documents]") {
  std::mt19937 random(7);  // NOLINT: the same each time
  for (int round = 0; round < 300; ++round) {
    std::set<uint64_t> clocks;
    Ranges single;
    Ranges batch;
    for (int step = 0; step < 5; ++step) {
      std::vector<Range> more;
      for (size_t count = random() % 12; count > 0; --count) {
        const uint64_t start = random() % 60;
        more.push_back({start, start + random() % 6});
      }
      for (const Range& range : more) {
        single.add(range);
        for (uint64_t clock = range.start; clock < range.end; ++clock) clocks.insert(clock);
      }
      batch.add(more);
      REQUIRE(single.all() == runs_of(clocks));
      REQUIRE(batch == single);
    }
    const uint64_t start = random() % 60;
    const Range asked{start, start + random() % 20};
    std::set<uint64_t> rest;
    for (uint64_t clock = asked.start; clock < asked.end; ++clock) {
      if (!clocks.contains(clock)) rest.insert(clock);
    }
    CHECK(single.missing(asked) == runs_of(rest));
    CHECK(single.has(asked) == rest.empty());
  }
}
