#include "net/rest/query.h"

#include <catch2/catch.hpp>

using namespace hearth::net::rest;

namespace {
// The query's text (db::Query), or what refuses it.
std::string told(const std::string& parameters, Shallow shallow = Shallow::No) {
  const auto target = hearth::net::http::parse_target("/a.json?" + parameters);
  REQUIRE(target.ok());
  const auto query = parse_query(target.value(), shallow);
  if (!query.ok()) return query.error().message;
  return query.value() ? query.value()->text() : "";
}
}  // namespace

TEST_CASE("Query parameters: as clients write them", "[rest]") {  // net/rest/http-api.md §6
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"print=pretty", ""},
      {R"(orderBy="height"&startAt=3)", "cheight|3=||"},
      {R"(orderBy="dimensions/height")", "cdimensions/height|||"},
      {R"(orderBy="$key"&startAt="b"&endAt="b\uf8ff")", "k|\"b\"=|\"b\xef\xa3\xbf\"=|"},
      {R"(orderBy="$value"&limitToLast=3)", "v|||l3"},
      {R"(orderBy="author"&equalTo="alan")", "cauthor|\"alan\"=|\"alan\"=|"},
      {R"(orderBy="$priority"&startAt=52,"tony")", "p|52\"tony\"=||"},
      {R"(orderBy="a"&startAt="x,\"y","k")", "ca|\"x,\\\"y\"\"k\"=||"},
      {R"(orderBy="a"&startAfter=1&endBefore=2)", "ca|1\"[MAX_NAME]\"!|2\"[MIN_NAME]\"!|"},
      {R"(orderBy="a"&startAfter=1,"[MAX_NAME]")", "ca|1\"[MAX_NAME]\"!||"},
      {R"(orderBy="$key"&startAfter="b")", "k|\"b\"!||"},
      {"orderBy=%22n%22&equalTo=null", "cn|null=|null=|"},
      {R"(orderBy=["a","b/c"]&startAt=["x"]&endAt=["x",2])", "ca,b/c|\"x\"=|\"x\",2=|"},
      {R"(orderBy=["a","b"]&startAfter=["x],",2],"k"&limitToFirst=3)", "ca,b|\"x],\",2\"k\"!||f3"},
      {R"(orderBy=["a"]&equalTo=7)", "ca|7=|7=|"},
      {"count=true", "k|||#"},
      {R"(orderBy="a"&limitToLast=9&count=true)", "ca|||l9#"},
  };
  for (const auto& [parameters, query] : cases) {
    INFO(parameters);
    CHECK(told(parameters) == query);
  }
  CHECK(told("limitToFirst=100", Shallow::Yes) == "k|||f100");
  CHECK(told("limitToFirst=5&startAfter=-Nabc", Shallow::Yes) == "k|\"-Nabc\"!||f5");
  CHECK(told("limitToFirst=5&startAfter=12", Shallow::Yes) == "k|\"12\"!||f5");
  CHECK(told("orderBy=name&limitToFirst=5", Shallow::Yes) == "cname|||f5");
  for (const std::string twice : {"%2522n%2522", "%2522$key%2522", "%255B%2522a%2522%255D"}) {
    CHECK(told("limitToFirst=5&orderBy=" + twice, Shallow::Yes) == "orderBy must be a valid JSON encoded path");
  }
}

TEST_CASE("Query parameters: refused in the service's words", "[rest]") {  // net/rest/http-api.md §6
  const std::string order = R"(orderBy="a"&)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"limitToFirst=1", "orderBy must be defined when other query parameters are defined"},
      {"orderBy=name", "orderBy must be a valid JSON encoded path"},
      {"orderBy=3", "orderBy must be a valid JSON encoded path"},
      {"orderBy=%2522n%2522&limitToFirst=1", "orderBy must be a valid JSON encoded path"},
      {"orderBy=%2522$key%2522&startAt=%2522b%2522", "orderBy must be a valid JSON encoded path"},
      {"equalTo=%2522100%25%2522&orderBy=%2522v%2522", "orderBy must be a valid JSON encoded path"},
      {R"(orderBy="a.b")", "orderBy must be a valid JSON encoded path"},
      {R"(orderBy="")", "orderBy must be a valid JSON encoded path"},
      {order + "startAt=abc", "Constraint index field must be a JSON primitive"},
      {order + "startAt={}", "Constraint index field must be a JSON primitive"},
      {order + "endAt=[1]", "Constraint index field must be a JSON primitive"},
      {R"(orderBy="$key"&startAt=3)", "Provided key index type is invalid, must be string"},
      {R"(orderBy=[])", "orderBy must be a valid JSON encoded path, or a list of up to 8 of them"},
      {R"(orderBy=["a",7])", "orderBy must be a valid JSON encoded path, or a list of up to 8 of them"},
      {R"(orderBy=["a","b"]&startAt=7)",
       "Constraint index field must be a list of JSON primitives, at most one for each path of orderBy; a key may "
       "follow a "
       "whole one"},
      {R"(orderBy=["a","b"]&startAt=[1],"k")",
       "Constraint index field must be a list of JSON primitives, at most one for each path of orderBy; a key may "
       "follow a "
       "whole one"},
      {order + "equalTo=1&startAt=2",
       "equalTo cannot be specified in addition to startAfter, startAt, endAt, or endBefore"},
      {order + "limitToFirst=1&limitToLast=1", "Only one of limitToFirst and limitToLast may be specified"},
      {order + "limitToFirst=x", "limitToFirst must be an integer"},
      {order + "limitToLast=1.5", "limitToLast must be an integer"},
      {order + "limitToFirst=", "limitToFirst must be positive"},
      {order + "limitToLast=0", "limitToLast must be positive"},
      {order + "limitToLast=-3", "limitToLast must be positive"},
      {order + "startAt=1&startAfter=1", "Only one of startAt and startAfter may be specified"},
      {order + "endAt=1&endBefore=1", "Only one of endAt and endBefore may be specified"},
      {order + order + "startAt=1", "orderBy may be specified only once"},
  };
  for (const auto& [parameters, what] : cases) {
    INFO(parameters);
    CHECK(told(parameters) == what);
  }
}
