#include "db/dump/json_text.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::string text_of(const Value& value) {
  JsonText text;
  std::string to;
  for (size_t i = 0; i < value.row_count(); ++i) text.row(value.row(i).key, value.row(i).leaf, to);
  text.finish(to);
  return to;
}

}  // namespace

TEST_CASE("Rows become the text that a read with format=export gives") {
  const std::string cases[] = {
      "null",
      "5",
      R"("a")",
      R"({".value":5,".priority":"p"})",
      R"({".priority":1,"a":true})",
      R"({"a":{"b":{"c":1}},"d":2})",
      R"({"0":1,"1":{".value":"x",".priority":2},"10":{".priority":"q","k":false}})",
      R"({"é😀\"":"\n"})",
  };
  for (const std::string& one : cases) {
    INFO(one);
    CHECK(text_of(parse_value(std::string(one), {}).value()) == one + "\n");
  }
}

TEST_CASE("Rows of any tree become the text that the server's own writer makes of it") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 3000; ++i) {
    const Value value = random.value(4);
    REQUIRE(text_of(value) == to_json(value, JsonStyle::Export) + "\n");
  }
}
