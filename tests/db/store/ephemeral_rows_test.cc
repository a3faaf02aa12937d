// Rows in memory, compared with a map; and copies that stay as they are.
#include "db/store/ephemeral_rows.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "tests/support/random_tree.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

using Expected = std::map<std::string, std::pair<std::string, uint64_t>, std::less<>>;

void check_same(const EphemeralRows& rows, const Expected& expected, std::string_view from, std::string_view upto) {
  auto at = expected.lower_bound(from);
  const auto end = from < upto ? expected.lower_bound(upto) : at;
  const EphemeralRows::Row* last = rows.last(from, upto);
  REQUIRE((last != nullptr) == (at != end));
  if (last != nullptr) REQUIRE(last->key == std::prev(end)->first);
  REQUIRE(rows.any(from, upto) == (at != end));
  EphemeralRows::Cursor cursor(rows, from, upto);
  for (; at != end; ++at, cursor.next()) {
    REQUIRE(cursor.row() != nullptr);
    REQUIRE(cursor.row()->key == at->first);
    REQUIRE(cursor.row()->leaf == at->second.first);
    REQUIRE(cursor.row()->holder == at->second.second);
  }
  REQUIRE(cursor.row() == nullptr);
}

}  // namespace

TEST_CASE("EphemeralRows: puts and erasures leave what a map has, and copies as they were", "[db][store][ephemeral]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  EphemeralRows rows;
  Expected expected;
  std::vector<std::pair<EphemeralRows, Expected>> copies;
  const auto key = [&] {
    std::string text;
    for (size_t count = 1 + random.below(3); count > 0; --count) text += static_cast<char>('a' + random.below(6));
    return text;
  };
  for (int step = 0; step < 4'000; ++step) {
    const std::string one = key(), other = key();
    switch (random.below(8)) {
      case 0:
        rows.erase(one);
        expected.erase(one);
        break;
      case 1:
        if (random.chance(0.8)) break;  // a range: now and then
        rows.erase(one, other);
        if (one < other) expected.erase(expected.lower_bound(one), expected.lower_bound(other));
        break;
      case 2:
        check_same(rows, expected, one, other);
        break;
      default:
        rows.put(one, other, static_cast<uint64_t>(step));
        expected[one] = {other, static_cast<uint64_t>(step)};
    }
    if (step % 400 == 0) copies.emplace_back(rows, expected);
  }
  copies.emplace_back(rows, expected);
  for (const auto& [copy, as_it_was] : copies) {
    check_same(copy, as_it_was, "", "\xff");
    CHECK(copy.row_count() == as_it_was.size());
    size_t bytes = 0;
    for (const auto& [name, value] : as_it_was) bytes += kEphemeralRowBytes + name.size() + value.first.size();
    CHECK(copy.byte_count() == bytes);
    for (const auto& [name, value] : as_it_was) REQUIRE(copy.find(name)->leaf == value.first);
    CHECK(copy.find("A") == nullptr);
  }
}

TEST_CASE("EphemeralRows: a cursor skips ahead, and never back", "[db][store][ephemeral]") {
  EphemeralRows rows;
  CHECK(rows.empty());
  for (const char* key : {"a", "b", "c", "d"}) rows.put(key, "1", 1);
  EphemeralRows::Cursor cursor(rows, "a", "d");
  cursor.skip_to("c");
  CHECK(cursor.row()->key == "c");
  cursor.skip_to("a");
  CHECK(cursor.row()->key == "c");
  cursor.next();
  CHECK(cursor.row() == nullptr);  // d is outside
  rows.erase("", "\xff");
  CHECK(rows.empty());
}
