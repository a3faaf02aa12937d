#include "rules/language/text.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::rules;

namespace {
std::string error(std::string_view text) {
  const auto parsed = parse_text(text);
  return parsed.ok() ? "" : parsed.error().message;
}
}  // namespace

TEST_CASE("Text: the dialect is taken, and plain JSON comes of it", "[rules]") {  // rules/language.md §1
  struct Case {
    std::string text, strict;
  };
  const std::vector<Case> cases = {
      {"{}", "{}"},
      {" [1, 2.5e3 ,-0]\n", "[1,2.5e3,-0]"},
      {"// a\n{ /* b */ \"k\" /**/ : true, }", R"({"k":true})"},
      {"[1,[2,],]", "[1,[2]]"},
      {"\"a // b /* c\"", R"("a // b /* c")"},
      {"\"one\ntwo\tthree\r\n\"", R"("one\ntwo\tthree\r\n")"},
      {R"("\u0041\u00e9\ud83d\ude00\/\"")", "\"Aé😀/\\\"\""},
      {R"("\ud800x\udc00")", "\"\xef\xbf\xbdx\xef\xbf\xbd\""},
      {"null // end", "null"},
      {"\xef\xbb\xbf{\"a\":1}", R"({"a":1})"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const auto strict = strict_json(c.text);
    REQUIRE(strict.ok());
    CHECK(strict.value() == c.strict);
    CHECK(hearth::db::JsonDocument::parse(std::string_view(strict.value())).ok());
  }
}

TEST_CASE("Text: what is no document is refused, with its place", "[rules]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "1:1: Unexpected end of the document.\n"},
      {"{\"a\":1,,}", "1:8: Expected '\"'.\n"},
      {"{,}", "1:2: Unexpected ','.\n"},
      {"[,]", "1:2: Unexpected ','.\n"},
      {"{\"a\" 1}", "1:6: Expected ':'.\n"},
      {"{\"a\":1 \"b\":2}", "1:8: Unexpected '\"'.\n"},
      {"{} x", "1:4: Unexpected 'x'.\n"},
      {"{\n  é}", "2:3: Unexpected 'é'.\n"},
      {"\"abc", "1:1: Unterminated string.\n"},
      {"/* abc", "1:1: Unterminated comment.\n"},
      {"\"a\\q\"", "1:3: Invalid escape: '\\q'\n"},
      {"\"a\\\n\"", "1:3: Invalid escape: '\\\n'\n"},
      {"\"\\u12g4\"", "1:2: Invalid escape: four hex digits follow '\\u'.\n"},
      {std::string("\"a\0b\"", 5), "1:3: A control character in a string.\n"},
      {"01", "1:1: Unexpected '0'.\n"},
      {"\xc3", "1:1: The document is not UTF-8.\n"},
      {"nothing like JSON", "1:1: Parse error.\n"},
      {"// mine\n\npath / { read() { true } }", "3:1: Parse error.\n"},
      {"\xef\xbb\xbfrules", "1:1: Parse error.\n"},
      {"\xef\xbb\xbf{,}", "1:2: Unexpected ','.\n"},
      {"\xff\xfe{\0", "1:1: The document is UTF-16; save it as UTF-8.\n"},
      {std::string("{\0\"\0", 4), "1:1: The document is UTF-16; save it as UTF-8.\n"},
      {std::string("\0{\0\"", 4), "1:1: The document is UTF-16; save it as UTF-8.\n"},
  };
  for (const auto& [text, what] : cases) {
    INFO(text);
    CHECK(error(text) == what);
    CHECK_FALSE(strict_json(text).ok());
  }
  CHECK(error(std::string(kTextDepthMax, '[') + std::string(kTextDepthMax, ']')).empty());
  CHECK(error(std::string(kTextDepthMax + 1, '[')) == "1:129: The document is nested too deeply.\n");
}

TEST_CASE("Text: each byte of a string knows where it comes from", "[rules]") {
  const std::string text = R"(  "a\u00e9b")";
  const auto node = parse_text(text);
  REQUIRE(node.ok());
  CHECK(node.value().text == "aéb");
  CHECK(node.value().origins == std::vector<Offset>{3, 4, 4, 10, 11});
  CHECK(line_and_column("é\nx", 3) == "2:1");
  CHECK(line_and_column("éx", 2) == "1:2");
}
