// Requests and answers over real sockets.
#include "net/http/exchange.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;

TEST_CASE("A connection is kept for the next request", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, echo);
  HttpClient client(server.at());
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
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  std::atomic<int> at_once = 0;
  std::atomic<int> at_once_max = 0;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    at_once_max = std::max(at_once_max.load(), ++at_once);
    // The earlier ones take longer.
    const int delay = std::max(0, 20 - 5 * (exchange->request().target.back() - '0'));
    server.workers.run([&, exchange, delay] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      --at_once;
      echo(exchange);
    });
  });
  HttpClient client(server.at());
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
          "[net][http]") {  // net/rest/http-api.md §11: curl and browsers send them raw
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
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
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
  HttpFixture server(wire, echo);
  for (const Case& now : cases) {
    INFO(now.what);
    HttpClient client(server.at());
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
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, echo);
  HttpClient client(server.at());
  const std::string request =
      "PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: "
      "1\r\n\r\n"
      "PUT /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nxyz";
  for (const char byte : request) client.send(std::string(1, byte));
  CHECK(client.reply().body == "PUT /a abcde");
  CHECK(client.reply().body == "PUT /b xyz");
}

TEST_CASE("HTTP/1.0 closes, unless asked to stay", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, echo);
  HttpClient closes(server.at());
  closes.send("GET /a HTTP/1.0\r\n\r\n");
  const auto last = closes.reply();
  CHECK(last.body == "GET /a ");
  CHECK(last.has("connection: close"));
  CHECK(closes.is_closed());

  HttpClient stays(server.at());
  for (int i = 0; i < 2; ++i) {
    stays.send("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    CHECK(stays.reply().has("connection: keep-alive"));
  }
}

TEST_CASE("A client that asks for the end gets it", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, echo);
  HttpClient client(server.at());
  client.ask("/a", "Connection: close\r\n");
  CHECK(client.reply().has("connection: close"));
  CHECK(client.is_closed());
}

TEST_CASE("A client that has said all it will say still gets its answer", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    server.workers.run([exchange] {
      std::this_thread::sleep_for(30ms);
      echo(exchange);
    });
  });
  HttpClient client(server.at());
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
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  const auto piece = std::make_shared<const std::string>(10'000, 'x');
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    http::Response response = text_response("begin");
    for (int i = 0; i < 100; ++i) response.shared_body.push_back(piece);
    exchange->respond(std::move(response));
  });
  HttpClient client(server.at());
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
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.body_bytes_max = 100;
  HttpFixture server(wire, echo, limits);
  HttpClient client(server.at());
  client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(client.reply().status == 100);
  client.send("ab");
  CHECK(client.reply().body == "PUT /a ab");
  client.send("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n");
  CHECK(client.reply().status == 413);
  CHECK(client.is_closed());
}

TEST_CASE("Answers to clients that have gone go nowhere", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> waiting;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(exchange));
  });
  for (int i = 0; i < 20; ++i) HttpClient(server.at()).ask("/");
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return waiting.size() == 20;
  }));
  for (auto& exchange : waiting) exchange->respond(text_response("too late"));
  waiting.clear();
  CHECK(eventually([&] { return server.listener->stats().connections == 0; }));
}

TEST_CASE("Who waits for something to happen is told when the client hangs up, and once", "[net][http]") {
  std::shared_ptr<Exchange> waiting;
  std::atomic<int> told = 0;
  Signal arrived, left;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->set_on_leaving([&](http::Leaving who) {
      if (who == http::Leaving::Client) ++told;
      left.set();
    });
    waiting = std::move(exchange);
    arrived.set();
  });
  HttpClient client(server.port());
  client.ask("/a");
  REQUIRE(arrived.wait());
  CHECK(told == 0);
  client.close();
  REQUIRE(left.wait());
  server.listener.reset();
  CHECK(told == 1);
  waiting.reset();
}

TEST_CASE("Who waits for something to happen is told when the server leaves, and may still answer", "[net][http]") {
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->set_on_leaving([weak = std::weak_ptr(exchange)](http::Leaving who) {
      if (const auto held = weak.lock())
        held->respond(text_response(who == http::Leaving::Server ? "server" : "client"));
    });
    // Held by someone else.
    server.io.post(0, [exchange] {
      static std::vector<std::shared_ptr<Exchange>> all;
      all.push_back(exchange);
    });
  });
  HttpClient client(server.port());
  client.ask("/a");
  std::thread drains([&] {
    std::this_thread::sleep_for(20ms);
    server.listener->drain(20s);
  });
  CHECK(client.reply().body == "server");
  drains.join();
}

TEST_CASE("An answer that came in time leaves nobody to be told", "[net][http]") {
  std::atomic<int> told = 0;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->set_on_leaving([&](http::Leaving) { ++told; });
    echo(exchange);
  });
  {
    HttpClient client(server.port());
    client.ask("/a");
    CHECK(client.reply().status == 200);
  }
  server.listener.reset();
  CHECK(told == 0);
}
