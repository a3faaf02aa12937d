#include "net/websocket/websocket.h"

#include <catch2/catch.hpp>

#include "net/websocket/frame.h"
#include "tests/net/http/fixture.h"

namespace hearth::net::http {
namespace {

constexpr std::string_view kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// Says what it hears, and notes how it ended.
struct Echo : WebSocketHandler {
  void on_message(std::string&& message, MessageKind kind) override {
    if (message == "please close") return socket->close(CloseCode::Normal, "as asked");
    if (kind == MessageKind::Text) {
      socket->send_text(message);
    } else {
      socket->send_binary(message);
    }
  }
  void on_close(CloseCode code) override {
    closed_with = static_cast<int>(code);
    socket.reset();
  }

  std::shared_ptr<WebSocket> socket;
  std::atomic<int> closed_with = 0;
};

struct EchoServer {
  explicit EchoServer(WebSocketOptions options = {}, Limits limits = {})
      : fixture(
            [this, options](const std::shared_ptr<Exchange>& exchange) {
              auto handler = std::make_shared<Echo>();
              handler->socket = exchange->accept_websocket(handler, options);
              const std::lock_guard lock(mutex);
              last = handler;
            },
            limits) {}

  std::shared_ptr<Echo> handler() {
    const std::lock_guard lock(mutex);
    return last;
  }

  std::mutex mutex;
  std::shared_ptr<Echo> last;
  Fixture fixture;
};

// As a client sends it.
std::string masked(uint8_t first_byte, std::string_view payload) {
  std::string frame(1, static_cast<char>(first_byte));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xffff) {
    frame += static_cast<char>(0x80 | 126);
    for (int i = 1; i >= 0; --i) frame += static_cast<char>(payload.size() >> (8 * i));
  } else {
    frame += static_cast<char>(0x80 | 127);
    for (int i = 7; i >= 0; --i) frame += static_cast<char>(payload.size() >> (8 * i));
  }
  constexpr std::string_view kKey = "\x12\x34\xab\xcd";
  frame += kKey;
  for (size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kKey[i % 4]);
  return frame;
}
std::string text(std::string_view payload) { return masked(0x81, payload); }

std::string read_close(TcpClient& client) {
  const std::string bytes = client.read_to_end();
  if (bytes.size() < 4 || static_cast<uint8_t>(bytes[0]) != 0x88) return "no close frame: " + bytes;
  const int code = static_cast<uint8_t>(bytes[2]) << 8 | static_cast<uint8_t>(bytes[3]);
  return fmt::format("{} {}", code, bytes.substr(4));
}

}  // namespace

TEST_CASE("WebSocket: the handshake of RFC 6455 §1.3, and an echo", "[net][http][websocket]") {
  EchoServer server;
  TcpClient client(server.fixture.port());
  // What follows the handshake at once is heard too.
  client.send(std::string(kUpgrade) + text("first"));
  const HttpReply reply = client.read_reply(TcpClient::Body::None);
  CHECK(reply.status == 101);
  CHECK(reply.header("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(client.read(7) == frame_text("first"));
  for (const size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 1'000'000u}) {
    INFO(size);
    const std::string payload(size, 'x');
    client.send(text(payload));
    const std::string expected = frame_text(payload);
    CHECK((client.read(expected.size()) == expected));
  }
  client.send(masked(0x82, "\xff\xfe"));
  CHECK(client.read(4) == frame_binary("\xff\xfe"));
}

TEST_CASE("WebSocket: fragments, pings between them, bytes one by one", "[net][http][websocket]") {
  EchoServer server;
  TcpClient client(server.fixture.port());
  client.send(kUpgrade);
  client.read_reply(TcpClient::Body::None);
  const std::string all = masked(0x01, "ab") + masked(0x89, "hi") + masked(0x00, "") + masked(0x80, "cd") + text("e");
  for (const char c : all) client.send(std::string_view(&c, 1));
  CHECK(client.read(4) == "\x8a\x02hi");
  CHECK(client.read(6) == frame_text("abcd"));
  CHECK(client.read(3) == frame_text("e"));
}

TEST_CASE("WebSocket: what breaks the protocol closes with its code", "[net][http][websocket]") {
  struct Case {
    const char* what;
    std::string bytes;
    std::string closed;
  };
  const std::vector<Case> cases = {
      {"unmasked", std::string("\x81\x01") + "a", "1002 a client's frames are masked"},
      {"reserved bits", masked(0xc1, "a"), "1002 reserved bits are set"},
      {"opcode 3", masked(0x83, "a"), "1002 unknown opcode"},
      {"continuation of nothing", masked(0x80, "a"), "1002 nothing to continue"},
      {"text within a message", masked(0x01, "a") + masked(0x81, "b"), "1002 a message within a message"},
      {"a ping in pieces", masked(0x09, "a"), "1002 control frames are short and not in pieces"},
      {"a long ping", masked(0x89, std::string(126, 'a')), "1002 control frames are short and not in pieces"},
      {"text that is not UTF-8", text("\xff"), "1007 text is not UTF-8"},
      {"too large", masked(0x81, std::string(2001, 'a')), "1009 message too large"},
      {"too large in pieces", masked(0x01, std::string(1500, 'a')) + masked(0x80, std::string(501, 'a')),
       "1009 message too large"},
      {"a close with half a code", masked(0x88, "\x03"), "1002 half a close code"},
      {"a close with a code that is never sent", masked(0x88, "\x03\xed"), "1002 no such close code"},
      {"goodbye",
       masked(0x88,
              "\x03\xe8"
              "bye"),
       "1000 "},
      {"please close, then goodbye", text("please close") + masked(0x88, "\x03\xe8"), "1000 as asked"},
  };
  EchoServer server({.message_bytes_max = 2000});
  for (const Case& c : cases) {
    INFO(c.what);
    TcpClient client(server.fixture.port());
    client.send(kUpgrade);
    client.read_reply(TcpClient::Body::None);
    const auto handler = server.handler();
    client.try_send(c.bytes);
    CHECK(read_close(client) == c.closed);
    client.close();
    CHECK(eventually([&] { return handler->closed_with != 0; }));
    CHECK(handler->closed_with == std::stoi(c.closed));
  }
}

TEST_CASE("WebSocket: a client that vanishes is an abnormal close", "[net][http][websocket]") {
  EchoServer server;
  TcpClient client(server.fixture.port());
  client.send(kUpgrade);
  client.read_reply(TcpClient::Body::None);
  const auto handler = server.handler();
  client.reset();
  CHECK(eventually([&] { return handler->closed_with == 1006; }));
}

TEST_CASE("WebSocket: the silent are pinged, and given up on", "[net][http][websocket]") {
  EchoServer server({.ping_interval = std::chrono::milliseconds(100), .idle_time_max = std::chrono::milliseconds(400)});
  TcpClient client(server.fixture.port());
  client.send(kUpgrade);
  client.read_reply(TcpClient::Body::None);
  for (int i = 0; i < 6; ++i) {  // longer than idle_time_max, all in all
    CHECK(client.read(2) == std::string_view("\x89\x00", 2));
    client.send(masked(0x8a, ""));
  }
  const auto handler = server.handler();
  CHECK(handler->closed_with == 0);
  CHECK(client.read_to_end() == std::string_view("\x89\x00", 2));
  CHECK(eventually([&] { return handler->closed_with == 1006; }));
}

TEST_CASE("WebSocket: what is no handshake is answered as such", "[net][http][websocket]") {
  EchoServer server;
  const auto status = [&](std::string request) {
    TcpClient client(server.fixture.port());
    return client.ask(request).status;
  };
  CHECK(status(get("/ws")) == 426);
  CHECK(status(get("/ws", "Upgrade: websocket\r\n")) == 400);
  CHECK(status(get("/ws", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n")) == 400);
  CHECK(status(get("/ws",
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n")) == 426);
}

TEST_CASE("WebSocket: the server's end is 1001 for all", "[net][http][websocket]") {
  EchoServer server;
  TcpClient client(server.fixture.port());
  client.send(kUpgrade);
  client.read_reply(TcpClient::Body::None);
  const auto handler = server.handler();
  server.fixture.listener->drain(std::chrono::milliseconds(200));
  CHECK(read_close(client) == "1001 ");
  CHECK(handler->closed_with == 1001);
}

}  // namespace hearth::net::http
