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

TEST_CASE("After a small step back of the clock the time stands still, and a large one is followed") {
  const Timestamp last(100'000);
  for (const auto& [wall, given] : {std::pair{100'001, 100'001},
                                    {100'000, 100'000},
                                    {99'999, 100'000},
                                    {90'000, 100'000},
                                    {89'999, 89'999},
                                    {0, 0}}) {
    INFO(wall);
    CHECK(time_after(last, Timestamp(wall)) == Timestamp(given));
    CHECK(Times::after(last, Timestamp(wall)).server == Timestamp(given));
    CHECK(Times::after(last, Timestamp(wall)).wall == Timestamp(wall));
  }
}

TEST_CASE("The steady clock does not go back") {
  const SteadyClock clock;
  const Timestamp before = clock.now();
  CHECK(clock.now() >= before);
}

TEST_CASE("The system clock tells milliseconds since the Unix epoch") {
  const Timestamp now = SystemClock().now();
  CHECK(now > Timestamp(1'600'000'000'000));   // 2020; in seconds it would be far below
  CHECK(now < Timestamp(10'000'000'000'000));  // 2286; in microseconds far above
}
