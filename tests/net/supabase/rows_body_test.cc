#include "net/supabase/rows_body.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

namespace db = hearth::db;
using namespace hearth::net::supabase;

namespace {

std::string told(std::string body, const RowsRequest& request = {}, std::string_view type = "application/json") {
  auto read = read_rows(request, std::move(body), type);
  if (const auto* error = std::get_if<RowsError>(&read)) return std::to_string(error->status) + " " + error->code;
  std::string text;
  for (const SentRow& row : std::get<std::vector<SentRow>>(read)) {
    text += "<" + row.key.value_or("-");
    for (const auto& [name, value] : row.columns) text += " " + name + "=" + db::to_json(value, db::JsonStyle::Plain);
    text += ">";
  }
  return text;
}

RowsRequest with_columns(std::vector<std::string> columns) {
  RowsRequest request;
  request.method = RowsRequest::Method::Insert;
  request.columns = std::move(columns);
  return request;
}

}  // namespace

TEST_CASE("rows: a body is a row or a list of rows", "[net][supabase]") {
  CHECK(told(R"({"id":"a","n":1,"o":{"x":[1,2]},"gone":null})") == R"(<a gone=null n=1 o={"x":[1,2]}>)");
  CHECK(told(R"([{"id":5},{"n":2},{"id":null,"n":3}])") == "<5><- n=2><- n=3>");
  CHECK(told("[]") == "");
  CHECK(told(R"({"n":1,"n":2})") == "<- n=2>");
  CHECK(told(R"({"id":"a","n":1,"m":2})", with_columns({"id", "m"})) == "<a m=2>");
  CHECK(told(R"({"id":"a","n":1})", with_columns({"n"})) == "<- n=1>");
  CHECK(told(R"({"n":1})", {}, "application/json; charset=utf-8") == "<- n=1>");
  CHECK(told(R"({"n":1})", {}, "") == "<- n=1>");
}

TEST_CASE("rows: what no row can be is refused", "[net][supabase]") {
  CHECK(told("") == "400 PGRST102");
  CHECK(told("{") == "400 PGRST102");
  CHECK(told("5") == "400 PGRST102");
  CHECK(told("[{},5]") == "400 PGRST102");
  CHECK(told(R"({"a.b":1})") == "400 PGRST204");
  CHECK(told(R"({"":1})") == "400 PGRST204");
  CHECK(told(R"({"id":"a/b"})") == "400 22P02");
  CHECK(told(R"({"id":1.5})") == "400 22P02");
  CHECK(told(R"({"id":true})") == "400 22P02");
  CHECK(told(R"({"id":""})") == "400 22P02");
  CHECK(told(R"({"o":{"a/b":1}})") == "400 22P02");
  CHECK(told("n\n1", {}, "text/csv") == "415 PGRST102");
  RowsRequest update;
  update.method = RowsRequest::Method::Update;
  CHECK(told("[{\"n\":1}]", update) == "400 PGRST102");
  std::string many = "[{}";
  for (size_t i = 1; i < kRowsSentMax; ++i) many += ",{}";
  CHECK(told(many + "]").starts_with("<"));
  CHECK(told(many + ",{}]") == "400 54000");
  std::string deep = "1";
  for (int i = 0; i < 2'000; ++i) deep = "[" + deep + "]";
  CHECK(told(deep) == "400 PGRST102");
}
