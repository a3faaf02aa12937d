#include "net/wire/reply.h"

#include <catch2/catch.hpp>

#include "net/wire/frame.h"

using namespace hearth;
using namespace hearth::net::wire;

namespace {

db::Path path(const char* text) { return db::Path::parse(text).value(); }

}  // namespace

TEST_CASE("Reply: control messages always carry a payload", "[wire]") {  // js drops a control message without `d`
  CHECK(hello_text(db::Timestamp(1795342798354), "127.0.0.1:9000", "s1") ==
        R"({"t":"c","d":{"t":"h","d":{"ts":1795342798354,"v":"5","h":"127.0.0.1:9000","s":"s1"}}})");
  CHECK(pong_text() == R"({"t":"c","d":{"t":"o","d":{}}})");
  CHECK(shutdown_text("a \"reason\"") == R"({"t":"c","d":{"t":"s","d":"a \"reason\""}})");
  CHECK(complaint_text("x") == R"({"t":"c","d":{"t":"e","d":"x"}})");
  CHECK(redirect_text("h:1") == R"({"t":"c","d":{"t":"r","d":"h:1"}})");
}

TEST_CASE("Reply: responses carry the request's number, a status and data", "[wire]") {
  CHECK(ok_text(6, R"("")") == R"({"t":"d","d":{"r":6,"b":{"s":"ok","d":""}}})");
  CHECK(ok_text(0, "{}") == R"({"t":"d","d":{"r":0,"b":{"s":"ok","d":{}}}})");
  CHECK(value_text(3, db::Value()) == R"({"t":"d","d":{"r":3,"b":{"s":"ok","d":null}}})");
  const auto list = db::Value::object(
      {{"0", db::Value::string("a")}, {"1", db::Value::integer(1).with_priority(db::Value::string("p"))}});
  CHECK(value_text(3, list) ==
        R"({"t":"d","d":{"r":3,"b":{"s":"ok","d":{"0":"a","1":{".value":1,".priority":"p"}}}}})");
}

TEST_CASE("Reply: every error has a status that SDKs know and a text", "[wire]") {
  using db::ErrorCode;
  struct Case {
    ErrorCode code;
    std::string status, text;
  };
  const std::vector<Case> cases = {
      {ErrorCode::PermissionDenied, "permission_denied", "Permission denied"},
      {ErrorCode::Stale, "datastale", "Transaction hash does not match"},
      {ErrorCode::InvalidPath, "failure", "why"},
      {ErrorCode::InvalidData, "failure", "why"},
      {ErrorCode::InvalidArgument, "failure", "why"},
      {ErrorCode::Unsupported, "failure", "why"},
      {ErrorCode::TooLarge, "too_big", "why"},
      {ErrorCode::Unavailable, "unavailable", "why"},
      {ErrorCode::Io, "unavailable", "why"},
      {ErrorCode::InvalidToken, "invalid_token", "why"},
      {ErrorCode::ExpiredToken, "expired_token", "why"},
  };
  for (const Case& c : cases) {
    INFO(c.status);
    CHECK(failure_text(4, {c.code, "why"}) ==
          R"({"t":"d","d":{"r":4,"b":{"s":")" + c.status + R"(","d":")" + c.text + R"("}}})");
  }
}

TEST_CASE("Reply: pushes name paths without a leading slash", "[wire]") {
  struct Case {
    std::shared_ptr<const db::Body> body;
    std::string text;
  };
  const db::Value one = db::Value::integer(1);
  const std::vector<Case> cases = {
      {db::Body::put(path("a/b"), db::Slot::Value, one), R"({"t":"d","d":{"a":"d","b":{"p":"a/b","d":1}}})"},
      {db::Body::put(path("a"), db::Slot::Value, {}), R"({"t":"d","d":{"a":"d","b":{"p":"a","d":null}}})"},
      {db::Body::put({}, db::Slot::Value, one), R"({"t":"d","d":{"a":"d","b":{"p":"","d":1}}})"},
      {db::Body::put(path("a"), db::Slot::Priority, one), R"({"t":"d","d":{"a":"d","b":{"p":"a/.priority","d":1}}})"},
      {db::Body::put(path("a\"b"), db::Slot::Value, one), R"({"t":"d","d":{"a":"d","b":{"p":"a\"b","d":1}}})"},
      {db::Body::merge(path("a"), {{"x", one}, {"y/z", {}}, {".priority", one}}),
       R"({"t":"d","d":{"a":"m","b":{"p":"a","d":{"x":1,"y/z":null,".priority":1}}}})"},
      {db::Body::merge(path("a"), {}), R"({"t":"d","d":{"a":"m","b":{"p":"a","d":{}}}})"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(push_text(*c.body) == c.text);
    CHECK(*push_frame(*c.body) == frame_message(c.text));
  }
  CHECK(revoked_text(path("a/b")) == R"({"t":"d","d":{"a":"c","b":{"p":"a/b"}}})");
}

TEST_CASE("Reply: the frames of a push are made once and shared", "[wire]") {
  const auto body = db::Body::put(path("a"), db::Slot::Value, db::Value::integer(1));
  const auto first = push_frame(*body);
  CHECK(push_frame(*body).get() == first.get());
}
