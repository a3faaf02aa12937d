#include "db/documents/any.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db::documents;
using namespace hearth::test;

namespace {

std::string json_of(const std::string& any) {
  Reader from(any);
  skip_any(from);
  REQUIRE(from.ok());
  REQUIRE(from.is_at_end());
  std::string json;
  append_any_json(any, json);
  return json;
}

std::string text_of(const std::string& any) {
  std::string text;
  append_any_text(any, text);
  return text;
}

std::string arrays(size_t depth) {
  std::string any;
  for (size_t i = 0; i < depth; ++i) any += "\x75\x01";
  return any + "\x7e";
}

}  // namespace

TEST_CASE("Any: each kind as JSON and as text", "[db][documents]") {
  struct Case {
    const char* name;
    const char* json;
    const char* text;
  };
  for (const Case& at : {
           Case{"any/nul", "null", "null"},
           Case{"any/int", "42", "42"},
           Case{"any/negint", "-7", "-7"},
           Case{"any/big31", "2147483648", "2147483648"},
           Case{"any/f32", "1.5", "1.5"},
           Case{"any/f64", "0.1", "0.1"},
           Case{"any/bigint", "\"3122306864379792082\"", "3122306864379792082"},
           Case{"any/t", "true", "true"},
           Case{"any/f", "false", "false"},
           Case{"any/str", "\"hi\"", "hi"},
           Case{"any/obj", "{\"a\":1,\"b\":[true,null]}", "[object Object]"},
           Case{"any/arr", "[1,\"x\"]", "1,x"},
           Case{"any/u8", "{\"0\":1,\"1\":2,\"2\":255}", "1,2,255"},
       }) {
    INFO(at.name);
    const std::string& any = yjs_vector(at.name);
    CHECK(text_of(any) == at.text);
    CHECK(json_of(any) == at.json);
    CHECK(is_object_like(any) == (std::string(at.name) != "any/nul"));
  }
  CHECK(json_of(from_hex("7503 7f 7e 7d05")) == "[null,null,5]");
  CHECK(text_of(from_hex("7503 7f 7e 7d05")) == ",,5");
  CHECK(json_of(from_hex("7602 0161 7f 0162 78")) == "{\"b\":true}");  // as JSON.stringify leaves out
  CHECK(text_of("\x7f") == "undefined");
  CHECK(is_undefined("\x7f"));
  CHECK(json_of(from_hex("7b 7ff8000000000000")) == "null");  // NaN
  CHECK(text_of(from_hex("7b 7ff8000000000000")) == "NaN");
  CHECK(text_of(from_hex("7b fff0000000000000")) == "-Infinity");
  CHECK(json_of(from_hex("7d 40")) == "0");  // −0
}

TEST_CASE("Any: what lib0 can't read is a mistake, and so is what is nested too deeply", "[db][documents]") {
  for (const char* hex : {"", "73", "80", "00", "77 02 61", "7c 0000", "76 01 0161", "75 05 7e",
                          "75 ffffffffffffff0f 7e", "76 01 01ff 7e", "74 05 00"}) {
    INFO(hex);
    const std::string bytes = from_hex(hex);
    Reader from(bytes);
    skip_any(from);
    CHECK_FALSE(from.ok());
  }
  for (const size_t depth : {kNestingMax, kNestingMax + 1, size_t{100'000}}) {
    INFO(depth);
    const std::string bytes = arrays(depth);
    Reader from(bytes);
    skip_any(from);
    CHECK(from.ok() == (depth <= kNestingMax));
  }
}

TEST_CASE("Any: JSON is what JSON.parse takes", "[db][documents]") {
  for (const char* text : {"null", " true ", "0", "-0", "-1.5e+10", "1e400", "\"\"", "\"a\\u00e9\\n\"", "\"\\ud83d\"",
                           "[]", "{}", "[1, 2 ,[3]]", "{\"a\" : {\"b\":[null]} , \"a\":1}", "\"é😀\"", "\t[\r\n]"}) {
    INFO(text);
    CHECK(is_json(text));
  }
  for (const char* text :
       {"",      " ",     "undefined", "nul",      "01",          "1.",        ".5",       "1e", "+1",
        "-",     "'a'",   "\"a",       "\"\\x\"",  "\"\\u12g4\"", "\"\\",      "\"a\nb\"", "[",  "[1,]",
        "[1 2]", "{a:1}", "{\"a\"}",   "{\"a\":}", "{\"a\":1,}",  "null null", "NaN",      "}"}) {
    INFO(text);
    CHECK_FALSE(is_json(text));
  }
  CHECK(is_json(std::string(kNestingMax, '[') + std::string(kNestingMax, ']')));
  CHECK_FALSE(is_json(std::string(kNestingMax + 1, '[') + std::string(kNestingMax + 1, ']')));
  CHECK_FALSE(is_json(std::string(1'000'000, '[')));
  CHECK_FALSE(is_json(std::string_view("\"\0\"", 3)));
  CHECK_FALSE(is_json(std::string_view("1\0", 2)));
}
