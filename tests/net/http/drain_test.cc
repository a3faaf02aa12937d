// The port: where it is, how connections are spread, and how it ends.
#include "net/http/serve.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;
using http::Listener;

TEST_CASE("A port that is picked is the same at both addresses", "[net][http]") {
  HttpFixture server(echo);
  CHECK(server.port() != 0);
  CHECK(server.listener->url() == "http://127.0.0.1:" + std::to_string(server.port()));
  HttpClient four(server.port(), "127.0.0.1");
  four.ask("/four");
  CHECK(four.reply().body == "GET /four ");
  HttpClient six(server.port(), "::1");
  if (!six.is_connected()) {
    WARN("no IPv6 here");
    return;
  }
  six.ask("/six");
  CHECK(six.reply().body == "GET /six ");
}

TEST_CASE("A peer on ::1 is a neighbour too", "[net][http]") {
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    exchange->respond(
        text_response(exchange->request().peer + (exchange->request().peer_is_loopback ? " loopback" : "")));
  });
  HttpClient client(server.port(), "::1");
  if (!client.is_connected()) return;
  client.ask("/");
  CHECK(client.reply().body == "::1 loopback");
}

TEST_CASE("A port that is taken, and a host that is not ours, are said clearly", "[net][http]") {
  HttpFixture server(echo);
  Listener::Options options;
  options.port = server.port();
  const auto taken = serve(server.io, server.workers, options, echo);
  REQUIRE_FALSE(taken.ok());
  INFO(taken.error().message);
  CHECK(taken.error().message.find(std::to_string(server.port())) != std::string::npos);
  CHECK(taken.error().message.find("taken") != std::string::npos);

  options.port = 0;
  options.host = "192.0.2.1";  // RFC 5737: nobody's
  const auto foreign = serve(server.io, server.workers, options, echo);
  REQUIRE_FALSE(foreign.ok());
  CHECK(foreign.error().message.find("192.0.2.1") != std::string::npos);

  options.host = "no such host";
  const auto unknown = serve(server.io, server.workers, options, echo);
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.error().message.find("no such host") != std::string::npos);
}

TEST_CASE("A host that is given is the only one", "[net][http]") {
  HttpFixture server(echo);
  Listener::Options options;
  options.host = "127.0.0.1";
  const auto opened = serve(server.io, server.workers, options, echo);
  REQUIRE(opened.ok());
  HttpClient client(opened.value()->port());
  client.ask("/a");
  CHECK(client.reply().status == 200);
  CHECK_FALSE(HttpClient(opened.value()->port(), "::1").is_connected());

  options.host = "localhost";
  const auto by_name = serve(server.io, server.workers, options, echo);
  REQUIRE(by_name.ok());
  CHECK(by_name.value()->url().starts_with("http://localhost:"));
}

TEST_CASE("Connections are spread over the io threads, and each stays on its own", "[net][http]") {
  std::mutex mutex;
  std::map<std::string, std::set<size_t>> threads;
  bool at_home = true;
  HttpFixture server(
      [&](std::shared_ptr<Exchange> exchange) {
        {
          const std::lock_guard lock(mutex);
          threads[exchange->request().target].insert(exchange->thread());
          at_home = at_home && exchange->thread() == http::IoPool::current();
        }
        exchange->respond(text_response(""));
      },
      {}, 4);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(std::make_unique<HttpClient>(server.port()));
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < clients.size(); ++i) {
      clients[i]->ask("/" + std::to_string(i));
      CHECK(clients[i]->reply().status == 200);
    }
  }
  const std::lock_guard lock(mutex);
  std::set<size_t> all;
  for (const auto& [target, homes] : threads) {
    CHECK(homes.size() == 1);
    all.insert(homes.begin(), homes.end());
  }
  CHECK(all.size() == 4);
  CHECK(at_home);
}

TEST_CASE("Connections beyond the limit are refused, and room that is made is used", "[net][http][limits]") {
  Limits limits;
  limits.connections_max = 3;
  HttpFixture server(echo, limits);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server.port()));
    clients.back()->ask("/");
    CHECK(clients.back()->reply().status == 200);
  }
  HttpClient refused(server.port());
  CHECK(refused.reply().status == 503);
  CHECK(refused.is_closed());
  CHECK(server.listener->stats().refused == 1);
  clients.pop_back();
  CHECK(eventually([&] { return server.listener->stats().connections == 2; }));
  HttpClient next(server.port());
  next.ask("/");
  CHECK(next.reply().status == 200);
}

TEST_CASE("An address has as many connections as it may, whoever else has any; a trusted proxy has more",
          "[net][http][limits]") {
  Limits limits;
  limits.connections_per_address_max = 2;
  HttpFixture server(echo, limits);
  const auto answers = [](HttpClient& client) {
    client.ask("/");
    return client.reply().status;
  };
  auto first = std::make_unique<HttpClient>(server.port());
  HttpClient second(server.port());
  CHECK(answers(*first) == 200);
  CHECK(answers(second) == 200);
  HttpClient third(server.port());
  const auto refusal = third.reply();
  CHECK(refusal.status == 503);
  CHECK(refusal.has("retry-after: "));
  CHECK(refusal.body.find("Too many connections from your address") != std::string::npos);
  CHECK(refusal.whole);
  CHECK(third.is_closed());
  const auto reached = [&](const HttpFixture& of) {
    return of.listener->stats().limits_reached[static_cast<size_t>(http::Limit::ConnectionsPerAddress)];
  };
  CHECK(reached(server) == 1);
  first.reset();
  CHECK(eventually([&] { return server.listener->stats().connections == 1; }));
  HttpClient next(server.port());
  CHECK(answers(next) == 200);

  HttpFixture behind(Wire::Plain, echo, limits, 2, {.trusted_proxies = {"127.0.0.1"}});
  std::vector<std::unique_ptr<HttpClient>> many;
  for (int i = 0; i < 5; ++i) {
    many.push_back(std::make_unique<HttpClient>(behind.port()));
    CHECK(answers(*many.back()) == 200);
  }
  CHECK(reached(behind) == 0);
}

TEST_CASE("With TLS and with PROXY headers the same: it is the client that is counted", "[net][http][limits]") {
  Limits limits;
  limits.connections_per_address_max = 1;
  {
    HttpFixture server(Wire::Tls, echo, limits);
    HttpClient first(server.at());
    first.ask("/");
    CHECK(first.reply().status == 200);
    HttpClient second(server.at());
    CHECK(!second.is_connected());
  }
  HttpFixture server(Wire::Plain, echo, limits, 2, {.trusted_proxies = {"127.0.0.1"}, .proxy_protocol = true});
  const auto ask_as = [&](HttpClient& client, const std::string& address) {
    client.send("PROXY TCP4 " + address + " 10.0.0.9 4711 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return client.reply().status;
  };
  HttpClient one(server.port()), other(server.port()), again(server.port());
  CHECK(ask_as(one, "10.0.0.1") == 200);
  CHECK(ask_as(other, "10.0.0.2") == 200);
  CHECK(ask_as(again, "10.0.0.1") == 503);
}

TEST_CASE("Who asks too often is read later; nothing is refused, and nobody else waits", "[net][http][limits]") {
  Limits limits;
  limits.request_rate_max = 1;
  HttpFixture server(echo, limits, 1);
  const auto throttled = [&] {
    return server.listener->stats().limits_reached[static_cast<size_t>(http::Limit::RequestRate)];
  };
  HttpClient fast(server.port());
  fast.ask("/");
  CHECK(fast.reply().status == 200);
  CHECK(throttled() == 0);
  fast.ask("/");
  CHECK(fast.reply().status == 200);
  CHECK(throttled() == 1);
  fast.ask("/");  // is not read for now
  for (int i = 0; i < 3; ++i) {
    HttpClient other(server.port());
    other.ask("/");
    CHECK(other.reply().status == 200);
  }
  CHECK(fast.is_silent_for(std::chrono::milliseconds(1)));
  CHECK(fast.reply().status == 200);
  CHECK(server.listener->stats().bad_requests == 0);
}

TEST_CASE("Draining lets requests be answered, says goodbye to the rest, and accepts no more", "[net][http][drain]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Signal asked;
  Signal answer;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    const std::string target = exchange->request().target;
    if (target == "/stream") {
      exchange->open_stream(200, {})->send(std::string_view("hello"));
    } else if (exchange->wants_websocket()) {
      class Nobody : public http::WebSocketHandler {
        void on_message(std::string&&, http::MessageKind) override {}
        void on_close(http::CloseCode) override {}
      };
      exchange->accept_websocket(std::make_shared<Nobody>());
    } else if (target == "/slow") {
      asked.set();
      server.workers.run([&, exchange] {
        answer.wait();
        echo(exchange);
      });
    } else {
      echo(exchange);
    }
  });
  HttpClient idle(server.at());
  idle.ask("/idle");
  CHECK(idle.reply().status == 200);
  HttpClient streams(server.at());
  streams.ask("/stream");
  CHECK(streams.take_until("hello").ends_with("hello"));
  HttpClient websocket(server.at());
  CHECK(websocket.upgrade().status == 101);
  HttpClient slow(server.at());
  slow.ask("/slow");
  REQUIRE(asked.wait());

  const Endpoint port = server.at();
  std::thread drains([&] { server.listener->drain(20s); });
  CHECK(idle.is_closed());
  const auto goodbye = websocket.take_frame();
  CHECK(goodbye.opcode == 8);
  CHECK(goodbye.close_code() == 1001);
  websocket.send_close(1001);
  CHECK(websocket.is_closed());
  streams.take_all();
  CHECK(streams.is_closed());
  CHECK_FALSE(HttpClient(port).is_connected());
  idle.close();
  streams.close();
  websocket.close();
  CHECK(slow.is_silent_for(30ms));
  answer.set();
  const auto reply = slow.reply();
  CHECK(reply.body == "GET /slow ");
  CHECK(reply.has("connection: close"));
  CHECK(slow.is_closed());
  slow.close();
  drains.join();
  CHECK(server.listener->stats().connections == 0);
}

TEST_CASE("Draining has an end even if clients have none", "[net][http][drain]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> waiting;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(exchange));
  });
  HttpClient asks(server.at());
  asks.ask("/");
  HttpClient half(server.at());
  half.send("GET / HT");
  HttpClient silent(server.at());
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return waiting.size() == 1;
  }));
  const auto began = std::chrono::steady_clock::now();
  server.listener->drain(100ms);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(server.listener->stats().connections == 0);
  CHECK(asks.take_all().empty());
  CHECK(asks.is_closed());
  waiting.front()->respond(text_response("too late"));
  waiting.clear();
}

TEST_CASE("A server goes down under load without losing its mind", "[net][http][drain]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  for (int round = 0; round < 5; ++round) {
    auto server = std::make_unique<HttpFixture>(wire, [](std::shared_ptr<Exchange> exchange) { echo(exchange); });
    const Endpoint port = server->at();
    std::atomic<bool> stop = false;
    std::vector<std::thread> clients;
    std::atomic<int> answered = 0;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        while (!stop) {
          HttpClient client(port);
          for (int request = 0; request < 20 && !stop; ++request) {
            client.ask("/x");
            const auto reply = client.reply();
            if (reply.status != 200) break;
            ++answered;
          }
        }
      });
    }
    eventually([&] { return answered > 200; });
    server.reset();
    stop = true;
    for (auto& client : clients) client.join();
    CHECK(answered > 200);
  }
}
