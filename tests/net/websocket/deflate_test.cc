#include "net/websocket/deflate.h"

#include <zlib.h>

#include <catch2/catch.hpp>

#include "net/websocket/frame.h"
#include "tests/net/http/http_fixture.h"
#include "tests/support/random_tree.h"

using namespace hearth::net::http;
using hearth::db::ErrorCode;
using hearth::test::HttpClient;
using hearth::test::HttpFixture;
using Found = FrameReader::Found;

namespace {

const std::string kUpgrade =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const std::string kOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

std::string repeated(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += R"({"name":"ada","seen":1700000000000},)";
  text.resize(bytes);
  return text;
}

// As a client that follows RFC 7692 §7.2.1 does it.
std::string deflated(std::string_view text, int flush = Z_SYNC_FLUSH) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, flush);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  if (flush == Z_SYNC_FLUSH) packed.resize(packed.size() - 4);
  return packed;
}

std::string with_bit(std::string frame) {
  frame.front() = static_cast<char>(frame.front() | kDeflatedBit);
  return frame;
}

// Inflated in as many steps as it takes, which are counted.
hearth::db::Result<std::string> inflated(std::string payload, size_t bytes_max, int* steps = nullptr) {
  MessageInflater inflater(std::move(payload), bytes_max, nullptr);
  for (;;) {
    const auto whole = inflater.step();
    if (steps != nullptr) ++*steps;
    if (!whole.ok()) return whole.error();
    if (whole.value()) return inflater.take();
  }
}

// What a server's frame says, if its bit is set.
std::string inflated_frame(std::string_view frame) {
  REQUIRE(frame.size() > 4);
  REQUIRE((frame[0] & kDeflatedBit) != 0);
  const size_t head = (frame[1] & 0x7f) == 126 ? 4 : (frame[1] & 0x7f) == 127 ? 10 : 2;
  const auto text = inflated(std::string(frame.substr(head)), 100u << 20);
  REQUIRE(text.ok());
  return text.value();
}

}  // namespace

TEST_CASE("Deflate: which offers can be met", "[net][http][deflate]") {
  struct Case {
    const char* offer;
    bool expected;
  };
  const Case c = GENERATE(values<Case>({
      {"permessage-deflate", true},
      {"permessage-deflate; client_max_window_bits", true},  // Chromium
      {"permessage-deflate;client_max_window_bits=15;server_no_context_takeover", true},
      {"permessage-deflate; client_max_window_bits=\"10\"", true},
      {"x-webkit-deflate-frame, permessage-deflate", true},
      {"permessage-deflate; server_max_window_bits=10, permessage-deflate", true},
      {"PerMessage-Deflate; server_max_window_bits=15", true},
      {"", false},
      {"permessage-bzip2", false},
      {"permessage-deflate; server_max_window_bits=10", false},
      {"permessage-deflate; server_max_window_bits", false},
      {"permessage-deflate; server_max_window_bits=16", false},
      {"permessage-deflate; client_max_window_bits=7", false},
      {"permessage-deflate; client_max_window_bits=x", false},
      {"permessage-deflate; something_else", false},
      {"permessage-deflate; server_no_context_takeover=1", false},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover", false},
  }));
  INFO(c.offer);
  CHECK(offers_deflate(c.offer) == c.expected);
}

TEST_CASE("Deflate: frames are compressed when that makes them smaller, each by itself", "[net][http][deflate]") {
  const std::string text = repeated(10'000);
  const std::string frame = deflated_frame_text(text);
  CHECK(frame.size() < text.size() / 10);
  CHECK(inflated_frame(frame) == text);
  CHECK(deflated_frame_text(text) == frame);  // nothing is remembered of the one before
  CHECK(deflated_frame_text("short") == frame_text("short"));
  std::string noise(10'000, '\0');
  std::mt19937_64 random(hearth::test::seed_of_run());
  for (char& c : noise) c = static_cast<char>(random() & 0x7f);
  const std::string kept = deflated_frame_text(noise);
  CHECK(kept.size() <= frame_text(noise).size());
  for (const size_t bytes : {kDeflateBytesMin - 1, kDeflateBytesMin, size_t{70'000}, size_t{5'000'000}}) {
    const std::string whole = repeated(bytes);
    const std::string made = deflated_frame_text(whole);
    if (bytes < kDeflateBytesMin) {
      CHECK(made == frame_text(whole));
    } else {
      CHECK(inflated_frame(made) == whole);
    }
  }
}

TEST_CASE("Deflate: messages of clients, whole, in pieces, and with a last block", "[net][http][deflate]") {
  for (const size_t bytes : {0u, 1u, 1'000u, 100'000u}) {
    const std::string text = repeated(bytes);
    CHECK(inflated(deflated(text), bytes).value() == text);
    CHECK(inflated(deflated(text, Z_FINISH), bytes).value() == text);
    if (bytes == 0) continue;
    CHECK(inflated(deflated(text), bytes - 1).error().code == ErrorCode::TooLarge);
  }
  CHECK(inflated("\xff\xff\xff", 100).error().code == ErrorCode::InvalidData);

  const std::string text = repeated(5'000);
  const std::string packed = deflated(text);
  FrameReader reader(10'000, true);
  std::string stream = with_bit(HttpClient::frame(1, packed.substr(0, 10), HttpClient::Fin::No)) +
                       HttpClient::frame(9, "p") + HttpClient::frame(0, packed.substr(10)) +
                       HttpClient::frame(1, "plain") + with_bit(HttpClient::frame(1, packed));
  std::string_view rest = stream;
  CHECK(reader.next(rest) == Found::Ping);
  CHECK(reader.next(rest) == Found::Message);
  CHECK(reader.take_message() == text);
  CHECK(reader.next(rest) == Found::Message);
  CHECK(reader.take_message() == "plain");
  CHECK(reader.next(rest) == Found::Message);
  CHECK(reader.take_message() == text);
}

TEST_CASE("Deflate: a step has a bound, and what follows a long message waits for it", "[net][http][deflate]") {
  constexpr size_t kSteps = 16;
  const std::string text(kSteps * kInflateStepBytes, 'a');
  int steps = 0;
  CHECK((inflated(deflated(text), text.size(), &steps).value() == text));
  CHECK(steps >= static_cast<int>(kSteps));
  // Blocks of which nothing comes take steps too.
  std::string nothing;
  while (nothing.size() < 4 * kInflateStepBytes) nothing += std::string_view("\0\0\0\xff\xff", 5);
  steps = 0;
  CHECK(inflated(nothing + '\0', 10, &steps).value().empty());
  CHECK(steps >= 4);

  FrameReader reader(text.size(), true);
  const std::string stream = with_bit(HttpClient::frame(1, deflated(text))) + HttpClient::frame(1, "next");
  std::string_view rest = stream;
  int more = 0;
  Found found = reader.next(rest);
  for (; found == Found::More; found = reader.next(rest)) {
    ++more;
    CHECK(reader.is_within());
    CHECK(reader.held_bytes() >= static_cast<size_t>(more) * kInflateStepBytes);
    CHECK(rest.size() == HttpClient::frame(1, "next").size());
  }
  CHECK(more >= static_cast<int>(kSteps) - 1);
  REQUIRE(found == Found::Message);
  CHECK((reader.take_message() == text));
  CHECK(reader.next(rest) == Found::Message);
  CHECK(reader.take_message() == "next");
  CHECK(reader.held_bytes() == 0);
  // What was begun and is not wanted any more.
  rest = stream;
  FrameReader dropping(text.size(), true);
  REQUIRE(dropping.next(rest) == Found::More);
  dropping.drop_messages();
  CHECK(dropping.held_bytes() == 0);
  CHECK(dropping.next(rest) == Found::Nothing);
}

TEST_CASE("Deflate: a long message on a connection, with others behind it, and others beside it",
          "[net][http][deflate]") {
  struct Lengths : WebSocketHandler {
    void on_message(std::string&& message, MessageKind) override { socket->send_text(std::to_string(message.size())); }
    void on_close(CloseCode) override { socket.reset(); }
    std::shared_ptr<WebSocket> socket;
  };
  HttpFixture server([](std::shared_ptr<Exchange> exchange) {
    WebSocketOptions options;
    options.may_deflate = true;
    options.message_bytes_max = 64u << 20;
    const auto handler = std::make_shared<Lengths>();
    handler->socket = exchange->accept_websocket(handler, options);
  });
  constexpr size_t kLong = 5u << 20;
  HttpClient one(server.port()), other(server.port());
  for (HttpClient* client : {&one, &other}) {
    client->ask("/", kUpgrade + kOffer);
    REQUIRE(client->reply(HttpClient::Body::None).status == 101);
  }
  for (int round = 0; round < 3; ++round) {
    one.send(with_bit(HttpClient::frame(1, deflated(std::string(kLong, 'x')))) + HttpClient::frame(1, "abc") +
             with_bit(HttpClient::frame(1, deflated(std::string(kLong + 1, 'y')))));
    other.send(HttpClient::frame(1, "beside"));
    CHECK(other.take_frame().payload == "6");
    for (const std::string& expected : {std::to_string(kLong), std::string("3"), std::to_string(kLong + 1)}) {
      CHECK(one.take_frame().payload == expected);
    }
  }
}

TEST_CASE("Deflate: a bomb is a message that is too large, and what is no data is said to be none",
          "[net][http][deflate][limits]") {
  struct Case {
    const char* what;
    std::string frame;
    bool inflates;
    CloseCode expected;
  };
  const std::vector<Case> cases = {
      {"one byte too many", with_bit(HttpClient::frame(1, deflated(std::string(10'001, ' ')))), true,
       CloseCode::TooLarge},
      {"a bomb", with_bit(HttpClient::frame(1, deflated(std::string(8u << 20, ' ')))), true, CloseCode::TooLarge},
      {"noise", with_bit(HttpClient::frame(1, "\xff\xff\xff\xff")), true, CloseCode::InvalidData},
      {"no UTF-8", with_bit(HttpClient::frame(1, deflated("\xff"))), true, CloseCode::InvalidData},
      {"not agreed on", with_bit(HttpClient::frame(1, deflated("x"))), false, CloseCode::ProtocolError},
      {"a control frame", with_bit(HttpClient::frame(9, "x")), true, CloseCode::ProtocolError},
      {"a continuation", HttpClient::frame(1, "x", HttpClient::Fin::No) + with_bit(HttpClient::frame(0, "x")), true,
       CloseCode::ProtocolError},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    FrameReader reader(10'000, c.inflates);
    std::string_view bytes = c.frame;
    REQUIRE(reader.next(bytes) == Found::Error);
    CHECK(reader.close_code() == c.expected);
  }
  FrameReader reader(10'000, true);
  const std::string fits = with_bit(HttpClient::frame(1, deflated(std::string(10'000, ' '))));
  std::string_view bytes = fits;
  CHECK(reader.next(bytes) == Found::Message);
}

TEST_CASE("Deflate: agreed on when the server may and the client offers, and else not", "[net][http][deflate]") {
  struct Echo : WebSocketHandler {
    void on_message(std::string&& message, MessageKind) override { socket->send_text(message); }
    void on_close(CloseCode) override { socket.reset(); }
    std::shared_ptr<WebSocket> socket;
  };
  const bool may = GENERATE(true, false);
  const bool offers = GENERATE(true, false);
  HttpFixture server([may](std::shared_ptr<Exchange> exchange) {
    const auto handler = std::make_shared<Echo>();
    WebSocketOptions options;
    options.may_deflate = may;
    handler->socket = exchange->accept_websocket(handler, options);
  });
  HttpClient client(server.port());
  client.ask("/", kUpgrade + (offers ? kOffer : ""));
  const auto head = client.reply(HttpClient::Body::None);
  CHECK(head.status == 101);
  CHECK(head.has(
            "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover") ==
        (may && offers));
  const std::string text = repeated(2'000);
  client.send(may && offers ? with_bit(HttpClient::frame(1, deflated(text))) : HttpClient::frame(1, text));
  const auto frame = client.take_frame();
  CHECK(frame.opcode == 1);
  if (may && offers) {
    CHECK(frame.payload.size() < 200);
    CHECK(inflated(frame.payload, 10'000).value() == text);
  } else {
    CHECK(frame.payload == text);
  }
}
