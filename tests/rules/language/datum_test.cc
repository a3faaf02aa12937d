#include "rules/language/datum.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace hearth::rules;

TEST_CASE("Datum: numbers as JavaScript writes them, characters one by one", "[rules]") {
  const auto text = [](double value) {
    std::string to;
    append_number(value, to);
    return to;
  };
  CHECK(text(1) == "1");
  CHECK(text(2.5) == "2.5");
  CHECK(text(1e21) == "1e+21");
  CHECK(text(std::nan("")) == "NaN");
  CHECK(text(-INFINITY) == "-Infinity");
  size_t at = 0;
  const std::string all = "aé￿😀";
  CHECK(take_point(all, at) == 'a');
  CHECK(take_point(all, at) == 0xe9);
  CHECK(take_point(all, at) == 0xffff);
  CHECK(take_point(all, at) == 0x1f600);
  CHECK(at == all.size());
}

TEST_CASE("Scratch: strings stay where they are until it is cleared", "[rules]") {
  Scratch scratch;
  std::string& first = scratch.next();
  first = "one";
  for (int i = 0; i < 1'000; ++i) scratch.next() = std::string(100, 'x');
  CHECK(first == "one");
  scratch.clear();
  CHECK(scratch.next().empty());
}
