// WebSockets over real sockets.
#include "net/websocket/websocket.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "net/websocket/frame.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::CloseCode;
using http::Exchange;
using http::Limits;
using http::MessageKind;
using http::WebSocket;
using http::WebSocketHandler;
using http::WebSocketOptions;

namespace {

constexpr int kText = 1;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

// All sockets of a server. They echo; "close!", "pause!" and "burst!" do what they say.
struct Room {
  class Guest;
  void enter(const std::shared_ptr<Exchange>& exchange);

  std::mutex mutex;  // Guards guests and codes.
  std::map<Guest*, std::pair<std::shared_ptr<WebSocket>, size_t>> guests{};
  std::vector<CloseCode> codes{};
  WebSocketOptions options{};
  std::atomic<int> messages = 0;
  std::atomic<int> drained = 0;
  std::atomic<int> handlers = 0;

  size_t size() {
    const std::lock_guard lock(mutex);
    return guests.size();
  }
  std::vector<CloseCode> closed() {
    const std::lock_guard lock(mutex);
    return codes;
  }
  template <typename Do>
  void for_each(http::IoPool& io, Do what) {
    const std::lock_guard lock(mutex);
    for (const auto& [guest, socket] : guests)
      io.post(socket.second, [websocket = socket.first, what] { what(*websocket); });
  }
};

class Room::Guest final : public WebSocketHandler {
 public:
  explicit Guest(Room& room) : room_(room) { ++room_.handlers; }
  ~Guest() override { --room_.handlers; }

  void on_message(std::string&& message, MessageKind kind) override {
    ++room_.messages;
    if (message.capacity() < message.size() + 64) return websocket->send_text("no padding");
    if (message == "close!") return websocket->close(CloseCode::TryAgainLater, "because");
    if (message == "pause!") return websocket->pause();
    if (kind == MessageKind::Text) {
      websocket->send_text(message);
    } else {
      websocket->send_binary(message);
    }
  }
  void on_drained() override { ++room_.drained; }
  void on_close(CloseCode code) override {
    const std::lock_guard lock(room_.mutex);
    room_.guests.erase(this);
    room_.codes.push_back(code);
    websocket.reset();
  }
  std::shared_ptr<WebSocket> websocket;

 private:
  Room& room_;
};

void Room::enter(const std::shared_ptr<Exchange>& exchange) {
  const auto guest = std::make_shared<Guest>(*this);
  guest->websocket = exchange->accept_websocket(guest, options);
  if (guest->websocket == nullptr) return;
  const std::lock_guard lock(mutex);
  guests[guest.get()] = {guest->websocket, exchange->thread()};
}

struct Fixture : Room, HttpFixture {
  explicit Fixture(Wire wire, WebSocketOptions given = {}, Limits limits = {}, size_t threads = 2)
      : HttpFixture(
            wire,
            [this](std::shared_ptr<Exchange> exchange) {
              if (!exchange->wants_websocket() && exchange->request().target != "/socket") return echo(exchange);
              enter(exchange);
            },
            limits, threads) {
    options = given;
  }
};

}  // namespace

TEST_CASE("A WebSocket opens with the handshake of RFC 6455 and echoes", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  HttpClient client(server.at());
  const auto reply = client.upgrade();
  CHECK(reply.status == 101);
  CHECK(reply.has("\r\nupgrade: websocket\r\n"));
  CHECK(reply.has("\r\nconnection: upgrade\r\n"));
  CHECK(reply.has("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"));  // RFC 6455 §1.3, in lower case
  CHECK_FALSE(reply.has("sec-websocket-protocol"));
  CHECK_FALSE(reply.has("content-length"));
  for (const size_t size : {0, 1, 125, 126, 127, 65'535, 65'536, 3'000'000}) {
    INFO(size);
    const std::string payload(size, 'x');
    client.send_text(payload);
    const auto frame = client.take_frame();
    CHECK(frame.opcode == kText);
    CHECK(frame.payload == payload);
  }
  client.send(HttpClient::frame(kBinary, "\xff\xfe"));
  const auto binary = client.take_frame();
  CHECK(binary.opcode == kBinary);
  CHECK(binary.payload == "\xff\xfe");
}

TEST_CASE("A handshake that is none is answered, and the connection can be used", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  HttpClient client(server.at());
  const std::string upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  const std::string version = "Sec-WebSocket-Version: 13\r\n";
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  client.ask("/socket", "");
  CHECK(client.reply().status == 426);
  client.ask("/socket", upgrade + key + "Sec-WebSocket-Version: 8\r\n");
  const auto other = client.reply();
  CHECK(other.status == 426);
  CHECK(other.has("sec-websocket-version: 13"));
  client.ask("/socket", upgrade + version);
  CHECK(client.reply().status == 400);
  client.ask("/socket", upgrade + version + "Sec-WebSocket-Key: short\r\n");
  CHECK(client.reply().status == 400);
  client.ask("/socket", upgrade + version + key, "", "POST");
  CHECK(client.reply().status == 400);
  CHECK(client.upgrade().status == 101);
  CHECK(eventually([&] { return server.handlers == 1; }));
}

TEST_CASE("Frames that come with the handshake, or in many pieces, are heard in order", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  HttpClient client(server.at());
  const std::string first = HttpClient::frame(kText, "first") + HttpClient::frame(kText, "second");
  CHECK(client.upgrade("/socket", first + HttpClient::frame(kText, "third").substr(0, 5)).status == 101);
  CHECK(client.take_frame().payload == "first");
  CHECK(client.take_frame().payload == "second");
  for (const char byte : HttpClient::frame(kText, "third").substr(5)) client.send(std::string(1, byte));
  CHECK(client.take_frame().payload == "third");
}

TEST_CASE("A WebSocket may be accepted later; what came meanwhile is not lost", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Room room;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    server.workers.run([&, exchange] {
      std::this_thread::sleep_for(30ms);
      server.io.post(exchange->thread(), [&, exchange] { room.enter(exchange); });
    });
  });
  HttpClient client(server.at());
  CHECK(client.upgrade("/", HttpClient::frame(kText, "early") + HttpClient::frame(kText, "bird")).status == 101);
  client.send_text("late");
  CHECK(client.take_frame().payload == "early");
  CHECK(client.take_frame().payload == "bird");
  CHECK(client.take_frame().payload == "late");
}

TEST_CASE("Messages may come in fragments, with control frames between them", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  HttpClient client(server.at());
  client.upgrade();
  client.send(HttpClient::frame(kText, "one ", HttpClient::Fin::No) + HttpClient::frame(0, "", HttpClient::Fin::No) +
              HttpClient::frame(kPing, "are you there") + HttpClient::frame(0, "two \xc3", HttpClient::Fin::No) +
              HttpClient::frame(kPong, "unasked") + HttpClient::frame(0, "\xa9"));
  const auto pong = client.take_frame();
  CHECK(pong.opcode == kPong);
  CHECK(pong.payload == "are you there");
  const auto message = client.take_frame();
  CHECK(message.opcode == kText);
  CHECK(message.payload == "one two \xc3\xa9");
  CHECK(server.messages == 1);
}

TEST_CASE("Broken frames close with the code that says why", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  WebSocketOptions options;
  options.message_bytes_max = 1000;
  Fixture server(wire, options);
  struct Case {
    const char* what;
    std::string sent;
    int code;
  };
  const std::string long_ping(126, 'x');
  const std::vector<Case> cases = {
      {"a reserved bit", "\xc1\x80----", 1002},
      {"an unknown opcode", HttpClient::frame(3, ""), 1002},
      {"an unknown control opcode", HttpClient::frame(11, ""), 1002},
      {"no mask", std::string("\x81\x01x", 3), 1002},
      {"a fragmented ping", HttpClient::frame(kPing, "", HttpClient::Fin::No), 1002},
      {"a long ping", HttpClient::frame(kPing, long_ping), 1002},
      {"a continuation of nothing", HttpClient::frame(0, "x"), 1002},
      {"a message within a message", HttpClient::frame(kText, "x", HttpClient::Fin::No) + HttpClient::frame(kText, "x"),
       1002},
      {"text that is not UTF-8", HttpClient::frame(kText, "\xff"), 1007},
      {"text that ends within a character", HttpClient::frame(kText, "\xc3"), 1007},
      {"a surrogate", HttpClient::frame(kText, "\xed\xa0\x80"), 1007},
      {"half a close code", HttpClient::frame(kClose, "\x03"), 1002},
      {"a close code that is none", HttpClient::frame(kClose, "\x03\xed"), 1002},  // 1005
      {"a close reason that is not UTF-8", HttpClient::frame(kClose, "\x03\xe8\xff"), 1007},
      {"a message that is too large", HttpClient::frame(kText, std::string(1001, 'x')), 1009},
      {"fragments that are too large together",
       HttpClient::frame(kText, std::string(600, 'x'), HttpClient::Fin::No) +
           HttpClient::frame(0, std::string(401, 'x')),
       1009},
      {"a message that will be too large", std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff----", 14), 1009},
  };
  for (const Case& now : cases) {
    INFO(now.what);
    HttpClient client(server.at());
    client.upgrade();
    client.send_text(std::string(1000, 'y'));
    CHECK(client.take_frame().payload.size() == 1000);
    client.send(now.sent);
    const auto frame = client.take_frame();
    CHECK(frame.opcode == kClose);
    CHECK(frame.close_code() == now.code);
    CHECK(client.is_closed());
  }
  CHECK(eventually([&] { return server.closed().size() == cases.size(); }));
  CHECK(eventually([&] { return server.handlers == 0; }));
}

TEST_CASE("A client's goodbye is answered with its code, and the handler told at once", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.linger_time_max = 10min;
  Fixture server(wire, {}, limits);
  HttpClient client(server.at());
  client.upgrade();
  client.send_text("x");
  client.send_close(3001);
  client.send_text("after the end");
  CHECK(client.take_frame().payload == "x");
  const auto frame = client.take_frame();
  CHECK(frame.opcode == kClose);
  CHECK(frame.close_code() == 3001);
  CHECK(client.is_closed());
  REQUIRE(eventually([&] { return server.closed().size() == 1; }));
  CHECK(server.closed()[0] == static_cast<CloseCode>(3001));

  HttpClient silent(server.at());
  silent.upgrade();
  silent.send(HttpClient::frame(kClose, ""));
  CHECK(silent.take_frame().opcode == kClose);
  REQUIRE(eventually([&] { return server.closed().size() == 2; }));
  CHECK(server.closed()[1] == CloseCode::NoStatus);
}

TEST_CASE("A client that vanishes is an abnormal end", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  {
    HttpClient client(server.at());
    client.upgrade();
    REQUIRE(eventually([&] { return server.size() == 1; }));
  }
  REQUIRE(eventually([&] { return server.closed().size() == 1; }));
  CHECK(server.closed()[0] == CloseCode::Abnormal);
  CHECK(eventually([&] { return server.handlers == 0; }));
  CHECK(eventually([&] { return server.listener->stats().connections == 0; }));
}

TEST_CASE("The server's goodbye waits for the client's", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.linger_time_max = 100ms;
  Fixture server(wire, {}, limits);
  HttpClient polite(server.at());
  polite.upgrade();
  polite.send_text("close!");
  const auto frame = polite.take_frame();
  CHECK(frame.opcode == kClose);
  CHECK(frame.close_code() == 1013);
  CHECK(frame.payload.substr(2) == "because");
  polite.send_text("not heard any more");
  polite.send_close(1013);
  CHECK(polite.is_closed());
  CHECK(eventually([&] { return server.closed().size() == 1; }));
  CHECK(server.messages == 1);

  HttpClient rude(server.at());
  rude.upgrade();
  rude.send_text("close!");
  CHECK(rude.take_frame().opcode == kClose);
  CHECK(rude.is_closed());
  CHECK(eventually([&] { return server.closed().size() == 2; }));
}

TEST_CASE("Silent clients are pinged, and left when they stay silent", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  WebSocketOptions options;
  options.ping_interval = 60ms;
  options.idle_time_max = 2'000ms;  // far longer than a busy machine keeps this thread waiting
  Fixture server(wire, options);
  HttpClient alive(server.at());
  HttpClient dead(server.at());
  alive.upgrade();
  dead.upgrade();
  REQUIRE(eventually([&] { return server.size() == 2; }));
  for (int i = 0; i < 1'000 && server.size() == 2; ++i) {
    CHECK(alive.take_frame().opcode == kPing);
    alive.send(HttpClient::frame(kPong, ""));
  }
  CHECK(dead.take_frame().opcode == kPing);
  while (dead.take_frame().opcode == kPing) {
  }
  CHECK(dead.is_closed());
  CHECK(server.size() == 1);
  alive.send_text("still here");
  CHECK(alive.take_frame().payload == "still here");
}

TEST_CASE("A client that speaks by itself is pinged when its word is overdue", "[net][http][websocket]") {
  WebSocketOptions options;
  options.ping_interval = 10min;
  options.idle_time_max = 10min;
  options.word_interval = 40ms;
  options.word_delay_max = 40ms;
  Fixture server(Wire::Plain, options);
  HttpClient client(server.at());
  client.upgrade();
  for (int i = 0; i < 3; ++i) {
    CHECK(client.take_frame().opcode == kPing);
    client.send(HttpClient::frame(kPong, ""));
  }
}

TEST_CASE("A client that speaks by itself is pinged before, when what it is sent puts its word off",
          "[net][http][websocket]") {
  WebSocketOptions options;
  options.ping_interval = 60ms;
  options.idle_time_max = 10min;
  options.word_interval = 10min;
  options.word_delay_max = 1'000ms;  // far longer than a busy machine keeps the server from sending its answer
  Fixture server(Wire::Plain, options);
  HttpClient client(server.at());
  client.upgrade();
  REQUIRE(eventually([&] { return server.size() == 1; }));
  CHECK(client.is_silent_for(1'500ms));
  server.for_each(server.io, [](WebSocket& socket) { socket.send_text("news"); });
  CHECK(client.take_frame().payload == "news");
  CHECK(client.take_frame().opcode == kPing);
}

TEST_CASE(
    "A client that cannot answer pings gets none, stays while it is sent something, and is left when nothing goes "
    "either way",
    "[net][http][websocket]") {
  WebSocketOptions options;
  options.ping_interval = 50ms;
  options.idle_time_max = 2'000ms;  // far longer than a busy machine keeps this thread waiting
  options.answers_pings = false;
  Fixture server(Wire::Plain, options);
  HttpClient client(server.at());
  client.upgrade();
  REQUIRE(eventually([&] { return server.size() == 1; }));
  const auto begun = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - begun < 2 * options.idle_time_max) {
    server.for_each(server.io, [](WebSocket& socket) { socket.send_text("news"); });
    const auto frame = client.take_frame();
    REQUIRE(frame.opcode == kText);
    CHECK(frame.payload == "news");
    std::this_thread::sleep_for(20ms);
  }
  CHECK(client.is_closed());  // and not a frame before
  CHECK(eventually([&] { return server.closed() == std::vector{CloseCode::Abnormal}; }));
}

TEST_CASE("A message framed once is sent to many", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server.at()));
    CHECK(clients.back()->upgrade().status == 101);
  }
  REQUIRE(eventually([&] { return server.size() == 20; }));
  for (const size_t size : {5, 5'000, 500'000}) {
    const auto frames =
        std::make_shared<const std::string>(http::frame_text(std::string(size, 'z')) + http::frame_text("end"));
    server.for_each(server.io, [frames](WebSocket& websocket) { websocket.send(frames); });
    for (const auto& client : clients) {
      CHECK(client->take_frame().payload == std::string(size, 'z'));
      CHECK(client->take_frame().payload == "end");
    }
    CHECK(eventually([&] { return frames.use_count() == 1; }));
  }
}

TEST_CASE("A paused WebSocket hears nothing until it is resumed, and then everything", "[net][http][websocket]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Fixture server(wire);
  HttpClient client(server.at());
  client.upgrade();
  client.send_text("before");
  CHECK(client.take_frame().payload == "before");
  client.send(HttpClient::frame(kText, "pause!") + HttpClient::frame(kText, "one") + HttpClient::frame(kText, "two"));
  client.send_text("three");
  CHECK(client.is_silent_for(60ms));
  CHECK(server.messages == 2);
  server.for_each(server.io, [](WebSocket& websocket) { websocket.resume(); });
  CHECK(client.take_frame().payload == "one");
  CHECK(client.take_frame().payload == "two");
  CHECK(client.take_frame().payload == "three");
}

TEST_CASE("A client that does not read is not read from, and hears all when it does",
          "[net][http][websocket][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  Fixture server(wire, {}, limits, 1);
  HttpClient client(server.at(), "127.0.0.1", 64 << 10);
  client.upgrade();
  const std::string payload(100'000, 'x');
  constexpr int kMessages = 400;  // 40 MB
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) client.send_text(payload);
  });
  // Until nothing moves any more: the kernel's buffers are full, and so is what may wait in ours.
  CHECK(eventually([&, heard = -1]() mutable {
    std::this_thread::sleep_for(400ms);
    return std::exchange(heard, server.messages.load()) == server.messages;
  }));
  INFO("heard before anything was read: " << server.messages);
  CHECK(server.messages < 200);
  int right = 0;
  for (int i = 0; i < kMessages; ++i) right += client.take_frame().payload.size() == payload.size() ? 1 : 0;
  sender.join();
  CHECK(right == kMessages);
  CHECK(server.drained >= 1);
  CHECK(server.listener->stats().slow_readers == 0);
}

TEST_CASE("A WebSocket that does not take what it is sent is cut off, and another goes on",
          "[net][http][websocket][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Limits limits;
  limits.send_stall_max = 150ms;
  Fixture server(wire, {}, limits, 1);
  HttpClient deaf(server.at(), "127.0.0.1", 4096);
  deaf.upgrade();
  REQUIRE(eventually([&] { return server.size() == 1; }));
  const auto frames = std::make_shared<const std::string>(http::frame_text(std::string(16u << 20, 'x')));
  server.for_each(server.io, [frames](WebSocket& websocket) { websocket.send(frames); });
  HttpClient other(server.at());
  other.upgrade();
  for (int i = 0; i < 20; ++i) {
    other.send_text("hello");
    CHECK(other.take_frame().payload == "hello");
  }
  CHECK(eventually([&] { return server.listener->stats().slow_readers == 1; }));
  CHECK(eventually([&] { return server.closed().size() == 1; }));
  CHECK(frames.use_count() == 1);
  other.send_text("hello");
  CHECK(other.take_frame().payload == "hello");
}
