#include "db/base/clock.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("A manual clock stands still until it is told otherwise, and may go back") {
  ManualClock clock(Timestamp(1000));
  CHECK(clock.now() == Timestamp(1000));
  CHECK(clock.now() == Timestamp(1000));
  clock.advance(Timestamp(250));
  CHECK(clock.now() == Timestamp(1250));
  clock.set(Timestamp(5));
  CHECK(clock.now() == Timestamp(5));
}

TEST_CASE("The system clock tells milliseconds since the Unix epoch") {
  const Timestamp now = SystemClock().now();
  CHECK(now > Timestamp(1'600'000'000'000));   // 2020; in seconds it would be far below
  CHECK(now < Timestamp(10'000'000'000'000));  // 2286; in microseconds far above
}
