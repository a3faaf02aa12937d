#include "db/model/number_text.h"

#include <catch2/catch.hpp>
#include <cstdint>

using namespace hearth::db;

TEST_CASE("Number text: JavaScript's own", "[db][model]") {  // ECMA-262, Number::toString
  const std::pair<double, const char*> cases[] = {
      {0, "0"},
      {-0.0, "0"},
      {1.5, "1.5"},
      {1e20, "100000000000000000000"},
      {1e21, "1e+21"},
      {1e-6, "0.000001"},
      {1.5e-7, "1.5e-7"},
      {-1e300, "-1e+300"},
      {9223372036854775808.0, "9223372036854776000"},
  };
  for (const auto& [number, text] : cases) {
    std::string told;
    append_javascript_number(number, told);
    CHECK(told == text);
  }
}

TEST_CASE("Number text: integers at the ends of their range", "[db][model]") {
  std::string told;
  append_integer(INT64_MIN, told);
  append_integer(INT64_MAX, told);
  CHECK(told == "-92233720368547758089223372036854775807");
}

TEST_CASE("Number text: which integers no double is", "[db][model]") {
  constexpr int64_t kTwo53 = int64_t{1} << 53;
  for (const int64_t value : {int64_t{0}, int64_t{-7}, kTwo53, kTwo53 + 2, -kTwo53, INT64_MIN})
    CHECK_FALSE(is_inexact(value));
  for (const int64_t value : {kTwo53 + 1, -kTwo53 - 1, INT64_MAX, INT64_MAX - 2, INT64_MIN + 1})
    CHECK(is_inexact(value));
}
