#include "db/model/hash.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"
#include "db/model/json.h"
#include "tests/support/vectors.h"

using namespace hearth::db;

namespace {

Value json(std::string text) {
  auto parsed = parse_value(std::move(text), Path());
  REQUIRE(parsed.ok());
  return parsed.value();
}

}  // namespace

TEST_CASE("Hash: is that of the SDK's vectors",
          "[db][model]") {  // net/wire/protocol.md §7.2
  const auto document = hearth::test::vectors();
  const auto cases = document.root().field("simple_hash")->elements();
  REQUIRE(cases.size() == 31);
  for (const JsonNode &at : cases) {
    INFO(at.field("json")->to_text());
    const Value value = at.field("json")->to_value(Path()).value();
    const std::string_view hash = *at.field("hash")->string();
    CHECK(node_hash(value) == hash);
    CHECK(node_hash(value, NumberHex::JavaScript) == hash);  // none of these meets the quirk
    CHECK(node_hash(at.field("export")->to_value(Path()).value()) == hash);
    CHECK(hash_matches(value, hash));
    CHECK_FALSE(hash_matches(value, "another"));
  }
}

TEST_CASE("Hash: is that of db/model/data-model.md §9", "[db][model]") {
  struct Case {
    const char *json, *hash;
  };
  const Case cases[] = {
      {"4", "eVih19a6ZDz3NL32uVBtg9KSgQY="},
      {"10", "+r5aI9HvKKagELki8SYKBk0q7D4="},
      {"4.5623", "vf1CL0tIRwXXunHcG/irRECk3lY="},
      {R"("hey guys")", "CUNLXWpCVoJE6z7z1vE57lGaKAU="},
      {R"({"a":1,"b":2})", "AUZnXhNqrfbznYVxcCvNpzpjvTU="},
      {R"(["x","y"])", "KtuknfwwJhsB3RrZnwAxD3+/Drs="},
      {R"({"intNode":4,"doubleNode":4.5623,"stringNode":"hey guys","boolNode":true})", "6Mc4jFmNdrLVIlJJjz2/MakTK9I="},
      {R"({"root":{"c":{".value":99,".priority":"abc"},".priority":"def"}})", "Fm6tzN4CVEu5WxFDZUdTtqbTVaA="},
      {R"({"root":{"c":{".value":99,".priority":42},".priority":3.14}})", "B15QCqrzCxrI5zz1y00arWqFRFg="},
  };
  for (const Case &at : cases) {
    INFO(at.json);
    CHECK(node_hash(json(at.json)) == at.hash);
  }
}

TEST_CASE("Hash: the JavaScript SDK's rounding of doubles is told apart and accepted", "[db][model]") {
  const auto document = hearth::test::vectors();
  const auto cases = document.root().field("sdk_number_quirk")->elements();
  REQUIRE(cases.size() == 5);
  for (const JsonNode &at : cases) {
    const Value value = at.field("number")->to_value(Path()).value();
    const std::string_view quirk = *at.field("js_hash")->string();
    INFO(at.field("number")->to_text());
    CHECK(node_hash(value, NumberHex::JavaScript) == quirk);
    CHECK(node_hash(value, NumberHex::Ieee754) != quirk);
    CHECK(hash_matches(value, quirk));
    CHECK(hash_matches(value, node_hash(value)));
    // Also below, and as a priority.
    const Value deep =
        Value::object({{"a", Value::object({{"b", value}})}, {"c", Value::boolean(true).with_priority(value)}});
    CHECK(node_hash(deep, NumberHex::JavaScript) != node_hash(deep));
    CHECK(hash_matches(deep, node_hash(deep, NumberHex::JavaScript)));
  }
}

TEST_CASE("Hash: numbers without the quirk hash alike in both ways",
          "[db][model]") {  // net/wire/protocol.md §7.2
  for (int i = 0; i <= 100'000; ++i) {
    const Value integer = Value::integer(i);
    const Value decimal = Value::real(i / 1000.0);
    if (node_hash(integer) == node_hash(integer, NumberHex::JavaScript) &&
        node_hash(decimal) == node_hash(decimal, NumberHex::JavaScript)) {
      continue;
    }
    INFO(i);
    REQUIRE(node_hash(integer) == node_hash(integer, NumberHex::JavaScript));
    REQUIRE(node_hash(decimal) == node_hash(decimal, NumberHex::JavaScript));
  }
}

TEST_CASE("Hash: denormals and the ends of the range do not trip the JavaScript way", "[db][model]") {
  for (const double number :
       {5e-324, 1e-310, -1e-310, 2.2250738585072014e-308, 1e-300, 1.7976931348623157e308, -1e308}) {
    INFO(number);
    CHECK(node_hash(Value::real(number), NumberHex::JavaScript).size() == 28);
  }
  CHECK(node_hash(Value::real(5e-324), NumberHex::JavaScript) == node_hash(Value::real(5e-324)));
}

TEST_CASE(
    "Hash: children with priorities are in priority order: none, "
    "numbers, strings, ties by key",
    "[db][model]") {
  // net/wire/protocol.md §11.4: 9, 10, d, c, f, g, b, e, a. The hash was computed
  // apart from this code.
  const Value value = json(
      R"({"a":{".value":1,".priority":"b"},"e":{".value":1,".priority":"B"},
      "b":{".value":1,".priority":10},"f":{".value":1,".priority":9},"g":{".value":1,".priority":9},
      "c":{".value":1,".priority":-1},"9":1,"10":1,"d":1})");
  CHECK(node_hash(value) == "7EwwHa8YSHkIKcbYezRI7ZfjEdc=");
}

TEST_CASE("Hash: null has none, and what holds a server value is not hashed", "[db][model]") {
  CHECK(node_hash(Value()).empty());
  CHECK(hash_matches(Value(), ""));
  CHECK_FALSE(hash_matches(Value::integer(1), ""));
}

TEST_CASE("Hash: the exact one tells integers apart that are one double, and is the SDK's for all else",
          "[db][model]") {
  const std::pair<const char *, const char *> neighbours[] = {
      {"9007199254740992", "9007199254740993"},
      {"9223372036854775806", "9223372036854775807"},
      {"-9007199254740993", "-9007199254740992"},
      {"9223372036854775807", "9223372036854775808"},
      {R"({"a":{"id":1234567890123456788}})", R"({"a":{"id":1234567890123456789}})"},
      {R"({".value":9007199254740993,".priority":1})", R"({".value":9007199254740992,".priority":1})"},
  };
  for (const auto &[one, other] : neighbours) {
    INFO(one << " and " << other);
    CHECK(node_hash(json(one)) == node_hash(json(other)));
    CHECK(exact_hash(json(one)) != exact_hash(json(other)));
    // Who may hold either by its hash has neither, but as one who compares and sets.
    CHECK_FALSE(node_hashes(json(one)).contain(exact_hash(json(other))));
    CHECK(node_hashes(json(one)).contain(exact_hash(json(one))));
    CHECK(hash_matches(json(one), node_hash(json(other))));
  }
  for (const char *same : {"1", "9007199254740992", "-9223372036854775808", "0.1", "1e300", R"({"a":"x","b":true})"}) {
    INFO(same);
    CHECK(exact_hash(json(same)) == node_hash(json(same)));
    CHECK(node_hashes(json(same)).contain(node_hash(json(same))));
  }
  CHECK(exact_hash(Value()).empty());
}

TEST_CASE("Hash: base64 pads", "[db][model]") {  // RFC 4648 §10
  CHECK(base64("").empty());
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foo") == "Zm9v");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(base64("\xfb\xff") == "+/8=");
}
