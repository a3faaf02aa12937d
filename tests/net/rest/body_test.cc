#include "net/rest/body.h"

#include <catch2/catch.hpp>

namespace db = hearth::db;
using namespace hearth::net::rest;

namespace {

db::Path path_of(const std::string& text) { return db::Path::parse(text).value(); }
db::Value value_of(std::string json) { return db::parse_value(std::move(json), {}).value(); }

RestRequest request_of(Method method, const std::string& path) {
  RestRequest request;
  request.method = method;
  request.path = path_of(path);
  return request;
}

Change change_of(const RestRequest& request, std::string body) {
  return read_body(request, std::move(body), "", "-key").value();
}

}  // namespace

TEST_CASE("body: what each method writes, and where", "[net][rest]") {
  struct Case {
    Method method;
    std::string body, base;
    std::string at;  // of the one overwrite
    std::string value;
    bool merge;
  };
  const std::vector<Case> cases = {
      {Method::Put, "{\"x\":1}", "a/b", "a/b", "{\"x\":1}", false},
      {Method::Post, "\"v\"", "a/b/-key", "a/b/-key", "\"v\"", false},
      {Method::Delete, "ignored", "a/b", "a/b", "null", false},
      {Method::Patch, "{\"c/d\":[1]}", "a/b", "a/b/c/d", "[1]", true},
      {Method::Patch, "null", "a/b", "a/b", "null", true},
  };
  for (const Case& c : cases) {
    INFO(c.body);
    const Change change = change_of(request_of(c.method, "a/b"), c.body);
    CHECK(change.write.base.text() == c.base);
    CHECK(change.write.merge == c.merge);
    CHECK(!change.write.wants_value);
    REQUIRE(change.write.overwrites.size() == 1);
    CHECK(change.write.overwrites[0].path.text() == c.at);
    CHECK(change.write.overwrites[0].value == value_of(c.value));
  }
}

TEST_CASE("body: the tree is asked for a value only where it must be", "[net][rest]") {
  CHECK(!change_of(request_of(Method::Put, "a"), R"({".sv":"timestamp"})").write.wants_value);
  CHECK(change_of(request_of(Method::Put, "a"), R"({"b":{".sv":{"increment":1}}})").write.wants_value);
  CHECK(change_of(request_of(Method::Patch, "a"), R"({"b":1,"c":{".sv":{"increment":1}}})").write.wants_value);
  RestRequest conditional = request_of(Method::Put, "a");
  conditional.if_match = "";
  const Change change = change_of(conditional, "1");
  CHECK(change.write.wants_value);
  CHECK(change.write.preconditions.size() == 1);
}

TEST_CASE("body: a priority is set by itself", "[net][rest]") {
  RestRequest request = request_of(Method::Put, "a");
  request.slot = db::Slot::Priority;
  const Change change = change_of(request, "5");
  REQUIRE(change.write.overwrites.size() == 1);
  CHECK(change.write.overwrites[0].slot == db::Slot::Priority);
  CHECK(change.write.overwrites[0].path.text() == "a");
  CHECK(!read_body(request, "true", "", "").ok());
}

TEST_CASE("body: nothing, and too much", "[net][rest]") {
  for (const Method method : {Method::Put, Method::Post, Method::Patch}) {
    const auto change = read_body(request_of(method, "a"), "", "", "-key");
    REQUIRE(!change.ok());
    CHECK(change.error().message == "Error: No data supplied.");
  }
  RestRequest request = request_of(Method::Patch, "a");
  request.write_bytes_max = 1000;
  const std::string half = "\"" + std::string(600, 'x') + "\"";
  CHECK(read_body(request, "{\"a\":" + half + "}", "", "").ok());
  const auto both = read_body(request, "{\"a\":" + half + ",\"b\":" + half + "}", "", "");
  REQUIRE(!both.ok());
  CHECK(both.error().code == db::ErrorCode::TooLarge);
  std::string deep;
  for (size_t i = 0; i < db::kDepthMax; ++i) deep += "d/";
  CHECK(!read_body(request_of(Method::Post, deep), "1", "", "-key").ok());
}

TEST_CASE("body: settled values are those that were written", "[net][rest]") {
  db::Answer answer;
  answer.time = db::Timestamp(1700000000000);

  const RestRequest put = request_of(Method::Put, "a");
  Change timestamp = change_of(put, R"({"at":{".sv":"timestamp"},"x":1})");
  settle(timestamp, put, answer);
  CHECK(timestamp.value == value_of(R"({"at":1700000000000,"x":1})"));
  CHECK(timestamp.hash.empty());

  const RestRequest patch = request_of(Method::Patch, "a");
  const std::string update =
      R"({"n/m":{".sv":{"increment":1}},"at":{".sv":"timestamp"},"n/.priority":{".sv":"timestamp"}})";
  answer.value = value_of(R"({"n":{"m":8,".priority":1700000000000},"at":1700000000000,"other":1})");
  Change counted = change_of(patch, update);
  settle(counted, patch, answer);
  REQUIRE(counted.entries.size() == 3);
  for (const auto& [name, value] : counted.entries) {
    INFO(name);
    CHECK(value == (name == "n/m"  ? value_of("8")
                    : name == "at" ? value_of("1700000000000")
                                   : answer.value.child("n").priority()));
  }

  // The tree was too large to be read back: what was asked is said.
  answer.value = db::Value();
  Change unknown = change_of(patch, R"({"n":{".sv":{"increment":1}}})");
  settle(unknown, patch, answer);
  CHECK(unknown.entries[0].second == value_of(R"({".sv":{"increment":1}})"));
}

TEST_CASE("body: the hash of what was written, when it is wanted", "[net][rest]") {
  RestRequest request = request_of(Method::Put, "a");
  request.wants_etag = true;
  Change change = change_of(request, "10");
  settle(change, request, {});
  CHECK(change.hash.size() == 28);
  Change removed = change_of(request, "null");
  settle(removed, request, {});
  CHECK(removed.hash.empty());
}
