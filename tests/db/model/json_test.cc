// JSON text out: plain, export and pretty, at once and in pieces; and what a document promises while it lives. What
// comes in is json_parse_test.cc.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"
#include "tests/support/vectors.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

Value json(std::string text) {
  auto parsed = parse_value(std::move(text), Path());
  INFO((parsed.ok() ? "" : parsed.error().message));
  REQUIRE(parsed.ok());
  return parsed.value();
}

std::string plain(const std::string &text) { return to_json(json(text), JsonStyle::Plain); }
std::string exported(const std::string &text) { return to_json(json(text), JsonStyle::Export); }

std::string number(double value) {
  std::string text;
  append_json_number(value, text);
  return text;
}

// Any key in any case of any depth, with more arrays than RandomTree makes.
Value with_arrays(RandomTree &random, size_t depth_max) {
  if (depth_max == 0 || random.chance(0.3)) return random.chance(0.2) ? Value() : random.leaf();
  std::vector<std::pair<std::string, Value>> children;
  const bool indexes = random.chance(0.7);
  for (size_t count = 1 + random.below(6), index = 0; count > 0; --count) {
    index += 1 + random.below(3) / 2;
    children.emplace_back(indexes ? std::to_string(index - 1) : random.key(), with_arrays(random, depth_max - 1));
  }
  const Value value = Value::object(children);
  return random.chance(0.2) ? value.with_priority(random.priority()) : value;
}

// net/rest/http-api.md §5.6 by the letter, from the children's keys as texts.
std::string plainly(const Value &value) {
  if (value.is_null() || value.is_leaf()) return to_json(value.without_priority(), JsonStyle::Export);
  std::vector<std::pair<std::string, std::string>> children;
  bool indexes = true;
  size_t last = 0;
  for (auto child = value.children(); !child.done(); child.next()) {
    const std::string key = child.key();
    children.emplace_back(key, plainly(child.value()));
    const bool index = key.find_first_not_of("0123456789") == std::string::npos && (key == "0" || key[0] != '0');
    indexes = indexes && index;
    if (index) last = std::max<size_t>(last, std::stoul(key));
  }
  std::string text;
  if (indexes && last < 2 * children.size()) {
    size_t at = 0;
    for (size_t i = 0; i <= last; ++i) {
      const bool hole = children[at].first != std::to_string(i);
      text.append(i > 0 ? "," : "").append(hole ? "null" : children[at++].second);
    }
    return "[" + text + "]";
  }
  for (const auto &[key, child] : children) {
    text += text.empty() ? "" : ",";
    append_json_string(key, text);
    text.append(":").append(child);
  }
  return "{" + text + "}";
}

}  // namespace

TEST_CASE("JsonWriter: plain and export forms are those of the SDK's vectors",
          "[db][model]") {  // net/wire/protocol.md §11.1
  const auto document = hearth::test::vectors();
  const auto cases = document.root().field("val_coercion")->elements();
  REQUIRE(cases.size() == 10);
  for (const JsonNode &at : cases) {
    const Value stored = at.field("stored")->to_value(Path()).value();
    INFO(at.field("stored")->to_text());
    const std::string told = to_json(stored, JsonStyle::Plain);
    const std::string val = at.field("val")->to_text();  // JavaScript has an order of its own for "00" and "1"
    INFO(told);
    CHECK((told == val || (told[0] == '{' && val[0] == '{' && json(told) == json(val))));
    CHECK(stored == at.field("export")->to_value(Path()).value());
    CHECK(to_json(stored, JsonStyle::Export) == exported(at.field("export")->to_text()));
  }
  for (const JsonNode &at : document.root().field("simple_hash")->elements()) {
    INFO(at.field("json")->to_text());
    CHECK(at.field("json")->to_value(Path()).value() == at.field("export")->to_value(Path()).value());
  }
}

TEST_CASE("JsonWriter: an object with dense indexes for keys is told as an array",
          "[db][model]") {  // net/rest/http-api.md §5.6
  struct Case {
    const char *stored, *told;
  };
  const Case cases[] = {
      {R"(["a","b","c"])", R"(["a","b","c"])"},
      {R"({"1":"a","2":"b","3":"c"})", R"([null,"a","b","c"])"},
      {R"({"1":"b"})", R"([null,"b"])"},
      {R"({"2":"c"})", R"({"2":"c"})"},
      {R"({"0":"a","3":"d"})", R"(["a",null,null,"d"])"},
      {R"({"0":"a","4":"e"})", R"({"0":"a","4":"e"})"},
      {R"({"0":1,"1":2,"x":3})", R"({"0":1,"1":2,"x":3})"},
      {R"({"00":1,"1":2})", R"({"00":1,"1":2})"},
      {R"({"0":1,"01":2})", R"({"0":1,"01":2})"},
      {R"({"-1":1,"0":2})", R"({"-1":1,"0":2})"},
      {R"({"-0":1,"1":2})", R"({"-0":1,"1":2})"},
      {R"({"2147483647":1})", R"({"2147483647":1})"},
      {R"({"0":1,"4294967296":2})", R"({"0":1,"4294967296":2})"},
      {R"({"a":[1,{"b":[2]},[[3]]]})", R"({"a":[1,{"b":[2]},[[3]]]})"},
      {R"([[],[1]])", R"([null,[1]])"},
      {R"({"0":{"x":1,"y":2},"1":{"z":3}})", R"([{"x":1,"y":2},{"z":3}])"},
      {R"({"0":{".value":"a",".priority":1},"1":"b",".priority":9})", R"(["a","b"])"},
      {R"({"0":{".priority":1,"0":{".priority":2,"1":{".value":3,".priority":4}}}})", "[[[null,3]]]"},
  };
  for (const Case &at : cases) {
    INFO(at.stored);
    CHECK(plain(at.stored) == at.told);
  }
}

TEST_CASE("JsonWriter: export form tells priorities and never arrays",
          "[db][model]") {  // net/rest/http-api.md §5.7
  struct Case {
    const char *stored, *told;
  };
  const Case cases[] = {
      {"null", "null"},
      {"1", "1"},
      {"[1,2]", R"({"0":1,"1":2})"},
      {R"({"users":{"tom":{".priority":7,".value":5},".priority":"hi"}})",
       R"({"users":{".priority":"hi","tom":{".value":5,".priority":7}}})"},
      {R"({".priority":0.5,"a":{".priority":1,"b":{".priority":2,"c":{".value":3,".priority":4}}}})",
       R"({".priority":0.5,"a":{".priority":1,"b":{".priority":2,"c":{".value":3,".priority":4}}}})"},
      {R"({".value":"x",".priority":"\""})", R"({".value":"x",".priority":"\""})"},
      {R"({"a":{".value":1,".priority":2},"b":3})", R"({"a":{".value":1,".priority":2},"b":3})"},
  };
  for (const Case &at : cases) {
    INFO(at.stored);
    CHECK(exported(at.stored) == at.told);
    CHECK(exported(at.told) == at.told);
  }
  CHECK(plain(R"({".priority":1,"a":{".priority":1,"b":{".value":2,".priority":3}}})") == R"({"a":{"b":2}})");
  CHECK(plain(R"({".value":1,".priority":2})") == "1");
}

TEST_CASE("JsonWriter: pretty print is Jackson's",
          "[db][model]") {  // net/rest/http-api.md §5.2
  struct Case {
    const char *stored, *told;
  };
  const Case cases[] = {
      {"null", "null"},
      {R"("x")", R"("x")"},
      {R"({"by":"dhouston","kids":[8952,9224],"time":1175714200})",
       "{\n  \"by\" : \"dhouston\",\n  \"kids\" : [ 8952, 9224 ],\n  \"time\" "
       ": 1175714200\n}"},
      {R"([null,1,null,[2]])", "[ null, 1, null, [ 2 ] ]"},
      {R"([{"a":1},{"b":{"c":2}}])", "[ {\n  \"a\" : 1\n}, {\n  \"b\" : {\n    \"c\" : 2\n  }\n} ]"},
      {R"({"x":[{"a":1}]})", "{\n  \"x\" : [ {\n    \"a\" : 1\n  } ]\n}"},
      {R"({".priority":1,"a":{".value":2,".priority":3}})", "{\n  \"a\" : 2\n}"},
  };
  for (const Case &at : cases) {
    INFO(at.stored);
    CHECK(to_pretty_json(json(at.stored), JsonStyle::Plain) == at.told);
  }
  CHECK(to_pretty_json(json(R"({".priority":1,"a":{".value":2,".priority":"p"},"b":[3]})"), JsonStyle::Export) ==
        "{\n  \".priority\" : 1,\n  \"a\" : {\n    \".value\" : 2,\n    "
        "\".priority\" : \"p\"\n  },\n"
        "  \"b\" : {\n    \"0\" : 3\n  }\n}");
}

TEST_CASE("JsonWriter: numbers are told as JavaScript tells them, but that digits alone are an int64, and exact",
          "[db][model]") {  // db/store/machine-facts.md §6
  struct Case {
    double number;
    const char *text;
  };
  for (const Case &at : {Case{0, "0"},
                         {-0.0, "0"},
                         {1, "1"},
                         {-1.5, "-1.5"},
                         {0.1, "0.1"},
                         {0.1 + 0.2, "0.30000000000000004"},
                         {123.456, "123.456"},
                         {100, "100"},
                         {0.000001, "0.000001"},
                         {0.0000015, "0.0000015"},
                         {1e-7, "1e-7"},
                         {1.5e-7, "1.5e-7"},
                         {-1.25e-10, "-1.25e-10"},
                         {1e20, "1e+20"},
                         {123456789012345680000.0, "1.2345678901234568e+20"},
                         {1e21, "1e+21"},
                         {1.5e21, "1.5e+21"},
                         {1.2345678901234568e+29, "1.2345678901234568e+29"},
                         {9223372036854775808.0, "9.223372036854776e+18"},
                         {9223372036854774784.0, "9223372036854774784"},
                         {-9223372036854775808.0, "-9223372036854775808"},
                         {-9223372036854777856.0, "-9.223372036854778e+18"},
                         {1152921504606846976.0, "1152921504606846976"},
                         {5e-324, "5e-324"},
                         {1.7976931348623157e308, "1.7976931348623157e+308"},
                         {4.35, "4.35"},
                         {0.5, "0.5"}}) {
    CHECK(number(at.number) == at.text);
  }
}

TEST_CASE("JsonWriter: every double and every integer comes back from its text", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const double real = std::bit_cast<double>(random());
    const Value value = std::isfinite(real) && i % 2 == 0 ? Value::real(real)
                                                          : Value::integer(static_cast<int64_t>(random() >> i % 64));
    const auto back = parse_value(to_json(value, JsonStyle::Plain), Path());
    INFO(to_json(value, JsonStyle::Plain));
    REQUIRE(back.ok());
    REQUIRE(back.value() == value);
    // No text with fewer digits is that number.
    const std::string text = to_json(value, JsonStyle::Plain);
    if (text.find('e') == std::string::npos) continue;  // maybe padded with zeros
    const std::string significand = text.substr(0, text.find('e'));
    const auto digits =
        std::count_if(significand.begin(), significand.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (digits < 2) continue;
    char shorter[40];
    std::snprintf(shorter, sizeof shorter, "%.*e", static_cast<int>(digits) - 2, value.as_double());
    INFO(shorter);
    REQUIRE(std::strtod(shorter, nullptr) != value.as_double());
  }
}

TEST_CASE("JsonWriter: strings escape what JSON must and nothing else",
          "[db][model]") {  // net/rest/http-api.md §5.5
  std::string text;
  append_json_string(std::string_view("\"\\\0\x01\x1f\b\f\n\r\t/\x7f é😀", 19), text);
  CHECK(text == "\"\\\"\\\\\\u0000\\u0001\\u001f\\b\\f\\n\\r\\t/\x7f é😀\"");
  CHECK(plain(R"({"q\"\\":"v"})") == R"({"q\"\\":"v"})");
}

TEST_CASE("JsonWriter: a byte is escaped wherever it stands, in strings and in keys", "[db][model]") {
  const auto escaped = [](std::string_view text) {
    std::string all;
    for (const char c : text) {
      const std::string_view names = "\b\t\n\f\r\"\\";
      const size_t name = names.find(c);
      if (name != std::string_view::npos) {
        all.append(1, '\\').append(1, "btnfr\"\\"[name]);
      } else if (static_cast<unsigned char>(c) < 0x20) {
        char code[8];
        std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
        all += code;
      } else {
        all += c;
      }
    }
    return all;
  };
  for (size_t length = 1; length <= 19; ++length) {
    for (size_t at = 0; at < length; ++at) {
      for (int byte = 0; byte < 128; ++byte) {
        std::string text(length, 'x');
        text[at] = static_cast<char>(byte);
        if (byte % 3 == 0) text.insert(length / 2, "é\uF000😀");  // two that have other bytes in segments, too
        std::string told;
        append_json_string(text, told);
        if (told != '"' + escaped(text) + '"') FAIL_CHECK(told << " is not " << escaped(text));
        if (!check_key(text).ok()) continue;
        told = to_json(Value::object({{text, Value::boolean(true)}}), JsonStyle::Plain);
        if (!integer_key(text) && told != "{\"" + escaped(text) + "\":true}") FAIL_CHECK(told);
      }
    }
  }
}

TEST_CASE("JsonWriter: unresolved server values are told as they were asked for", "[db][model]") {
  for (const std::string text : {R"({".sv":"timestamp"})", R"({".sv":{"increment":-2.5}})",
                                 R"({"a":{".value":{".sv":{"increment":1}},".priority":{".sv":"timestamp"}}})"}) {
    CHECK(exported(text) == text);
  }
}

TEST_CASE("JsonWriter: text of a value parses to that value", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 1'000; ++i) {
    const Value value = i % 2 == 0 ? random.value(4) : with_arrays(random, 4);
    const std::string text = to_json(value, JsonStyle::Export);
    INFO(text);
    REQUIRE(json(text) == value);
    REQUIRE(json(to_pretty_json(value, JsonStyle::Export)) == value);
    // A slice writes as the same value made alone.
    const Value outer = Value::object({{"1", value}, {"0", Value::boolean(true)}, {"é", value}});
    REQUIRE(to_json(outer.child("é"), JsonStyle::Export) == text);
  }
}

TEST_CASE("JsonWriter: plain text follows the array rule at every level", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  size_t arrays = 0;
  for (int i = 0; i < 1'000; ++i) {
    const Value value = with_arrays(random, 4);
    const std::string text = to_json(value, JsonStyle::Plain);
    INFO(to_json(value, JsonStyle::Export));
    REQUIRE(text == plainly(value));
    // Pretty text says the same.
    REQUIRE(JsonDocument::parse(to_pretty_json(value, JsonStyle::Plain)).value().root().to_text() ==
            JsonDocument::parse(std::string_view(text)).value().root().to_text());
    arrays += text.find('[') != std::string::npos;
  }
  CHECK(arrays > 200);
}

TEST_CASE("JsonWriter: pieces of any size make the same text", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 100; ++i) {
    const Value value = with_arrays(random, 5);
    for (const JsonStyle style : {JsonStyle::Plain, JsonStyle::Export}) {
      const std::string whole = to_json(value, style);
      for (const size_t bytes : {1, 7, 100, 100'000}) {
        JsonWriter writer(value, style);
        std::string joined, chunk;
        while (writer.next(chunk, bytes)) {
          // One row at most goes beyond: its leaf, its names, and the brackets
          // around it.
          REQUIRE(chunk.size() < bytes + 200);
          joined += chunk;
          chunk.clear();
        }
        REQUIRE(chunk.empty());
        REQUIRE(joined == whole);
        REQUIRE_FALSE(writer.next(chunk, bytes));
      }
    }
  }
}

TEST_CASE("JsonWriter: a piece is appended to what is there", "[db][model]") {
  std::string text = "data: ";
  append_json(json(R"({"a":[1,2]})"), JsonStyle::Plain, text);
  CHECK(text == R"(data: {"a":[1,2]})");
}

TEST_CASE("Json: a huge integer spoils neither its neighbours nor strings that look like one", "[db][model]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"a":123456789012345678901234567890,"b":9223372036854775807,"c":"123456789012345678901234567890"})",
       R"({"a":1.2345678901234568e+29,"b":9223372036854775807,"c":"123456789012345678901234567890"})"},
      {R"(["\ud800",9223372036854775807,-9223372036854775808])",
       R"({"0":"�","1":9223372036854775807,"2":-9223372036854775808})"},
      {R"([1234567890123456789012345.5,12345678901234567890123e2,123456789012345678901234567890])",
       R"({"0":1.2345678901234568e+24,"1":1.2345678901234568e+24,"2":1.2345678901234568e+29})"},
      {R"(["\"123456789012345678901234567890",123456789012345678901234567890])",
       R"({"0":"\"123456789012345678901234567890","1":1.2345678901234568e+29})"},
  };
  for (const auto &[text, told] : cases) {
    INFO(text);
    CHECK(exported(text) == told);
  }
}

TEST_CASE("Json: many equal locations are one, found fast", "[db][model]") {
  std::string text = "{";
  for (int i = 0; i < 20'000; ++i) text += "\"k" + std::to_string(i % 5'000) + "\":" + std::to_string(i) + ",";
  text += "\"last\":1}";
  const auto got = JsonDocument::parse(text).value().root().to_entries(Path());
  REQUIRE(got.ok());
  CHECK(got.value().size() == 5'001);
  CHECK(got.value().front().value == Value::integer(15'000));
}

TEST_CASE(
    "Json: a document may move while its nodes are held, and texts of "
    "any length have their padding",
    "[db][model]") {
  for (size_t length = 0; length < 200; ++length) {
    std::string text = '"' + std::string(length, 'x') + '"';
    text.shrink_to_fit();
    auto document = JsonDocument::parse(std::move(text)).value();
    const JsonNode root = document.root();
    const JsonDocument moved = std::move(document);
    REQUIRE(root.string()->size() == length);
    REQUIRE(moved.root().string()->size() == length);
  }
}
