// Requests and answers over real sockets.
#include "net/http/exchange.h"

#include <catch2/catch.hpp>
#include <thread>

#include "net/http/gzip.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;

TEST_CASE("A connection is kept for the next request", "[net][http]") {
  HttpFixture server(echo);
  HttpClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.ask("/a" + std::to_string(i));
    const auto reply = client.reply();
    CHECK(reply.status == 200);
    CHECK(reply.has("\r\ncontent-length: 8\r\n"));
    CHECK(reply.has("\r\ncontent-type: text/plain\r\n"));
    CHECK_FALSE(reply.has("connection: close"));
    CHECK(reply.body == "GET /a" + std::to_string(i) + " ");
  }
  CHECK(server.listener->stats().accepted == 1);
  CHECK(server.listener->stats().requests == 3);
}

TEST_CASE("Pipelined requests are answered in order, one at a time, whoever answers them", "[net][http]") {
  std::atomic<int> at_once = 0;
  std::atomic<int> at_once_max = 0;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    at_once_max = std::max(at_once_max.load(), ++at_once);
    // The earlier ones take longer.
    const int delay = std::max(0, 20 - 5 * (exchange->request().target.back() - '0'));
    server.workers.run([&, exchange, delay] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      --at_once;
      echo(exchange);
    });
  });
  HttpClient client(server.port());
  std::string all;
  for (int i = 0; i < 10; ++i) {
    all += "PUT /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nb" + std::to_string(i);
  }
  client.send(all);
  for (int i = 0; i < 10; ++i) {
    CHECK(client.reply().body == "PUT /" + std::to_string(i) + " b" + std::to_string(i));
  }
  CHECK(at_once_max == 1);
}

TEST_CASE("More pipelined requests than fit into a read are all answered, at once or later", "[net][http]") {
  const bool later = GENERATE(false, true);
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    if (!later) return echo(exchange);
    server.workers.run([exchange] { echo(exchange); });
  });
  HttpClient client(server.port());
  constexpr int kRequests = 5'000;
  std::thread sender([&] {
    std::string all;
    for (int i = 0; i < kRequests; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    client.send(all);
  });
  int right = 0;
  for (int i = 0; i < kRequests; ++i) right += client.reply().body == "GET /" + std::to_string(i) + " " ? 1 : 0;
  sender.join();
  CHECK(right == kRequests);
}

TEST_CASE("Targets are handed on as they were sent",
          "[net][http]") {  // rest-api.md §11: curl and browsers send them raw
  HttpFixture server(echo);
  HttpClient client(server.port());
  for (const std::string target :
       {R"(/dinosaurs.json?orderBy="height"&startAt=3)", R"(/a.json?auth_variable_override={"uid":"x y"})",
        "/a b/c.json", "/a|b^c`d\\e[0]<>.json", "/\xc3\xa9\xf0\x9f\x98\x80.json", "/%zz%22.json", "//a///b.json",
        "/a.json?x=a b  c", "*"}) {
    INFO(target);
    client.ask(target);
    CHECK(client.reply().body == "GET " + target + " ");
  }
}

TEST_CASE("Header fields are found in any case, and values come without the blanks around them", "[net][http]") {
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    const auto& request = exchange->request();
    std::string seen(request.header("x-one").value_or("none"));
    seen.append("|").append(request.header("X-TWO").value_or("none"));
    seen.append("|").append(request.header("x-three").value_or("none"));
    exchange->respond(text_response(seen + "|" + request.peer + (request.peer_is_loopback ? " loopback" : "")));
  });
  HttpClient client(server.port());
  client.ask("/", "X-One: \t first \t\r\nx-Two:\r\nX-One: second\r\n");
  CHECK(client.reply().body == "first||none|127.0.0.1 loopback");
}

TEST_CASE("What is no HTTP is answered 4xx or 5xx with a JSON error, and the connection ends", "[net][http]") {
  struct Case {
    const char* what;
    std::string sent;
    int status;
  };
  const std::string host = "Host: x\r\n";
  const std::vector<Case> cases = {
      {"no request line", "hello\r\n\r\n", 400},
      {"no version", "GET /\r\n" + host + "\r\n", 400},
      {"another version", "GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"a version of its own", "GET / HTTX/1.1\r\n" + host + "\r\n", 400},
      {"a method that is no token", "G<T / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"a control character in the target", "GET /a\x01z HTTP/1.1\r\n" + host + "\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"a blank before the colon", "GET / HTTP/1.1\r\n" + host + "Content-Length : 5\r\n\r\nhello", 400},
      {"a folded field", "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
      {"a field without a colon", "GET / HTTP/1.1\r\n" + host + "nonsense\r\n\r\n", 400},
      {"a field without a name", "GET / HTTP/1.1\r\n" + host + ": x\r\n\r\n", 400},
      {"a control character in a field", "GET / HTTP/1.1\r\n" + host + "X: a\x01\r\n\r\n", 400},
      {"a length that is none", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 5x\r\n\r\nhello", 400},
      {"a negative length", "PUT / HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\nhello", 400},
      {"two lengths", "PUT / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
      {"a length and chunks",
       "PUT / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunks with no size", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"a chunk longer than it said", "PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
       400},
      {"another expectation", "PUT / HTTP/1.1\r\n" + host + "Expect: miracles\r\nContent-Length: 1\r\n\r\nx", 417},
  };
  HttpFixture server(echo);
  for (const Case& now : cases) {
    INFO(now.what);
    HttpClient client(server.port());
    client.send(now.sent);
    const auto reply = client.reply();
    CHECK(reply.status == now.status);
    CHECK(reply.has("content-type: application/json"));
    CHECK(reply.has("connection: close"));
    CHECK(reply.body.find("\"error\"") != std::string::npos);
    CHECK(client.is_closed());
  }
  CHECK(server.listener->stats().requests == 0);
  CHECK(server.listener->stats().bad_requests == cases.size());
}

TEST_CASE("Empty lines before a request are forgiven", "[net][http]") {
  HttpFixture server(echo);
  HttpClient client(server.port());
  client.send("\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.reply().body == "GET /a ");
}

TEST_CASE("A request may come byte by byte", "[net][http]") {
  HttpFixture server(echo);
  HttpClient client(server.port());
  const std::string request =
      "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: "
      "1\r\n\r\n"
      "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz";
  for (const char byte : request) client.send(std::string(1, byte));
  CHECK(client.reply().body == "PUT /a abcde");
  CHECK(client.reply().body == "PUT /b xyz");
}

TEST_CASE("HTTP/1.0 closes, unless asked to stay", "[net][http]") {
  HttpFixture server(echo);
  HttpClient closes(server.port());
  closes.send("GET /a HTTP/1.0\r\n\r\n");
  const auto last = closes.reply();
  CHECK(last.body == "GET /a ");
  CHECK(last.has("connection: close"));
  CHECK(closes.is_closed());

  HttpClient stays(server.port());
  for (int i = 0; i < 2; ++i) {
    stays.send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    CHECK(stays.reply().has("connection: keep-alive"));
  }
}

TEST_CASE("A client that asks for the end gets it", "[net][http]") {
  HttpFixture server(echo);
  HttpClient client(server.port());
  client.ask("/a", "Connection: close\r\n");
  CHECK(client.reply().has("connection: close"));
  CHECK(client.is_closed());
}

TEST_CASE("A client that has said all it will say still gets its answer", "[net][http]") {
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    server.workers.run([exchange] {
      std::this_thread::sleep_for(30ms);
      echo(exchange);
    });
  });
  HttpClient client(server.port());
  client.ask("/a");
  client.shutdown_send();
  CHECK(client.reply().body == "GET /a ");
  CHECK(client.is_closed());
}

TEST_CASE("HEAD, 204 and 304 have no body", "[net][http]") {
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    const int status = std::atoi(exchange->request().target.c_str() + 1);
    exchange->respond(text_response(status == 200 ? "body" : "", status));
  });
  HttpClient client(server.port());
  client.ask("/200", "", "", "HEAD");
  const auto head = client.reply(HttpClient::Body::None);
  CHECK(head.status == 200);
  CHECK(head.has("\r\ncontent-length: 4\r\n"));
  client.ask("/204");
  const auto none = client.reply();
  CHECK(none.status == 204);
  CHECK_FALSE(none.has("content-length"));
  client.ask("/304");
  CHECK(client.reply().status == 304);
  client.ask("/200");
  CHECK(client.reply().body == "body");
}

TEST_CASE("An answer may be made of shared pieces", "[net][http]") {
  const auto piece = std::make_shared<const std::string>(10'000, 'x');
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    http::Response response = text_response("begin");
    for (int i = 0; i < 100; ++i) response.shared_body.push_back(piece);
    exchange->respond(std::move(response));
  });
  HttpClient client(server.port());
  client.ask("/");
  const auto reply = client.reply();
  CHECK(reply.whole);
  CHECK(reply.body.size() == 5 + 100 * piece->size());
}

TEST_CASE("An exchange that is let go is answered 500", "[net][http]") {
  HttpFixture server([](std::shared_ptr<Exchange>) {});
  HttpClient client(server.port());
  client.ask("/");
  CHECK(client.reply().status == 500);
}

TEST_CASE("100-continue is answered when the body is wanted", "[net][http]") {
  Limits limits;
  limits.body_bytes_max = 100;
  HttpFixture server(echo, limits);
  HttpClient client(server.port());
  client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.reply().status == 100);
  client.send("ab");
  CHECK(client.reply().body == "PUT /a ab");
  client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  CHECK(client.reply().status == 413);
  CHECK(client.is_closed());
}

TEST_CASE("A body as large as may be is taken, and one byte more is refused", "[net][http][limits]") {
  Limits limits;
  limits.body_bytes_max = 200'000;
  HttpFixture server(
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
      HttpClient client(server.port());
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
  Limits limits;
  limits.body_bytes_max = 1000;
  HttpFixture server(echo, limits);
  for (int i = 0; i < 20; ++i) {
    HttpClient client(server.port());
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
  limits.bodies_bytes_max = 100'000;
  HttpFixture server(echo, limits);
  for (int round = 0; round < 3; ++round) {
    HttpClient holds(server.port());
    holds.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\nx");
    std::this_thread::sleep_for(20ms);
    HttpClient refused(server.port());
    refused.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
    CHECK(refused.reply().status == 503);
    HttpClient small(server.port());
    small.ask("/", "", "small");
    CHECK(small.reply().status == 200);
    holds.send(std::string(69'999, 'x'));
    CHECK(holds.reply().status == 200);
  }
}

TEST_CASE("Who does not come to the point is told so, and who says nothing is left", "[net][http][limits]") {
  Limits limits;
  limits.head_time_max = 80ms;
  limits.body_stall_max = 80ms;
  limits.idle_time_max = 80ms;
  HttpFixture server(echo, limits);
  HttpClient half_head(server.port());
  HttpClient half_body(server.port());
  HttpClient idle(server.port());
  HttpClient never(server.port());
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
  Limits limits;
  limits.head_time_max = 150ms;
  HttpFixture server(echo, limits);
  HttpClient client(server.port());
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

// --- bodies in pieces, and compressed ---

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
  constexpr size_t kChunkBytes = 256u << 10;
  constexpr int kChunks = 400;  // 100 MB
  std::atomic<int> pulled = 0;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [&](std::string& chunk) {
      chunk.append(kChunkBytes, static_cast<char>('a' + pulled % 26));
      return ++pulled == kChunks ? http::Pull::Last : http::Pull::More;
    });
  });
  HttpClient client(server.port(), "127.0.0.1", 64 << 10);
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
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [left = 3](std::string& chunk) mutable {
      chunk += "0123456789";
      return --left == 0 ? http::Pull::Last : http::Pull::More;
    });
  });
  HttpClient old(server.port());
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto reply = old.reply();
  CHECK_FALSE(reply.has("transfer-encoding"));
  CHECK(reply.body == "012345678901234567890123456789");
  CHECK(old.is_closed());
  HttpClient client(server.port());
  client.ask("/", "", "", "HEAD");
  CHECK(client.reply(HttpClient::Body::None).status == 200);
  client.ask("/");
  CHECK(client.reply().body == "012345678901234567890123456789");
}

TEST_CASE("A long body that fails is cut, so that nobody takes it for whole", "[net][http]") {
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [calls = 0](std::string& chunk) mutable {
      chunk.append(1000, 'x');
      return ++calls == 3 ? http::Pull::Failed : http::Pull::More;
    });
  });
  HttpClient client(server.port());
  client.ask("/");
  CHECK_FALSE(client.reply().whole);
  CHECK(client.is_closed());
}

TEST_CASE("The source of a long body goes when the client goes", "[net][http]") {
  const auto held = std::make_shared<int>(0);
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->respond_chunked(text_response(""), [held](std::string& chunk) {
      chunk.append(100'000, 'x');
      return http::Pull::More;
    });
  });
  {
    HttpClient client(server.port());
    client.ask("/");
    CHECK(client.take(1'000'000).size() == 1'000'000);
    CHECK(held.use_count() > 1);
  }
  CHECK(eventually([&] { return held.use_count() == 1; }));
}

TEST_CASE("Answers to clients that have gone go nowhere", "[net][http]") {
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> waiting;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(exchange));
  });
  for (int i = 0; i < 20; ++i) HttpClient(server.port()).ask("/");
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return waiting.size() == 20;
  }));
  for (auto& exchange : waiting) exchange->respond(text_response("too late"));
  waiting.clear();
  CHECK(eventually([&] { return server.listener->stats().connections == 0; }));
}
