#include "db/dump/json_rows.h"

#include <catch2/catch.hpp>

#include "tests/support/byte_source.h"
#include "tests/support/dump_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

struct Read {
  Value value;
  std::string error;
};

Read read(const std::string& text, size_t piece = 4096) {
  struct Collector final : DumpVisitor {
    ValueBuilder builder;
    uint64_t leaves = 0;
    Result<void> space(const DumpedSpace&) override { return {}; }
    Result<void> row(std::string_view key, std::string_view leaf) override {
      builder.add(key, leaf);
      return {};
    }
    Result<void> document(std::string_view, std::string_view) override { return {}; }
    Result<void> end(const DumpedRows& rows) override {
      leaves = rows.leaves;
      return {};
    }
  } collector;
  const TempFolder folder;
  const auto done = read_any(source_of(text, piece), folder.path(), collector);
  if (!done.ok()) return {{}, done.error().message};
  Value value = std::move(collector.builder).build();
  CHECK(collector.leaves == value.leaf_count());
  return {std::move(value), ""};
}

}  // namespace

TEST_CASE("JSON is understood as a PUT of it is") {
  const std::string cases[] = {
      "null",
      " 5 \n",
      "-0.0",
      "0.1",
      "1.0",
      "1e3",
      "123456789012345678901234567890",
      "9223372036854775807",
      "18446744073709551615",
      "5e-324",
      "1.7976931348623157e308",
      "2.2250738585072011e-308",
      "true",
      R"("")",
      R"("\u00e9\ud83d\ude00\n")",
      "{}",
      "[]",
      R"([1,null,{"a":2},[3,4]])",
      R"({"b":1,"a":2,"10":3,"9":4,"-1":5,"01":6})",
      R"({"a":null,"b":{},"c":[null],"d":{"e":{"f":null}}})",
      R"({".value":5,".priority":3})",
      R"({".priority":"p",".value":"x"})",
      R"({".value":null,".priority":3})",
      R"({".priority":1,"a":{".priority":2}})",
      R"({".priority":1,"a":{".priority":2,"b":{".priority":3,"c":1}}})",
      R"({"a":{"b":1,".priority":-0.0},"c":{".priority":null,"d":1}})",
      R"({"a":{".priority":9007199254740993,"b":1}})",
      "[[[[1]]]]",
      R"("cut \ud83d")",
      R"({"\udc00":"\ud83d\ud83d\ude00 \\ud83d \ud83dx\ud83d\n"})",
      "\xef\xbb\xbf{\"a\":1}",
      "1e-400",
      "9223372036854775808",
  };
  for (const std::string& text : cases) {
    INFO(text);
    const auto expected = parse_value(std::string(text), {});
    REQUIRE(expected.ok());
    for (const size_t piece : {size_t{1}, size_t{4096}}) {
      const Read got = read(text, piece);
      CHECK(got.error == "");
      CHECK(to_json(got.value, JsonStyle::Export) == to_json(expected.value(), JsonStyle::Export));
      CHECK(got.value == expected.value());
    }
  }
}

TEST_CASE("The export of any tree reads back as that tree") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 500; ++i) {
    const Value value = random.value(4);
    const std::string text = to_json(value, JsonStyle::Export);
    INFO(text);
    const Read got = read(text, 1 + random.below(20));
    REQUIRE(got.error == "");
    REQUIRE(got.value == value);
  }
}

TEST_CASE("JSON that is damaged or that no write could make is refused, and where is said") {
  const std::string deep = [] {
    std::string text = "1";
    for (size_t i = 0; i <= kDepthMax; ++i) text = R"({"k":)" + text + "}";
    return text;
  }();
  const struct {
    std::string text;
    std::string says;
  } cases[] = {
      {"", "this is neither a dump of Hearth nor JSON"},
      {"<html>", "this is neither a dump of Hearth nor JSON"},
      {std::string("{\0\"\0a\0", 6), "this is UTF-16, or no text; JSON is UTF-8"},
      {"\xff\xfe{", "this is UTF-16, or no text; JSON is UTF-8"},
      {R"({"a":"\ud83)", "the JSON is damaged or cut short at byte 11"},
      {R"({"a":"\ud83d\u12)", "the JSON is damaged or cut short at byte 16"},
      {std::string("\x28\xb5\x2f\xfd", 4), "this is neither a dump of Hearth nor JSON"},
      {R"({"a":1)", "the JSON is damaged or cut short at byte 6: incomplete JSON"},
      {R"({"a":1}})", "the JSON is damaged or cut short at byte 7: extra data"},
      {R"({"a":tru})", "the JSON is damaged or cut short at byte 5: syntax error"},
      {"{\"a\":\"\xff\"}", "the JSON is damaged or cut short at byte 6: syntax error"},
      {R"({"a":{"b":1,"c":2,"b":3}})", "this JSON cannot be stored: a key stands twice at /a/b"},
      {R"({"a":{"b":1},"a":{"c":2}})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":1,"a":{}})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":{},"a":1})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":[],"a":{".value":1}})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":{".value":1,".priority":2},"a":{}})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":{"b":1},"a":null})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":null,"a":1})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":1,"a":{"c":2}})", "this JSON cannot be stored: a key stands twice at /a"},
      {R"({"a":{".value":1,"b":2}})", "the rows are no tree: something below a leaf at /a/b"},
      {R"({"a":{".value":{"b":2}}})", "this JSON cannot be stored: an object or array as .value or .priority at /a"},
      {R"({"a":{".priority":[1],"b":2}})",
       "this JSON cannot be stored: an object or array as .value or .priority at /a"},
      {R"({"a":{".priority":true,"b":2}})", "this JSON cannot be stored: a priority that is no string or number at /a"},
      {R"({"a":{".sv":"timestamp"}})",
       "this JSON cannot be stored: a server value, which a write would replace, at /a"},
      {R"({"a":{"b.c":1}})",
       R"(this JSON cannot be stored: the key "b.c", which is empty or has one of . $ # [ ] / or a control character, at /a)"},
      {R"({"a":1e999})", "this JSON cannot be stored: a number out of range at /a"},
      {R"({")" + std::string(kKeyBytesMax + 1, 'k') + R"(":1})",
       "this JSON cannot be stored: a key of more than 768 bytes at /"},
      {R"({"a":")" + std::string(kStringBytesMax + 1, 'x') + R"("})",
       "this JSON cannot be stored: a string of more than 10485760 bytes at /a"},
      {deep, "the rows are no tree: more than 32 keys in a path at /k/k/k"},
      {std::string(500, '['), "the JSON is damaged or cut short at byte 40: too deep"},
  };
  for (const auto& one : cases) {
    INFO(one.text.substr(0, 80));
    for (const size_t piece : {size_t{1}, size_t{1} << 20}) {
      if (piece == 1 && one.text.size() > 100'000) continue;
      const std::string error = read(one.text, piece).error;
      INFO(error);
      CHECK(error.starts_with(one.says));
    }
  }
  CHECK(read(R"({"a":")" + std::string(kStringBytesMax, 'x') + R"("})").error == "");
  CHECK(read(R"({")" + std::string(kPathBytesMax, 'k') + R"(":1})").error == "");
}
