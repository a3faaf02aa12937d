#include "net/wire/frame.h"

#include <catch2/catch.hpp>

using namespace hearth::net::wire;

namespace {

// What comes out of a reader fed with those frames.
std::vector<std::string> read_all(MessageReader& reader, const std::vector<std::string>& frames) {
  std::vector<std::string> messages;
  for (const std::string& frame : frames) {
    if (auto message = reader.on_frame(std::string(frame))) messages.push_back(message->text);
  }
  return messages;
}

// A JSON object of exactly that many bytes.
std::string object_of(size_t bytes) { return R"({"a":")" + std::string(bytes - 8, 'x') + R"("})"; }

std::string joined(const Pieces& split) {
  std::string all;
  for (const auto piece : split.pieces) all += piece;
  return all;
}

size_t units_of(std::string_view utf8) {
  size_t units = 0;
  for (const char c : utf8) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

}  // namespace

TEST_CASE("Frames: headers announce pieces, keepalives are nothing, the rest is whole messages", "[wire]") {
  struct Case {
    std::string what;
    std::vector<std::string> frames;
    std::vector<std::string> messages;
  };
  const std::vector<Case> cases = {
      {"a message alone", {"{}"}, {"{}"}},
      {"keepalives before and between", {"0", "{}", "0", "0", "[]"}, {"{}", "[]"}},
      {"one announced piece", {"1", "{}"}, {"{}"}},
      {"three pieces", {"3", "{\"a\"", ":", "1}", "{}"}, {"{\"a\":1}", "{}"}},
      {"a piece that looks like a header", {"2", "{\"a\":1", "2}"}, {"{\"a\":12}"}},
      {"a piece that is a number", {"3", "{\"a\":", "12", "}"}, {"{\"a\":12}"}},
      {"an empty piece counts", {"2", "", "{}"}, {"{}"}},
      {"leading zeros", {"000002", "{", "}"}, {"{}"}},
      {"zeros are a keepalive", {"000000", "{}"}, {"{}"}},
      {"seven digits are no header", {"1234567", "{}"}, {"1234567", "{}"}},
      {"a sign is no digit", {"-1", "+1", "{}"}, {"-1", "+1", "{}"}},
      {"an empty frame is an empty message", {"", "{}"}, {"", "{}"}},
      {"a header without its pieces", {"5", "{}"}, {}},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    MessageReader reader;
    CHECK(read_all(reader, c.frames) == c.messages);
  }
}

TEST_CASE("Frames: the C++ SDK announces a piece too many for exact multiples", "[wire]") {  // cpp: connection.cc
  for (const size_t pieces : {1u, 2u, 3u}) {
    INFO(pieces);
    const std::string message = object_of(pieces * kPieceUnitsMax);
    std::vector<std::string> frames = {std::to_string(pieces + 1)};
    for (size_t i = 0; i < pieces; ++i) frames.push_back(message.substr(i * kPieceUnitsMax, kPieceUnitsMax));
    frames.push_back("{}");
    MessageReader reader;
    CHECK(read_all(reader, frames) == std::vector<std::string>{message, "{}"});
  }
}

TEST_CASE("Frames: a full piece that is not yet whole waits for the last", "[wire]") {
  const std::string message = object_of(2 * kPieceUnitsMax - 1);
  MessageReader reader;
  CHECK(read_all(reader, {"2", message.substr(0, kPieceUnitsMax)}).empty());
  CHECK(reader.held_bytes() >= kPieceUnitsMax);
  CHECK(reader.held_bytes() < kPieceUnitsMax + 100);
  CHECK(read_all(reader, {message.substr(kPieceUnitsMax)}) == std::vector<std::string>{message});
  CHECK(reader.held_bytes() == 0);
}

TEST_CASE("Frames: is_whole_object goes by brackets outside of strings", "[wire]") {
  const std::vector<std::string> whole = {"{}", R"({"a":{"b":[1,{"c":2}]}})", R"({"a":"}"})", R"({"a":"\"}"})",
                                          "{} \n"};
  const std::vector<std::string> not_whole = {
      "", "{", "[]", R"({"a":"}")", R"({"a":"\"})", "{}{}", R"({"a":1}})", R"({"a":{}, ")", " "};
  for (const auto& text : whole) {
    INFO(text);
    CHECK(is_whole_object(text));
  }
  for (const auto& text : not_whole) {
    INFO(text);
    CHECK_FALSE(is_whole_object(text));
  }
}

TEST_CASE("Frames: a message above the limit is dropped but for its ends, and the next one is read", "[wire]") {
  MessageReader reader;
  const std::string start = R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/x","d":")";
  const std::string end = R"("}}})";
  const std::string middle(1 << 20, 'm');
  const size_t middles = kMessageBytesMax / middle.size() + 3;
  reader.on_frame(std::to_string(middles + 2));
  reader.on_frame(std::string(start));
  for (size_t i = 0; i < middles; ++i) {
    CHECK_FALSE(reader.on_frame(std::string(middle)));
    CHECK(reader.held_bytes() <= 2 * kMessageBytesMax);  // as strings grow
  }
  CHECK(reader.held_bytes() <= 4 * kDroppedEndBytes);
  const auto message = reader.on_frame(std::string(end));
  REQUIRE(message);
  CHECK(message->too_large);
  CHECK(message->text.substr(0, start.size()) == start);
  CHECK(message->text.size() == kDroppedEndBytes);
  CHECK(message->tail.size() == kDroppedEndBytes);
  CHECK(message->tail.substr(kDroppedEndBytes - end.size()) == end);
  CHECK(read_all(reader, {"{}"}) == std::vector<std::string>{"{}"});
}

TEST_CASE("Frames: exactly the limit passes, also as one frame; a byte more does not", "[wire]") {
  MessageReader reader;
  auto message = reader.on_frame(object_of(kMessageBytesMax));
  REQUIRE(message);
  CHECK_FALSE(message->too_large);
  CHECK(message->text.size() == kMessageBytesMax);
  message = reader.on_frame(object_of(kMessageBytesMax + 1));
  REQUIRE(message);
  CHECK(message->too_large);
  CHECK(message->text.size() == kDroppedEndBytes);
  CHECK(message->tail == std::string(kDroppedEndBytes - 2, 'x') + "\"}");
}

TEST_CASE("Frames: outgoing messages are split at characters into pieces of 16384 UTF-16 units", "[wire]") {
  struct Case {
    std::string what;
    std::string text;
    size_t pieces;
  };
  std::string e_acute, euro, emoji, mixed = "x";
  for (size_t i = 0; i < kPieceUnitsMax; ++i) e_acute += "é";
  for (size_t i = 0; i < kPieceUnitsMax + 1; ++i) euro += "€";
  for (size_t i = 0; i < kPieceUnitsMax; ++i) emoji += "😀";
  for (size_t i = 0; i < kPieceUnitsMax; ++i) mixed += "😀";
  const std::vector<Case> cases = {
      {"small", "{}", 1},
      {"just fits", std::string(kPieceUnitsMax, 'a'), 1},
      {"one more", std::string(kPieceUnitsMax + 1, 'a'), 2},
      {"fits in units, not in bytes", e_acute, 1},
      {"three-byte characters", euro, 2},
      {"surrogate pairs", emoji, 2},
      {"a pair across the border moves to the next piece", mixed, 3},
      {"a megabyte", std::string(1 << 20, 'b'), 64},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const Pieces split = split_message(c.text);
    CHECK(split.pieces.size() == c.pieces);
    CHECK(split.header == (c.pieces == 1 ? "" : std::to_string(c.pieces)));
    CHECK(joined(split) == c.text);
    for (const auto piece : split.pieces) {
      CHECK(units_of(piece) <= kPieceUnitsMax);
      CHECK((static_cast<unsigned char>(piece.front()) & 0xc0) != 0x80);  // starts with a whole character
    }
  }
}

TEST_CASE("Frames: what we split a reader joins again", "[wire]") {
  std::string text = R"({"a":")";
  for (int i = 0; i < 30'000; ++i) text += i % 3 == 0 ? "😀" : i % 3 == 1 ? "é" : "z";
  text += R"("})";
  const Pieces split = split_message(text);
  MessageReader reader;
  std::vector<std::string> frames = {split.header};
  for (const auto piece : split.pieces) frames.emplace_back(piece);
  CHECK(read_all(reader, frames) == std::vector<std::string>{text});
}

TEST_CASE("Frames: ready bytes are unmasked text frames with the shortest length", "[wire]") {  // RFC 6455 §5.2
  CHECK(frame_message("{}") == "\x81\x02{}");
  CHECK(frame_message(std::string(125, 'a')) == "\x81\x7d" + std::string(125, 'a'));
  CHECK(frame_message(std::string(126, 'a')) == std::string("\x81\x7e\x00\x7e", 4) + std::string(126, 'a'));
  CHECK(frame_message(std::string(kPieceUnitsMax + 1, 'a')) ==
        std::string("\x81\x01") + "2" + std::string("\x81\x7e\x40\x00", 4) + std::string(kPieceUnitsMax, 'a') +
            std::string("\x81\x01") + "a");
}

TEST_CASE("Frames: what a message holds that is not whole", "[wire]") {
  MessageReader reader(100'000);
  CHECK(reader.held_bytes() == 0);
  CHECK_FALSE(reader.on_frame("0"));
  CHECK(reader.held_bytes() == 0);
  CHECK_FALSE(reader.on_frame("20"));
  CHECK(reader.held_bytes() >= 1);  // it has begun
  for (int i = 0; i < 5; ++i) CHECK_FALSE(reader.on_frame(std::string(16'000, 'x')));
  CHECK(reader.held_bytes() >= 80'000);
  // Past the limit of messages its ends are left.
  for (int i = 0; i < 14; ++i) CHECK_FALSE(reader.on_frame(std::string(16'000, 'x')));
  CHECK(reader.held_bytes() < 4'000);
  CHECK(reader.on_frame("x"));
  CHECK(reader.held_bytes() == 0);
}
