#include "net/rest/parameters.h"

#include <catch2/catch.hpp>

#include <variant>

using namespace hearth::net::rest;
namespace http = hearth::net::http;

namespace {

// What is said to a request: its status, and why.
std::pair<int, std::string> told(const std::string& method, const std::string& target) {
  http::Request request;
  request.method = method;
  request.target = target;
  const auto parsed = parse_request(request);
  const auto* refusal = std::get_if<Refusal>(&parsed);
  return refusal == nullptr ? std::pair(200, std::string()) : std::pair(refusal->status, refusal->text);
}

}  // namespace

TEST_CASE("Parameters: each with each method: a write takes none that it does not know", "[net][rest]") {
  struct Case {
    std::string parameter;
    std::string_view get, put, post, patch, remove;  // "yes", or "no": refused, by name
    std::string with = "";                           // what it needs beside it
  };
  const std::vector<Case> cases = {
      {"auth=x", "yes", "yes", "yes", "yes", "yes"},
      {"access_token=x", "yes", "yes", "yes", "yes", "yes"},
      {"ac=x", "yes", "yes", "yes", "yes", "yes"},
      {"auth_variable_override=null", "yes", "yes", "yes", "yes", "yes"},
      {"ns=x", "yes", "yes", "yes", "yes", "yes"},
      {"print=silent", "yes", "yes", "yes", "yes", "yes"},
      {"print=pretty", "yes", "yes", "yes", "yes", "yes"},
      {"timeout=5s", "yes", "yes", "yes", "yes", "yes"},
      {"writeSizeLimit=tiny", "yes", "yes", "yes", "yes", "yes"},
      {"format=export", "yes", "yes", "yes", "yes", "yes"},
      {"download=a.json", "yes", "yes", "yes", "yes", "yes"},
      {"callback=f", "yes", "yes", "yes", "yes", "yes"},
      {"disableTriggers=true", "yes", "yes", "yes", "yes", "yes"},
      {"x-http-method-override=POST", "yes", "yes", "yes", "yes", "yes"},
      {"X-HTTP-Method-Override=POST", "yes", "yes", "yes", "yes", "yes"},
      {"orderBy=\"n\"", "yes", "no", "no", "no", "yes", "&limitToFirst=1"},
      {"startAt=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"startAfter=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"endAt=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"endBefore=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"equalTo=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"limitToFirst=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"limitToLast=1", "yes", "no", "no", "no", "yes", "&orderBy=\"n\""},
      {"count=true", "yes", "no", "no", "no", "no"},
      {"count=false", "yes", "no", "no", "no", "no"},
      {"select=a", "yes", "no", "no", "no", "no"},
      {"shallow=true", "yes", "yes", "yes", "yes", "no"},
      {"wait=5s", "yes", "no", "no", "no", "no"},
      {"eventIds=true", "yes", "no", "no", "no", "no"},
      {"resume=true", "yes", "no", "no", "no", "no"},
      {"lastEventId=x", "yes", "no", "no", "no", "no"},
      {"dryRun=true", "yes", "no", "no", "no", "no"},
      {"order_by=\"n\"", "yes", "no", "no", "no", "no"},
      {"orderby=\"n\"", "yes", "no", "no", "no", "no"},
      {"OrderBy=\"n\"", "yes", "no", "no", "no", "no"},
      {"limitTolast=1", "yes", "no", "no", "no", "no"},
      {"limit_to_first=1", "yes", "no", "no", "no", "no"},
      {"start_at=1", "yes", "no", "no", "no", "no"},
      {"equalto=1", "yes", "no", "no", "no", "no"},
      {"Ns=x", "yes", "no", "no", "no", "no"},
      {"Auth=x", "yes", "no", "no", "no", "no"},
      {"write_size_limit=tiny", "yes", "no", "no", "no", "no"},
      {"_=1", "yes", "no", "no", "no", "no"},
      {"limit", "yes", "no", "no", "no", "no"},
      {"order%20By=1", "yes", "no", "no", "no", "no"},
  };
  for (const Case& c : cases) {
    const std::pair<std::string, std::string_view> methods[] = {
        {"GET", c.get}, {"PUT", c.put}, {"POST", c.post}, {"PATCH", c.patch}, {"DELETE", c.remove}};
    for (const auto& [method, expected] : methods) {
      INFO(method << " ?" << c.parameter);
      const auto [status, text] = told(method, "/a.json?" + c.parameter + c.with);
      INFO(text);
      CHECK(status == (expected == "yes" ? 200 : 400));
      std::string name = c.parameter.substr(0, c.parameter.find('='));
      if (name == "order%20By") name = "order By";
      if (expected == "no") CHECK_THAT(text, Catch::Contains(name));
    }
  }
}

TEST_CASE("Parameters: who misspells one is told which is meant", "[net][rest]") {
  CHECK(told("DELETE", "/a.json?limitTolast=3").second ==
        "DELETE has no parameter limitTolast here, so nothing was done; is limitToLast meant?");
  CHECK(told("DELETE", "/a.json?order_by=3").second ==
        "DELETE has no parameter order_by here, so nothing was done; is orderBy meant?");
  CHECK(told("PUT", "/a.json?NS=x").second == "PUT has no parameter NS here, so nothing was done; is ns meant?");
  CHECK(told("PUT", "/a.json?endAt=3").second ==
        "PUT has no parameter endAt here, so nothing was done; queries are for GET and DELETE.");
  CHECK(told("DELETE", "/a.json?select=t").second == "DELETE has no parameter select here, so nothing was done.");
}

TEST_CASE("Parameters: of writes that are no data, their own", "[net][rest]") {
  CHECK(told("PUT", "/.settings/rules.json?dryRun=true&ns=x").first == 200);
  CHECK(told("PUT", "/.settings/rules.json?dryrun=true").second ==
        "PUT has no parameter dryrun here, so nothing was done; is dryRun meant?");
  for (const std::string value : {"True", "1", "", "yes"}) {
    CHECK(told("PUT", "/.settings/rules.json?dryRun=" + value).second == "dryRun must be true or false.");
  }
  CHECK(told("GET", "/.settings/rules.json?dryRun=1").first == 200);
  CHECK(told("POST", "/.settings/restore.json?upload=1&into=/a&replace=true").first == 200);
  CHECK(told("PUT", "/.settings/restore.json?upload=1&at=0").first == 200);
  CHECK(told("POST", "/.settings/restore.json?upload=1&inot=/a").first == 400);
  CHECK(told("DELETE", "/.settings/namespace.json?ns=x").first == 200);
  CHECK(told("DELETE", "/.settings/namespace.json?ns=x&path=a").first == 400);
  CHECK(told("POST", "/a/.upload?ns=x&access_token=owner&writeSizeLimit=unlimited&disableTriggers=true").first == 200);
  // A POST that is meant as another method takes that one's.
  CHECK(told("POST", "/a.json?x-http-method-override=DELETE&orderBy=\"n\"&endAt=1").first == 200);
  CHECK(told("POST", "/a.json?x-http-method-override=GET&cache=1").first == 200);
  CHECK(told("POST", "/a.json?x-http-method-override=PUT&endAt=1").first == 400);
}
