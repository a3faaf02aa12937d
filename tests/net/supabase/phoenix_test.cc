#include "net/supabase/phoenix.h"

#include <catch2/catch.hpp>
#include <random>

using namespace hearth::net::supabase;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}

}  // namespace

TEST_CASE("Phoenix: text of both versions", "[supabase]") {
  auto two = parse_phoenix_text(R"(["6","9","realtime:todos","phx_join",{"a":1}])", PhoenixVersion::Two).value();
  CHECK(two.join_ref == "6");
  CHECK(two.ref == "9");
  CHECK(two.topic == "realtime:todos");
  CHECK(two.event == "phx_join");
  CHECK(two.payload->to_text() == R"({"a":1})");
  auto one = parse_phoenix_text(R"({"topic":"phoenix","event":"heartbeat","payload":{},"ref":7})", PhoenixVersion::One)
                 .value();
  CHECK(one.topic == "phoenix");
  CHECK(one.ref == "7");
  CHECK_FALSE(one.join_ref);
  const PhoenixReply reply{"6", std::nullopt, "t\"", "phx_reply", "{}"};
  CHECK(phoenix_text(reply, PhoenixVersion::Two) == R"(["6",null,"t\"","phx_reply",{}])");
  CHECK(phoenix_text(reply, PhoenixVersion::One) == R"({"topic":"t\"","event":"phx_reply","ref":null,"payload":{}})");
}

TEST_CASE("Phoenix: what is no message is refused", "[supabase]") {
  for (const char* text : {"", "{", "[]", R"([1,2,3,4])", R"([null,null,"t","e",null])", R"([null,null,"t","e",[]])",
                           R"([null,null,5,"e",{}])", R"([null,{},"t","e",{}])", R"([null,null,"t","e",{},1])", "5"}) {
    INFO(text);
    CHECK_FALSE(parse_phoenix_text(text, PhoenixVersion::Two).ok());
    CHECK_FALSE(parse_phoenix_text(text, PhoenixVersion::One).ok());
  }
}

TEST_CASE("Phoenix: a broadcast as the client sends it, and as it is told", "[supabase]") {
  const std::string sent = bytes({3, 1, 1, 17, 6, 0, 1}) + R"(69realtime:todos:u1cursor{"x":1})";
  const auto message = parse_phoenix_binary(sent).value();
  CHECK(message.join_ref == "6");
  CHECK(message.ref == "9");
  CHECK(message.topic == "realtime:todos:u1");
  CHECK(message.event == "broadcast");
  CHECK(message.broadcast_event == "cursor");
  CHECK(message.is_json);
  CHECK(message.bytes == R"({"x":1})");
  CHECK(phoenix_broadcast(message.topic, "cursor", "", true, message.bytes) ==
        bytes({4, 17, 6, 0, 1}) + R"(realtime:todos:u1cursor{"x":1})");
  const auto raw = parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0, 0}) + "te" + bytes({0, 255})).value();
  CHECK_FALSE(raw.is_json);
  CHECK(raw.bytes == bytes({0, 255}));
  CHECK_FALSE(raw.ref);
}

TEST_CASE("Phoenix: a broadcast that would break who hears it is refused", "[supabase]") {
  CHECK_FALSE(parse_phoenix_binary("").ok());
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0})).ok());              // cut
  CHECK_FALSE(parse_phoenix_binary(bytes({4, 0, 0, 1, 1, 0, 1}) + "te{}").ok());  // not a client's
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 9, 1, 0, 1}) + "te{}").ok());  // a length past the end
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0, 2}) + "te{}").ok());  // an encoding that is none
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0, 1}) + "te{").ok());   // no JSON
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0, 1}) + "te\"" + bytes({255, '"'})).ok());  // no UTF-8
  CHECK_FALSE(parse_phoenix_binary(bytes({3, 0, 0, 1, 1, 0, 1, 255}) + "e{}").ok());
}
