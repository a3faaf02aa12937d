// What a shard tells those who run the server of what lives in one namespace (db/model/live.h): copied within one step, so
// each list has a bound, and what is large is cut while it is copied. Values that a session has queued are shared, not copied.
//
//   LiveRequest ─▶ sessions | paths | topics ─▶ Live ─▶ answer, when the group is durable
//
// A session's id is a capability (`ls=`), and is not told.
#include <algorithm>
#include <utility>

#include "db/shard/shard.h"

namespace hearth::db {
namespace {

size_t topics_of(const Conversation& one) { return one.others == nullptr ? 0 : one.others->topics.size(); }
size_t rows_of(const Conversation& one) { return one.others == nullptr ? 0 : one.others->rows.size(); }

LiveSession brief(const Conversation& one) {
  LiveSession session;
  session.origin = one.origin();
  session.is_admin = one.is_admin.load(std::memory_order_relaxed);
  if (one.label != nullptr) session.user = *one.label;
  session.since = one.since;
  session.listener_count = one.subscriptions.size() + rows_of(one);
  session.topic_count = topics_of(one);
  session.queued_count = one.queue == nullptr ? 0 : one.queue->size();
  return session;
}

// `room`: of all sessions of the answer; what is put in is taken from it.
void add_parts(const Conversation& one, size_t& room, LiveSession& to) {
  const auto goes_on = [&room](size_t count) { return room > 0 && count < kLivePartsMax; };
  for (const auto& [id, subscription] : one.subscriptions) {
    if (!goes_on(to.listeners.size())) break;
    to.listeners.push_back({subscription->path, subscription->query});
    --room;
  }
  if (one.others != nullptr) {
    for (const auto& [id, place] : one.others->topics) {
      if (!goes_on(to.topics.size()) || place->topic == nullptr) break;
      to.topics.push_back(place->topic->name);
      --room;
    }
  }
  if (one.queue == nullptr) return;
  to.queued = one.queue->first(std::min(room, kLivePartsMax));
  room -= to.queued.size();
}

void add_sessions(const NamespaceState& space, const LiveAsk& ask, Live& to) {
  const bool is_brief = ask.what == LiveAsk::What::SessionsBrief;
  const size_t most = is_brief ? kLiveSessionsBriefMax : kLiveSessionsMax;
  to.total = space.sessions.size();
  size_t looked = 0, room = kLivePartsInAllMax;
  for (const auto& [id, weak] : space.sessions) {
    if (++looked > kLiveLooksMax || to.sessions.size() >= most) return;
    const auto one = weak.lock();
    if (one == nullptr || (ask.connection && one->origin().connection != *ask.connection)) continue;
    to.sessions.push_back(brief(*one));
    if (!is_brief) add_parts(*one, room, to.sessions.back());
  }
}

void add_paths(const NamespaceState& space, Live& to) {
  to.total = space.registry.size();
  std::vector<std::pair<const Node*, Path>> open = {{&space.registry.root(), Path()}};
  for (size_t looked = 0; !open.empty() && looked < kLiveLooksMax; ++looked) {
    const auto [node, path] = std::move(open.back());
    open.pop_back();
    LivePath here{path, node->subscriptions.size(), 0};
    for (const auto& [query, view] : *node->views) here.queries += view->subscriptions.size();
    here.listeners += here.queries;
    if (here.listeners > 0) to.paths.push_back(std::move(here));
    for (const auto& child : *node->children) {
      if (open.size() >= kLiveLooksMax) break;
      if (auto below = path.child(child->key); below.ok()) open.emplace_back(child.get(), std::move(below).value());
    }
  }
  std::sort(to.paths.begin(), to.paths.end(), [](const LivePath& a, const LivePath& b) {
    return a.listeners != b.listeners ? a.listeners > b.listeners : a.path < b.path;
  });
  if (to.paths.size() > kLivePathsMax) to.paths.resize(kLivePathsMax);
}

LiveTopic brief(const Topic& topic) {
  LiveTopic told;
  told.name = topic.name;
  told.members = topic.members.size();
  told.entries = topic.entries.size();
  told.kept = topic.kept.size();
  told.bytes = topic.bytes;
  return told;
}

LiveTopic::Text cut(std::string name, const std::string& text, bool is_binary, Timestamp time) {
  size_t end = std::min(text.size(), kLiveTextBytesMax);  // at a character
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return {.name = std::move(name),
          .text = is_binary ? std::string() : text.substr(0, end),
          .bytes = text.size(),
          .is_binary = is_binary,
          .time = time};
}

void add_topic(const Topic& topic, Live& to) {
  LiveTopic& told = to.topics.emplace_back(brief(topic));
  for (const TopicMember* member : topic.members) {
    if (told.people.size() >= kLiveMembersMax) break;
    // Every member of a shard's topics is a place of a conversation.
    const auto* place = static_cast<const TopicPlace*>(member);
    told.people.push_back(brief(static_cast<const Conversation&>(*place->being.audience)));
  }
  for (const auto& [key, entries] : topic.entries) {
    for (const Topic::Entry& entry : entries) {
      if (told.said_of_itself.size() >= kLiveMembersMax) return;
      if (!entry.is_gone) told.said_of_itself.push_back(cut(key, entry.value, false, {}));
    }
  }
  const size_t first = topic.kept.size() - std::min(topic.kept.size(), kLiveKeptMax);
  for (size_t i = first; i < topic.kept.size(); ++i) {
    const TopicMessage& message = *topic.kept[i];
    told.messages.push_back(cut(message.event, message.bytes, message.is_binary, message.time));
  }
}

}  // namespace

void Shard::handle(ShardRequest& request, LiveRequest& what) {
  const Step::Whole whole;
  const NamespaceState& space = *request.space;
  Live& to = *what.to;
  switch (what.ask.what) {
    case LiveAsk::What::Sessions:
    case LiveAsk::What::SessionsBrief:
      add_sessions(space, what.ask, to);
      break;
    case LiveAsk::What::Paths:
      add_paths(space, to);
      break;
    case LiveAsk::What::Topics:
      if (space.topics == nullptr) break;
      to.total = space.topics->size();
      space.topics->each([&to](const Topic& topic) {
        to.topics.push_back(brief(topic));
        return to.topics.size() < kLiveTopicsMax;
      });
      break;
    case LiveAsk::What::Topic: {
      const Topic* topic = space.topics == nullptr ? nullptr : space.topics->find(what.ask.topic);
      if (topic == nullptr) return answer_with(request, Error{ErrorCode::NotFound, "There is no such topic now."});
      to.total = 1;
      add_topic(*topic, to);
      break;
    }
  }
  Step::here().count({to.sessions.size() + to.paths.size() + to.topics.size(), 0, 0});
  answer_with(request, {});
}

}  // namespace hearth::db
