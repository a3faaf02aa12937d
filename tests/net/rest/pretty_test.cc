#include "net/rest/pretty.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using hearth::net::rest::PrettyPrinter;

namespace {

std::string pretty(const std::string& compact, size_t piece) {
  PrettyPrinter printer;
  std::string text;
  for (size_t at = 0; at < compact.size(); at += piece) printer.add(std::string_view(compact).substr(at, piece), text);
  return text;
}

}  // namespace

TEST_CASE("PrettyPrinter: the service's layout, however the text is cut", "[net][rest]") {  // net/rest/http-api.md §5.2
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"null", "null"},
      {"\"a : {,} [ \\\" \\\\\"", "\"a : {,} [ \\\" \\\\\""},
      {"{}", "{ }"},
      {"[]", "[ ]"},
      {"[1,2,3]", "[ 1, 2, 3 ]"},
      {"{\"a\":1}", "{\n  \"a\" : 1\n}"},
      {"{\"a\":{\"b\":{}},\"c\":[[1],[null]]}",
       "{\n  \"a\" : {\n    \"b\" : { }\n  },\n  \"c\" : [ [ 1 ], [ null ] ]\n}"},
      {"[{\"x\":1},{\"y\":[{\"z\":2}]}]", "[ {\n  \"x\" : 1\n}, {\n  \"y\" : [ {\n    \"z\" : 2\n  } ]\n} ]"},
  };
  for (const auto& [compact, expected] : cases) {
    for (const size_t piece : {1, 2, 3, 100}) {
      INFO(compact << " in pieces of " << piece);
      CHECK(pretty(compact, piece) == expected);
    }
  }
}

TEST_CASE("PrettyPrinter: says of a value what the model says", "[net][rest]") {
  namespace db = hearth::db;
  const std::string text =
      R"({"a":[1,null,{"b":"c\n","d":[true,[false]]}],".priority":3,"x":{".value":"y",".priority":"z"},"n":-1.5e-9})";
  const db::Value value = db::parse_value(std::string(text), {}).value();
  for (const auto style : {db::JsonStyle::Plain, db::JsonStyle::Export}) {
    CHECK(pretty(db::to_json(value, style), 7) == db::to_pretty_json(value, style));
  }
}
