// What a person cannot need in full is cut: a value's JSON at kShownValueBytesMax, at the end of a character, and its
// whole length is told beside it. A value of more than kShownValueMadeBytesMax is not even made into text; its size in
// memory is told instead.
//
// A connection may have several sessions, one for each namespace or channel. connections_text() adds them up by the
// number of their connection; the name that is shown is that of the first session that says who it is. A session
// without a connection's number is shown in none.
#include "net/admin/api/live_text.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "db/model/json.h"
#include "net/admin/api/json_text.h"

namespace hearth::net::admin {
namespace {

constexpr std::string_view kDocumentTopic = "document:";  // db::document_topic

void cut_text(std::string& to, std::string_view name, std::string_view text) {
  size_t end = std::min(text.size(), kShownValueBytesMax);  // at a character
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  json_text(to, name, text.substr(0, end));
}

void append_bound(std::string& to, std::string_view name, const std::optional<db::Bound>& bound) {
  if (!bound) return;
  to.append("&").append(name).append("=").append(db::to_json(bound->value, db::JsonStyle::Export));
  for (const db::Value& value : bound->rest) to.append(",").append(db::to_json(value, db::JsonStyle::Export));
  // An exclusive bound that leaves out every child of its value has one of these keys.
  const bool is_whole = !bound->key || *bound->key == db::kMaxKey || *bound->key == db::kMinKey;
  if (!is_whole) db::append_json_string(*bound->key, to += ',');
}

// For people, in the words of REST: orderBy="sent"&startAt=3&limitToLast=10.
std::string words_of(const db::Query& query) {
  std::string to = "orderBy=";
  switch (query.order) {
    case db::Order::Key:
      to += R"("$key")";
      break;
    case db::Order::Value:
      to += R"("$value")";
      break;
    case db::Order::Priority:
      to += R"("$priority")";
      break;
    case db::Order::Child:
      db::append_json_string(query.child.text(), to);
      break;
  }
  for (const db::Path& child : query.then) db::append_json_string(child.text(), to += ',');
  if (query.start && query.start == query.end) {
    append_bound(to, "equalTo", query.start);
  } else {
    append_bound(to, query.start && query.start->is_inclusive ? "startAt" : "startAfter", query.start);
    append_bound(to, query.end && query.end->is_inclusive ? "endAt" : "endBefore", query.end);
  }
  if (query.limit != db::Limit::None) {
    to += (query.limit == db::Limit::First ? "&limitToFirst=" : "&limitToLast=") + std::to_string(query.count);
  }
  return to;
}

void append_value(std::string& to, const db::Value& value) {
  if (value.byte_count() > kShownValueMadeBytesMax) {
    json_text(to, "value", "");
    return json_number(to, "bytes", value.byte_count());
  }
  const std::string text = db::to_json(value, db::JsonStyle::Export);
  cut_text(to, "value", text);
  json_number(to, "bytes", text.size());
}

void append_who(std::string& to, const db::LiveSession& session) {
  json_name(to, "connection");
  to += session.origin.connection == 0 ? "null" : std::to_string(session.origin.connection);
  json_text_or_null(to, "protocol", session.origin.protocol);
  json_text_or_null(to, "user", session.user);
  json_flag(to, "admin", session.is_admin);
}

void append_session(std::string& to, const db::LiveSession& session) {
  next_json(to);
  to += '{';
  append_who(to, session);
  json_number(to, "since", static_cast<uint64_t>(session.since.count()));
  json_number(to, "listenerCount", session.listener_count);
  json_name(to, "listeners");
  to += '[';
  for (const db::LiveSession::Listener& one : session.listeners) {
    next_json(to);
    to += '{';
    json_text(to, "path", one.path.slashed());
    json_text_or_null(to, "query", one.query ? words_of(*one.query) : "");
    to += '}';
  }
  to += ']';
  json_number(to, "topicCount", session.topic_count);
  json_name(to, "topics");
  to += '[';
  for (const std::string& topic : session.topics) {
    next_json(to);
    db::append_json_string(topic, to);
  }
  to += ']';
  json_number(to, "queuedCount", session.queued_count);
  json_name(to, "queued");
  to += '[';
  for (const db::Overwrite& one : session.queued) {
    next_json(to);
    to += '{';
    std::string path = one.path.slashed();
    if (one.slot == db::Slot::Priority) path += path.ends_with('/') ? ".priority" : "/.priority";
    json_text(to, "path", path);
    append_value(to, one.value);
    to += '}';
  }
  to += "]}";
}

void append_topic(std::string& to, const db::LiveTopic& topic) {
  json_text(to, "name", topic.name);
  json_text(to, "family", topic.name.starts_with(kDocumentTopic) ? "document" : "channel");
  json_number(to, "members", topic.members);
}

void append_said(std::string& to, std::string_view name, const db::LiveTopic::Text& one) {
  next_json(to);
  to += '{';
  if (one.time.count() != 0) json_number(to, "time", static_cast<uint64_t>(one.time.count()));
  json_text(to, name, one.name);
  if (one.is_binary) {
    json_name(to, "value");
    to += "null";
  } else {
    cut_text(to, "value", one.text);
  }
  json_number(to, "bytes", one.bytes);
  to += '}';
}

void append_stored(std::string& to, const db::StoredDocument& document) {
  json_text(to, "path", document.path.slashed());
  json_number(to, "updates", document.updates);
  json_number(to, "bytes", document.bytes);
}

// The sums of all sessions of one connection. Most connections have one session.
struct Together {
  const SessionIn* first = nullptr;
  uint64_t sessions = 0, listeners = 0, topics = 0, queued = 0;
};

}  // namespace

std::string connections_text(const std::vector<http::SeenConnection>& seen,
                             const std::vector<http::SeenConnection>& relayed, uint64_t own,
                             const std::vector<SessionIn>& sessions, bool only_with_sessions, db::Timestamp now) {
  std::map<uint64_t, Together> by_connection;
  for (const SessionIn& one : sessions) {
    if (one.second.origin.connection == 0) continue;
    Together& all = by_connection[one.second.origin.connection];
    // Of several sessions, one that says who it is stands for the connection.
    if (all.first == nullptr || (all.first->second.user.empty() && !all.first->second.is_admin)) all.first = &one;
    ++all.sessions;
    all.listeners += one.second.listener_count;
    all.topics += one.second.topic_count;
    all.queued += one.second.queued_count;
  }
  std::string text = R"({"yours":)" + std::to_string(own) + R"(,"connections":[)";
  const auto append = [&](const http::SeenConnection& one, bool is_relayed) {
    const auto found = by_connection.find(one.number);
    const Together all = found == by_connection.end() ? Together() : found->second;
    if (all.first == nullptr && only_with_sessions) return;
    next_json(text);
    text += '{';
    json_number(text, "number", one.number);
    json_text(text, "peer", one.peer);
    json_text(text, "kind", one.kind);
    json_number(text, "seconds", static_cast<uint64_t>(one.age.count()));
    json_number(text, "waiting", one.waiting_bytes);
    json_flag(text, "secure", one.is_secure);
    json_flag(text, "relayed", is_relayed);
    json_number(text, "since", static_cast<uint64_t>((now - one.age).count()));
    json_text_or_null(text, "ns", all.first == nullptr ? "" : all.first->first);
    json_text_or_null(text, "protocol", all.first == nullptr ? "" : all.first->second.origin.protocol);
    json_text_or_null(text, "user", all.first == nullptr ? "" : all.first->second.user);
    json_flag(text, "admin", all.first != nullptr && all.first->second.is_admin);
    json_number(text, "sessions", all.sessions);
    json_number(text, "listeners", all.listeners);
    json_number(text, "topics", all.topics);
    json_number(text, "queued", all.queued);
    text += '}';
  };
  for (const http::SeenConnection& one : seen) append(one, false);
  for (const http::SeenConnection& one : relayed) append(one, true);
  return text + "]}";
}

std::string sessions_text(const db::Live& live) {
  std::string text = R"({"total":)" + std::to_string(live.total) + R"(,"sessions":[)";
  for (const db::LiveSession& session : live.sessions) append_session(text, session);
  return text + "]}";
}

std::string listeners_text(const db::Live& live) {
  std::string text = R"({"total":)" + std::to_string(live.total) + R"(,"paths":[)";
  for (const db::LivePath& one : live.paths) {
    next_json(text);
    text += '{';
    json_text(text, "path", one.path.slashed());
    json_number(text, "listeners", one.listeners);
    json_number(text, "queries", one.queries);
    text += '}';
  }
  return text + "]}";
}

std::string topics_text(const db::Live& live) {
  std::string text = R"({"total":)" + std::to_string(live.total) + R"(,"topics":[)";
  for (const db::LiveTopic& topic : live.topics) {
    next_json(text);
    text += '{';
    append_topic(text, topic);
    json_number(text, "entries", topic.entries);
    json_number(text, "kept", topic.kept);
    json_number(text, "bytes", topic.bytes);
    text += '}';
  }
  return text + "]}";
}

std::string topic_text(const db::LiveTopic& topic) {
  std::string text = "{";
  append_topic(text, topic);
  json_number(text, "bytes", topic.bytes);
  json_name(text, "people");
  text += '[';
  for (const db::LiveSession& one : topic.people) {
    next_json(text);
    text += '{';
    append_who(text, one);
    text += '}';
  }
  text += ']';
  json_name(text, "entries");
  text += '[';
  for (const auto& one : topic.said_of_itself) append_said(text, "key", one);
  text += ']';
  json_name(text, "kept");
  text += '[';
  for (const auto& one : topic.messages) append_said(text, "event", one);
  return text + "]}";
}

std::string documents_text(const db::DocumentsPage& page) {
  std::string text = R"({"documents":[)";
  for (const db::StoredDocument& one : page.documents) {
    next_json(text);
    text += '{';
    append_stored(text, one);
    text += '}';
  }
  text += ']';
  json_text_or_null(text, "next", page.is_last || page.documents.empty() ? "" : page.documents.back().path.slashed());
  return text + "}";
}

std::string document_text(const db::DocumentContent& content) {
  std::string text = "{";
  append_stored(text, content.stored);
  json_flag(text, "pending", content.has_pending);
  json_name(text, "json");
  return text + content.json + "}";
}

}  // namespace hearth::net::admin
