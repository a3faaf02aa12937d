#include "net/rest/body_text.h"

#include <catch2/catch.hpp>

namespace db = hearth::db;
using namespace hearth::net::rest;

namespace {

struct Pieces {
  std::string text;
  size_t count = 0;
  size_t largest = 0;
};

Pieces pieces(BodyText body, size_t bytes) {
  Pieces pieces;
  std::string chunk;
  while (body.next(chunk, bytes)) {
    ++pieces.count;
    pieces.largest = std::max(pieces.largest, chunk.size());
    pieces.text += chunk;
    chunk.clear();
  }
  CHECK(!body.next(chunk, bytes));
  CHECK(chunk.empty());
  return pieces;
}

db::Value value_of(std::string json) { return db::parse_value(std::move(json), {}).value(); }

}  // namespace

TEST_CASE("BodyText: values and updates, plain, pretty and as a script", "[net][rest]") {
  const db::Value value = value_of(R"({"a":[1,2],"b":"x"})");
  const Entries entries = {{"z/y", value}, {"a", db::Value()}, {"q\"", db::Value::integer(1)}};
  constexpr auto kPlain = db::JsonStyle::Plain;
  constexpr auto kExport = db::JsonStyle::Export;
  const std::string update = R"({"z/y":{"a":[1,2],"b":"x"},"a":null,"q\"":1})";
  for (const size_t bytes : {1, 10, 1000}) {
    INFO(bytes);
    CHECK(pieces({json_source(value, kPlain), Print::Compact, ""}, bytes).text == R"({"a":[1,2],"b":"x"})");
    CHECK(pieces({json_source(value, kExport), Print::Compact, ""}, bytes).text == R"({"a":{"0":1,"1":2},"b":"x"})");
    CHECK(pieces({json_source(db::Value(), kPlain), Print::Compact, ""}, bytes).text == "null");
    CHECK(pieces({json_source(entries, kPlain), Print::Compact, ""}, bytes).text == update);
    CHECK(pieces({json_source(Entries(), kPlain), Print::Compact, ""}, bytes).text == "{}");
    CHECK(pieces({json_source(std::string("[]")), Print::Compact, ""}, bytes).text == "[]");
    CHECK(pieces({json_source(value, kPlain), Print::Compact, "f"}, bytes).text == R"(/**/f({"a":[1,2],"b":"x"});)");
    CHECK(pieces({json_source(value, kPlain), Print::Pretty, ""}, bytes).text ==
          "{\n  \"a\" : [ 1, 2 ],\n  \"b\" : \"x\"\n}\n");
    CHECK(pieces({json_source(value, kPlain), Print::Pretty, "f"}, bytes).text ==
          "/**/f({\n  \"a\" : [ 1, 2 ],\n  \"b\" : \"x\"\n});");
  }
}

TEST_CASE("BodyText: a large value is made in pieces of about the size asked for", "[net][rest]") {
  std::vector<std::pair<std::string, db::Value>> children;
  for (int i = 0; i < 20'000; ++i) children.emplace_back("k" + std::to_string(i), db::Value::string("some text"));
  const db::Value value = db::Value::object(children);
  const Entries entries = {{"one", value}, {"two", value}};
  for (const Print print : {Print::Compact, Print::Pretty}) {
    for (const auto& source : {json_source(value, db::JsonStyle::Plain), json_source(entries, db::JsonStyle::Plain)}) {
      const Pieces all = pieces({source, print, ""}, 10'000);
      CHECK(all.count > 30);
      CHECK(all.largest < 20'000);
    }
  }
  CHECK(pieces({json_source(value, db::JsonStyle::Plain), Print::Compact, ""}, 10'000).text ==
        db::to_json(value, db::JsonStyle::Plain));
}
