#include "net/rest/event_text.h"

#include <catch2/catch.hpp>

namespace db = hearth::db;
using namespace hearth::net::rest;

namespace {

db::Path path_of(const std::string& text) { return db::Path::parse(text).value(); }
db::Value value_of(std::string json) { return db::parse_value(std::move(json), {}).value(); }

std::string whole(const db::Body& body, const std::string& base, db::JsonStyle style, const std::string& id = "") {
  const db::SharedBytes data = event_data(body, style);
  if (data->empty()) return "";
  std::string text = event_head(body, path_of(base)) + *data + event_tail(id);
  if (id.empty()) CHECK(*event_text(body, style, path_of(base)) == text);
  return text;
}

}  // namespace

TEST_CASE("event text: strict lines, paths relative to the stream's", "[net][rest]") {  // net/rest/http-api.md §10
  constexpr auto kPlain = db::JsonStyle::Plain;
  constexpr auto kExport = db::JsonStyle::Export;
  const auto put = db::Body::put(path_of("a/b"), db::Slot::Value, value_of(R"({"x":[1],".priority":2})"));
  CHECK(whole(*put, "a/b", kPlain) == "event: put\ndata: {\"path\":\"/\",\"data\":{\"x\":[1]}}\n\n");
  CHECK(whole(*put, "a", kPlain) == "event: put\ndata: {\"path\":\"/b\",\"data\":{\"x\":[1]}}\n\n");
  CHECK(whole(*put, "", kExport) ==
        "event: put\ndata: {\"path\":\"/a/b\",\"data\":{\".priority\":2,\"x\":{\"0\":1}}}\n\n");
  CHECK(whole(*put, "", kPlain, "life:7") ==
        "event: put\ndata: {\"path\":\"/a/b\",\"data\":{\"x\":[1]}}\nid: life:7\n\n");

  const auto removed = db::Body::put(path_of("a/q\"uote"), db::Slot::Value, {});
  CHECK(whole(*removed, "a", kPlain) == "event: put\ndata: {\"path\":\"/q\\\"uote\",\"data\":null}\n\n");

  const auto merge = db::Body::merge(
      path_of("a"), {{"b/c", value_of("1")}, {"d", {}}, {"b/.priority", value_of("5")}, {"e", value_of(R"("x\ny")")}});
  CHECK(whole(*merge, "a", kPlain) ==
        "event: patch\ndata: {\"path\":\"/\",\"data\":{\"b/c\":1,\"d\":null,\"e\":\"x\\ny\"}}\n\n");
  CHECK(whole(*merge, "", kExport) ==
        "event: patch\ndata: {\"path\":\"/a\",\"data\":{\"b/c\":1,\"d\":null,\"b/.priority\":5,\"e\":\"x\\ny\"}}\n\n");
}

TEST_CASE("event text: plain streams are told nothing of priorities", "[net][rest]") {
  const auto priority = db::Body::put(path_of("a"), db::Slot::Priority, value_of("5"));
  CHECK(whole(*priority, "a", db::JsonStyle::Plain).empty());
  CHECK(whole(*priority, "a", db::JsonStyle::Export) == "event: put\ndata: {\"path\":\"/.priority\",\"data\":5}\n\n");
  CHECK(whole(*priority, "", db::JsonStyle::Export) == "event: put\ndata: {\"path\":\"/a/.priority\",\"data\":5}\n\n");
  const auto merge = db::Body::merge(path_of("a"), {{".priority", value_of("1")}, {"b/.priority", {}}});
  CHECK(whole(*merge, "a", db::JsonStyle::Plain).empty());
  CHECK(whole(*merge, "a", db::JsonStyle::Export) ==
        "event: patch\ndata: {\"path\":\"/\",\"data\":{\".priority\":1,\"b/.priority\":null}}\n\n");
}

TEST_CASE("event text: data is made once for all streams of a style", "[net][rest]") {
  const auto put = db::Body::put(path_of("a"), db::Slot::Value, value_of("[1,2]"));
  CHECK(event_data(*put, db::JsonStyle::Plain) == event_data(*put, db::JsonStyle::Plain));
  CHECK(*event_data(*put, db::JsonStyle::Export) == R"({"0":1,"1":2})");
}

TEST_CASE("event text: a whole event is made once for all streams of a style and a length of path", "[net][rest]") {
  const auto body = db::Body::put(path_of("a/b"), db::Slot::Value, value_of("1"));
  const auto plain = [&](const std::string& base) { return event_text(*body, db::JsonStyle::Plain, path_of(base)); };
  CHECK(plain("a/b") == plain("a/b"));
  CHECK(plain("a") == plain("a"));
  CHECK(*plain("a") != *plain("a/b"));
  CHECK(plain("a/b") != event_text(*body, db::JsonStyle::Export, path_of("a/b")));
  CHECK(*plain("") == "event: put\ndata: {\"path\":\"/a/b\",\"data\":1}\n\n");  // beyond what the body keeps
  const auto priority = db::Body::put(path_of("a"), db::Slot::Priority, value_of("1"));
  CHECK(event_text(*priority, db::JsonStyle::Plain, path_of("a"))->empty());
}

TEST_CASE("event text: last words are one line without quotes", "[net][rest]") {
  CHECK(cancel_text({db::ErrorCode::PermissionDenied, "Permission denied"}) ==
        "event: cancel\ndata: Permission denied.\n\n");
  CHECK(cancel_text({db::ErrorCode::TooLarge, "whatever"}) ==
        "event: cancel\ndata: The specified payload is too large, please request a location with less data.\n\n");
  CHECK(cancel_text({db::ErrorCode::Unavailable, "one\ntwo"}) == "event: cancel\ndata: one two.\n\n");
  CHECK(kAuthRevoked == "event: auth_revoked\ndata: credential is no longer valid\n\n");
  CHECK(kKeepAlive == "event: keep-alive\ndata: null\n\n");
}
