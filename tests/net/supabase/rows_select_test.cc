#include "net/supabase/rows_select.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

namespace db = hearth::db;
using namespace hearth::net::supabase;

namespace {

const db::FoundRow& row() {
  static const db::FoundRow row = {
      "k1", db::parse_value(R"({"n":5,"id":"hidden","o":{"a":{"b":"x"}},"l":["p"],"t":"5"})", db::Path()).value()};
  return row;
}
std::string told(std::string_view select, Nulls nulls = Nulls::Told) {
  auto parsed = parse_selection(select);
  if (const auto* error = std::get_if<RowsError>(&parsed)) return error->code + " " + error->message;
  std::string text;
  append_row(row(), std::get<Selection>(parsed), nulls, text);
  return text;
}

}  // namespace

TEST_CASE("rows: columns as they are asked for", "[net][supabase]") {
  const std::string all = R"({"id":"k1","l":["p"],"n":5,"o":{"a":{"b":"x"}},"t":"5"})";
  CHECK(told("") == all);
  CHECK(told("*") == all);
  CHECK(told("id,n") == R"({"id":"k1","n":5})");
  CHECK(told("num:n, \"key\":id") == R"({"num":5,"key":"k1"})");
  CHECK(told("n::text,o::jsonb,t::text") == R"({"n":"5","o":{"a":{"b":"x"}},"t":"5"})");
  CHECK(told("o->a,o->a->>b,b:o->>a,l->0") == R"({"a":{"b":"x"},"b":"x","b":"{\"b\":\"x\"}","0":"p"})");
  CHECK(told("\"n\"") == R"({"n":5})");
  // Signs in quotes are a part of the name.
  CHECK(told(R"("a::text")") == R"({"a::text":null})");
  CHECK(told(R"-("a(b)")-") == R"-({"a(b)":null})-");
  CHECK(told(R"("a:b":"n"::text)") == R"({"a:b":"5"})");
  CHECK(told("n,gone,*") == R"({"n":5,"gone":null,)" + all.substr(1));
  CHECK(told("n,gone", Nulls::Stripped) == R"({"n":5})");
  CHECK(told("u(*)").starts_with("PGRST200"));
  CHECK(told("x:u!inner(id,n)").starts_with("PGRST200"));
  CHECK(told("count()").starts_with("PGRST123"));
  CHECK(told("n::int8").starts_with("PGRST100"));
  CHECK(told(",n").starts_with("PGRST100"));
  CHECK(told(":n").starts_with("PGRST100"));
  CHECK(told("a.b").starts_with("PGRST100"));
  std::string many = "n";
  for (size_t i = 1; i < kSelectedColumnsMax; ++i) many += ",n";
  CHECK(told(many).starts_with("{"));
  CHECK(told(many + ",n").starts_with("PGRST100"));
}

TEST_CASE("rows: the text of an answer comes in pieces, and is whole", "[net][supabase]") {
  std::vector<db::FoundRow> rows;
  for (int i = 0; i < 100; ++i) rows.push_back({"k" + std::to_string(i), row().row});
  std::string expected = "[";
  for (const db::FoundRow& one : rows) {
    if (expected.size() > 1) expected += ',';
    append_row(one, {}, Nulls::Told, expected);
  }
  RowsText text(rows, {}, Nulls::Told, RowsText::Form::List, {});
  std::string all;
  size_t pieces = 0;
  for (std::string piece; text.next(piece, 100); piece.clear()) {
    CHECK(piece.size() < 300);
    all += piece;
    ++pieces;
  }
  CHECK(all == expected + "]");
  CHECK(pieces > 30);
  RowsText none({}, {}, Nulls::Told, RowsText::Form::List, {});
  std::string empty;
  while (none.next(empty, 100)) continue;
  CHECK(empty == "[]");
  RowsText single({row()}, std::get<Selection>(parse_selection("n")), Nulls::Told, RowsText::Form::Single, {});
  std::string one;
  while (single.next(one, 100)) continue;
  CHECK(one == R"({"n":5})");
}

TEST_CASE("rows: lists are cut outside of quotes", "[net][supabase]") {
  const auto cut = [](std::string_view text) {
    std::string parts;
    for (const std::string_view part : cut_list(text)) parts += "<" + std::string(part) + ">";
    return parts;
  };
  CHECK(cut("") == "<>");
  CHECK(cut("a, b") == "<a><b>");
  CHECK(cut("\"a,b\",c") == "<\"a,b\"><c>");
  CHECK(cut("\"a\\\",b\",c,") == "<\"a\\\",b\"><c><>");
  CHECK(cut("\"a,b") == "<\"a,b>");
  CHECK(cut("\"a\\") == "<\"a\\>");
}
