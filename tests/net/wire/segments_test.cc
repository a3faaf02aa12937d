#include "net/wire/segments.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"
#include "net/wire/message.h"
#include "tests/net/wire/base64.h"

using namespace hearth;
using namespace hearth::net::wire;
using Texts = std::vector<std::string>;

namespace {

struct Reader {
  SegmentReader reader{};
  std::vector<MessageReader::Message> messages{};

  bool take(uint64_t number, uint32_t count, std::string data) {
    return reader.take({number, count, std::move(data)}, messages).ok();
  }
  Texts texts() {
    Texts all;
    for (MessageReader::Message& message : messages) all.push_back(message.text);
    messages.clear();
    return all;
  }
};

}  // namespace

TEST_CASE("Segments: messages of one piece and of several, in order and out of it", "[wire]") {  // §10.2
  const std::string a = R"({"t":"c","d":1})", b = R"({"emoji":"😀","é":"~~~???"})";
  const std::string a64 = net::wire::test::base64(a), b64 = net::wire::test::base64(b);
  Reader reader;
  CHECK(reader.take(0, 1, a64));
  CHECK(reader.texts() == Texts{a});
  CHECK(reader.take(3, 3, b64.substr(20)));
  CHECK(reader.take(2, 3, b64.substr(7, 13)));
  CHECK(reader.take(4, 1, a64));
  CHECK(reader.texts().empty());
  CHECK(reader.take(1, 3, b64.substr(0, 7)));
  CHECK(reader.texts() == Texts{b, a});
  CHECK(reader.take(4, 1, a64));  // came before
  CHECK(reader.texts().empty());
  for (const char* text : {"", "x", "xy", "xyz"}) {
    Reader other;
    CHECK(other.take(0, 1, net::wire::test::base64(text)));
    CHECK(other.texts() == Texts{text});
  }
}

TEST_CASE("Segments: what no SDK sends is refused", "[wire]") {
  Reader reader;
  CHECK_FALSE(reader.take(0, 0, "e30"));
  Reader other;
  CHECK_FALSE(other.take(0, 1, "not base64!"));
  Reader early;
  for (uint64_t i = 1; i <= kEarlySegmentsMax; ++i) CHECK(early.take(i, 1, "e30"));
  CHECK_FALSE(early.take(kEarlySegmentsMax + 1, 1, "e30"));
  CHECK(early.take(0, 1, "e30"));  // and still those are good
  CHECK(early.texts().size() == kEarlySegmentsMax + 1);
}

TEST_CASE("Segments: a message above the limit keeps its ends, one at the limit is whole", "[wire]") {
  const std::string start = R"({"t":"d","d":{"r":7,"a":"p","b":{"p":"/a","d":")";
  const std::string end = R"("}}})";
  for (const bool over : {false, true}) {
    INFO(over);
    std::string text = start;
    text.resize(kMessageBytesMax - end.size() + (over ? 3 : 0), 'x');
    text += end;
    const std::string encoded = net::wire::test::base64(text);
    constexpr size_t kPiece = 1840;
    const auto count = static_cast<uint32_t>((encoded.size() + kPiece - 1) / kPiece);
    Reader reader;
    for (uint32_t i = 0; i < count; ++i) REQUIRE(reader.take(i, count, encoded.substr(i * kPiece, kPiece)));
    REQUIRE(reader.messages.size() == 1);
    const MessageReader::Message& message = reader.messages[0];
    CHECK(message.too_large == over);
    CHECK(message.text.starts_with(start));
    if (over) CHECK(message.text.size() <= 2 * kDroppedEndBytes);
    if (!over) CHECK(message.text == text);
    if (over) CHECK(message.tail.ends_with(end));
    if (over) CHECK(request_number(message.text, message.tail) == 7);
    CHECK(reader.take(count, 1, "e30"));
    CHECK(reader.messages.back().text == "{}");
  }
}

TEST_CASE("Segments: what is held of messages that are not whole, and of pieces before their turn", "[wire]") {
  SegmentReader reader(100'000);
  std::vector<MessageReader::Message> messages;
  const auto take = [&](uint64_t number, uint32_t count, size_t bytes) {
    REQUIRE(reader.take({.number = number, .count = count, .data = std::string(bytes, 'A')}, messages).ok());
  };
  CHECK(reader.held_bytes() == 0);
  take(0, 1, 4);
  CHECK(reader.held_bytes() == 0);
  take(2, 3, 1'800);  // before 1
  CHECK(reader.held_bytes() >= 1'800);
  take(1, 3, 1'800);
  CHECK(reader.held_bytes() >= 3'600);
  take(3, 3, 1'800);
  CHECK(reader.held_bytes() == 0);
  CHECK(messages.size() == 2);
  for (uint64_t i = 0; i < 99; ++i) take(4 + i, 100, 1'800);
  CHECK(reader.held_bytes() < 10'000);  // it was too large, and its ends are left
}
