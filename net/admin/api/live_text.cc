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

#include "db/model/json_members.h"

namespace hearth::net::admin {
namespace {

constexpr std::string_view kDocumentTopic = "document:";  // db::document_topic

void add_cut_text(std::string_view name, std::string_view text, db::JsonMembers& to) {
  size_t end = std::min(text.size(), kShownValueBytesMax);  // at a character
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  to.text(name, text.substr(0, end));
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

void add_value(const db::Value& value, db::JsonMembers& to) {
  if (value.byte_count() > kShownValueMadeBytesMax) {
    to.text("value", "");
    return to.number("bytes", value.byte_count());
  }
  const std::string text = db::to_json(value, db::JsonStyle::Export);
  add_cut_text("value", text, to);
  to.number("bytes", text.size());
}

void add_who(const db::LiveSession& session, db::JsonMembers& to) {
  to.begin("connection") += session.origin.connection == 0 ? "null" : std::to_string(session.origin.connection);
  to.text_or_null("protocol", session.origin.protocol);
  to.text_or_null("user", session.user);
  to.truth("admin", session.is_admin);
}

void add_session(const db::LiveSession& session, db::JsonMembers& to) {
  add_who(session, to);
  to.number("since", session.since.count());
  to.number("listenerCount", session.listener_count);
  to.objects("listeners", session.listeners, [](const db::LiveSession::Listener& one, db::JsonMembers& listener) {
    listener.text("path", one.path.slashed());
    listener.text_or_null("query", one.query ? words_of(*one.query) : "");
  });
  to.number("topicCount", session.topic_count);
  to.texts("topics", session.topics);
  to.number("queuedCount", session.queued_count);
  to.objects("queued", session.queued, [](const db::Overwrite& one, db::JsonMembers& queued) {
    std::string path = one.path.slashed();
    if (one.slot == db::Slot::Priority) path += path.ends_with('/') ? ".priority" : "/.priority";
    queued.text("path", path);
    add_value(one.value, queued);
  });
}

void add_topic(const db::LiveTopic& topic, db::JsonMembers& to) {
  to.text("name", topic.name);
  to.text("family", topic.name.starts_with(kDocumentTopic) ? "document" : "channel");
  to.number("members", topic.members);
}

void add_said(std::string_view name, const db::LiveTopic::Text& one, db::JsonMembers& to) {
  if (one.time.count() != 0) to.number("time", one.time.count());
  to.text(name, one.name);
  if (one.is_binary) {
    to.begin("value") += "null";
  } else {
    add_cut_text("value", one.text, to);
  }
  to.number("bytes", one.bytes);
}

void add_stored(const db::StoredDocument& document, db::JsonMembers& to) {
  to.text("path", document.path.slashed());
  to.number("updates", document.updates);
  to.number("bytes", document.bytes);
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
  std::string text;
  db::JsonMembers top(text);
  top.number("yours", own);
  std::vector<std::pair<const http::SeenConnection*, bool>> shown;  // and whether it is relayed
  const auto show = [&](const std::vector<http::SeenConnection>& all, bool are_relayed) {
    for (const http::SeenConnection& one : all) {
      if (!only_with_sessions || by_connection.contains(one.number)) shown.emplace_back(&one, are_relayed);
    }
  };
  show(seen, false);
  show(relayed, true);
  top.objects("connections", shown, [&](const auto& item, db::JsonMembers& to) {
    const auto& [one, is_relayed] = item;
    const auto found = by_connection.find(one->number);
    const Together all = found == by_connection.end() ? Together() : found->second;
    to.number("number", one->number);
    to.text("peer", one->peer);
    to.text("kind", one->kind);
    to.number("seconds", one->age.count());
    to.number("waiting", one->waiting_bytes);
    to.truth("secure", one->is_secure);
    to.truth("relayed", is_relayed);
    to.number("since", (now - one->age).count());
    to.text_or_null("ns", all.first == nullptr ? "" : all.first->first);
    to.text_or_null("protocol", all.first == nullptr ? "" : all.first->second.origin.protocol);
    to.text_or_null("user", all.first == nullptr ? "" : all.first->second.user);
    to.truth("admin", all.first != nullptr && all.first->second.is_admin);
    to.number("sessions", all.sessions);
    to.number("listeners", all.listeners);
    to.number("topics", all.topics);
    to.number("queued", all.queued);
  });
  top.close();
  return text;
}

std::string sessions_text(const db::Live& live) {
  std::string text;
  db::JsonMembers top(text);
  top.number("total", live.total);
  top.objects("sessions", live.sessions, add_session);
  top.close();
  return text;
}

std::string listeners_text(const db::Live& live) {
  std::string text;
  db::JsonMembers top(text);
  top.number("total", live.total);
  top.objects("paths", live.paths, [](const db::LivePath& one, db::JsonMembers& to) {
    to.text("path", one.path.slashed());
    to.number("listeners", one.listeners);
    to.number("queries", one.queries);
  });
  top.close();
  return text;
}

std::string topics_text(const db::Live& live) {
  std::string text;
  db::JsonMembers top(text);
  top.number("total", live.total);
  top.objects("topics", live.topics, [](const db::LiveTopic& topic, db::JsonMembers& to) {
    add_topic(topic, to);
    to.number("entries", topic.entries);
    to.number("kept", topic.kept);
    to.number("bytes", topic.bytes);
  });
  top.close();
  return text;
}

std::string topic_text(const db::LiveTopic& topic) {
  using Text = db::LiveTopic::Text;
  std::string text;
  db::JsonMembers top(text);
  add_topic(topic, top);
  top.number("bytes", topic.bytes);
  top.objects("people", topic.people, add_who);
  top.objects("entries", topic.said_of_itself, [](const Text& one, db::JsonMembers& to) { add_said("key", one, to); });
  top.objects("kept", topic.messages, [](const Text& one, db::JsonMembers& to) { add_said("event", one, to); });
  top.close();
  return text;
}

std::string documents_text(const db::DocumentsPage& page) {
  std::string text;
  db::JsonMembers top(text);
  top.objects("documents", page.documents, add_stored);
  top.text_or_null("next", page.is_last || page.documents.empty() ? "" : page.documents.back().path.slashed());
  top.close();
  return text;
}

std::string document_text(const db::DocumentContent& content) {
  std::string text;
  db::JsonMembers top(text);
  add_stored(content.stored, top);
  top.truth("pending", content.has_pending);
  top.begin("json") += content.json;
  top.close();
  return text;
}

}  // namespace hearth::net::admin
