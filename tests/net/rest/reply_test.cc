#include "net/rest/reply.h"

#include <catch2/catch.hpp>

#include "tests/net/rest/fixture.h"

namespace db = hearth::db;
namespace http = hearth::net::http;
using namespace hearth::net::rest;
using hearth::test::text_of;

TEST_CASE("reply: each error has its status and its words", "[net][rest]") {
  using db::ErrorCode;
  struct Case {
    ErrorCode code;
    int status;
    std::string text;
  };
  const std::string own = "what happened";
  const std::vector<Case> cases = {
      {ErrorCode::InvalidPath, 400, own},
      {ErrorCode::InvalidData, 400, own},
      {ErrorCode::InvalidArgument, 400, own},
      {ErrorCode::Unsupported, 400, own},
      {ErrorCode::PermissionDenied, 401, own},
      {ErrorCode::InvalidToken, 401, own},
      {ErrorCode::ExpiredToken, 401, own},
      {ErrorCode::Stale, 412, own},
      {ErrorCode::TooLarge, 400, own},
      {ErrorCode::NotFound, 404,
       "Firebase error. Please ensure that you have the URL of your Firebase Realtime Database instance configured "
       "correctly."},
      {ErrorCode::Timeout, 400, "Request timed out."},
      {ErrorCode::Unavailable, 503, own},
      {ErrorCode::Locked, 503, own},
      {ErrorCode::Io, 500, "An internal error occurred"},
      {ErrorCode::Corruption, 500, "An internal error occurred"},
  };
  for (const Case& c : cases) {
    INFO(static_cast<int>(c.code));
    const http::Response response = error_reply_of({c.code, own}, "");
    CHECK(response.status == c.status);
    CHECK(response.body == "{\n  \"error\" : \"" + c.text + "\"\n}\n");
    CHECK(http::find_header(response.headers, "Access-Control-Allow-Origin") == "*");
    CHECK(http::find_header(response.headers, "Retry-After").has_value() == (c.status == 503));
  }
}

TEST_CASE("reply: a denial is the service's 36 bytes", "[net][rest]") {  // net/rest/http-api.md §9
  CHECK(error_reply_of({db::ErrorCode::PermissionDenied, "Permission denied"}, "").body.size() == 36);
}

TEST_CASE("reply: scripts are told errors as a success, but plain text stays plain", "[net][rest]") {
  const http::Response json = refusal_reply({.status = 400, .text = "no", .callback = "f"});
  CHECK(json.status == 200);
  CHECK(json.body == "/**/f({\n  \"error\" : \"no\"\n});");
  const http::Response text =
      refusal_reply({.status = 404, .text = "no", .form = Refusal::Form::Text, .callback = "f"});
  CHECK(text.status == 404);
  CHECK(text.body == "no");
}

TEST_CASE("reply: a preflight allows what it asks for, or what clients need", "[net][rest]") {
  const http::Response asked = preflight_reply({{"Access-Control-Request-Headers", "x-one, x-two"}});
  CHECK(http::find_header(asked.headers, "Access-Control-Allow-Headers") == "x-one, x-two");
  const http::Response plain = preflight_reply({});
  const auto allowed = http::find_header(plain.headers, "Access-Control-Allow-Headers");
  REQUIRE(allowed);
  CHECK_THAT(std::string(*allowed), Catch::Contains("authorization") && Catch::Contains("x-firebase-etag") &&
                                        Catch::Contains("idempotency-key"));
}

TEST_CASE("reply: long bodies leave in pieces, short ones say their length", "[net][rest]") {
  const hearth::test::RestServer server;
  const std::string text(100'000, 'x');
  std::string body = "{";
  for (int i = 10; i < 40; ++i) body += "\"k" + std::to_string(i) + "\":\"" + text + "\",";
  body.back() = '}';
  REQUIRE(server.put("/long.json?print=silent", body).status == 204);

  const auto whole = server.get("/long.json");
  CHECK(whole.header("Transfer-Encoding") == "chunked");
  CHECK(whole.header("Content-Length").empty());
  CHECK((whole.body == body));

  const auto script = server.get("/long.json?callback=f");
  CHECK((script.body == "/**/f(" + body + ");"));

  const auto pretty = server.get("/long.json?print=pretty");
  CHECK(pretty.body.starts_with("{\n  \"k10\" : \"xxx"));
  CHECK(pretty.body.ends_with("xxx\"\n}\n"));

  const auto short_one = server.get("/long/k10.json");
  CHECK(short_one.header("Content-Length") == "100002");

  const auto head = server.ask({.method = "HEAD", .target = "/long.json"});
  CHECK(head.status == 200);
  CHECK(head.body.empty());

  // Nothing but the head is sent: the connection goes on.
  hearth::test::TcpClient client(server.port());
  client.send(text_of({.method = "HEAD", .target = "/long.json"}) + text_of({.target = "/long/none.json"}));
  CHECK(client.read_reply(hearth::test::TcpClient::Body::None).status == 200);
  CHECK(client.read_reply().body == "null");
}
