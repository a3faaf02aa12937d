#include <pthread.h>

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }

Result<Value> parsed(std::string text, std::string_view at = "") { return parse_value(std::move(text), path(at)); }

std::string exported(const Result<Value>& value) {
  return value.ok() ? to_json(value.value(), JsonStyle::Export) : "error: " + value.error().message;
}

std::string nested(size_t levels, const std::string& innermost) {
  std::string text;
  for (size_t i = 0; i < levels; ++i) text += R"({"a":)";
  return text + innermost + std::string(levels, '}');
}

constexpr const char* kNotJson = "Invalid data; couldn't parse JSON object, array, or value.";
constexpr const char* kDeep = "Invalid path: Path specified exceeds the maximum depth that can be written (32).";
constexpr const char* kLong =
    "Invalid path: Path specified exceeds the maximum length that can be written (768 bytes).";

}  // namespace

TEST_CASE("JSON becomes the tree that db/model/data-model.md §1 says") {
  struct {
    const char* name;
    const char* text;
    const char* value;
  } const cases[] = {
      {"null", "null", "null"},
      {"an empty object", "{}", "null"},
      {"an empty array", "[]", "null"},
      {"whitespace around", " \t\r\n true \n", "true"},
      {"an empty string is a value", R"("")", R"("")"},
      {"nested empties vanish", R"({"a":{"b":[],"c":[null,{}]},"d":null,"e":1})", R"({"e":1})"},
      {"down to nothing", R"({"a":{"b":{"c":[[],[{}]]}}})", "null"},
      {"an array by index, nulls skipped", R"(["x",null,"z",[1]])", R"({"0":"x","2":"z","3":{"0":1}})"},
      {"keys in order", R"({"b":1,"10":2,"9":3,"a":4,"-1":5})", R"({"-1":5,"9":3,"10":2,"a":4,"b":1})"},
      {"of duplicate keys the last wins entirely", R"({"a":{"x":1,"y":2},"b":0,"a":{"z":3}})",
       R"({"a":{"z":3},"b":0})"},
      {"a leaf over an object", R"({"a":{"x":1},"a":2})", R"({"a":2})"},
      {"null wins too", R"({"a":{"x":1},"a":null})", "null"},
      {"duplicates among unsorted keys", R"({"c":1,"a":1,"c":2,"b":1,"a":3,"c":4})", R"({"a":3,"b":1,"c":4})"},
      {"escaped keys are the same key", R"({"a":1,"\u0061":2})", R"({"a":2})"},
      {".value with .priority", R"({".value":"v",".priority":1})", R"({".value":"v",".priority":1})"},
      {"in either order", R"({".priority":"p",".value":false})", R"({".value":false,".priority":"p"})"},
      {".value alone", R"({"a":{".value":5}})", R"({"a":5})"},
      {"no priority", R"({".value":5,".priority":null})", "5"},
      {"a null .value is nothing", R"({".value":null,".priority":3})", "null"},
      {".priority of an object", R"({".priority":-1.5,"a":1})", R"({".priority":-1.5,"a":1})"},
      {".priority alone is nothing", R"({"x":{".priority":1},"y":2})", R"({"y":2})"},
      {".priority of what is empty below", R"({"x":{".priority":1,"z":{".priority":2,"w":null}},"y":2})", R"({"y":2})"},
      {"priorities at each level", R"({".priority":1,"a":{".priority":2,"b":{".value":3,".priority":4}}})",
       R"({".priority":1,"a":{".priority":2,"b":{".value":3,".priority":4}}})"},
      {"the last .priority counts", R"({".priority":1,"a":0,".priority":"z"})", R"({".priority":"z","a":0})"},
      {"a negative zero priority is zero", R"({".value":1,".priority":-0.0})", R"({".value":1,".priority":0})"},
      {"server time", R"({"t":{".sv":"timestamp"}})", R"({"t":{".sv":"timestamp"}})"},
      {"increments", R"({"i":{".sv":{"increment":-5}},"d":{".sv":{"increment":0.5}}})",
       R"({"d":{".sv":{"increment":0.5}},"i":{".sv":{"increment":-5}}})"},
      {"a server value as .value", R"({".value":{".sv":"timestamp"},".priority":1})",
       R"({".value":{".sv":"timestamp"},".priority":1})"},
      {"a server value as .priority", R"({".value":1,".priority":{".sv":"timestamp"}})",
       R"({".value":1,".priority":{".sv":"timestamp"}})"},
      {"escapes", R"("\"\\\/\b\f\n\r\t\u00e9\u0000")", R"("\"\\/\b\f\n\r\té\u0000")"},
      {"a surrogate pair", R"("\ud83d\ude00")", R"("😀")"},
  };
  for (const auto& c : cases) {
    INFO(c.name << ": " << c.text);
    CHECK(exported(parsed(c.text)) == c.value);
  }
}

TEST_CASE("Numbers are int64 where written so or integral within it, doubles otherwise") {
  struct {
    const char* text;
    Value::Kind kind;
    const char* shown;
  } const cases[] = {
      {"0", Value::Kind::Integer, "0"},
      {"-0", Value::Kind::Integer, "0"},
      {"-0.0", Value::Kind::Integer, "0"},
      {"0e5", Value::Kind::Integer, "0"},
      {"2147483648.0", Value::Kind::Integer, "2147483648"},
      {"1e3", Value::Kind::Integer, "1000"},
      {"1.5e1", Value::Kind::Integer, "15"},
      {"9007199254740993", Value::Kind::Integer, "9007199254740993"},
      {"9223372036854775807", Value::Kind::Integer, "9223372036854775807"},
      {"-9223372036854775808", Value::Kind::Integer, "-9223372036854775808"},
      {"-9223372036854775808.0", Value::Kind::Integer, "-9223372036854775808"},
      {"9223372036854775808", Value::Kind::Double, "9.223372036854776e+18"},
      {"-9223372036854775809", Value::Kind::Integer, "-9223372036854775808"},  // the nearest double
      {"18446744073709551615", Value::Kind::Double, "1.8446744073709552e+19"},
      {"18446744073709551616", Value::Kind::Double, "1.8446744073709552e+19"},
      {"123456789012345678901234567890", Value::Kind::Double, "1.2345678901234568e+29"},
      {"-123456789012345678901234567890", Value::Kind::Double, "-1.2345678901234568e+29"},
      {"1e21", Value::Kind::Double, "1e+21"},
      {"0.1", Value::Kind::Double, "0.1"},
      {"1e-400", Value::Kind::Integer, "0"},
      {"5e-324", Value::Kind::Double, "5e-324"},
      {"1.7976931348623157e308", Value::Kind::Double, "1.7976931348623157e+308"},
      {"0.30000000000000004", Value::Kind::Double, "0.30000000000000004"},
  };
  for (const auto& c : cases) {
    INFO(c.text);
    const auto value = parsed(c.text);
    REQUIRE(value.ok());
    CHECK(value.value().kind() == c.kind);
    CHECK(exported(value) == c.shown);
    CHECK(exported(parsed("[" + std::string(c.text) + "]")) == "{\"0\":" + std::string(c.shown) + "}");
  }
  CHECK(parsed("2147483648").value() == parsed("2147483648.0").value());
}

TEST_CASE("What is not JSON is refused with the service's text") {
  const std::string cases[] = {
      "",
      " ",
      "{",
      "}",
      "[",
      "[1,]",
      "{\"a\":1,}",
      "{\"a\"}",
      "{a:1}",
      "{'a':1}",
      "nul",
      "tru",
      "True",
      "NaN",
      "Infinity",
      "undefined",
      "1 2",
      "{} {}",
      "\"a",
      "\"a\nb\"",
      "\"\\x\"",
      "\"\\u12\"",
      "\"\\uZZZZ\"",
      "01",
      "1.",
      ".5",
      "+1",
      "-",
      "1e",
      "1e400",
      "-1e400",
      "[1e400]",
      "0x10",
      "1_000",
      "// a\n1",
      "[1 2]",
      "{\"a\" 1}",
      std::string("1\0", 2),
      std::string("\0", 1),
      std::string("\"a\0b\"", 5),
      "\"\xff\"",
      "\"\xc3\"",
      "\"\xed\xa0\x80\"",
      "\"\xc0\xaf\"",
      "{\"\x80\":1}",
      "\xef\xbb\xbf",
      "\xef\xbb\xbf\xef\xbb\xbf{}",
      std::string(400, '9'),
      "-" + std::string(400, '9'),
  };
  for (const std::string& text : cases) {
    INFO(text.substr(0, 40));
    const auto value = parsed(text);
    REQUIRE_FALSE(value.ok());
    CHECK(value.error() == Error{ErrorCode::InvalidData, kNotJson});
  }
  // One mark is skipped; another encoding is named.
  CHECK(parsed("\xef\xbb\xbf[1]").value() == parsed("[1]").value());
  for (const std::string& text :
       {std::string("\xff\xfe\x31\0", 4), std::string("[\0]\0", 4), std::string("\0[\0]", 4)}) {
    CHECK(parsed(text).error() ==
          Error{ErrorCode::InvalidData, std::string(kNotJson) + " It is UTF-16; JSON is UTF-8."});
  }
}

TEST_CASE("A lone surrogate becomes U+FFFD, in values and keys, and whole pairs stay") {
  struct {
    const char* text;
    const char* value;
  } const cases[] = {
      {R"("\ud800")", R"("�")"},
      {R"("a\udc00b")", R"("a�b")"},
      {R"("\ud83d\ude00\ud83d")", R"("😀�")"},
      {R"("\ud83d\ud83d\ude00")", R"("�😀")"},
      {R"("\udE00\uD83D")", R"("��")"},
      {R"("\ud800x")", R"("�x")"},
      {R"("\ud800\n")", R"("�\n")"},
      {R"({"\ud800":1})", R"({"�":1})"},
      {R"(["\ud800",12345678901234567890123,"\\ud800"])", R"({"0":"�","1":1.2345678901234568e+22,"2":"\\ud800"})"},
      {R"(["\\\ud800","\"\ud800\""])", R"({"0":"\\�","1":"\"�\""})"},
  };
  for (const auto& c : cases) {
    INFO(c.text);
    CHECK(exported(parsed(c.text)) == c.value);
  }
  // Digits in a string, or of a double, are left alone by the same repair.
  CHECK(exported(parsed(R"(["\ud800","123456789012345678901234567890",1234567890.1234567890123])")) ==
        R"({"0":"�","1":"123456789012345678901234567890","2":1234567890.1234567})");
}

TEST_CASE("A bad key is refused by the line and column where it stands") {
  struct {
    const char* text;
    const char* place;
  } const cases[] = {
      {R"({"a.b":1})", "1:2"},
      {R"({"$":1})", "1:2"},
      {R"({"a":1, "b#":2})", "1:9"},
      {R"({"":1})", "1:2"},
      {R"({"a":{"[":1}})", "1:7"},
      {R"({"x]":1})", "1:2"},
      {R"({"a/b":1})", "1:2"},
      {R"({"\u0001":1})", "1:2"},
      {R"({"\u007f":1})", "1:2"},
      {R"({".info":1})", "1:2"},
      {R"({".valued":1})", "1:2"},
      {R"([{"a":"b.c:"},{"b.c" : 1}])", "1:16"},
      {R"({"a":"x.y","x.y":1})", "1:12"},
      {R"({"a\"":"\"q.\":","q.":1})", "1:18"},
      {"{\n  \"a\": {\n    \"b.c\": 1\n  }\n}", "3:5"},
      {"{\n\t\"ok\":[1,\n{\"$x\"\n:1}]}", "3:2"},
  };
  for (const auto& c : cases) {
    INFO(c.text);
    const auto value = parsed(c.text);
    REQUIRE_FALSE(value.ok());
    CHECK(value.error() ==
          Error{ErrorCode::InvalidData, "Invalid data; couldn't parse key beginning at " + std::string(c.place) +
                                            ". Key value can't be empty or contain $ # [ ] / or ."});
  }
}

TEST_CASE("A large document that has let go of its text becomes the same value, and errors are where they were") {
  const std::string pad(size_t{2} << 20, 'x');
  const auto large = [&](std::string_view member) {
    return "{\"pad\":\"" + pad + "\",\n\"z\":" + std::string(member) + "}";
  };
  for (const char* member : {
           R"({"b":1,"a":[true,{"c":"x.y"}],"é":{".value":"s",".priority":2}})",
           R"({".priority":"p","n":{".sv":"timestamp"},"0":null,"10":1,"9":{}})",
           R"({"a":{"b.c":1},"a":{"d":2}})",  // of equal keys the last wins: nobody looks into the first one
       }) {
    INFO(member);
    const auto value = parsed(large(member));
    REQUIRE(value.ok());
    CHECK(value.value().child("z") == parsed(member).value());
    CHECK(value.value().child("pad") == Value::string(pad));
  }
  struct {
    const char* member;
    std::string message;
  } const refused[] = {
      {R"({"ok":{"x.y":1}})",
       "Invalid data; couldn't parse key beginning at 2:12. Key value can't be empty or contain $ # [ ] / or ."},
      {R"([1,{"$":[{}]}])",
       "Invalid data; couldn't parse key beginning at 2:9. Key value can't be empty or contain $ # [ ] / or ."},
      {R"({".value":{"a":1}})", "Invalid data; \".value\" must be a string, a number or a boolean."},
      {R"({".sv":"foo"})", "Invalid data; unexpected server value: foo."},
  };
  for (const auto& c : refused) {
    INFO(c.member);
    const auto value = parsed(large(c.member));
    REQUIRE_FALSE(value.ok());
    CHECK(value.error() == Error{ErrorCode::InvalidData, c.message});
  }
  CHECK(parsed(large("{\"" + std::string(769, 'k') + "\":1}")).error().message == kLong);

  // The names of an update are paths, and have errors of their own.
  const auto entries_of = [](std::string&& text) {
    auto document = JsonDocument::parse(std::move(text));
    REQUIRE(document.ok());
    document.value().give_back_text(JsonDocument::RootNames::Paths);
    return document.value().root().to_entries(Path());
  };
  const auto entries = entries_of("{\"pad\":\"" + pad + "\",\"a/b\":{\"c\":1}}");
  REQUIRE(entries.ok());
  REQUIRE(entries.value().size() == 2);
  CHECK(entries.value()[1].path == "a/b");
  CHECK(entries.value()[1].value == parsed(R"({"c":1})").value());
  const auto bad = entries_of("{\"pad\":\"" + pad + "\",\n\"a/b\":{\"c/d\":1}}");
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message ==
        "Invalid data; couldn't parse key beginning at 2:8. Key value can't be empty or contain $ # [ ] / or .");
}

TEST_CASE("Misused special names are refused, and say why") {
  const char* const cases[] = {
      R"({".value":1,"a":2})",
      R"({"a":2,".value":1})",
      R"({".value":{"a":1}})",
      R"({".value":[1]})",
      R"({".value":{}})",
      R"({".value":{".value":1}})",
      R"({".value":1,".sv":"timestamp"})",
      R"({".sv":"timestamp","a":1})",
      R"({".sv":"timestamp",".priority":1})",
      R"({".sv":"foo"})",
      R"({".sv":1})",
      R"({".sv":null})",
      R"({".sv":{}})",
      R"({".sv":{"increment":"1"}})",
      R"({".sv":{"increment":null}})",
      R"({".sv":{"increment":{".sv":"timestamp"}}})",
      R"({".sv":{"increment":1,"x":2}})",
      R"({".sv":{"decrement":1}})",
      R"({".sv":["timestamp"]})",
      R"({".value":1,".priority":true})",
      R"({".value":1,".priority":{}})",
      R"({".value":1,".priority":{"a":1}})",
      R"({".value":1,".priority":[1]})",
      R"({".value":1,".priority":{".sv":"foo"}})",
      R"({".value":1,".priority":{".value":2}})",
      R"({"a":1,".priority":false})",
  };
  for (const char* text : cases) {
    INFO(text);
    for (const std::string& body :
         {std::string(text), "{\"outer\":" + std::string(text) + "}", "[" + std::string(text) + "]"}) {
      const auto value = parsed(body);
      REQUIRE_FALSE(value.ok());
      CHECK(value.error().code == ErrorCode::InvalidData);
      CHECK(value.error().message.starts_with("Invalid data; "));
      CHECK(value.error().message != kNotJson);
    }
  }
  CHECK(exported(parsed(R"({".sv":"foo"})")) == "error: Invalid data; unexpected server value: foo.");
}

TEST_CASE("A leaf may lie 32 keys deep, not 33, wherever the document is written") {
  CHECK(parsed(nested(32, "1")).ok());
  CHECK(parsed(nested(33, "1")).error() == Error{ErrorCode::InvalidData, kDeep});
  CHECK(parsed(nested(33, "[1]")).error().message == kDeep);
  CHECK(parsed(nested(31, "[1]")).ok());
  CHECK(parsed(nested(32, "[1]")).error().message == kDeep);
  CHECK(parsed(nested(30, "1"), "x/y").ok());
  CHECK(parsed(nested(31, "1"), "x/y").error().message == kDeep);
  CHECK(parsed(nested(32, R"({".value":1,".priority":2})")).ok());
  CHECK(exported(parsed(nested(500, "null"))) == "null");  // nothing is written
  CHECK(exported(parsed("{\"b\":1,\"c\":" + nested(500, "{}") + "}")) == R"({"b":1})");
}

TEST_CASE("A document of 100,000 levels is refused on a small stack") {
  struct Given {
    std::string text;
    std::string message;
  };
  for (const char* piece : {"[", "{\"a\":", "[{\"a\":"}) {
    for (const bool closed : {false, true}) {
      Given given;
      for (int i = 0; i < 100'000; ++i) given.text += piece;
      if (closed) {
        given.text += "1";
        for (int i = 0; i < 100'000; ++i)
          given.text += *piece == '[' && piece[1] == '{' ? "}]" : *piece == '[' ? "]" : "}";
      }
      pthread_attr_t small;
      pthread_attr_init(&small);
      pthread_attr_setstacksize(&small, 256 << 10);
      pthread_t thread{};
      const auto run = [](void* at) -> void* {
        auto& work = *static_cast<Given*>(at);
        const auto value = parse_value(std::move(work.text), Path());
        work.message = value.ok() ? "parsed" : value.error().message;
        return nullptr;
      };
      REQUIRE(pthread_create(&thread, &small, run, &given) == 0);
      pthread_join(thread, nullptr);
      pthread_attr_destroy(&small);
      INFO(piece << (closed ? " closed" : " open"));
      CHECK(given.message == (closed ? kDeep : kNotJson));
    }
  }
}

TEST_CASE("Keys and whole paths end at 768 bytes") {
  const auto key = [](size_t bytes) { return "{\"" + std::string(bytes, 'k') + "\":1}"; };
  CHECK(parsed(key(768)).ok());
  CHECK(parsed(key(769)).error() == Error{ErrorCode::InvalidData, kLong});
  CHECK(parsed(key(766), "x").ok());  // x, a slash, 766
  CHECK(parsed(key(767), "x").error().message == kLong);
  CHECK(parsed("{\"" + std::string(384, 'a') + "\":{\"" + std::string(383, 'b') + "\":1}}").ok());
  CHECK(parsed("{\"" + std::string(384, 'a') + "\":{\"" + std::string(384, 'b') + "\":1}}").error().message == kLong);
  CHECK(parsed("{\"" + std::string(384, 'a') + "\":{\"" + std::string(384, 'b') + "\":null}}").value().is_null());
}

TEST_CASE("A string of 10 MiB passes, of one byte more it is refused, as value and as priority") {
  const std::string most(kStringBytesMax, 's');
  const auto fits = parsed("\"" + most + "\"");
  REQUIRE(fits.ok());
  CHECK(fits.value().as_string() == most);
  CHECK(parsed("{\".value\":1,\".priority\":\"" + most + "\"}").ok());
  for (const std::string& text :
       {"\"" + most + "x\"", "{\"a\":[\"" + most + "x\"]}", "{\".value\":1,\".priority\":\"" + most + "x\"}"}) {
    const auto refused = parsed(text);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error() == Error{ErrorCode::InvalidData, "Invalid data; a string is longer than 10485760 bytes."});
  }
}

TEST_CASE("A small document whose rows would be huge is refused") {
  // A row repeats its whole path: long names above many leaves.
  std::string text = "{\"" + std::string(700, 'n') + "\":[";
  for (int i = 0; i < 5'000; ++i) text += "1,";
  text += "1]}";
  const auto document = JsonDocument::parse(text);
  REQUIRE(document.ok());
  CHECK(document.value().root().to_value(Path(), 10 << 20).ok());
  CHECK(document.value().root().to_value(Path(), 1 << 20).error().code == ErrorCode::TooLarge);
}

TEST_CASE("A random value is the same after a trip through its export text") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 3'000; ++round) {
    const Value value = random.value(4);
    const std::string text = to_json(value, JsonStyle::Export);
    INFO(text);
    const auto back = parsed(text);
    REQUIRE(back.ok());
    REQUIRE(back.value() == value);
    const auto pretty = parsed(to_pretty_json(value, JsonStyle::Export));
    REQUIRE(pretty.ok());
    REQUIRE(pretty.value() == value);
  }
}

TEST_CASE("Damaged documents never do more than fail") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const std::string pieces = "{}[]\",:\\\\ud8dc0019e-+.tfn \n\xc3\xa9\x00";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = to_json(random.value(3), JsonStyle::Export);
    for (size_t changes = random.below(4) + 1; changes > 0; --changes) {
      const size_t at = random.below(text.size());
      if (random.chance(0.3)) {
        text.erase(at, 1 + random.below(3));
        if (text.empty()) text = "x";
      } else if (random.chance(0.5)) {
        text[at] = pieces[random.below(pieces.size())];
      } else {
        text.insert(at, 1, pieces[random.below(pieces.size())]);
      }
    }
    const auto value = parsed(text);
    if (!value.ok()) continue;
    INFO(text);
    const auto again = parsed(to_json(value.value(), JsonStyle::Export));
    REQUIRE(again.ok());
    REQUIRE(again.value() == value.value());
  }
}

TEST_CASE("A document is walked by kind, field and element; of equal names the last is found") {
  const auto parsed_document = JsonDocument::parse(
      std::string_view(R"({"t":"d","n":3,"d":1.0,"h":1.5,"b":false,"z":null,"a":[1,"x",{}],"t":"e"})"));
  REQUIRE(parsed_document.ok());
  const JsonNode root = parsed_document.value().root();
  CHECK(root.is_object());
  CHECK(root.field("t")->string() == "e");
  CHECK(root.field("n")->integer() == 3);
  CHECK(root.field("n")->number() == 3.0);
  CHECK(root.field("d")->integer() == 1);
  CHECK(root.field("d")->kind() == JsonNode::Kind::Double);
  CHECK_FALSE(root.field("h")->integer());
  CHECK(root.field("h")->number() == 1.5);
  CHECK(root.field("b")->boolean() == false);
  CHECK(root.field("z")->is_null());
  CHECK_FALSE(root.field("z")->string());
  CHECK_FALSE(root.field("n")->string());
  CHECK_FALSE(root.field("n")->boolean());
  CHECK_FALSE(root.field("missing"));
  CHECK_FALSE(root.field("a")->field("0"));
  CHECK(root.fields().size() == 8);
  const auto elements = root.field("a")->elements();
  REQUIRE(elements.size() == 3);
  CHECK(elements[1].string() == "x");
  CHECK(elements[2].kind() == JsonNode::Kind::Object);
  CHECK(root.field("n")->elements().empty());
  CHECK(root.field("a")->to_text() == R"([1,"x",{}])");
}

TEST_CASE("An update body is its locations as written, each value parsed for its own place") {
  const auto entries_of = [](std::string_view text, std::string_view base) {
    return JsonDocument::parse(text).value().root().to_entries(path(base));
  };
  const auto entries =
      entries_of(R"({"a/b":1,"/c/":{"x":null},".priority":2,"d/.priority":"p","a/b":{"y":[true]}})", "base");
  REQUIRE(entries.ok());
  std::string shown;
  for (const auto& [at, value] : entries.value()) shown += at + "=" + to_json(value, JsonStyle::Export) + " ";
  CHECK(shown == R"(a/b={"y":{"0":true}} /c/=null .priority=2 d/.priority="p" )");
  CHECK(entries_of("{}", "").value().empty());

  struct {
    std::string text;
    std::string base;
    std::string message;
  } const refused[] = {
      {"[1]", "", "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"},
      {"1", "", "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"},
      {"null", "", "Invalid data; couldn't parse JSON object. Are you sending a JSON object with valid key names?"},
      {R"({"a.b":1})", "", "Invalid path: Invalid token in path"},
      {R"({"a/.value":1})", "", "Invalid path: Invalid token in path"},
      {R"({"a/.sv":1})", "", "Invalid path: Invalid token in path"},
      {R"({"a":{"$":1}})", "",
       "Invalid data; couldn't parse key beginning at 1:7. Key value can't be empty or contain $ # [ ] / or ."},
      {"{\"x/y\":" + nested(31, "1") + "}", "", kDeep},
      {"{\"x\":" + nested(31, "1") + "}", "y", kDeep},
      {"{\"" + std::string(767, 'k') + "\":1}", "y", kLong},
  };
  for (const auto& c : refused) {
    INFO(c.text.substr(0, 60));
    const auto given = entries_of(c.text, c.base);
    REQUIRE_FALSE(given.ok());
    CHECK(given.error().message == c.message);
  }
}

TEST_CASE("UTF-8 is told from what is not") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("é😀\uFFFF"));
  CHECK_FALSE(is_utf8("\xff"));
  CHECK_FALSE(is_utf8("\xed\xa0\x80"));
  CHECK_FALSE(is_utf8("\xe2\x82"));
}
