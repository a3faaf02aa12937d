// Requests that take their connection along to another io thread.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "net/http/exchange.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;

namespace {

// "/1": is answered by the io thread 1, whatever that takes.
void at_named_thread(const std::shared_ptr<Exchange>& exchange) {
  const auto wanted = static_cast<size_t>(exchange->request().target.at(1) - '0');
  const auto answer = [](const std::shared_ptr<Exchange>& there) {
    http::Response response;
    response.body = there->request().target + " at " + std::to_string(there->thread()) + " of " +
                    std::to_string(http::IoPool::current()) + " for " + there->request().body;
    there->respond(std::move(response));
  };
  if (wanted == exchange->thread()) return answer(exchange);
  exchange->move_to(wanted, answer);
}

}  // namespace

TEST_CASE("A connection moves to another io thread with its request, and stays there for the next", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, at_named_thread);
  HttpClient client(server.at());
  for (int i = 0; i < 20; ++i) {
    const std::string thread = std::to_string(i / 2 % 2);
    client.ask("/" + thread);
    const auto reply = client.reply();
    CHECK(reply.status == 200);
    CHECK(reply.body == "/" + thread + " at " + thread + " of " + thread + " for ");
  }
  const auto stats = server.listener->stats();
  CHECK(stats.accepted == 1);
  CHECK(stats.connections == 1);
  CHECK(stats.requests == 20);
  CHECK(stats.requests_open == 0);
  client.close();
  CHECK(eventually([&] { return server.listener->stats().connections == 0; }));
}

TEST_CASE("What was sent behind a request that moves is heard in order on the other thread", "[net][http]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  HttpFixture server(wire, at_named_thread);
  HttpClient client(server.at());
  std::string all;
  for (int i = 0; i < 40; ++i)
    all += "GET /" + std::to_string(i % 2) + "?" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(all);
  for (int i = 0; i < 40; ++i) {
    const std::string thread = std::to_string(i % 2);
    CHECK(client.reply().body.starts_with("/" + thread + "?" + std::to_string(i) + " at " + thread));
  }
}

TEST_CASE("A client that hangs up while its connection moves is let go; so is one that moves as the server closes",
          "[net][http]") {
  std::atomic<int> answered = 0;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) {
    exchange->move_to(1 - exchange->thread(), [&](const std::shared_ptr<Exchange>& there) {
      ++answered;
      http::Response response;
      there->respond(std::move(response));
    });
  });
  for (int i = 0; i < 50; ++i) {
    HttpClient client(server.port());
    client.ask("/a");
    if (i % 2 == 0) client.reply();
  }
  CHECK(answered >= 25);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server.port()));
    clients.back()->ask("/a");
  }
  server.listener->drain(0s);  // ends when all are gone
  CHECK(server.listener->stats().connections == 0);
}
