// The server put together: REST, streams and the Firebase protocol over one port and one database.
#include "net/server.h"

#include <malloc.h>

#include <catch2/catch.hpp>
#include <deque>
#include <memory>

#include "db/host.h"
#include "rules/guard.h"
#include "tests/support/raw_client.h"
#include "tests/support/raw_socket.h"

using hearth::net::Server;
using hearth::test::ask;
using hearth::test::Connection;
using hearth::test::Folder;
using hearth::test::frame;
using hearth::test::kUpgrade;
using hearth::test::Reply;
namespace db = hearth::db;
namespace rules = hearth::rules;

namespace {

struct Fixture {
  explicit Fixture(size_t io_threads = 2) {
    db::Database::Options options;
    options.folder = folder / "data";
    database = db::Host::open(std::move(options)).value();
    rules::Guard::Options guard_options;
    guard_options.dev = true;
    guard_options.default_namespace = "default";
    guard.emplace(*database, std::move(guard_options));
    Server::Options server_options;
    server_options.port = 0;
    server_options.io_threads = io_threads;
    server = Server::start(*guard, server_options).value();
    port_ = server->port();
  }
  uint16_t port() const { return port_; }

  Folder folder;
  std::unique_ptr<db::Host> database;
  std::optional<rules::Guard> guard;
  std::unique_ptr<Server> server;
  uint16_t port_ = 0;
};

}  // namespace

TEST_CASE("Server: what one protocol writes the others are told", "[net]") {
  Fixture fixture;
  Connection stream(fixture.port()), socket(fixture.port());
  stream.send_text("GET /a.json HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  CHECK_THAT(stream.read_until("\n\n"), Catch::Contains("200"));
  socket.send_text(kUpgrade);
  // The example of RFC 6455 §1.3.
  CHECK_THAT(socket.read_until("\"s\":\""), Catch::Contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  socket.send_text(frame(R"({"t":"d","d":{"r":1,"a":"q","b":{"p":"/a","h":""}}})"));
  CHECK_THAT(socket.read_until(R"("r":1)"), Catch::Contains(R"({"t":"d","d":{"r":1)"));

  CHECK(ask(fixture.port(), {.method = "PUT", .target = "/a/x.json", .body = "17"}).status == 200);
  CHECK_THAT(stream.read_until("17"), Catch::Contains("17"));
  CHECK_THAT(socket.read_until("17"), Catch::Contains("17"));

  socket.send_text(frame(R"({"t":"d","d":{"r":2,"a":"p","b":{"p":"/a/y","d":18}}})"));
  CHECK_THAT(socket.read_until(R"("r":2)"), Catch::Contains(R"("d":18)"));
  CHECK_THAT(stream.read_until("18"), Catch::Contains("18"));
  CHECK_THAT(ask(fixture.port(), {.target = "/a.json"}).body, Catch::Contains("18"));

  const db::Namespace space = fixture.database->space("default").value();
  CHECK(space.get("a/x").value() == db::Value::integer(17));
}

TEST_CASE("Server: what is no upgrade and no path of a value is answered, not served", "[net]") {
  Fixture fixture;
  struct Case {
    std::string method, target;
    int status;
  };
  const std::vector<Case> cases = {
      {"GET", "/.health", 200}, {"GET", "/.ws", 426},        {"PUT", "/a", 405},
      {"BREW", "/a.json", 405}, {"OPTIONS", "/a.json", 200},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    CHECK(ask(fixture.port(), {.method = c.method, .target = c.target, .body = "1"}).status == c.status);
  }
  CHECK(ask(fixture.port(), {.target = "/.json"}).body == "null");
}

TEST_CASE("Server: a port that is taken is an error that names it", "[net]") {
  Fixture fixture;
  Server::Options options;
  options.port = fixture.port();
  const auto second = Server::start(*fixture.guard, options);
  REQUIRE(!second.ok());
  CHECK_THAT(second.error().message, Catch::Contains(std::to_string(fixture.port())));
}

TEST_CASE("Server: the database may go between stop() and the end of the server", "[net]") {
  Fixture fixture;
  Connection stream(fixture.port()), socket(fixture.port()), writer(fixture.port());
  stream.send_text("GET /a.json HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  stream.read_until("\n\n");
  socket.send_text(kUpgrade);
  socket.read_until("\"s\":\"");
  for (int i = 0; i < 100; ++i) {
    socket.send_text(frame(fmt::format(R"({{"t":"d","d":{{"r":{},"a":"p","b":{{"p":"/a/{}","d":1}}}}}})", i, i)));
  }
  socket.read_until(R"("r":0)");
  fixture.server->stop();
  fixture.database.reset();
  fixture.server.reset();
  stream.read_to_end();
  CHECK(ask(fixture.port(), {}).status == 0);
}

// Their allocators tell nothing of what is in use.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// What the allocator has given out, with what it adds, is the same in every run; resident memory is not. `hearth bench
// connections` measures that: it is some 150 bytes more.
TEST_CASE("Server: an idle WebSocket with a listener holds few bytes", "[net]") {
  constexpr size_t kBytesMax = 2'400;
  constexpr size_t kWarm = 100, kCount = 300;  // two descriptors each, of the 1,024 that a process has
  Fixture fixture;
  std::deque<Connection> clients;
  const auto connect = [&](size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
      Connection& client = clients.emplace_back(fixture.port());
      client.send_text(kUpgrade);
      client.read_until("\"s\":\"");
      // As long as a path is that has a push id in it.
      client.send_text(frame(fmt::format(
          R"({{"t":"d","d":{{"r":1,"a":"q","b":{{"p":"/connections/client-number-{}","h":""}}}}}})", 1'000 + i)));
      CHECK_THAT(client.read_until(R"("r":1)"), Catch::Contains(R"("r":1)"));
    }
  };
  connect(0, kWarm);
  const size_t before = mallinfo2().uordblks;
  connect(kWarm, kCount);
  const size_t bytes = (mallinfo2().uordblks - before) / kCount;
  INFO(bytes << " bytes for each connection");
  CHECK(bytes <= kBytesMax);
  CHECK(bytes > 1'000);  // or nothing was measured
}
#endif
