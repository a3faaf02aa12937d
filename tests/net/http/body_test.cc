// Bodies that are compressed, and those that come from a source piece by piece.
#include "net/http/gzip.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;

TEST_CASE("Compressed bodies are inflated before the handler sees them", "[net][http][gzip]") {
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    const std::string& body = exchange->request().body;
    const bool padded = body.capacity() >= body.size() + http::kBodyPaddingBytes;
    exchange->respond(
        text_response(body.substr(0, 20) + " " + std::to_string(body.size()) + (padded ? " padded" : "")));
  });
  HttpClient client(server.port());
  std::string packed;
  http::GzipWriter().add(std::string(500'000, 'a'), http::GzipWriter::End::Yes, packed);
  REQUIRE(packed.size() < 5'000);
  client.ask("/", "Content-Encoding: GZip\r\n", packed);
  CHECK(client.reply().body == "aaaaaaaaaaaaaaaaaaaa 500000 padded");
  client.ask("/", "Content-Encoding: identity\r\n", "plain");
  CHECK(client.reply().body == "plain 5 padded");
  client.ask("/", "Content-Encoding: gzip\r\n", "this is not gzip");
  CHECK(client.reply().status == 400);
  HttpClient other(server.port());
  other.ask("/", "Content-Encoding: br\r\n", "x");
  CHECK(other.reply().status == 415);
}

TEST_CASE("A small body that inflates beyond the limit is refused", "[net][http][gzip][limits]") {
  Limits limits;
  limits.body_bytes_max = 100'000;
  HttpFixture server(
      [](std::shared_ptr<Exchange> exchange) {
        exchange->respond(text_response(std::to_string(exchange->request().body.size())));
      },
      limits);
  for (const size_t more : {0, 1, 50'000'000}) {
    std::string packed;
    http::GzipWriter().add(std::string(limits.body_bytes_max + more, 'a'), http::GzipWriter::End::Yes, packed);
    HttpClient client(server.port());
    client.ask("/", "Content-Encoding: gzip\r\n", packed);
    const auto reply = client.reply();
    CHECK(reply.status == (more == 0 ? 200 : 413));
  }
}

TEST_CASE("Long answers are gzipped for those who accept it", "[net][http][gzip]") {
  std::string text;
  for (int i = 0; i < 2'000; ++i) text += "line " + std::to_string(i) + "\n";
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    const std::string& target = exchange->request().target;
    http::Response response = text_response(target == "/short" ? "short" : text);
    if (target == "/never") response.compression = http::Compression::Never;
    if (target != "/chunked") return exchange->respond(std::move(response));
    exchange->respond_chunked(std::move(response), [text, sent = 0](std::string& chunk) mutable {
      chunk = text;
      return ++sent == 3 ? http::Pull::Last : http::Pull::More;
    });
  });
  HttpClient client(server.port());
  struct Case {
    std::string target;
    std::string accept;
    bool gzipped;
  };
  for (const Case& now : std::vector<Case>{{"/long", "gzip, deflate, br", true},
                                           {"/long", "identity;q=1,chunked;q=0.1,*;q=0", false},
                                           {"/long", "gzip;q=0", false},
                                           {"/long", "gzip;q=0.5", true},
                                           {"/long", "", false},
                                           {"/short", "gzip", false},
                                           {"/never", "gzip", false},
                                           {"/chunked", "gzip", true},
                                           {"/chunked", "", false}}) {
    INFO(now.target << " accepting " << now.accept);
    client.ask(now.target, now.accept.empty() ? "" : "Accept-Encoding: " + now.accept + "\r\n");
    const auto reply = client.reply();
    CHECK(reply.whole);
    CHECK(reply.has("content-encoding: gzip") == now.gzipped);
    std::string body = reply.body;
    if (now.gzipped) body = http::inflate_body(reply.body, "gzip", 1'000'000).value();
    std::string expected = now.target == "/short" ? "short" : text;
    if (now.target == "/chunked") expected = text + text + text;
    CHECK(body == expected);
  }
}

TEST_CASE("A long body is pulled as the socket drains, and no faster", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  constexpr size_t kChunkBytes = 256u << 10;
  constexpr int kChunks = 400;  // 100 MB
  std::atomic<int> pulled = 0;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [&](std::string& chunk) {
      chunk.append(kChunkBytes, static_cast<char>('a' + pulled % 26));
      return ++pulled == kChunks ? http::Pull::Last : http::Pull::More;
    });
  });
  HttpClient client(server.at(), "127.0.0.1", 64 << 10);
  client.ask("/");
  std::this_thread::sleep_for(200ms);
  const int ahead = pulled;
  INFO("pulled before anything was read: " << ahead);
  CHECK(ahead >= 1);
  CHECK(ahead < 60);  // what the kernel holds of it, and a megabyte
  const auto reply = client.reply();
  CHECK(reply.whole);
  CHECK(reply.body.size() == kChunkBytes * kChunks);
  CHECK(reply.body.back() == static_cast<char>('a' + (kChunks - 1) % 26));
  pulled = kChunks - 1;
  client.ask("/again");
  CHECK(client.reply().body.size() == kChunkBytes);
}

TEST_CASE("A long body goes to HTTP/1.0 up to the end of the connection, and not at all to HEAD", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, [](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [left = 3](std::string& chunk) mutable {
      chunk += "0123456789";
      return --left == 0 ? http::Pull::Last : http::Pull::More;
    });
  });
  HttpClient old(server.at());
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto reply = old.reply();
  CHECK_FALSE(reply.has("transfer-encoding"));
  CHECK(reply.body == "012345678901234567890123456789");
  CHECK(old.is_closed());
  HttpClient client(server.at());
  client.ask("/", "", "", "HEAD");
  CHECK(client.reply(HttpClient::Body::None).status == 200);
  client.ask("/");
  CHECK(client.reply().body == "012345678901234567890123456789");
}

TEST_CASE("A long body that fails is cut, so that nobody takes it for whole", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, [](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [calls = 0](std::string& chunk) mutable {
      chunk.append(1000, 'x');
      return ++calls == 3 ? http::Pull::Failed : http::Pull::More;
    });
  });
  HttpClient client(server.at());
  client.ask("/");
  CHECK_FALSE(client.reply().whole);
  CHECK(client.is_closed());
}

TEST_CASE("A long body has its time, unless its source can wait for who reads", "[net][http]") {
  http::Limits limits;
  limits.long_body_time_max = 100ms;
  for (const http::Pace pace : {http::Pace::WholeInTime, http::Pace::UntilStalled}) {
    HttpFixture server(
        [pace](std::shared_ptr<Exchange> exchange) {
          http::Response response = text_response("");
          response.pace = pace;
          exchange->respond_chunked(std::move(response), [left = 10](std::string& chunk) mutable {
            std::this_thread::sleep_for(50ms);
            chunk += "0123456789";
            return --left == 0 ? http::Pull::Last : http::Pull::More;
          });
        },
        limits);
    HttpClient client(server.at());
    client.ask("/");
    const auto reply = client.reply();
    INFO((pace == http::Pace::WholeInTime ? "whole in time" : "until stalled"));
    CHECK(reply.whole == (pace == http::Pace::UntilStalled));
  }
}

TEST_CASE("The source of a long body goes when the client goes", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  const auto held = std::make_shared<int>(0);
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [held](std::string& chunk) {
      chunk.append(100'000, 'x');
      return http::Pull::More;
    });
  });
  {
    HttpClient client(server.at());
    client.ask("/");
    CHECK(client.take(1'000'000).size() == 1'000'000);
    CHECK(held.use_count() > 1);
  }
  CHECK(eventually([&] { return held.use_count() == 1; }));
}
