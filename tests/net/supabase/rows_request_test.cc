#include "net/supabase/rows_request.h"

#include <catch2/catch.hpp>

using namespace hearth::net;
using namespace hearth::net::supabase;
using Method = RowsRequest::Method;
using Return = RowsRequest::Return;

namespace {

std::variant<RowsRequest, RowsError> parse(const std::string& method, const std::string& target,
                                           http::Headers headers = {}) {
  http::Request request;
  request.method = method;
  request.target = target;
  request.headers = std::move(headers);
  const auto project = project_of(target, "");
  REQUIRE(project.ok());
  return parse_rows_request(request, project.value());
}
RowsRequest good(const std::string& method, const std::string& target, http::Headers headers = {}) {
  auto parsed = parse(method, target, std::move(headers));
  if (const auto* error = std::get_if<RowsError>(&parsed)) FAIL(error->message << " " << error->details);
  return std::get<RowsRequest>(parsed);
}
// "400 PGRST100".
std::string bad(const std::string& method, const std::string& target, http::Headers headers = {}) {
  auto parsed = parse(method, target, std::move(headers));
  const auto* error = std::get_if<RowsError>(&parsed);
  return error == nullptr ? "none" : std::to_string(error->status) + " " + error->code;
}

}  // namespace

TEST_CASE("rows: a request as the published client sends it", "[net][supabase]") {
  const RowsRequest read =
      good("GET",
           "/ns/shop/rest/v1/todos?select=id%2Cn&n=gt.1&n=lt.9&or=(a.eq.1%2Cb.is.null)&order=n.desc%2Cid.asc.nullsfirst"
           "&offset=5&limit=10&apikey=x",
           {{"Accept-Profile", "public"}, {"prefer", "count=exact"}});
  CHECK(read.method == Method::Read);
  CHECK(read.table == "todos");
  CHECK(read.selection.size() == 2);
  CHECK(read.query.where.parts.size() == 3);
  REQUIRE(read.query.order.size() == 2);
  CHECK(read.query.order[0].descending);
  CHECK(read.query.order[0].nulls_first);
  CHECK_FALSE(read.query.order[1].descending);
  CHECK(read.query.order[1].nulls_first);
  CHECK(read.query.offset == 5);
  CHECK(read.query.limit == 10);
  CHECK(read.counts);
  CHECK(read.form == RowsText::Form::List);

  const RowsRequest insert = good("POST", "/rest/v1/todos?columns=%22id%22%2C%22n%22&on_conflict=id&select=*",
                                  {{"Prefer", "return=representation, resolution=merge-duplicates,missing=default"},
                                   {"Accept", "application/vnd.pgrst.object+json;nulls=stripped"}});
  CHECK(insert.method == Method::Insert);
  CHECK(insert.returns == Return::Representation);
  CHECK(insert.duplicates == RowsRequest::Duplicates::Merged);
  CHECK(insert.missing_is_default);
  CHECK(insert.columns == std::vector<std::string>{"id", "n"});
  CHECK(insert.form == RowsText::Form::Single);
  CHECK(insert.nulls == Nulls::Stripped);
  CHECK(insert.applied == "return=representation, resolution=merge-duplicates, missing=default");

  CHECK(good("PATCH", "/rest/v1/t?id=eq.a").method == Method::Update);
  CHECK(good("DELETE", "/rest/v1/t?id=eq.a", {{"Prefer", "return=headers-only"}}).returns == Return::HeadersOnly);
  CHECK_FALSE(good("HEAD", "/rest/v1/t").wants_body);
}

TEST_CASE("rows: preferences that nobody knows are refused only where the client says so", "[net][supabase]") {
  CHECK(good("GET", "/rest/v1/t", {{"Prefer", "foo, max-affected=3, tx=rollback"}}).applied == "max-affected=3");
  CHECK_FALSE(good("DELETE", "/rest/v1/t", {{"Prefer", "max-affected=3"}}).affected_max);
  CHECK(good("DELETE", "/rest/v1/t", {{"Prefer", "handling=strict, max-affected=3"}}).affected_max == 3);
  CHECK(bad("GET", "/rest/v1/t", {{"Prefer", "handling=strict, foo"}}) == "400 PGRST122");
  CHECK(bad("GET", "/rest/v1/t", {{"Prefer", "handling=strict"}, {"Prefer", "return=most"}}) == "400 PGRST122");
}

TEST_CASE("rows: a range in the header, unless the query string has one", "[net][supabase]") {
  CHECK(good("GET", "/rest/v1/t", {{"Range", "5-9"}}).query.offset == 5);
  CHECK(good("GET", "/rest/v1/t", {{"Range", "5-9"}}).query.limit == 5);
  CHECK_FALSE(good("GET", "/rest/v1/t", {{"Range", "5-"}}).query.limit);
  CHECK(good("GET", "/rest/v1/t?limit=2", {{"Range", "5-9"}}).query.offset == 0);
  CHECK(good("GET", "/rest/v1/t", {{"Range", "bytes=0-9"}}).query.limit == std::nullopt);
  CHECK(good("DELETE", "/rest/v1/t", {{"Range", "5-9"}}).query.offset == 0);
  CHECK(bad("GET", "/rest/v1/t", {{"Range", "9-5"}}) == "416 PGRST103");
}

TEST_CASE("rows: what is not offered, or cannot be understood, is refused by its code", "[net][supabase]") {
  CHECK(bad("PUT", "/rest/v1/t") == "405 PGRST117");
  CHECK(bad("GET", "/rest/v1") == "404 PGRST125");
  CHECK(bad("GET", "/rest/v1/t/u") == "404 PGRST125");
  CHECK(bad("POST", "/rest/v1/rpc/fn") == "404 PGRST202");
  CHECK(bad("GET", "/rest/v1/rpc") == "404 PGRST202");
  CHECK(bad("GET", "/rest/v1/t", {{"Accept-Profile", "other"}}) == "406 PGRST106");
  CHECK(bad("POST", "/rest/v1/t", {{"Content-Profile", "other"}}) == "406 PGRST106");
  CHECK(bad("POST", "/rest/v1/t", {{"Accept-Profile", "other"}}) == "none");
  CHECK(bad("GET", "/rest/v1/t", {{"Accept", "text/csv"}}) == "406 PGRST107");
  CHECK(bad("GET", "/rest/v1/t", {{"Accept", "text/csv, */*;q=0.1"}}) == "none");
  CHECK(bad("GET", "/rest/v1/t?select=u(*)") == "400 PGRST200");
  CHECK(bad("GET", "/rest/v1/t?select=n.sum()") == "400 PGRST123");
  CHECK(bad("GET", "/rest/v1/t?select=n::int8") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?select=a,,b") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?order=u(n)") == "400 PGRST108");
  CHECK(bad("GET", "/rest/v1/t?order=n.up") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?order=a,b,c,d,e,f,g,h") == "none");
  CHECK(bad("GET", "/rest/v1/t?order=a,b,c,d,e,f,g,h,i") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?limit=-1") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?offset=1e3") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?limit=99999999999999999999") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?n=5") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?u.n=eq.5") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?or=n.eq.5") == "400 PGRST100");
  CHECK(bad("GET", "/rest/v1/t?not.and=(n.eq.5)") == "none");
  CHECK(bad("POST", "/rest/v1/t?on_conflict=n") == "400 42P10");
  std::string many = "/rest/v1/t?n=eq.1";
  for (int i = 0; i < 100; ++i) many += "&n=eq.1";
  CHECK(bad("GET", many) == "400 PGRST100");
}
