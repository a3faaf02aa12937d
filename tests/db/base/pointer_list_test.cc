#include "db/base/pointer_list.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <utility>
#include <vector>

using hearth::db::PointerList;

TEST_CASE("PointerList: holds what a vector of pointers holds, and moves", "[db][base]") {
  std::vector<int> numbers(20);
  PointerList<int> list;
  std::vector<int*> vector;
  const auto same = [&] {
    return list.copy() == vector && std::equal(list.begin(), list.end(), vector.begin()) &&
           list.size() == vector.size();
  };
  for (int round = 0; round < 3; ++round) {
    CHECK(list.empty());
    for (int& number : numbers) {
      list.push_back(&number);
      vector.push_back(&number);
      REQUIRE(same());
      CHECK(list.back() == &number);
    }
    list[3] = list.back();
    vector[3] = vector.back();
    PointerList<int> moved(std::move(list));
    CHECK(list.empty());  // NOLINT(bugprone-use-after-move): it is empty
    list = std::move(moved);
    REQUIRE(same());
    while (!vector.empty()) {
      list.pop_back();
      vector.pop_back();
      REQUIRE(same());
    }
  }
  list.push_back(numbers.data());
  list.push_back(&numbers[1]);
  list.clear();
  CHECK(list.empty());
  static_assert(sizeof(PointerList<int>) == 16);
}
