#include "net/http/serve.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

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
  auto other = serve(server.io, server.workers, {.port = server.port()}, echo);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().message ==
        fmt::format("port {} on 127.0.0.1 is taken by another program; choose another port", server.port()));
  auto nowhere = serve(server.io, server.workers, {.host = "192.0.2.1"}, echo);
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().message == "this machine has no address 192.0.2.1");
  auto nonsense = serve(server.io, server.workers, {.host = "no such host"}, echo);
  REQUIRE_FALSE(nonsense.ok());
  CHECK(nonsense.error().code == db::ErrorCode::InvalidArgument);
}

TEST_CASE("Listener: some of the process's descriptors are kept for files", "[net][http]") {
  Fixture server(echo);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit low{160, before.rlim_max};  // ten are kept
  ::setrlimit(RLIMIT_NOFILE, &low);
  std::vector<int> files;
  while (files.empty() || files.back() < 146) files.push_back(::open("/dev/null", O_RDONLY));
  {
    // A connection takes two, one for each side: 147 and 148, then 149 and 150, which is the first of those that are kept.
    TcpClient first(server.port());
    CHECK(first.ask(get("/")).status == 200);
    TcpClient second(server.port());
    CHECK(second.ask(get("/")).status == 503);
    CHECK(server.listener->stats().no_descriptors == 1);
    CHECK(first.ask(get("/")).status == 200);
  }
  for (const int file : files) ::close(file);
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(TcpClient(server.port()).ask(get("/")).status == 200);
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

TEST_CASE("Listener: connections have numbers of their own, of all listeners of one pool", "[net][http]") {
  const Handler tell_number = [](const std::shared_ptr<Exchange>& exchange) {
    Response response;
    response.body = std::to_string(exchange->request().connection);
    exchange->respond(std::move(response));
  };
  Fixture server(tell_number, {}, 2);
  const auto other = serve(server.io, server.workers, {}, tell_number).value();
  std::set<std::string> numbers;
  for (int i = 0; i < 4; ++i) {
    for (const uint16_t port : {server.port(), other->port()}) {
      TcpClient client(port);
      const std::string number = client.ask(get("/")).body;
      CHECK(client.ask(get("/")).body == number);  // as long as it lasts
      CHECK(numbers.insert(number).second);
    }
  }
  CHECK_FALSE(numbers.contains("0"));
}

TEST_CASE("Listener: requests are counted by method and status, and while they are answered", "[net][http]") {
  std::mutex mutex;  // Guards held.
  std::shared_ptr<Exchange> held;
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    if (exchange->request().target == "/wait") {
      const std::lock_guard lock(mutex);
      held = exchange;
      return;
    }
    Response response;
    response.status = std::atoi(exchange->request().target.c_str() + 1);
    exchange->respond(std::move(response));
  });
  const auto counted = [&](std::string_view method, size_t status_class) {
    const size_t at = std::find(kCountedMethods.begin(), kCountedMethods.end(), method) - kCountedMethods.begin();
    return server.listener->stats().answers[at][status_class - 1];
  };
  TcpClient client(server.port());
  CHECK(client.ask(get("/200")).status == 200);
  CHECK(client.ask(get("/204")).status == 204);
  CHECK(client.ask(get("/304")).status == 304);
  CHECK(client.ask(put("/503", "1")).status == 503);
  CHECK(client.ask("BREW /404 HTTP/1.1\r\nHost: x\r\n\r\n").status == 404);
  CHECK(client.ask("get /200 HTTP/1.1\r\nHost: x\r\n\r\n").status == 200);  // methods are case-sensitive
  CHECK(counted("GET", 2) == 2);
  CHECK(counted("GET", 3) == 1);
  CHECK(counted("PUT", 5) == 1);
  CHECK(counted("other", 4) == 1);
  CHECK(counted("other", 2) == 1);
  CHECK(server.listener->stats().requests_open == 0);

  client.send(get("/wait"));
  REQUIRE(eventually([&] { return server.listener->stats().requests_open == 1; }));
  {
    const std::lock_guard lock(mutex);
    std::exchange(held, nullptr)->respond({});
  }
  CHECK(client.read_reply().status == 200);
  CHECK(eventually([&] { return server.listener->stats().requests_open == 0; }));

  // A request whose head makes no sense has no method.
  CHECK(client.ask("GET / HTTP/9\r\n\r\n").status >= 400);
  CHECK(counted("other", 4) + counted("other", 5) == 2);
  CHECK(server.listener->stats().bad_requests == 1);
}

TEST_CASE("Listener: what waits to be sent is counted until it is taken, or dropped", "[net][http]") {
  const std::string large(32u << 20, 'x');  // more than the kernel takes
  Fixture server([&](const std::shared_ptr<Exchange>& exchange) {
    Response response;
    response.body = large;
    exchange->respond(std::move(response));
  });
  const auto waiting = [&] { return server.listener->stats().outbox_bytes; };
  {
    TcpClient reader(server.port());
    reader.send(get("/"));
    REQUIRE(eventually([&] { return waiting() > 0; }));
    CHECK(waiting() <= large.size() + 1024);
    CHECK(reader.read_reply().body.size() == large.size());
    CHECK(eventually([&] { return waiting() == 0; }));
  }
  {
    TcpClient leaver(server.port());
    leaver.send(get("/"));
    REQUIRE(eventually([&] { return waiting() > 0; }));
  }
  CHECK(eventually([&] { return waiting() == 0; }));
}

TEST_CASE("Request: a bearer's token is what stands behind the scheme", "[net][http]") {
  struct Case {
    std::string name, field;
    std::optional<std::string_view> token;
  };
  const std::vector<Case> cases = {
      {"Authorization", "Bearer abc", "abc"},
      {"authorization", "bearer abc", "abc"},
      {"Authorization", "Bearer   abc", "abc"},
      {"Authorization", "Bearer ", {}},
      {"Authorization", "Bearer    ", {}},
      {"Authorization", "Basic abc", {}},
      {"Authorization", "Bearerabc", {}},
      {"X-Authorization", "Bearer abc", {}},
      {"Authorization", "", {}},
      {"Authorization", "Bearer a b", "a b"},
  };
  for (const Case& c : cases) {
    INFO(c.name << ": " << c.field);
    const Headers headers = {{c.name, c.field}};
    CHECK(bearer_token(headers) == c.token);
  }
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
