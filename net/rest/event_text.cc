// The lines of server-sent events. Data is made once for each style and kept in the event's body; what stands around
// it is made for each stream. Streams without `format=export` know no priorities: an event that is nothing but a
// priority is "" and not sent.
#include "net/rest/event_text.h"

#include <algorithm>
#include <array>
#include <memory>

namespace hearth::net::rest {
namespace {

constexpr std::string_view kPriority = ".priority";

std::string merge_text(const db::Body& body, db::JsonStyle style) {
  std::string text;
  for (const auto& [path, value] : body.entries()) {
    if (style == db::JsonStyle::Plain && db::node_of(path) != path) continue;
    text += text.empty() ? '{' : ',';
    db::append_json_string(path, text);
    text += ':';
    db::append_json(value, style, text);
  }
  if (!text.empty()) text += '}';
  return text;
}

}  // namespace

db::SharedBytes event_data(const db::Body& body, db::JsonStyle style, db::Counter* made) {
  static const auto nothing = std::make_shared<const std::string>();
  const bool plain = style == db::JsonStyle::Plain;
  const bool put = body.kind() == db::Body::Kind::Put;
  if (plain && put && body.slot() == db::Slot::Priority) return nothing;
  return body.bytes(plain ? db::kPlainForm : db::kExportForm, [&](const db::Body& own) {
    if (made != nullptr) made->add();
    return put ? db::to_json(own.value(), style) : merge_text(own, style);
  });
}

std::string event_head(const db::Body& body, const db::Path& base) {
  std::string path = body.path().relative_to(base).slashed();
  if (body.slot() == db::Slot::Priority) {
    if (!path.ends_with('/')) path += '/';
    path += kPriority;
  }
  std::string text = body.kind() == db::Body::Kind::Put ? "event: put" : "event: patch";
  text += "\ndata: {\"path\":";
  db::append_json_string(path, text);
  text += ",\"data\":";
  return text;
}

std::string event_tail(std::string_view id) {
  std::string text = "}\n";
  if (!id.empty()) text.append("id: ").append(id).append("\n");
  return text += '\n';
}

// Streams of one style at one path hear the same text; those above that path another one for each length. A body keeps
// the first few forms that it is asked for, and streams at more places than these have their text made each time.
db::SharedBytes event_text(const db::Body& body, db::JsonStyle style, const db::Path& base, db::Counter* made) {
  static constexpr auto kForms = [] {
    std::array<std::array<db::Body::Form, db::kDepthMax + 1>, 2> forms{};
    for (auto& of_style : forms) of_style.fill({"event text", true});
    return forms;
  }();
  const db::SharedBytes data = event_data(body, style, made);
  if (data->empty()) return data;
  return body.bytes(kForms[style == db::JsonStyle::Plain ? 0 : 1][base.depth()], [&](const db::Body& own) {
    std::string text = event_head(own, base);
    return text.append(*data).append(event_tail({}));
  });
}

std::string cancel_text(const db::Error& reason) {
  std::string text = reason.message;
  // Docs, "cancel": for what is larger than a stream carries.
  if (reason.code == db::ErrorCode::TooLarge) {
    text = "The specified payload is too large, please request a location with less data.";
  }
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (!text.ends_with('.')) text += '.';
  return "event: cancel\ndata: " + text + "\n\n";
}

}  // namespace hearth::net::rest
