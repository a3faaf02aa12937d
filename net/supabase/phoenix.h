// Messages of Supabase's realtime socket, in both versions of the Phoenix envelope. Pure.
//
//   version   text                                            binary
//   2.0.0     [join_ref, ref, topic, event, payload]          broadcasts, both ways
//   1.0.0     {"topic", "event", "payload", "ref", "join_ref"}   none
//
//   push   := 03 joinRefLength refLength topicLength eventLength metaLength encoding  joinRef ref topic event meta payload
//   told   := 04 topicLength eventLength metaLength encoding                          topic event meta payload
//
// Lengths are single bytes and count UTF-8; encoding 1: the payload is JSON text, 0: bytes. Source: the npm packages
// @supabase/realtime-js and @supabase/phoenix of version 2.119.1 and 0.4.5; github.com/supabase/realtime, serializers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/model/json.h"

namespace hearth::net::supabase {

enum class PhoenixVersion : uint8_t { One, Two };

inline constexpr size_t kPhoenixNameMax = 255;  // bytes of a topic or an event in a binary frame

// What a client says.
struct PhoenixMessage {
  std::optional<std::string> join_ref{};
  std::optional<std::string> ref{};
  std::string topic{};
  std::string event{};
  std::optional<db::JsonDocument> document{};  // that `payload` is in; nothing: a binary broadcast
  std::optional<db::JsonNode> payload{};       // an object
  // A binary broadcast; its event is `broadcast_event`, `event` is "broadcast".
  std::string broadcast_event{};
  std::string bytes{};
  bool is_json = false;  // `bytes` are valid JSON text
};

// Errors: InvalidData, saying what is wrong.
db::Result<PhoenixMessage> parse_phoenix_text(std::string&& text, PhoenixVersion version);
db::Result<PhoenixMessage> parse_phoenix_binary(std::string_view frame);

// Text of a message to the client. `join_ref`, `ref`: null where nothing; `payload`: JSON text of an object.
struct PhoenixReply {
  std::optional<std::string_view> join_ref{};
  std::optional<std::string_view> ref{};
  std::string_view topic{};
  std::string_view event{};
  std::string_view payload{};
};
std::string phoenix_text(const PhoenixReply& reply, PhoenixVersion version);

// {"status":…,"response":…}
std::string phoenix_status(std::string_view status, std::string_view response);
std::string phoenix_reason(std::string_view reason);  // the response {"reason":…}

// A binary broadcast. Precondition: both names have at most kPhoenixNameMax bytes; `meta` is "" or JSON text of as many.
std::string phoenix_broadcast(std::string_view topic, std::string_view event, std::string_view meta, bool is_json,
                              std::string_view bytes);

}  // namespace hearth::net::supabase
