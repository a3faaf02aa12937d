#include "net/supabase/rows_change.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

namespace db = hearth::db;
using namespace hearth::net::supabase;
using Duplicates = RowsRequest::Duplicates;

namespace {

db::Value json(std::string text) { return db::parse_value(std::move(text), db::Path()).value(); }
std::string text(const db::Value& value) { return db::to_json(value, db::JsonStyle::Export); }

const db::Path& table() {
  static const db::Path path = db::Path::parse("shop/todos").value();
  return path;
}
RowsRequest request(RowsRequest::Method method, Duplicates duplicates = Duplicates::Refused) {
  RowsRequest request;
  request.method = method;
  request.table = "todos";
  request.duplicates = duplicates;
  request.returns = RowsRequest::Return::Representation;
  return request;
}
std::vector<SentRow> sent(const RowsRequest& request, const std::string& body) {
  return std::get<std::vector<SentRow>>(read_rows(request, std::string(body), ""));
}
// What is written, what is relied on, and the rows.
std::string told(const Planned& planned) {
  if (const auto* error = std::get_if<RowsError>(&planned)) return error->code;
  const auto& change = std::get<RowsChange>(planned);
  std::string all;
  for (const db::Overwrite& one : change.write.overwrites) all += one.path.slashed() + "=" + text(one.value) + " ";
  all += "if";
  for (const db::FoundRow& row : change.expected.rows) all += " " + row.key + "=" + text(row.row);
  all += " then";
  for (const db::FoundRow& row : change.rows) all += " " + row.key + "=" + text(row.row);
  return all;
}
std::string insert(const RowsRequest& request, const std::string& body, const std::vector<db::FoundRow>& seen = {}) {
  int made = 0;
  return told(
      plan_insert(request, table(), sent(request, body), seen, [&] { return "push" + std::to_string(++made); }));
}

}  // namespace

TEST_CASE("rows: an insert writes whole rows, where none are", "[net][supabase]") {
  const RowsRequest plain = request(RowsRequest::Method::Insert);
  CHECK(insert(plain, R"([{"id":"a","n":1,"x":null},{"n":2}])") ==
        R"(/shop/todos/a={"n":1} /shop/todos/push1={"n":2} if a=null then a={"n":1} push1={"n":2})");
  CHECK(insert(plain, "[]") == "if then");
  CHECK(insert(plain, R"({"id":"a"})") == "23502");
  CHECK(insert(plain, R"({"id":"a","n":null})") == "23502");
  CHECK(insert(plain, R"([{"id":"a","n":1},{"id":"a","n":2}])") == "23505");
  CHECK(insert(plain, R"({"id":")" + std::string(768, 'k') + R"(","n":1})") == "22P02");
}

TEST_CASE("rows: an upsert writes the columns of rows that are there", "[net][supabase]") {
  const std::vector<db::FoundRow> seen = {{"a", json(R"({"n":1,"m":2})")}};
  RowsRequest merged = request(RowsRequest::Method::Insert, Duplicates::Merged);
  CHECK(insert(merged, R"([{"id":"a","n":5},{"id":"b","n":6}])", seen) ==
        R"(/shop/todos/a/n=5 /shop/todos/b={"n":6} if a={"m":2,"n":1} b=null then a={"m":2,"n":5} b={"n":6})");
  merged.columns = {"id", "n", "m"};
  CHECK(insert(merged, R"([{"id":"a","n":5}])", seen) ==
        R"(/shop/todos/a/m=null /shop/todos/a/n=5 if a={"m":2,"n":1} then a={"n":5})");
  merged.missing_is_default = true;
  CHECK(insert(merged, R"([{"id":"a","n":5}])", seen) ==
        R"(/shop/todos/a/n=5 if a={"m":2,"n":1} then a={"m":2,"n":5})");
  CHECK(insert(merged, R"([{"id":"a"}])", seen) == R"(if a={"m":2,"n":1} then a={"m":2,"n":1})");
  CHECK(insert(merged, R"([{"id":"a","n":null,"m":null}])", seen) == "23502");
  CHECK(insert(merged, R"([{"id":"a","n":1},{"id":"a","n":2}])", seen) == "21000");
  const RowsRequest ignored = request(RowsRequest::Method::Insert, Duplicates::Ignored);
  CHECK(insert(ignored, R"([{"id":"a","n":5},{"id":"b","n":6},{"id":"b","n":7}])", seen) ==
        R"(/shop/todos/b={"n":6} if b=null then b={"n":6})");
}

TEST_CASE("rows: an update writes columns, a deletion rows", "[net][supabase]") {
  const std::vector<db::FoundRow> seen = {{"a", json(R"({".priority":3,"n":1,"m":2})")}, {"l", json("7")}};
  const RowsRequest update = request(RowsRequest::Method::Update);
  CHECK(told(plan_update(update, table(), sent(update, R"({"n":5,"m":null})").front(), {seen.front()})) ==
        R"(/shop/todos/a/m=null /shop/todos/a/n=5 if a={".priority":3,"m":2,"n":1} then a={".priority":3,"n":5})");
  CHECK(told(plan_update(update, table(), sent(update, R"({"n":5})").front(), {seen.back()})) ==
        R"(/shop/todos/l/n=5 if l=7 then l={"n":5})");
  CHECK(told(plan_update(update, table(), sent(update, R"({"n":null})").front(), {seen.back()})) ==
        R"(/shop/todos/l/n=null if l=7 then l=7)");
  CHECK(told(plan_update(update, table(), sent(update, "{}").front(), seen)) == "if then");
  CHECK(told(plan_update(update, table(), sent(update, R"({"id":"a","n":5})").front(), seen)) == "0A000");
  CHECK(told(plan_update(update, table(), sent(update, R"({"n":null,"m":null})").front(), {seen.front()})) == "23502");
  CHECK(told(plan_delete(request(RowsRequest::Method::Delete), table(), {seen.front()})) ==
        R"(/shop/todos/a=null if a={".priority":3,"m":2,"n":1} then a={".priority":3,"m":2,"n":1})");
}

TEST_CASE("rows: a change has a limit of columns", "[net][supabase]") {
  const RowsRequest update = request(RowsRequest::Method::Update);
  std::string body = "{\"c0\":1";
  for (int i = 1; i < 11; ++i) body += ",\"c" + std::to_string(i) + "\":1";
  std::vector<db::FoundRow> seen;
  for (int i = 0; i < 10'000; ++i) seen.push_back({"k" + std::to_string(i), json(R"({"n":1})")});
  CHECK(told(plan_update(update, table(), sent(update, body + "}").front(), seen)) == "54000");
}

TEST_CASE("rows: server values are told as they became", "[net][supabase]") {
  const RowsRequest update = request(RowsRequest::Method::Update);
  auto planned = plan_update(update, table(), sent(update, R"({"n":{".sv":{"increment":1}},"m":3})").front(),
                             {{"a", json(R"({"n":1})")}, {"b", json(R"({"n":2})")}});
  auto& change = std::get<RowsChange>(planned);
  CHECK(change.write.wants_value);
  settle(change, json(R"({"a":{"n":2},"b":{"n":3}})"));
  CHECK(text(change.rows[0].row) == R"({"m":3,"n":2})");
  CHECK(text(change.rows[1].row) == R"({"m":3,"n":3})");
  const RowsRequest plain = request(RowsRequest::Method::Insert);
  auto inserted = plan_insert(plain, table(), sent(plain, R"({"id":"a","at":{".sv":"timestamp"},"n":1})"), {}, {});
  settle(std::get<RowsChange>(inserted), json(R"({"a":{"at":77,"n":1}})"));
  CHECK(text(std::get<RowsChange>(inserted).rows[0].row) == R"({"at":77,"n":1})");
}
