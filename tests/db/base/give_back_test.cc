#include "db/base/give_back.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace hearth::db;

TEST_CASE("What is given back keeps no room", "[base]") {
  std::string text(1'000'000, 'x');
  give_back(text);
  CHECK(text.empty());
  CHECK(text.capacity() == std::string().capacity());
  std::vector<int> numbers(1'000);
  give_back(numbers);
  CHECK(numbers.capacity() == 0);
}
