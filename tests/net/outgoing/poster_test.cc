#include "net/outgoing/poster.h"

#include <catch2/catch.hpp>
#include <map>
#include <mutex>

#include "tests/net/http/fixture.h"

namespace hearth::net::http {
namespace {

Posting to(uint16_t port, std::string body = "{}") {
  Posting posting;
  posting.url = fmt::format("http://127.0.0.1:{}/hook?a=b", port);
  posting.headers = {{"Content-Type", "application/json"}, {"webhook-id", "7"}};
  posting.body = std::move(body);
  return posting;
}

// What comes of `count` postings.
std::map<uint64_t, Posted> all_of(Poster& poster, size_t count) {
  std::map<uint64_t, Posted> done;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (done.size() < count && std::chrono::steady_clock::now() < end) {
    for (Posted& posted : poster.run(std::chrono::milliseconds(100))) done[posted.id] = std::move(posted);
  }
  return done;
}

}  // namespace

TEST_CASE("Poster: what is sent, and what is told of the answer", "[net][http]") {
  std::mutex mutex;
  std::vector<Request> seen;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    {
      const std::lock_guard lock(mutex);
      seen.push_back(exchange->request());
    }
    exchange->respond({.status = 202, .headers = {{"Retry-After", "7"}}, .body = "thanks"});
  });
  Poster poster;
  poster.post(1, to(server.port(), "[1,2]"));
  const auto done = all_of(poster, 1);
  CHECK(done.at(1).status == 202);
  CHECK(done.at(1).body == "thanks");
  CHECK(done.at(1).failure.empty());
  CHECK(done.at(1).retry_after == std::chrono::seconds(7));
  CHECK(poster.under_way() == 0);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].method == "POST");
  CHECK(seen[0].target == "/hook?a=b");
  CHECK(seen[0].body == "[1,2]");
  CHECK(seen[0].header("webhook-id") == "7");
  CHECK(seen[0].header("Content-Type") == "application/json");
  CHECK_FALSE(seen[0].header("Expect"));
}

TEST_CASE("Poster: an address is asked about before it is connected to, and refused with why", "[net][http]") {
  std::atomic<int> asked = 0;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    ++asked;
    exchange->respond({.body = "{}"});
  });
  Poster poster;
  std::vector<std::string> shown;
  for (const char* host : {"127.0.0.1", "localhost", "0x7f000001", "2130706433", "127.1", "[::ffff:127.0.0.1]"}) {
    Posting posting = to(server.port());
    posting.url = fmt::format("http://{}:{}/", host, server.port());
    posting.may_connect = [&](const IpAddress& address) -> db::Result<void> {
      shown.push_back(address.text());
      return db::Error{db::ErrorCode::PermissionDenied, "not there"};
    };
    poster.post(1, std::move(posting));
    const Posted done = all_of(poster, 1).at(1);
    INFO(host);
    CHECK(done.status == 0);
    CHECK(done.failure == "not there");
    REQUIRE_FALSE(shown.empty());
    for (const std::string& address : shown) CHECK((address == "127.0.0.1" || address == "::1"));
    shown.clear();
  }
  CHECK(asked == 0);
}

TEST_CASE("Poster: nobody is followed elsewhere, and a body that does not end is left", "[net][http]") {
  std::atomic<int> asked = 0;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    ++asked;
    if (exchange->request().body == "long") {
      return exchange->respond_chunked({}, [](std::string& chunk) {
        chunk.append(100'000, 'x');
        return Pull::More;  // for ever
      });
    }
    exchange->respond({.status = 307, .headers = {{"Location", "/other"}}});
  });
  Poster poster;
  poster.post(1, to(server.port()));
  CHECK(all_of(poster, 1).at(1).status == 307);
  CHECK(asked == 1);
  Posting posting = to(server.port(), "long");
  posting.answer_bytes_max = 1'000;
  poster.post(2, std::move(posting));
  const Posted done = all_of(poster, 1).at(2);
  CHECK(done.status == 200);
  CHECK(done.body.size() == 1'000);
}

TEST_CASE("Poster: many at a time; the silent and the dead hold up nobody; an attempt ends in its time",
          "[net][http]") {
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> silent;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().body != "silent") return exchange->respond({.status = 204});
    const std::lock_guard lock(mutex);
    silent.push_back(exchange);
  });
  Poster poster;
  Posting waits = to(server.port(), "silent");
  waits.time_max = std::chrono::milliseconds(700);
  poster.post(100, waits);
  poster.post(101, to(1));
  for (uint64_t id = 0; id < 20; ++id) poster.post(id, to(server.port()));
  const auto done = all_of(poster, 22);
  for (uint64_t id = 0; id < 20; ++id) CHECK(done.at(id).status == 204);
  CHECK(done.at(100).status == 0);
  CHECK(done.at(100).failure.find("timed out") != std::string::npos);
  CHECK(done.at(100).took >= std::chrono::milliseconds(600));
  CHECK(done.at(101).status == 0);
  CHECK_FALSE(done.at(101).failure.empty());
  poster.post(5, to(server.port(), "silent"));  // given up by the end
  const std::lock_guard lock(mutex);
  silent.clear();
}

TEST_CASE("Poster: is woken before and while it waits", "[net][http]") {
  Poster poster;
  poster.wake();
  const auto begun = std::chrono::steady_clock::now();
  CHECK(poster.run(std::chrono::seconds(20)).empty());
  std::thread waker([&] { poster.wake(); });
  CHECK(poster.run(std::chrono::seconds(20)).empty());
  waker.join();
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(15));
}

TEST_CASE("parse_url: where a URL leads, as libcurl will go there", "[net][http]") {
  const UrlParts secure = parse_url("https://Example.COM./a").value();
  CHECK(secure.is_secure);
  CHECK(secure.host == "example.com");
  CHECK(secure.port == 443);
  CHECK(parse_url("http://a:8080").value().port == 8080);
  CHECK(parse_url("http://0x7f.1/").value().host == "127.0.0.1");
  CHECK(parse_url("http://[::1]:9/").value().host == "::1");
  CHECK(parse_url("https://example.com\\@evil.example/").ok() == false);
  for (const char* url :
       {"", "a", "gopher://a/", "https://", "https://a b/", "https://a/#b", "https://u@a/", "https://\xc3\xa4/"}) {
    INFO(url);
    CHECK_FALSE(parse_url(url).ok());
  }
}

}  // namespace hearth::net::http
