// The server's messages as JSON text, written by hand: their forms are few and fixed, and values append themselves.
//
// Pushes are the hot path. An untagged push is the same for all who hear it, so its WebSocket frame is made once and
// kept in the event's body (push_frame), plain and compressed apart. A tagged push differs in its tag alone; its data
// are shared as text.
#include "net/wire/reply.h"

#include <fmt/format.h>

#include "db/model/json.h"
#include "net/error_reply.h"
#include "net/wire/frame.h"

namespace hearth::net::wire {

namespace {

std::string control_text(char command, std::string_view text) {
  std::string to = fmt::format(R"({{"t":"c","d":{{"t":"{}","d":)", command);
  db::append_json_string(text, to);
  to += "}}";
  return to;
}

std::string response_start(int64_t number, std::string_view status) {
  return fmt::format(R"({{"t":"d","d":{{"r":{},"b":{{"s":"{}","d":)", number, status);
}

constexpr std::string_view kResponseEnd = "}}}";

// The text of an error for clients: the service's own where it has one.
std::string_view told(const db::Error& error) {
  if (error.code == db::ErrorCode::Stale) return "Transaction hash does not match";
  if (error.code == db::ErrorCode::PermissionDenied) return "Permission denied";
  return error.message;
}

}  // namespace

std::string hello_text(db::Timestamp now, std::string_view host, std::string_view session) {
  std::string to = fmt::format(R"({{"t":"c","d":{{"t":"h","d":{{"ts":{},"v":"5","h":)", now.count());
  db::append_json_string(host, to);
  to += R"(,"s":)";
  db::append_json_string(session, to);
  to += "}}}";
  return to;
}

std::string pong_text() { return R"({"t":"c","d":{"t":"o","d":{}}})"; }
std::string complaint_text(std::string_view reason) { return control_text('e', reason); }
std::string shutdown_text(std::string_view reason) { return control_text('s', reason); }
std::string redirect_text(std::string_view host) { return control_text('r', host); }
std::string attached_text() { return R"({"t":"c","d":{"t":"a","d":null}})"; }
std::string end_of_transmission_text() { return R"({"t":"c","d":{"t":"n","d":null}})"; }

std::string ok_text(int64_t number, std::string_view data_json) {
  std::string to = response_start(number, "ok");
  to += data_json;
  to += kResponseEnd;
  return to;
}

// Priorities are told (Export): SDKs keep them.
std::string value_text(int64_t number, const db::Value& value) {
  std::string to = response_start(number, "ok");
  db::append_json(value, db::JsonStyle::Export, to);
  to += kResponseEnd;
  return to;
}

std::string failure_text(int64_t number, const db::Error& error) {
  std::string to = response_start(number, error_reply(error.code).wire_status);
  db::append_json_string(told(error), to);
  to += kResponseEnd;
  return to;
}

namespace {

// A whole untagged push as WebSocket bytes; packed: compressed.
constexpr db::Body::Form kFrameForm{"wire frame"}, kPackedFrameForm{"packed wire frame"};

void append_data(const db::Body& body, std::string& to) {
  if (body.kind() == db::Body::Kind::Put) return db::append_json(body.value(), db::JsonStyle::Export, to);
  char before = '{';
  for (const auto& [path, value] : body.entries()) {
    to += before;
    db::append_json_string(path, to);
    to += ':';
    db::append_json(value, db::JsonStyle::Export, to);
    before = ',';
  }
  to += body.entries().empty() ? "{}" : "}";
}

}  // namespace

std::string push_text(const db::Body& body, std::optional<int64_t> tag) {
  const bool merge = body.kind() == db::Body::Kind::Merge;
  std::string to = fmt::format(R"({{"t":"d","d":{{"a":"{}","b":{{"p":)", merge ? 'm' : 'd');
  db::append_json_string(body.told_path(), to);
  to += R"(,"d":)";
  if (tag) {
    // Each client's tag is its own; what comes with it is made once for all of them.
    to += *body.bytes(db::kExportForm, [](const db::Body& made_of) {
      std::string data;
      append_data(made_of, data);
      return data;
    });
  } else {
    append_data(body, to);
  }
  if (tag) to += fmt::format(R"(,"t":{})", *tag);
  to += kResponseEnd;
  return to;
}

std::string first_text(const db::Body& body, std::optional<int64_t> tag, const CompoundHash& known) {
  const auto merges = range_merges(body.value(), known);
  if (!merges) return push_text(body, tag);
  std::string to = R"({"t":"d","d":{"a":"rm","b":{"p":)";
  db::append_json_string(body.told_path(), to);
  to.append(R"(,"d":)").append(*merges);
  if (tag) to += fmt::format(R"(,"t":{})", *tag);
  to += kResponseEnd;
  return to;
}

std::string revoked_text(const db::Path& path, std::string_view query_json) {
  std::string to = R"({"t":"d","d":{"a":"c","b":{"p":)";
  db::append_json_string(path.text(), to);
  if (!query_json.empty())
    to.append(R"(,"q":[)").append(query_json).append("]");  // a bare object crashes the JS SDK (§6.7)
  to += kResponseEnd;
  return to;
}

std::string expired_text() { return auth_revoked_text({db::ErrorCode::ExpiredToken, "Auth token is expired."}); }

std::string auth_revoked_text(const db::Error& why) {
  std::string to = R"({"t":"d","d":{"a":"ac","b":{"s":)";
  db::append_json_string(error_reply(why.code).wire_status, to);
  to += R"(,"d":)";
  db::append_json_string(why.message, to);
  to += "}}}";
  return to;
}

db::SharedBytes push_frame(const db::Body& body, db::Counter* made, Packed packed) {
  const db::Body::Form& form = packed == Packed::Yes ? kPackedFrameForm : kFrameForm;
  return body.bytes(form, [made, packed](const db::Body& made_of) {
    if (made != nullptr) made->add();
    return frame_message(push_text(made_of), packed);
  });
}

}  // namespace hearth::net::wire
