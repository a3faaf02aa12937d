#include "net/outgoing/fetch.h"

#include <catch2/catch.hpp>

#include "tests/net/http/fixture.h"

namespace hearth::net::http {

namespace {

constexpr Fetching kLimits{1000, std::chrono::seconds(10)};

}  // namespace

TEST_CASE("fetch: a document and how long it is good for", "[net][http]") {
  Fixture server([](const std::shared_ptr<Exchange>& exchange) {
    Response response;
    response.headers = {{"Cache-Control", "public, max-age=300, must-revalidate"}};
    response.body = exchange->request().target;
    exchange->respond(std::move(response));
  });
  const std::atomic<bool> stop = false;
  const auto document = fetch(fmt::format("http://127.0.0.1:{}/a?b=c", server.port()), kLimits, stop);
  REQUIRE(document.ok());
  CHECK(document.value().body == "/a?b=c");
  CHECK(document.value().max_age == std::chrono::seconds(300));
}

TEST_CASE("fetch: up to as many bytes as may be, and no more", "[net][http]") {
  std::atomic<size_t> bytes = kLimits.body_bytes_max;
  Fixture server(
      [&](const std::shared_ptr<Exchange>& exchange) { exchange->respond({.body = std::string(bytes, 'x')}); });
  const std::string url = fmt::format("http://127.0.0.1:{}/", server.port());
  const std::atomic<bool> stop = false;
  CHECK(fetch(url, kLimits, stop).value().body.size() == bytes);
  ++bytes;
  CHECK(fetch(url, kLimits, stop).error() ==
        db::Error{db::ErrorCode::TooLarge, "the answer is larger than 1000 bytes"});
}

TEST_CASE("fetch: what is not 200 is none; nobody is followed elsewhere", "[net][http]") {
  std::atomic<int> status = 0;
  std::atomic<int> asked = 0;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    ++asked;
    exchange->respond({.status = status, .headers = {{"Location", "/other"}}, .body = "{}"});
  });
  const std::atomic<bool> stop = false;
  for (const int one : {201, 301, 302, 404, 500}) {
    status = one;
    asked = 0;
    const auto document = fetch(fmt::format("http://127.0.0.1:{}/", server.port()), kLimits, stop);
    REQUIRE_FALSE(document.ok());
    CHECK(document.error() == db::Error{db::ErrorCode::Io, fmt::format("it answers {}", one)});
    CHECK(asked == 1);
  }
}

TEST_CASE("fetch: nobody there, no other protocols, no patience without end", "[net][http]") {
  const std::atomic<bool> stop = false;
  CHECK(fetch("http://127.0.0.1:1/", kLimits, stop).error().code == db::ErrorCode::Io);
  CHECK(fetch("file:///etc/hostname", kLimits, stop).error().code == db::ErrorCode::Io);
  CHECK(fetch("nonsense", {1000, std::chrono::milliseconds(300)}, stop).error().code == db::ErrorCode::Io);

  std::vector<std::shared_ptr<Exchange>> held;
  std::mutex mutex;
  Fixture server([&](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(exchange));
  });
  const std::string url = fmt::format("http://127.0.0.1:{}/", server.port());
  const auto late = fetch(url, {1000, std::chrono::milliseconds(200)}, stop);
  CHECK(late.error().code == db::ErrorCode::Io);
  const std::atomic<bool> stopped = true;
  CHECK(fetch(url, {1000, std::chrono::minutes(5)}, stopped).error().code == db::ErrorCode::Unavailable);
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("fetch: max-age", "[net][http]") {  // RFC 9111 §5.2
  struct Case {
    std::string field;
    int seconds;
  };
  const std::vector<Case> cases = {
      {"", 0},
      {"max-age=19463", 19463},
      {" public, Max-Age=60 , must-revalidate, no-transform\r\n", 60},
      {"max-age=60, no-store", 0},
      {"no-cache, max-age=60", 0},
      {"s-maxage=60", 0},
      {"max-age=", 0},
      {"max-age=-1", 0},
      {"max-age=1x", 0},
      {"max-age=99999999999999999999", 0},
      {",,,", 0},
  };
  for (const Case& c : cases) {
    INFO(c.field);
    CHECK(max_age_of(c.field).count() == c.seconds);
  }
}

}  // namespace hearth::net::http
