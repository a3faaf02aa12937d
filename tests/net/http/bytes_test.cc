// What turns bytes into other bytes: frames, gzip, the outbox.
#include <sys/uio.h>

#include <catch2/catch.hpp>
#include <random>

#include "net/http/gzip.h"
#include "net/io/outbox.h"
#include "net/websocket/frame.h"
#include "tests/support/http_client.h"
#include "tests/support/random_tree.h"

using namespace hearth::net::http;
using hearth::db::ErrorCode;
using hearth::test::HttpClient;
using Found = FrameReader::Found;

TEST_CASE("Frames have the shortest length that fits", "[net][http][frame]") {
  CHECK(frame_text("hi") == std::string("\x81\x02hi", 4));
  CHECK(frame_binary("") == std::string("\x82\x00", 2));
  CHECK(frame_text(std::string(125, 'x')).substr(0, 3) == "\x81\x7dx");
  CHECK(frame_text(std::string(126, 'x')).substr(0, 5) == std::string("\x81\x7e\x00\x7ex", 5));
  CHECK(frame_text(std::string(65535, 'x')).substr(0, 5) == "\x81\x7e\xff\xffx");
  CHECK(frame_text(std::string(65536, 'x')).substr(0, 11) ==
        std::string("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00x", 11));
  std::string close;
  append_close_frame(close, CloseCode::GoingAway, "bye");
  CHECK(close == std::string("\x88\x05\x03\xe9") + "bye");
}

TEST_CASE("A reason that is too long for a goodbye is cut between characters", "[net][http][frame]") {
  std::string reason;
  for (int i = 0; i < 60; ++i) reason += "\xe2\x82\xac";  // 3 bytes each
  std::string close;
  append_close_frame(close, CloseCode::Normal, reason);
  CHECK(close.size() <= 2 + kControlPayloadMax);
  CHECK((close.size() - 4) % 3 == 0);
  std::string none;
  append_close_frame(none, CloseCode::NoStatus, "");
  CHECK(none == std::string("\x88\x00", 2));
}

TEST_CASE("A client's frames are understood however they are cut", "[net][http][frame]") {
  std::string stream;
  std::vector<std::string> expected;
  for (const size_t size : {0, 1, 7, 8, 9, 125, 126, 70'000}) {
    const std::string payload(size, static_cast<char>('a' + size % 26));
    stream += HttpClient::frame(1, payload.substr(0, size / 3), HttpClient::Fin::No) + HttpClient::frame(9, "ping") +
              HttpClient::frame(0, payload.substr(size / 3));
    expected.push_back(payload);
  }
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 50; ++round) {
    FrameReader reader(1u << 20);
    std::vector<std::string> messages;
    size_t pings = 0;
    for (size_t at = 0; at < stream.size();) {
      const size_t count = std::min<size_t>(stream.size() - at, 1 + random() % (round % 2 == 0 ? 9 : 9'000));
      const std::string piece = stream.substr(at, count);  // its own, so that reading past it is seen
      at += count;
      std::string_view bytes = piece;
      for (Found found = reader.next(bytes); found != Found::Nothing; found = reader.next(bytes)) {
        REQUIRE((found == Found::Message || found == Found::Ping));
        if (found == Found::Message) messages.push_back(reader.take_message());
        if (found == Found::Ping) pings += reader.control() == "ping" ? 1 : 0;
      }
      CHECK(bytes.empty());
    }
    CHECK(messages == expected);
    CHECK(pings == expected.size());
  }
}

TEST_CASE("Random bytes never break the frame reader", "[net][http][frame]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 5'000; ++round) {
    FrameReader reader(1'000);
    std::string bytes;
    for (size_t i = 0; i < 60; ++i) bytes += static_cast<char>(random());
    // Half of them begin as frames do.
    if (round % 2 == 0) bytes = HttpClient::frame(static_cast<int>(random() % 3), bytes.substr(0, 5)) + bytes;
    std::string_view left = bytes;
    for (int steps = 0; steps < 100 && !left.empty(); ++steps) {
      const Found found = reader.next(left);
      if (found == Found::Message) CHECK(reader.take_message().size() <= 1'000);
      if (found == Found::Error || found == Found::Close) break;
    }
  }
}

TEST_CASE("Accept-Encoding is read with its qualities", "[net][http][gzip]") {
  for (const char* yes :
       {"gzip", "GZIP", "deflate, gzip;q=0.5", "*", "br, *;q=0.1", "gzip;q=1.000", " gzip ; q=0.001", "x-gzip"}) {
    INFO(yes);
    CHECK(accepts_gzip(yes));
  }
  for (const char* no : {"", "identity", "gzip;q=0", "gzip;q=0.000", "identity;q=1,chunked;q=0.1,*;q=0", "br",
                         "*, gzip;q=0", "gzipped"}) {
    INFO(no);
    CHECK_FALSE(accepts_gzip(no));
  }
}

TEST_CASE("gzip goes there and back, in pieces too", "[net][http][gzip]") {
  for (const size_t size : {0, 1, 1000, 1'000'000}) {
    std::string text;
    for (size_t i = 0; text.size() < size; ++i) text += std::to_string(i * i);
    text.resize(size);
    std::string packed;
    GzipWriter gzip;
    for (size_t at = 0; at < size; at += 10'000)
      gzip.add(std::string_view(text).substr(at, 10'000), GzipWriter::End::No, packed);
    gzip.add({}, GzipWriter::End::Yes, packed);
    const auto back = inflate_body(packed, "gzip", size);
    REQUIRE(back.ok());
    CHECK(back.value() == text);
    if (size > 0) {
      CHECK(inflate_body(packed, "x-gzip", size - 1).error().code == ErrorCode::TooLarge);
      CHECK(inflate_body(packed.substr(0, packed.size() - 1), "gzip", size).error().code == ErrorCode::InvalidData);
      CHECK(inflate_body(packed.substr(0, packed.size() / 2), "gzip", size).error().code == ErrorCode::InvalidData);
    }
  }
  CHECK(inflate_body("", "gzip", 10).error().code == ErrorCode::InvalidData);
  CHECK(inflate_body("x", "br", 10).error().code == ErrorCode::Unsupported);
  // "hello" as zlib makes it, and without its head and trailer: both are called deflate.
  const std::string zlib("\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15", 13);
  CHECK(inflate_body(zlib, "deflate", 10).value() == "hello");
  CHECK(inflate_body(zlib.substr(2, 7), "deflate", 10).value() == "hello");
}

TEST_CASE("The outbox gives out what was added, in order, however much is taken at a time", "[net][http]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 100; ++round) {
    Outbox outbox;
    std::string added;
    std::string sent;
    for (int step = 0; step < 200; ++step) {
      const size_t size = random() % 3 == 0 ? random() % 20'000 : random() % 50;
      const std::string bytes(size, static_cast<char>('a' + random() % 26));
      switch (random() % 4) {
        case 0:
          outbox.add(std::string_view(bytes));
          added += bytes;
          break;
        case 1:
          outbox.add(std::make_shared<const std::string>(bytes));
          added += bytes;
          break;
        case 2:
          outbox.add(std::string(bytes));
          added += bytes;
          break;
        case 3: {
          iovec pieces[8];
          const size_t count = outbox.gather(pieces, 8);
          std::string offered;
          for (size_t i = 0; i < count; ++i) offered.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
          const size_t taken = offered.empty() ? 0 : random() % (offered.size() + 1);
          sent += offered.substr(0, taken);
          outbox.sent(taken);
          break;
        }
      }
      REQUIRE(outbox.bytes() == added.size() - sent.size());
      REQUIRE(outbox.empty() == (added.size() == sent.size()));
      REQUIRE(outbox.bytes_but_largest() <= outbox.bytes());
    }
    while (!outbox.empty()) {
      iovec piece;
      REQUIRE(outbox.gather(&piece, 1) == 1);
      sent.append(static_cast<char*>(piece.iov_base), piece.iov_len);
      outbox.sent(piece.iov_len);
    }
    CHECK(sent == added);
  }
}

TEST_CASE("The largest piece does not count against a reader, and shared bytes are let go when sent", "[net][http]") {
  Outbox outbox;
  const auto large = std::make_shared<const std::string>(1'000'000, 'x');
  outbox.add(large);
  CHECK(outbox.bytes_but_largest() == 0);
  outbox.add(std::string_view("0123456789"));
  CHECK(outbox.bytes_but_largest() == 10);
  CHECK(large.use_count() == 2);
  outbox.sent(large->size());
  CHECK(large.use_count() == 1);
  CHECK(outbox.bytes() == 10);
}

TEST_CASE("A small shared message that goes alone is not copied, and becomes one piece with what joins it",
          "[net][http]") {
  const auto shared = std::make_shared<const std::string>("shared");
  Outbox outbox;
  iovec pieces[8];
  outbox.add(shared);
  CHECK(shared.use_count() == 2);
  REQUIRE(outbox.gather(pieces, 8) == 1);
  CHECK(pieces[0].iov_base == shared->data());
  outbox.sent(2);
  outbox.add(std::string_view("own"));
  CHECK(shared.use_count() == 1);
  REQUIRE(outbox.gather(pieces, 8) == 1);
  CHECK(std::string_view(static_cast<char*>(pieces[0].iov_base), pieces[0].iov_len) == "aredown");
  outbox.sent(7);
  CHECK(outbox.empty());
  outbox.add(std::make_shared<const std::string>(""));
  CHECK(outbox.gather(pieces, 8) == 0);
}

TEST_CASE("Small messages become one piece", "[net][http]") {
  Outbox outbox;
  const auto small = std::make_shared<const std::string>(100, 'x');
  for (int i = 0; i < 100; ++i) outbox.add(small);
  iovec pieces[64];
  CHECK(outbox.gather(pieces, 64) == 1);
  CHECK(small.use_count() == 1);
}
