// Reads and writes what phoenix.h draws. What comes from a client is checked to the last byte: a broadcast that said it
// was JSON and is none would break whoever it is told to.
//
// A text frame's payload stays a part of the document that was parsed: message.payload points into message.document,
// and both are moved together. A binary broadcast has no payload but bytes, which are told on as they came.
//
// Names in a binary frame are measured by one byte each. Whoever makes such a frame has to look whether they fit, and
// sends text where they do not (RealtimeChannel::tell_said).
#include "net/supabase/phoenix.h"

#include <array>
#include <utility>

namespace hearth::net::supabase {
namespace {

constexpr char kPush = 3, kTold = 4;
constexpr size_t kPushHead = 7, kToldHead = 5;

db::Error wrong(std::string what) { return {db::ErrorCode::InvalidData, std::move(what)}; }

// null or a text; clients of other languages send numbers.
db::Result<std::optional<std::string>> ref_of(const std::optional<db::JsonNode>& node) {
  if (!node || node->is_null()) return std::optional<std::string>();
  if (const auto text = node->string()) return std::optional<std::string>(*text);
  if (const auto number = node->integer()) return std::optional<std::string>(std::to_string(*number));
  return wrong("A ref is a text or null.");
}

db::Result<std::string> name_of(const std::optional<db::JsonNode>& node, std::string_view what) {
  const auto text = node ? node->string() : std::nullopt;
  if (!text) return wrong("There is no " + std::string(what) + ".");
  return std::string(*text);
}

void append_ref(const std::optional<std::string_view>& ref, std::string& to) {
  if (ref) {
    db::append_json_string(*ref, to);
  } else {
    to += "null";
  }
}

}  // namespace

db::Result<PhoenixMessage> parse_phoenix_text(std::string&& text, PhoenixVersion version) {
  PhoenixMessage message;
  ASSIGN_OR_RETURN(message.document, db::JsonDocument::parse(std::move(text)));
  const db::JsonNode root = message.document->root();
  std::array<std::optional<db::JsonNode>, 5> parts;  // join_ref, ref, topic, event, payload
  if (version == PhoenixVersion::Two) {
    const auto elements = root.elements();
    if (elements.size() != parts.size())
      return wrong("A message is a list of join_ref, ref, topic, event and payload.");
    for (size_t i = 0; i < parts.size(); ++i) parts[i] = elements[i];
  } else {
    if (!root.is_object()) return wrong("A message is an object of topic, event, payload and ref.");
    parts = {root.field("join_ref"), root.field("ref"), root.field("topic"), root.field("event"),
             root.field("payload")};
  }
  ASSIGN_OR_RETURN(message.join_ref, ref_of(parts[0]));
  ASSIGN_OR_RETURN(message.ref, ref_of(parts[1]));
  ASSIGN_OR_RETURN(message.topic, name_of(parts[2], "topic"));
  ASSIGN_OR_RETURN(message.event, name_of(parts[3], "event"));
  if (!parts[4] || !parts[4]->is_object()) return wrong("A payload is an object.");
  message.payload = parts[4];
  return message;
}

db::Result<PhoenixMessage> parse_phoenix_binary(std::string_view frame) {
  if (frame.size() < kPushHead || frame[0] != kPush)
    return wrong("A binary message is a broadcast: 03 and its lengths.");
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(frame[at])); };
  const std::array<size_t, 5> lengths = {byte(1), byte(2), byte(3), byte(4), byte(5)};
  const size_t encoding = byte(6);
  if (encoding > 1) return wrong("The encoding of a broadcast is 0 or 1.");
  frame.remove_prefix(kPushHead);
  std::array<std::string_view, 5> parts;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (frame.size() < lengths[i]) return wrong("A broadcast ends within its names.");
    parts[i] = frame.substr(0, lengths[i]);
    frame.remove_prefix(lengths[i]);
    if (!db::is_utf8(parts[i])) return wrong("The names of a broadcast are UTF-8.");
  }
  PhoenixMessage message;
  if (!parts[0].empty()) message.join_ref = parts[0];
  if (!parts[1].empty()) message.ref = parts[1];
  message.topic = parts[2];
  message.event = "broadcast";
  message.broadcast_event = parts[3];
  message.is_json = encoding == 1;
  if (message.is_json) {
    if (!db::is_utf8(frame) || !db::JsonDocument::parse(frame).ok()) return wrong("A broadcast's JSON is none.");
  }
  message.bytes = frame;
  return message;
}

std::string phoenix_text(const PhoenixReply& reply, PhoenixVersion version) {
  std::string text;
  text.reserve(64 + reply.topic.size() + reply.event.size() + reply.payload.size());
  if (version == PhoenixVersion::Two) {
    text += '[';
    append_ref(reply.join_ref, text);
    text += ',';
    append_ref(reply.ref, text);
    text += ',';
    db::append_json_string(reply.topic, text);
    text += ',';
    db::append_json_string(reply.event, text);
    text += ',';
    text += reply.payload;
    text += ']';
    return text;
  }
  text += R"({"topic":)";
  db::append_json_string(reply.topic, text);
  text += R"(,"event":)";
  db::append_json_string(reply.event, text);
  text += R"(,"ref":)";
  append_ref(reply.ref, text);
  text += R"(,"payload":)";
  text += reply.payload;
  text += '}';
  return text;
}

std::string phoenix_status(std::string_view status, std::string_view response) {
  std::string text = R"({"status":")";
  text += status;
  text += R"(","response":)";
  text += response;
  text += '}';
  return text;
}

std::string phoenix_reason(std::string_view reason) {
  std::string text = R"({"reason":)";
  db::append_json_string(reason, text);
  text += '}';
  return text;
}

std::string phoenix_broadcast(std::string_view topic, std::string_view event, std::string_view meta, bool is_json,
                              std::string_view bytes) {
  db::invariant(topic.size() <= kPhoenixNameMax && event.size() <= kPhoenixNameMax && meta.size() <= kPhoenixNameMax,
                "whoever makes a binary broadcast has measured its names");
  std::string frame;
  frame.reserve(kToldHead + topic.size() + event.size() + meta.size() + bytes.size());
  frame += kTold;
  frame += static_cast<char>(topic.size());
  frame += static_cast<char>(event.size());
  frame += static_cast<char>(meta.size());
  frame += static_cast<char>(is_json ? 1 : 0);
  frame += topic;
  frame += event;
  frame += meta;
  frame += bytes;
  return frame;
}

}  // namespace hearth::net::supabase
