#include "net/http/target.h"

#include <catch2/catch.hpp>

using hearth::net::http::parse_target;
using hearth::net::http::Target;

using Segments = std::vector<std::string>;
using Parameters = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("Target: targets are taken as clients send them", "[net][http]") {
  struct Case {
    std::string text;
    Segments segments;
    Parameters parameters;
  };
  const std::vector<Case> cases = {
      {"/", {}, {}},
      {"", {}, {}},
      {"/a/b.json", {"a", "b.json"}, {}},
      {"//a///b/", {"a", "b"}, {}},
      {"/a%2Fb/%C3%A9", {"a/b", "é"}, {}},
      {"/a+b", {"a+b"}, {}},
      {"/a b/{\"c\"}|^`", {"a b", "{\"c\"}|^`"}, {}},
      {"/a?orderBy=\"height\"&x", {"a"}, {{"orderBy", "\"height\""}, {"x", ""}}},
      {"/a?x=1=2&&y=%26+%2B", {"a"}, {{"x", "1=2"}, {"y", "& +"}}},
      {"/a?n%61me=v?/#", {"a"}, {{"name", "v?/#"}}},
      {"/a#b", {"a#b"}, {}},
      {"?a=1", {}, {{"a", "1"}}},
      {"http://host:9000/a/b?c=d", {"a", "b"}, {{"c", "d"}}},
      {"HTTPS://host", {}, {}},
      {"http://host?c=/d", {}, {{"c", "/d"}}},
      {"/http://host/a", {"http:", "host", "a"}, {}},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const auto target = parse_target(c.text);
    REQUIRE(target.ok());
    CHECK(target.value().segments == c.segments);
    CHECK(target.value().parameters == c.parameters);
  }
}

TEST_CASE("Target: an escape that is none is refused", "[net][http]") {
  for (const std::string text : {"/%", "/%4", "/a%zz", "/%4g/b", "/a?b=%", "/a?%zz=1", "/a?b=%4"}) {
    INFO(text);
    CHECK(!parse_target(text).ok());
  }
}

TEST_CASE("Target: of equal names the first counts", "[net][http]") {
  const Target target = parse_target("/a?x=1&x=2&y=").value();
  CHECK(target.parameter("x") == "1");
  CHECK(target.parameter("y") == "");
  CHECK(target.has("y"));
  CHECK(!target.has("z"));
  CHECK(!target.has("X"));
}
