// The relay, with owners that a test makes up: what goes wrong, and what a request looks like on its way. What clients of each
// protocol see of it: relay_servers_test.cc.
#include "net/peer/relay.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/http/forwarded.h"
#include "tests/net/http/http_fixture.h"
#include "tests/net/peer/relay_fixture.h"
#include "tests/support/http_client.h"

namespace db = hearth::db;
namespace net = hearth::net;
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

// Requests that an owner does not answer.
struct Held {
  void add(const std::shared_ptr<http::Exchange>& exchange) {
    const std::lock_guard lock(mutex);
    exchanges.push_back(exchange);
    ++asked;
  }
  void clear() {
    const std::lock_guard lock(mutex);
    exchanges.clear();
  }
  std::mutex mutex;
  std::vector<std::shared_ptr<http::Exchange>> exchanges;
  std::atomic<int> asked = 0;
};

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
    listener = http::serve(io, workers, options, [this, here](const std::shared_ptr<http::Exchange>& exchange) {
                 if (!relay->take(exchange, {.space = "t"})) here(exchange);
               }).value();
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
    client.ask("/a b\"?x={1}", "X-Mine: yes\r\nTE: trailers\r\nExpect: 100-continue\r\n", "body " + std::to_string(i),
               "PATCH");
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
      "Hearth-Relayed: b\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: "
      "evil.example.com\r\n";
  HttpClient client(bare.port());
  client.ask("/", kLies);
  CHECK(client.reply().body == "b");
  const http::Request relayed = at_owner.all().at(0);
  CHECK(relayed.relayed_by == "a");
  CHECK(relayed.peer == "127.0.0.1");
  CHECK(relayed.host() == "test");
  CHECK_FALSE(relayed.is_secure);
  CHECK_FALSE(relayed.peer_is_loopback);  // a proxy that nobody named stands before it
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
    Bare bare(
        [&](const auto& exchange) { ++asked_b, refuse(exchange, "c c.test:1"); },
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
  Held held;
  Bare bare([&](const auto& exchange) { held.add(exchange); },
            [](const auto& exchange) { exchange->respond(text_response("c")); });
  const auto lose = [&] {
    REQUIRE(eventually([&] { return held.asked > 0; }));
    bare.nodes.give("t", "c");
    bare.doors.at("b")->drain(0ms);
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
  Held held;
  Bare bare([&](const auto& exchange) { held.add(exchange); },
            [](const auto& exchange) { exchange->respond(text_response("c")); });
  HttpClient reader(bare.port()), writer(bare.port());
  reader.ask("/");
  writer.ask("/", "", "x");
  REQUIRE(eventually([&] { return held.asked == 2; }));
  bare.nodes.give("t", "c");
  CHECK(reader.reply().body == "c");
  CHECK(writer.reply().status == 503);  // it may have been made
  held.clear();
}

TEST_CASE("Relay: who waits at another node is looked at when an owner changes, and not in between", "[net][peer]") {
  constexpr int kWaiting = 20;
  Held held;
  Bare bare([&](const auto& exchange) { held.add(exchange); },
            [](const auto& exchange) { exchange->respond(text_response("c")); });
  std::vector<std::unique_ptr<HttpClient>> readers;
  for (int i = 0; i < kWaiting; ++i) {
    readers.push_back(std::make_unique<HttpClient>(bare.port()));
    readers.back()->ask("/");
  }
  REQUIRE(eventually([&] { return held.asked == kWaiting; }));
  const auto look_again = [&] {
    const size_t looks = bare.nodes.looks() + 6;  // of two threads
    REQUIRE(eventually([&] { return bare.nodes.looks() >= looks; }));
  };
  look_again();  // what has changed before
  const size_t answers = bare.nodes.answers();
  look_again();
  CHECK(bare.nodes.answers() == answers);
  // Nobody, and then another one: that is two changes, and the second is seen as well.
  bare.nodes.give("t", "");
  look_again();
  bare.nodes.give("t", "c");
  for (const auto& reader : readers) CHECK(reader->reply().body == "c");
  held.clear();
}

TEST_CASE("Relay: a request that is served here, and turns out to be another's, goes there", "[net][peer]") {
  std::atomic<int> asked = 0;
  Bare bare([&](const std::shared_ptr<http::Exchange>& exchange) {
    ++asked;
    exchange->respond(text_response("b " + exchange->request().body));
  });
  // Its own handler says 421, as error_reply() does for a namespace that has moved.
  Relay relay(
      bare.nodes, bare.io, bare.workers, {},
      {.serve = [](const auto& exchange) { exchange->respond(text_response("", http::Exchange::kMisdirected)); },
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
               if (!relay.take(exchange, {.space = "t"}))
                 exchange->respond(text_response("", http::Exchange::kMisdirected));
             }).value();
  HttpClient other(listener->port());
  other.ask("/", "", "x");
  CHECK(other.reply().status == 503);
  listener.reset();
  relay.drain(0ms);
}

TEST_CASE("Relay: while the engine is away reads say how old they may be, and writes are told to come again",
          "[net][peer]") {
  std::vector<std::shared_ptr<http::Exchange>> held;
  std::mutex mutex;
  std::atomic<int> asked = 0;
  http::IoPool io(1);
  hearth::db::ThreadPool workers(1);
  io.start();
  TestNodes nodes("a");
  nodes.give("t", "a");
  Relay relay(nodes, io, workers, {}, {.serve = {}, .redirect = {}});
  auto listener = http::serve(io, workers, {}, [&](const std::shared_ptr<http::Exchange>& exchange) {
                    if (relay.take(exchange, {.space = "t"})) return;
                    if (exchange->request().method == "GET") return exchange->respond(text_response("read"));
                    ++asked;
                    const std::lock_guard lock(mutex);
                    held.push_back(exchange);
                  }).value();
  HttpClient waiting(listener->port()), client(listener->port());
  waiting.ask("/", "", "under way");
  REQUIRE(eventually([&] { return asked == 1; }));
  client.ask("/");
  CHECK_FALSE(client.reply().has("x-hearth-stale"));
  nodes.set_stale(1'200ms);
  const auto told = waiting.reply();
  CHECK(told.status == 503);
  CHECK(told.has("retry-after: 1"));
  CHECK_THAT(told.body, Catch::Contains("not known"));
  client.ask("/");
  CHECK(client.reply().has("x-hearth-stale: 2\r\n"));
  client.ask("/", "", "new");
  const auto refused = client.reply();
  CHECK(refused.status == 503);
  CHECK_THAT(refused.body, Catch::Contains("nothing can be written"));
  CHECK(asked == 1);
  // What the handler says in the end is heard by nobody: the connection has gone on.
  waiting.ask("/");
  CHECK(waiting.reply().body == "read");
  {
    const std::lock_guard lock(mutex);
    held.front()->respond(text_response("late"));
    held.clear();
  }
  waiting.ask("/");
  CHECK(waiting.reply().body == "read");
  nodes.set_stale(0ms);
  client.ask("/", "", "again");
  REQUIRE(eventually([&] { return asked == 2; }));
  {
    const std::lock_guard lock(mutex);
    held.front()->respond(text_response("written"));
    held.clear();
  }
  CHECK(client.reply().body == "written");
  listener.reset();
  relay.drain(0ms);
  io.stop();
  io.join();
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
