#include "db/model/number_text.h"

#include <catch2/catch.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>

#include "tests/support/random_tree.h"

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

TEST_CASE("Number text: a fraction has the shortest digits that read back as it, however they are found",
          "[db][model]") {
  hearth::test::RandomTree random(20261201);
  const auto check = [](double number) {
    // What has an exponent is in the table above; above 2^53 the reference has more digits than it needs.
    if (!(std::abs(number) >= 1e-6 && std::abs(number) < 9e15)) return;
    char expected[64];
    const auto done = std::to_chars(expected, expected + sizeof expected, number, std::chars_format::fixed);
    std::string told;
    append_javascript_number(number, told);
    if (told != std::string_view(expected, static_cast<size_t>(done.ptr - expected))) {
      FAIL_CHECK(told << " is not " << std::string_view(expected, static_cast<size_t>(done.ptr - expected)));
    }
  };
  for (int i = 0; i < 200'000; ++i) {
    // So many digits, so many of them decimals; and the doubles beside it, which have many.
    const double power = std::pow(10, static_cast<double>(random.below(9)));
    const double most = std::pow(10, static_cast<double>(random.below(18)));
    const double number = std::floor(static_cast<double>(random.below(1'000'000'007)) / 1'000'000'007 * most) / power;
    for (const double one : {number, -number, std::nextafter(number, 0), std::nextafter(number, 1e300)}) check(one);
  }
  for (const double one : {0.1, 0.3, 0.1 + 0.2, 2.5, 1e15 / 10, 999999999999999.9, 99999999999999.9, 4503599627370496.5,
                           0.000001, 0.0000015, 0.999999, 1e-6 * 7, 5.0, 50.0, 1e14}) {
    check(one);
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
