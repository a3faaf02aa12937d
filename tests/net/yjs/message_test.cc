#include "net/yjs/message.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"

using namespace hearth::net::yjs;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

}  // namespace

// The bytes are those that the published packages send and were seen to take (net/yjs/protocol.md).
TEST_CASE("Yjs messages: as clients send them", "[yjs]") {
  CHECK(parse_message(bytes({0, 0, 1, 0})).value().kind == Message::Kind::Step1);
  const std::string step1 = bytes({0, 0, 1, 0});
  CHECK(parse_message(step1).value().body == bytes({0}));
  CHECK(parse_message(bytes({0, 1, 2, 0, 0})).value().kind == Message::Kind::Update);
  const std::string update = bytes({0, 2, 2, 0, 0});
  CHECK(parse_message(update).value().body == bytes({0, 0}));
  const std::string awareness = bytes({1, 6, 1, 1, 0, 2}) + "{}";
  CHECK(parse_message(awareness).value().kind == Message::Kind::Awareness);
  CHECK(parse_message(bytes({3})).value().kind == Message::Kind::QueryAwareness);
  const std::string sent = bytes({2, 0, 4}) + "good" + bytes({5}) + "4.8.0";
  const auto token = parse_message(sent).value();
  CHECK(token.kind == Message::Kind::Token);
  CHECK(token.body == "good");
  CHECK(parse_message(bytes({7})).value().kind == Message::Kind::Close);
  CHECK(parse_message(bytes({99, 1})).value().kind == Message::Kind::Other);
}

TEST_CASE("Yjs messages: what is none is an error", "[yjs]") {
  for (const std::string& text : {bytes({}), bytes({0}), bytes({0, 2}), bytes({0, 2, 200}), bytes({0, 9, 0}),
                                  bytes({1, 5, 0}), bytes({2, 0, 9, 1}), std::string(20, '\xff')}) {
    INFO(hearth::db::to_hex(text));
    CHECK_FALSE(parse_message(text).ok());
  }
}

TEST_CASE("Yjs messages: as clients take them", "[yjs]") {
  CHECK(step1_message("", bytes({0})) == bytes({0, 0, 1, 0}));
  CHECK(step2_message("", bytes({0, 0})) == bytes({0, 1, 2, 0, 0}));
  CHECK(query_awareness_message("") == bytes({3}));
  CHECK(denied_message("", "no", false) == bytes({2, 0, 2}) + "no");
  const std::string head = hocuspocus_head("room");
  CHECK(head == bytes({4}) + "room");
  CHECK(authenticated_message(head, true) == head + bytes({2, 2, 10}) + "read-write");
  CHECK(authenticated_message(head, false) == head + bytes({2, 2, 8}) + "readonly");
  CHECK(denied_message(head, "permission-denied", true) == head + bytes({2, 1, 17}) + "permission-denied");
  CHECK(status_message(head, true) == head + bytes({8, 1}));
  CHECK(close_message(head, "provider_initiated") == head + bytes({7, 18}) + "provider_initiated");
}
