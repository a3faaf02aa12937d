// Two whole servers of one process, each of which owns a namespace: what clients of each protocol see when they ask the other.
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/host.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tests/net/http/http_fixture.h"
#include "tests/net/peer/relay_fixture.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
namespace net = hearth::net;
namespace rules = hearth::rules;
using hearth::test::eventually;
using hearth::test::HttpClient;
using hearth::test::TestNodes;
using namespace std::chrono_literals;

namespace {

struct Node {
  explicit Node(const std::string& name) : nodes(name) {
    db::Database::Options options;
    options.folder = folder.path() + "/data";
    options.sync = db::SyncMode::Os;
    database = db::Host::open(std::move(options)).value();
    rules::Guard::Options guard_options;
    guard_options.dev = true;
    guard_options.default_namespace = "default";
    guard.emplace(*database, std::move(guard_options));
    net::Server::Options server_options;
    server_options.port = 0;
    server_options.nodes = &nodes;
    server = net::Server::start(*guard, std::move(server_options)).value();
  }
  void see(Node& other) {
    nodes.connect(other.nodes.own_name(),
                  [&other](int socket, std::string heard) { other.server->adopt(socket, std::move(heard)); });
  }
  uint16_t port() const { return server->port(); }

  hearth::test::TempFolder folder;
  TestNodes nodes;
  std::unique_ptr<db::Host> database;
  std::optional<rules::Guard> guard;
  std::unique_ptr<net::Server> server;
};

// Namespace "ours" is n1's, "theirs" is n2's.
struct Pair {
  Pair() {
    n1.see(n2);
    n2.see(n1);
    give("ours", "n1");
    give("theirs", "n2");
  }
  ~Pair() {
    n1.server->stop();
    n2.server->stop();
  }
  void give(const std::string& space, const std::string& node) {
    n1.nodes.give(space, node);
    n2.nodes.give(space, node);
  }
  Node n1{"n1"}, n2{"n2"};
};

HttpClient::Reply ask(uint16_t port, std::string_view target, std::string_view body = "", std::string_view fields = "",
                      std::string_view method = "") {
  HttpClient client(port);
  client.ask(target, fields, body, method);
  return client.reply();
}

}  // namespace

TEST_CASE("Relay: REST through any node reads and writes one tree", "[net][peer]") {
  Pair pair;
  CHECK(ask(pair.n1.port(), "/a.json?ns=theirs", "17").body == "17");
  CHECK(ask(pair.n2.port(), "/a.json?ns=theirs").body == "17");
  CHECK(ask(pair.n1.port(), "/a.json?ns=theirs").body == "17");
  CHECK(ask(pair.n2.port(), "/a.json?ns=ours", "18").body == "18");
  CHECK(pair.n1.database->space("ours").value().get("a").value() == db::Value::integer(18));
  CHECK(pair.n1.database->space("theirs").value().get("a").value().is_null());

  const auto tagged = ask(pair.n1.port(), "/a.json?ns=theirs", "", "X-Firebase-ETag: true\r\n");
  CHECK(tagged.has("etag: "));
  CHECK(ask(pair.n1.port(), "/a.json?ns=theirs", "19", "if-match: wrong\r\n").status == 412);
  const std::string large = '"' + std::string(3u << 20, 'x') + '"';
  CHECK(ask(pair.n1.port(), "/large.json?ns=theirs&print=silent", large).status == 204);
  CHECK(ask(pair.n1.port(), "/large.json?ns=theirs").body == large);
  const auto packed = ask(pair.n1.port(), "/large.json?ns=theirs", "", "Accept-Encoding: gzip\r\n");
  CHECK(packed.has("content-encoding: gzip"));
  CHECK(packed.whole);
  CHECK(packed.body.size() < large.size() / 100);
  CHECK(ask(pair.n1.port(), "/.health").status == 200);  // a node's own
}

TEST_CASE("Relay: keeps requests of one connection in order, whoever they are for", "[net][peer]") {
  Pair pair;
  HttpClient client(pair.n1.port());
  std::string all;
  for (int i = 0; i < 20; ++i) {
    const std::string body = std::to_string(i);
    all += "PUT /x.json?ns=" + std::string(i % 2 == 0 ? "theirs" : "ours") +
           " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  client.send(all);
  for (int i = 0; i < 20; ++i) CHECK(client.reply().body == std::to_string(i));
}

TEST_CASE("Relay: an event stream through another node hears what is written anywhere, and ends with its client",
          "[net][peer]") {
  Pair pair;
  HttpClient stream(pair.n1.port());
  stream.ask("/a.json?ns=theirs", "Accept: text/event-stream\r\n");
  CHECK_THAT(stream.take_until("\n\n"), Catch::Contains("text/event-stream"));
  for (const uint16_t port : {pair.n1.port(), pair.n2.port()}) {
    CHECK(ask(port, "/a/x.json?ns=theirs", std::to_string(port)).status == 200);
    CHECK_THAT(stream.take_until(std::to_string(port)), Catch::Contains(std::to_string(port)));
  }
  stream.close();
  // Its owner has nobody left to tell.
  CHECK(eventually([&] { return pair.n2.database->figures().sessions == 0; }));
}

TEST_CASE("Relay: a WebSocket through another node is one with its owner, both ways and to its end", "[net][peer]") {
  Pair pair;
  HttpClient socket(pair.n1.port());
  CHECK(socket.upgrade("/.ws?v=5&ns=theirs").status == 101);
  CHECK_THAT(socket.take_frame().payload, Catch::Contains("\"h\":\"test\""));
  socket.send_text(R"({"t":"d","d":{"r":1,"a":"q","b":{"p":"/a","h":""}}})");
  CHECK_THAT(socket.take_frame().payload, Catch::Contains(R"("r":1)"));  // nothing is there, as its hash says
  CHECK(ask(pair.n2.port(), "/a/x.json?ns=theirs", "21").status == 200);
  CHECK_THAT(socket.take_frame().payload, Catch::Contains("21"));
  socket.send_text(R"({"t":"d","d":{"r":2,"a":"p","b":{"p":"/a/y","d":22}}})");
  CHECK_THAT(socket.take_frame().payload, Catch::Contains("22"));
  CHECK_THAT(socket.take_frame().payload, Catch::Contains(R"("r":2)"));
  CHECK(ask(pair.n1.port(), "/a/y.json?ns=theirs").body == "22");

  SECTION("the client's end is told") {
    socket.send_text(R"({"t":"d","d":{"r":3,"a":"o","b":{"p":"/gone","d":true}}})");
    socket.take_until(R"("r":3)");
    socket.close();
    CHECK(eventually([&] { return ask(pair.n2.port(), "/gone.json?ns=theirs").body == "true"; }));
  }
  SECTION("so is the owner's") {
    pair.n2.server->stop();
    CHECK_THAT(socket.take_all(), Catch::Contains("\x03\xe9"));  // 1001
  }
  SECTION("and that another node is the owner now") {
    pair.give("theirs", "n1");
    // Its old owner says goodbye, or the node between them does not wait for that: it may be stopped.
    const auto frame = socket.take_frame();
    CHECK((frame.opcode == -1 || frame.close_code() == 1001));
    CHECK(socket.is_closed());
  }
}

TEST_CASE("Relay: a socket that is served here ends when its namespace is another node's, and comes back there",
          "[net][peer]") {
  Pair pair;
  HttpClient socket(pair.n1.port());
  CHECK(socket.upgrade("/.ws?v=5&ns=ours").status == 101);
  CHECK(socket.take_frame().opcode == 1);
  pair.give("theirs", "n1");  // others' are nothing to it
  CHECK(socket.is_silent_for(700ms));
  pair.give("ours", "n2");
  CHECK(socket.take_frame().close_code() == 1001);
  HttpClient again(pair.n1.port());
  CHECK(again.upgrade("/.ws?v=5&ns=ours").status == 101);
  CHECK(again.take_frame().opcode == 1);
  CHECK(again.is_silent_for(700ms));
}

TEST_CASE("Relay: a long poll goes on at the node that has it, by whichever node its client asks", "[net][peer]") {
  Pair pair;
  const auto start = ask(pair.n1.port(), "/.lp?start=t&ser=1&cb=1&v=5&ns=theirs");
  REQUIRE(start.status == 200);
  const auto between = [&](const std::string& before, const std::string& after) {
    const size_t at = start.body.find(before) + before.size();
    return start.body.substr(at, start.body.find(after, at) - at);
  };
  const std::string id = between("pLPCommand('start','", "'");
  const std::string password = between("'" + id + "','", "'");
  CHECK(id.ends_with(".n2"));
  const std::string target = "/.lp?id=" + id + "&pw=" + password;
  // {"t":"d","d":{"r":1,"a":"p","b":{"p":"/a","d":31}}} in base64
  const std::string said = "eyJ0IjoiZCIsImQiOnsiciI6MSwiYSI6InAiLCJiIjp7InAiOiIvYSIsImQiOjMxfX19";
  const auto put = ask(pair.n1.port(), target + "&ser=2&seg0=0&ts0=1&d0=" + said);
  CHECK_THAT(put.body, Catch::Contains(R"("r":1)"));
  CHECK(ask(pair.n1.port(), "/a.json?ns=theirs").body == "31");
  pair.give("theirs", "n1");  // the session stays where it is
  const auto left = ask(pair.n1.port(), "/.lp?disconn=t&id=" + id + "&pw=" + password);
  CHECK(left.status == 200);
  CHECK_THAT(ask(pair.n2.port(), target + "&ser=3").body, Catch::Contains("close"));
  // Its node is gone: the client begins anew.
  pair.n1.nodes.forget("n2");
  CHECK_THAT(ask(pair.n1.port(), target + "&ser=4").body, Catch::Contains("close"));
}

TEST_CASE("Relay: SDKs are told the owner's host where it has one, and others are passed on", "[net][peer]") {
  Pair pair;
  pair.n1.nodes.give("theirs", "n2", "s-n2.example.org:9000");
  HttpClient socket(pair.n1.port());
  CHECK(socket.upgrade("/.ws?v=5&ns=theirs").status == 101);
  CHECK(socket.take_frame().payload == R"({"t":"c","d":{"t":"r","d":"s-n2.example.org:9000"}})");
  CHECK(socket.take_frame().close_code() == 1000);
  CHECK(ask(pair.n1.port(), "/a.json?ns=theirs", "1").status == 200);
}

TEST_CASE("Relay: two nodes that take each other for the owner answer, and do not ask in circles", "[net][peer]") {
  Pair pair;
  pair.n1.nodes.give("lost", "n2");
  pair.n2.nodes.give("lost", "n1");
  const auto reply = ask(pair.n1.port(), "/a.json?ns=lost", "1");
  CHECK(reply.status == 503);
  CHECK(reply.has("retry-after: 1"));
}
