#include "db/model/leaf.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "db/model/value.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;

namespace {

std::string integer_leaf(int64_t value) {
  std::string leaf;
  append_integer_leaf(value, leaf);
  return leaf;
}

std::string double_leaf(double value) {
  std::string leaf;
  append_double_leaf(value, leaf);
  return leaf;
}

std::string number_leaf(double value) {
  std::string leaf;
  append_number_leaf(value, leaf);
  return leaf;
}

}  // namespace

TEST_CASE("Leaf: every number comes back from its bytes", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const auto integer = static_cast<int64_t>(random() >> random() % 64);
    for (const int64_t number : {integer, -integer}) {
      const std::string leaf = integer_leaf(number);
      INFO(number);
      REQUIRE(tag_of_leaf(leaf) == LeafTag::Integer);
      REQUIRE(is_well_formed_leaf(leaf));
      REQUIRE(integer_of_leaf(leaf) == number);
    }
    const double number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    const std::string leaf = double_leaf(number);
    INFO(number);
    REQUIRE(leaf.size() == 9);
    REQUIRE(is_well_formed_leaf(leaf));
    REQUIRE(std::bit_cast<uint64_t>(double_of_leaf(leaf)) == std::bit_cast<uint64_t>(number));
  }
}

TEST_CASE("Leaf: a number that is integral and fits is an integer, else a double",
          "[db][model]") {  // db/model/data-model.md §2.3
  CHECK(number_leaf(2147483648.0) == integer_leaf(2147483648));
  CHECK(number_leaf(-0.0) == integer_leaf(0));
  CHECK(number_leaf(-9223372036854775808.0) == integer_leaf(INT64_MIN));
  CHECK(number_leaf(9223372036854775808.0) == double_leaf(9223372036854775808.0));
  CHECK(number_leaf(0.5) == double_leaf(0.5));
  CHECK(number_leaf(1e300) == double_leaf(1e300));
}

TEST_CASE("Leaf: what is appended stands behind what was there", "[db][model]") {
  std::string bytes = "I";
  append_integer_leaf(3, bytes);
  CHECK(bytes == "Ii\x06");
  CHECK(is_well_formed_leaf(bytes));
}
