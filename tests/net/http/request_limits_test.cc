// What a client may use up, at each limit and one past it.
#include "net/io/limits.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;

TEST_CASE("A body as large as may be is taken, and one byte more is refused", "[net][http][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.body_bytes_max = 200'000;
  HttpFixture server(
      wire,
      [](std::shared_ptr<Exchange> exchange) {
        const std::string& body = exchange->request().body;
        const bool padded = body.capacity() >= body.size() + http::kBodyPaddingBytes;
        exchange->respond(text_response(std::to_string(body.size()) + (padded ? " padded" : "")));
      },
      limits);
  const auto chunked = [](size_t size) {
    std::string text;
    for (size_t left = size; left > 0;) {
      const size_t count = std::min<size_t>(left, 0x7000);
      char head[16];
      std::snprintf(head, sizeof head, "%zx\r\n", count);
      text.append(head).append(count, 'x').append("\r\n");
      left -= count;
    }
    return text + "0\r\n\r\n";
  };
  for (const size_t more : {0, 1}) {
    const size_t size = limits.body_bytes_max + more;
    for (const bool chunks : {false, true}) {
      INFO(size << (chunks ? " in chunks" : ""));
      HttpClient client(server.at());
      if (chunks) {
        client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(size));
      } else {
        client.ask("/", "", std::string(size, 'x'));
      }
      const auto reply = client.reply();
      CHECK(reply.status == (more == 0 ? 200 : 413));
      if (more == 0) CHECK(reply.body == "200000 padded");
      if (more == 1) CHECK(reply.body.find("too large") != std::string::npos);
    }
  }
}

TEST_CASE("A client that sends too much reads why before the connection ends", "[net][http][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.body_bytes_max = 1000;
  HttpFixture server(wire, echo, limits);
  for (int i = 0; i < 20; ++i) {
    HttpClient client(server.at());
    client.ask("/", "", std::string(4'000'000, 'x'));
    CHECK(client.reply().status == 413);
  }
}

TEST_CASE("A head as large as may be is taken, and one byte more is refused", "[net][http][limits]") {
  Limits limits;
  limits.head_bytes_max = 2'000;
  limits.target_bytes_max = 500;
  limits.header_fields_max = 10;
  HttpFixture server([](std::shared_ptr<Exchange> exchange) { exchange->respond(text_response("ok")); }, limits);
  const auto status_of = [&](const std::string& text, bool byte_by_byte) {
    HttpClient client(server.port());
    if (!byte_by_byte) client.send(text);
    for (size_t i = 0; byte_by_byte && i < text.size(); i += 100) client.send(text.substr(i, 100));
    return client.reply().status;
  };
  const std::string begin = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
  for (const bool in_pieces : {false, true}) {
    const size_t room = limits.head_bytes_max - begin.size() - 4;
    CHECK(status_of(begin + std::string(room, 'x') + "\r\n\r\n", in_pieces) == 200);
    CHECK(status_of(begin + std::string(room + 1, 'x') + "\r\n\r\n", in_pieces) == 431);
    CHECK(status_of("GET /" + std::string(499, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n", in_pieces) == 200);
    CHECK(status_of("GET /" + std::string(500, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n", in_pieces) == 414);
    CHECK(status_of("GET /" + std::string(5'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n", in_pieces) == 414);
  }
  std::string fields;
  for (int i = 0; i < 9; ++i) fields += "X: y\r\n";
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n", false) == 200);
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "X: y\r\n\r\n", false) == 431);
}

TEST_CASE("All bodies together are bounded, and what was used is given back", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = 100'000;
  HttpFixture server(echo, limits);
  for (int round = 0; round < 3; ++round) {
    HttpClient holds(server.port());
    holds.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + std::string(60'000, 'x'));
    REQUIRE(eventually([&] { return server.listener->stats().half_received_bytes >= 60'000; }));
    HttpClient refused(server.port());
    refused.ask("/", "", std::string(70'000, 'x'));
    CHECK(refused.reply().status == 503);
    HttpClient small(server.port());
    small.ask("/", "", "small");
    CHECK(small.reply().status == 200);
    holds.send(std::string(10'000, 'x'));
    CHECK(holds.reply().status == 200);
    CHECK(eventually([&] { return server.listener->stats().half_received_bytes == 0; }));
  }
}

TEST_CASE("Who does not come to the point is told so, and who says nothing is left", "[net][http][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  // Long enough that bytes which were sent are read before the connection counts as idle, on a busy machine too.
  limits.head_time_max = 400ms;
  limits.body_stall_max = 400ms;
  limits.idle_time_max = 400ms;
  HttpFixture server(wire, echo, limits);
  HttpClient half_head(server.at());
  HttpClient half_body(server.at());
  HttpClient idle(server.at());
  HttpClient never(server.at());
  half_head.send("GET / HTT");
  half_body.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  idle.ask("/a");
  CHECK(idle.reply().status == 200);
  CHECK(half_head.reply().status == 408);
  CHECK(half_head.is_closed());
  CHECK(half_body.reply().status == 408);
  CHECK(half_body.is_closed());
  CHECK(idle.take_all().empty());
  CHECK(idle.is_closed());
  CHECK(never.take_all().empty());
  CHECK(never.is_closed());
}

TEST_CASE("A head that comes slowly is given up although bytes keep coming", "[net][http][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.head_time_max = 150ms;
  HttpFixture server(wire, echo, limits);
  HttpClient client(server.at());
  client.send("GET / HTTP/1.1\r\nX: ");
  for (int i = 0; i < 15; ++i) {
    client.send("x");
    std::this_thread::sleep_for(20ms);
  }
  CHECK(client.reply().status == 408);
}

TEST_CASE("A handler may take longer than any client may", "[net][http][limits]") {
  Limits limits;
  limits.head_time_max = limits.body_stall_max = limits.idle_time_max = 30ms;
  HttpFixture server(
      [&](std::shared_ptr<Exchange> exchange) {
        server.workers.run([exchange] {
          std::this_thread::sleep_for(150ms);
          echo(exchange);
        });
      },
      limits);
  HttpClient client(server.port());
  client.ask("/a");
  CHECK(client.reply().body == "GET /a ");
}
