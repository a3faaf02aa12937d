#include "net/http/listener.h"

#include <catch2/catch.hpp>

#include "tests/net/http/fixture.h"

namespace hearth::net::http {

TEST_CASE("Listener: a request is answered, and the connection stays for the next", "[net][http]") {
  Fixture server(echo);
  TcpClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    const HttpReply reply = client.ask(get("/a.json"));
    CHECK(reply.status == 200);
    CHECK(reply.body == "GET /a.json\n");
    CHECK(reply.header("Connection") == "keep-alive");
    CHECK(reply.header("Content-Type") == "text/plain");
    CHECK(reply.header("Date").ends_with(" GMT"));
  }
  const HttpReply reply = client.ask(put("/b.json", "{\"x\":1}"));
  CHECK(reply.body == "PUT /b.json\n{\"x\":1}");
}

TEST_CASE("Listener: both loopback addresses have the same port", "[net][http]") {
  Fixture server(echo);
  CHECK(TcpClient(server.port(), "127.0.0.1").ask(get("/")).status == 200);
  try {
    CHECK(TcpClient(server.port(), "::1").ask(get("/")).status == 200);
  } catch (const std::runtime_error& error) {
    WARN("no IPv6 here: " << error.what());
  }
  CHECK(server.listener->url() == fmt::format("http://127.0.0.1:{}", server.port()));
}

TEST_CASE("Listener: a taken port is told in words", "[net][http]") {
  Fixture server(echo);
  auto other = Listener::open(server.io, server.workers, {.port = server.port()}, echo);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message ==
        fmt::format("port {} on 127.0.0.1 is taken by another program; choose another with --port", server.port()));
  auto nowhere = Listener::open(server.io, server.workers, {.host = "192.0.2.1"}, echo);
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().message == "this machine has no address 192.0.2.1");
  auto nonsense = Listener::open(server.io, server.workers, {.host = "no such host"}, echo);
  REQUIRE_FALSE(nonsense.ok());
  CHECK(nonsense.error().code == db::ErrorCode::InvalidArgument);
}

TEST_CASE("Listener: connections are spread over the io threads", "[net][http]") {
  Fixture server(
      [](const std::shared_ptr<Exchange>& exchange) {
        Response response;
        response.body = fmt::format("{} {} {}", exchange->thread(), IoPool::current(), exchange->request().peer);
        exchange->respond(std::move(response));
      },
      {}, 2);
  TcpClient first(server.port());
  const std::string one = first.ask(get("/")).body;
  TcpClient second(server.port());
  const std::string two = second.ask(get("/")).body;
  CHECK(one != two);
  CHECK((one == "0 0 127.0.0.1" || one == "1 1 127.0.0.1"));
}

TEST_CASE("Listener: no more than connections_max", "[net][http]") {
  Fixture server(echo, {.connections_max = 2});
  TcpClient first(server.port());
  CHECK(first.ask(get("/")).status == 200);
  auto second = std::make_unique<TcpClient>(server.port());
  CHECK(second->ask(get("/")).status == 200);
  TcpClient third(server.port());
  const HttpReply refused = third.read_reply();
  CHECK(refused.status == 503);
  CHECK(refused.body == "{\n  \"error\" : \"Too many connections\"\n}\n");
  CHECK(server.listener->stats().refused == 1);
  second.reset();
  REQUIRE(eventually([&] { return server.listener->stats().connections == 1; }));
  TcpClient fourth(server.port());
  CHECK(fourth.ask(get("/")).status == 200);
}

TEST_CASE("Listener: drain lets a running answer finish and closes the idle", "[net][http]") {
  std::mutex mutex;
  std::shared_ptr<Exchange> waiting;
  // On one thread: when one connection has heard of it, all have.
  Fixture server(
      [&](const std::shared_ptr<Exchange>& exchange) {
        const std::lock_guard lock(mutex);
        waiting = exchange;
      },
      {}, 1);
  TcpClient idle(server.port());
  TcpClient busy(server.port());
  busy.send(get("/"));
  REQUIRE(eventually([&] {
    const std::lock_guard lock(mutex);
    return waiting != nullptr;
  }));
  REQUIRE(eventually([&] { return server.listener->stats().connections == 2; }));

  std::thread drainer([&] { server.listener->drain(std::chrono::seconds(20)); });
  CHECK(idle.read_to_end().empty());
  idle.close();
  waiting->respond({.body = "late"});
  const HttpReply reply = busy.read_reply();
  CHECK(reply.body == "late");
  CHECK(reply.header("Connection") == "close");
  CHECK(busy.read_to_end().empty());
  busy.close();
  drainer.join();
  CHECK(server.listener->stats().connections == 0);
  CHECK_THROWS(TcpClient(server.port()));
  waiting.reset();
}

TEST_CASE("Listener: drain cuts what is left after its patience", "[net][http]") {
  std::atomic<int> handled = 0;
  std::mutex mutex;
  std::shared_ptr<Exchange> never;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    const std::lock_guard lock(mutex);
    never = exchange;
    ++handled;
  });
  TcpClient client(server.port());
  client.send(get("/"));
  REQUIRE(eventually([&] { return handled == 1; }));
  server.listener->drain(std::chrono::milliseconds(50));
  CHECK(client.read_to_end().empty());
  CHECK(server.listener->stats().connections == 0);
  never->respond({.body = "to nobody"});
  never.reset();
}

}  // namespace hearth::net::http
