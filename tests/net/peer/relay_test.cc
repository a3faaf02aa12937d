// The relay between nodes of one process. First with owners that a test makes up, for what goes wrong; then two whole servers,
// for what clients of each protocol see.
#include "net/peer/relay.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "db/host.h"
#include "net/http/forwarded.h"
#include "net/server.h"
#include "rules/guard.h"
#include "tests/net/http/http_fixture.h"
#include "tests/net/peer/relay_fixture.h"
#include "tests/support/http_client.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
namespace net = hearth::net;
namespace rules = hearth::rules;
using hearth::net::peer::kOwnerField;
using hearth::net::peer::kOwnerWaitMax;
using hearth::net::peer::Relay;
using hearth::test::eventually;
using hearth::test::HttpClient;
using hearth::test::TestNodes;
using hearth::test::text_response;
namespace http = hearth::net::http;
using namespace std::chrono_literals;

namespace {

// Node "a" with a client's port. All requests are for "t"; "b" and "c" serve what the test says.
struct Bare {
  explicit Bare(http::Handler b, http::Handler c = nullptr, http::Limits limits = {}) {
    io.start();
    http::Listener::Options adopting;
    adopting.limits = limits;
    adopting.of_nodes = true;
    for (const auto& [name, handler] : {std::pair("b", std::move(b)), {"c", std::move(c)}}) {
      if (handler == nullptr) continue;
      auto& door = doors[name] = http::serve_adopted(io, workers, adopting, handler);
      nodes.connect(name, [&door](int socket, std::string heard) {
        door->adopt({.socket = http::Fd(socket), .heard = std::move(heard)});
      });
    }
    nodes.give("t", "b");
    const auto here = [](const std::shared_ptr<http::Exchange>& exchange) { exchange->respond(text_response("a")); };
    relay = std::make_unique<Relay>(nodes, io, workers, limits, Relay::Hooks{.serve = here, .redirect = {}});
    http::Listener::Options options;
    options.limits = limits;
    listener = http::serve(io, workers, options,
                           [this, here](const std::shared_ptr<http::Exchange>& exchange) {
                             if (!relay->take(exchange, {.space = "t"})) here(exchange);
                           })
                   .value();
  }
  ~Bare() {
    listener.reset();
    doors.clear();
    relay->drain(0ms);
    io.stop();
    io.join();
  }
  uint16_t port() const { return listener->port(); }

  http::IoPool io{2};
  db::ThreadPool workers{2};
  TestNodes nodes{"a"};
  std::map<std::string, std::unique_ptr<http::Listener>> doors;
  std::unique_ptr<Relay> relay;
  std::unique_ptr<http::Listener> listener;
};

// What an owner was asked, and by which connection.
struct Seen {
  void add(const http::Request& request) {
    const std::lock_guard lock(mutex);
    requests.push_back(request);
  }
  std::vector<http::Request> all() {
    const std::lock_guard lock(mutex);
    return requests;
  }
  std::mutex mutex;
  std::vector<http::Request> requests;
};

}  // namespace

TEST_CASE("Relay: a request reaches the owner as its client made it, and the answer its client as the owner made it",
          "[net][peer]") {
  Seen seen;
  Bare bare([&](const std::shared_ptr<http::Exchange>& exchange) {
    seen.add(exchange->request());
    http::Response reply = text_response("said " + exchange->request().body, 207);
    reply.headers.emplace_back("X-Own", "kept");
    exchange->respond(std::move(reply));
  });
  HttpClient client(bare.port());
  for (int i = 0; i < 3; ++i) {
    client.ask("/a b\"?x={1}", "X-Mine: yes\r\nTE: trailers\r\nExpect: 100-continue\r\n", "body " + std::to_string(i), "PATCH");
    HttpClient::Reply reply = client.reply();
    if (reply.status == 100) reply = client.reply();
    CHECK(reply.status == 207);
    CHECK(reply.body == "said body " + std::to_string(i));
    CHECK(reply.has("x-own: kept"));
    CHECK(reply.has("connection: keep-alive"));
    CHECK(reply.head.find("date:") == reply.head.rfind("date:"));
  }
  const auto asked = seen.all();
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].method == "PATCH");
  CHECK(asked[0].target == "/a b\"?x={1}");
  CHECK(asked[0].header("X-Mine") == "yes");
  CHECK_FALSE(asked[0].header("TE"));
  CHECK_FALSE(asked[0].header("Expect"));
  CHECK(asked[0].header("Host") == "test");
  CHECK(bare.nodes.dials() == 1);  // one line served all three
  CHECK(bare.relay->counts().requests.value() == 3);

  client.ask("/head", "", "", "HEAD");
  const auto head = client.reply(HttpClient::Body::None);
  CHECK(head.has("content-length: 5"));
  client.ask("/next");  // nothing of a body was sent, or this would be out of step
  CHECK(client.reply().body == "said ");
}

TEST_CASE("Relay: who a client is, its node says; what a client says of that is not believed", "[net][peer]") {
  Seen at_owner, at_port;
  Bare bare([&](const std::shared_ptr<http::Exchange>& exchange) {
    at_owner.add(exchange->request());
    exchange->respond(text_response("b"));
  });
  constexpr std::string_view kLies =
      "Hearth-Relayed: b\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example.com\r\n";
  HttpClient client(bare.port());
  client.ask("/", kLies);
  CHECK(client.reply().body == "b");
  const http::Request relayed = at_owner.all().at(0);
  CHECK(relayed.relayed_by == "a");
  CHECK(relayed.peer == "127.0.0.1");
  CHECK(relayed.host() == "test");
  CHECK_FALSE(relayed.is_secure);
  CHECK_FALSE(relayed.peer_is_loopback);    // a proxy that nobody named stands before it
  CHECK(relayed.is_behind_stranger);

  hearth::test::HttpFixture port([&](const std::shared_ptr<http::Exchange>& exchange) {
    at_port.add(exchange->request());
    exchange->respond(text_response(""));
  });
  HttpClient liar(port.port());
  liar.ask("/", kLies);
  CHECK(liar.reply().status == 200);
  CHECK(at_port.all().at(0).relayed_by.empty());
  CHECK(at_port.all().at(0).peer == "127.0.0.1");
}

TEST_CASE("Relay: what is relayed says more of its client than an address", "[net][peer]") {
  struct Case {
    bool is_loopback, is_stranger;
    std::string text;
  };
  for (const Case& one : {Case{true, false, "n1"}, {false, false, "n1;far"}, {false, true, "n1;far;stranger"}}) {
    http::Request from;
    from.peer_is_loopback = one.is_loopback;
    from.is_behind_stranger = one.is_stranger;
    CHECK(http::relayed_text(from, "n1") == one.text);
    http::Request to;
    to.peer_is_loopback = true;
    to.headers = {{"hearth-relayed", one.text}};
    http::set_relayed(to);
    CHECK(to.relayed_by == "n1");
    CHECK(to.peer_is_loopback == one.is_loopback);
    CHECK(to.is_behind_stranger == one.is_stranger);
  }
}

TEST_CASE("Relay: a request is passed on once; who was asked in vain may say who is the owner, and is believed once",
          "[net][peer]") {
  std::atomic<int> asked_b = 0, asked_c = 0;
  const auto refuse = [](const std::shared_ptr<http::Exchange>& exchange, const char* owner) {
    http::Response reply = http::error_response(503, "not mine");
    reply.headers.emplace_back(kOwnerField, owner);
    exchange->respond(std::move(reply));
  };
  SECTION("it knows") {
    Bare bare([&](const auto& exchange) { ++asked_b, refuse(exchange, "c c.test:1"); },
              [&](const auto& exchange) { ++asked_c, exchange->respond(text_response("c " + exchange->request().body)); });
    HttpClient client(bare.port());
    client.ask("/", "", "once");
    CHECK(client.reply().body == "c once");
    CHECK(asked_b == 1);
    CHECK(asked_c == 1);
    CHECK(bare.relay->counts().asked_again.value() == 1);
  }
  SECTION("nobody is") {
    Bare bare([&](const auto& exchange) { ++asked_b, refuse(exchange, "c c.test:1"); },
              [&](const auto& exchange) { ++asked_c, refuse(exchange, "b b.test:1"); });
    const auto begin = std::chrono::steady_clock::now();
    HttpClient client(bare.port());
    client.ask("/", "", "x");
    const auto reply = client.reply();
    CHECK(reply.status == 503);
    CHECK(reply.has("retry-after: 1"));
    CHECK_FALSE(reply.has("hearth-owner"));
    CHECK(std::chrono::steady_clock::now() - begin >= kOwnerWaitMax);
    CHECK(asked_c == 1);  // by its word, once; b is who the directory names
    CHECK(asked_b > 1);
    CHECK(bare.relay->counts().unowned.value() == 1);
  }
}

TEST_CASE("Relay: requests wait for an owner, and go to whoever it is", "[net][peer]") {
  Bare bare([](const auto& exchange) { exchange->respond(text_response("b")); });
  for (const bool is_taking : {false, true}) {
    is_taking ? bare.nodes.take("t") : bare.nodes.give("t", "");
    HttpClient client(bare.port());
    client.ask("/", "", "x");
    CHECK(client.is_silent_for(150ms));
    CHECK(bare.relay->counts().waiting.value() == 1);
    bare.nodes.give("t", is_taking ? "a" : "b");
    CHECK(client.reply().body == (is_taking ? "a" : "b"));
    CHECK(bare.relay->counts().waiting.value() == 0);
  }
  bare.nodes.give("t", "c");  // whom nobody can reach
  HttpClient client(bare.port());
  client.ask("/");
  CHECK(client.reply().status == 503);
}

TEST_CASE("Relay: a write whose node is lost is not made twice; a read is asked anew", "[net][peer]") {
  std::atomic<int> asked = 0;
  std::vector<std::shared_ptr<http::Exchange>> held;
  std::mutex mutex;
  Bare bare(
      [&](const std::shared_ptr<http::Exchange>& exchange) {
        ++asked;
        const std::lock_guard lock(mutex);
        held.push_back(exchange);
      },
      [](const auto& exchange) { exchange->respond(text_response("c")); });
  const auto lose = [&] {
    REQUIRE(eventually([&] { return asked > 0; }));
    bare.nodes.give("t", "c");
    bare.doors.at("b")->drain(0ms);
    const std::lock_guard lock(mutex);
    held.clear();
  };
  HttpClient client(bare.port());
  SECTION("write") {
    client.ask("/", "", "x");
    lose();
    const auto reply = client.reply();
    CHECK(reply.status == 503);
    CHECK(reply.has("retry-after"));
    CHECK_THAT(reply.body, Catch::Contains("not known"));
    CHECK(bare.relay->counts().unknown.value() == 1);
  }
  SECTION("read") {
    client.ask("/");
    lose();
    CHECK(client.reply().body == "c");
  }
}

TEST_CASE("Relay: a node that answers nothing while another has its shards is waited for no longer", "[net][peer]") {
  std::vector<std::shared_ptr<http::Exchange>> held;
  std::mutex mutex;
  std::atomic<int> asked = 0;
  Bare bare(
      [&](const std::shared_ptr<http::Exchange>& exchange) {
        const std::lock_guard lock(mutex);
        held.push_back(exchange);
        ++asked;
      },
      [](const auto& exchange) { exchange->respond(text_response("c")); });
  HttpClient reader(bare.port()), writer(bare.port());
  reader.ask("/");
  writer.ask("/", "", "x");
  REQUIRE(eventually([&] { return asked == 2; }));
  bare.nodes.give("t", "c");
  CHECK(reader.reply().body == "c");
  CHECK(writer.reply().status == 503);  // it may have been made
  const std::lock_guard lock(mutex);
  held.clear();
}

TEST_CASE("Relay: a request that is served here, and turns out to be another's, goes there", "[net][peer]") {
  std::atomic<int> asked = 0;
  Bare bare([&](const std::shared_ptr<http::Exchange>& exchange) {
    ++asked;
    exchange->respond(text_response("b " + exchange->request().body));
  });
  // Its own handler says 421, as error_reply() does for a namespace that has moved.
  Relay relay(bare.nodes, bare.io, bare.workers, {}, {.serve = [](const auto& exchange) {
                                                      exchange->respond(text_response("", http::Exchange::kMisdirected));
                                                    },
                                                      .redirect = {}});
  bare.nodes.give("t", "a");
  auto listener = http::serve(bare.io, bare.workers, {}, [&](const std::shared_ptr<http::Exchange>& exchange) {
                    if (relay.take(exchange, {.space = "t"})) return;
                    bare.nodes.give("t", "b");
                    exchange->respond(text_response("", http::Exchange::kMisdirected));
                  }).value();
  HttpClient client(listener->port());
  client.ask("/", "", "moved");
  CHECK(client.reply().body == "b moved");
  CHECK(asked == 1);
  // Nobody has it in the end: an answer, and not a loop.
  listener.reset();
  listener = http::serve(bare.io, bare.workers, {}, [&](const std::shared_ptr<http::Exchange>& exchange) {
               bare.nodes.give("t", "a");
               if (!relay.take(exchange, {.space = "t"})) exchange->respond(text_response("", http::Exchange::kMisdirected));
             }).value();
  HttpClient other(listener->port());
  other.ask("/", "", "x");
  CHECK(other.reply().status == 503);
  listener.reset();
  relay.drain(0ms);
}

TEST_CASE("Relay: a client that does not read stops its owner, and no more than the limit waits", "[net][peer]") {
  constexpr size_t kPiece = 64u << 10, kPieces = 1'600;  // 100 MB
  std::atomic<size_t> made = 0;
  http::Limits limits;
  Bare bare(
      [&](const std::shared_ptr<http::Exchange>& exchange) {
        exchange->respond_chunked({.compression = http::Compression::Never}, [&](std::string& chunk) {
          chunk.assign(kPiece, 'x');
          return ++made == kPieces ? http::Pull::Last : http::Pull::More;
        });
      },
      nullptr, limits);
  HttpClient client(bare.port(), "127.0.0.1", 32 << 10);
  client.ask("/");
  REQUIRE(eventually([&] { return bare.listener->stats().outbox_bytes > limits.backlog_bytes_pause; }));
  std::this_thread::sleep_for(300ms);
  const size_t made_then = made;
  CHECK(made_then < kPieces / 2);
  CHECK(bare.listener->stats().outbox_bytes <= limits.backlog_bytes_pause + (128u << 10));
  CHECK(bare.relay->line_stats().outbox_bytes == 0);
  std::this_thread::sleep_for(100ms);
  CHECK(made == made_then);
  const auto reply = client.reply();
  CHECK(reply.whole);
  CHECK(reply.body.size() == kPiece * kPieces);
}

// ---- two servers ----

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
  CHECK_THAT(socket.take_frame().payload, Catch::Contains(R"("p":"a")"));
  CHECK_THAT(socket.take_frame().payload, Catch::Contains(R"("r":1)"));
  CHECK(ask(pair.n2.port(), "/a/x.json?ns=theirs", "21").status == 200);
  CHECK_THAT(socket.take_frame().payload, Catch::Contains("21"));
  socket.send_text(R"({"t":"d","d":{"r":2,"a":"p","b":{"p":"/a/y","d":22}}})");
  CHECK_THAT(socket.take_frame().payload, Catch::Contains("22"));
  CHECK(ask(pair.n1.port(), "/a/y.json?ns=theirs").body == "22");

  SECTION("the client's end is told") {
    socket.send_text(R"({"t":"d","d":{"r":3,"a":"o","b":{"p":"/gone","d":true}}})");
    socket.take_until(R"("r":3)");
    socket.close();
    CHECK(eventually([&] { return ask(pair.n2.port(), "/gone.json?ns=theirs").body == "true"; }));
  }
  SECTION("so is the owner's") {
    pair.n2.server->stop();
    CHECK(eventually([&] { return socket.is_closed() || socket.take_frame().opcode != -1; }));
  }
  SECTION("and that another node is the owner now") {
    pair.give("theirs", "n1");
    CHECK(eventually([&] { return socket.is_closed(); }, 5s));
  }
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
