#include "net/supabase/row_text.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::net::supabase;
namespace db = hearth::db;

namespace {

db::Value json(std::string text) { return db::parse_value(std::move(text), db::Path()).value(); }
std::string row(std::string_view key, std::string value, std::vector<std::string> columns = {}) {
  std::string text;
  append_row(key, json(std::move(value)), columns, text);
  return text;
}

}  // namespace

TEST_CASE("Rows as JSON: the key is `id`, members are columns", "[supabase]") {
  CHECK(row("a", R"({"n":1,"t":"x","o":{"k":[1,2]}})") == R"({"id":"a","n":1,"o":{"k":[1,2]},"t":"x"})");
  CHECK(row("a", R"({"id":"other","n":1})") == R"({"id":"a","n":1})");
  CHECK(row("a\"", "5") == R"({"id":"a\"","value":5})");
  CHECK(row("a", R"({"n":1,"t":"x"})", {"t"}) == R"({"t":"x"})");
  CHECK(row("a", R"({"n":1,"t":"x"})", {"id", "none"}) == R"({"id":"a"})");
}

TEST_CASE("Rows as JSON: a change, and of a row that may not be shown the key alone", "[supabase]") {
  db::RowChange change;
  change.key = "a";
  change.before = json(R"({"n":1})");
  change.after = json(R"({"n":2})");
  change.time = db::Timestamp(1'767'323'045'678);
  CHECK(row_change_text(change, true, {}) ==
        R"("type":"UPDATE","commit_timestamp":"2026-01-02T03:04:05.678Z","columns":[],"record":{"id":"a","n":2},)"
        R"("old_record":{"id":"a","n":1},"errors":null)");
  CHECK(row_change_text(change, false, {}).find(R"("old_record":{"id":"a"})") != std::string::npos);
  change.after = {};
  CHECK(row_change_text(change, true, {}).find(R"("type":"DELETE")") != std::string::npos);
  CHECK(row_change_text(change, true, {}).find(R"("record":{},)") != std::string::npos);
}
