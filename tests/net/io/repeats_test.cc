#include "net/io/repeats.h"

#include <catch2/catch.hpp>

using namespace hearth::net::http;
using namespace std::chrono_literals;

TEST_CASE("Repeats: once in the interval for each key, and then with how many were not told", "[http]") {
  Repeats repeats(1s);
  const Repeats::Time start{};
  CHECK(repeats.tell("a", start) == 0u);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(repeats.tell("a", start + 999ms));
  CHECK(repeats.tell("b", start + 999ms) == 0u);
  CHECK(repeats.tell("a", start + 1s) == 5u);
  CHECK(repeats.tell("a", start + 2s) == 0u);
  CHECK_FALSE(repeats.tell("a", start + 2s));
  repeats.forget();
  CHECK(repeats.tell("a", start + 2s) == 0u);
}

TEST_CASE("Repeats: any number of keys costs a bounded number, and what is past it shares one", "[http]") {
  Repeats repeats(1s);
  const Repeats::Time start{};
  for (size_t i = 0; i < kRepeatKeysMax; ++i) CHECK(repeats.tell("key" + std::to_string(i), start) == 0u);
  CHECK(repeats.tell("one more", start) == 0u);
  CHECK_FALSE(repeats.tell("and another", start));
  // Keys of the past make room.
  CHECK(repeats.tell("and another", start + 1s) == 0u);
  CHECK(repeats.tell("and a third", start + 1s) == 0u);
}
