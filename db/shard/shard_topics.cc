// What a conversation has beside listeners: rows that it hears of, and topics that it is in.
//
//   ListenRows ─▶ RowRegistry                     each row is judged when it changes (row_registry.cc)
//   Join       ─▶ may_be? ─▶ Topics ─▶ answer, then what was kept, then who is there
//   Say        ─▶ may_speak? ─▶ members           told with the group, as events are
//   Announce   ─▶ may_speak? ─▶ Topics::announce ─▶ members that hear of entries
//
// Rights. Both rights of a place are Subscriptions that only watch: when a commit touches what a check read, it is asked
// again (match.cc). Who may not be in a topic any more hears Revoked and is out of it. The right to speak is asked for
// when somebody speaks, and then known until something that it read has changed; so most messages cost no rule.
#include <utility>

#include "db/shard/shard.h"

namespace hearth::db {

void Shard::answer_with(const ShardRequest& request, Result<void> status) {
  Answer reply;
  reply.status = std::move(status);
  answer(request, std::move(reply));
}

Moment Shard::moment_of(NamespaceState& space) {
  const Times now = Times::after(space.tree.head.time, with_.clock.now());
  return {committer_.view(space.tree), now, committer_.settings(space.tree)};
}

void Shard::handle(ShardRequest& request, ListenRowsRequest& what) {
  NamespaceState& space = *request.space;
  if (what.listen.bindings.size() > kRowBindingsMax) {
    return answer_with(request, Error{ErrorCode::TooLarge, "A listener has at most " + std::to_string(kRowBindingsMax) +
                                                               " bindings to rows."});
  }
  auto subscription = std::make_unique<RowSubscription>();
  subscription->audience = request.conversation;
  subscription->id = what.listener;
  subscription->what = std::move(what.listen);
  if (Result<void> room = room_to_listen(space, *request.conversation, 1, subscription->byte_count()); !room.ok()) {
    return answer_with(request, std::move(room));
  }
  leave(space, *request.conversation, what.listener);
  space.rows.add(*subscription);
  request.conversation->other().rows[what.listener] = std::move(subscription);
  Answer reply;
  reply.sequence = space.tree.head.sequence;
  answer(request, std::move(reply));
}

void Shard::handle(ShardRequest& request, RecheckRowsRequest& what) {
  if (request.conversation->others == nullptr) return;
  auto& rows = request.conversation->others->rows;
  if (const auto found = rows.find(what.listener); found != rows.end()) found->second->what.check = what.check;
}

Result<void> Shard::room_in_topics(const NamespaceState& space, size_t bytes) {
  Memory& memory = *with_.memory;
  const MemoryLimits& limits = memory.limits;
  const uint64_t here = (space.topics != nullptr ? space.topics->byte_count() : 0) + bytes;
  if (here > limits.space_topic_bytes_max) {
    return memory.refuse(MemoryLimit::NamespaceTopicsSize, "The topics of this namespace", here,
                         limits.space_topic_bytes_max);
  }
  const uint64_t all = static_cast<uint64_t>(memory.topics.bytes.value()) + bytes;
  if (all > limits.topic_bytes_max) {
    return memory.refuse(MemoryLimit::TotalTopicsSize, "The topics of this server", all, limits.topic_bytes_max);
  }
  return {};
}

bool Shard::has_room_to_keep(const NamespaceState& space, size_t bytes) const {
  const Memory& memory = *with_.memory;
  const uint64_t here = (space.topics != nullptr ? space.topics->byte_count() : 0) + bytes;
  const uint64_t all = static_cast<uint64_t>(memory.topics.bytes.value()) + bytes;
  return here <= memory.limits.space_topic_bytes_max / 2 && all <= memory.limits.topic_bytes_max / 2;
}

void Shard::handle(ShardRequest& request, JoinRequest& what) {
  Answer reply;
  Result<void> entered = enter(request, what.listener, what.join);
  if (Step::here().is_over()) return;
  if (!entered.ok()) return answer_with(request, std::move(entered));
  reply.sequence = request.space->tree.head.sequence;
  answer(request, std::move(reply));
  greet(request, what.listener, what.join);
}

// What a new member hears first: what was said before, and who is there.
void Shard::greet(const ShardRequest& request, uint64_t listener, const TopicJoin& join) {
  const Topics& topics = *request.space->topics;
  const Topic& topic = *request.conversation->other().topics.at(listener)->topic;
  if (join.since) {
    for (const auto& message : topics.kept_since(topic, *join.since, join.since_max)) {
      tell(request.conversation, TopicEvent{listener, message, true});
    }
  }
  if (join.hears_entries) tell(request.conversation, TopicEvent{listener, topics.present(topic), false});
}

// The conversation is in the topic from here on, unless it may not, or the step is over.
Result<void> Shard::enter(const ShardRequest& request, uint64_t listener, const TopicJoin& join) {
  NamespaceState& space = *request.space;
  Conversation& conversation = *request.conversation;
  RETURN_IF_ERROR(committer_.load(space.tree));
  auto place = std::make_unique<TopicPlace>();
  place->id = listener;
  for (Subscription* right : {&place->being, &place->speaking}) {
    right->audience = request.conversation;
    right->id = listener;
  }
  place->being.purpose = Subscription::For::Topic;
  place->being.check = join.may_be;
  place->speaking.purpose = Subscription::For::Speaking;
  place->speaking.check = join.may_speak;
  place->hears_entries = join.hears_entries;
  place->hears_itself = join.hears_itself;
  place->is_kept = join.is_kept;
  RETURN_IF_ERROR(room_in_topics(space, kTopicMemberBytes + kTopicBytes + 2 * join.topic.size()));
  const Topic* known = space.topics != nullptr ? space.topics->find(join.topic) : nullptr;
  if (known != nullptr && join.hears_entries) Step::here().foresee({known->entries.size(), 0, 0});
  Result<void> allowed = check(space, place->being);
  if (Step::here().is_over() || !allowed.ok()) {
    space.registry.remove(place->being);  // it may have noted what the check looked at
    return allowed;
  }
  const Step::Whole whole;
  leave(space, conversation, listener);
  if (space.topics == nullptr) space.topics = std::make_unique<Topics>(with_.memory->topics);
  space.registry.add_right(place->being);
  space.registry.add_right(place->speaking);
  space.topics->join(*place, join.topic);
  conversation.other().topics[listener] = std::move(place);
  return {};
}

// What is known of the right to speak is true until something that it read has changed (lose_right), or its time is over.
Result<void> Shard::may_speak(NamespaceState& space, TopicPlace& place) {
  if (place.speaking.check == nullptr) return {};
  if (place.may_speak && !place.speaking.has_lapsed(with_.clock.now())) return {};
  RETURN_IF_ERROR(committer_.load(space.tree));
  Result<void> verdict = check(space, place.speaking);
  place.may_speak = verdict.ok() && !Step::here().is_over();
  return verdict;
}

void Shard::tell_topic(const Topic& topic, const std::shared_ptr<const TopicMessage>& message,
                       const TopicPlace* speaker) {
  const bool is_said = message->kind == TopicMessage::Kind::Said;
  for (const TopicMember* member : topic.members) {
    const auto& place = static_cast<const TopicPlace&>(*member);
    if (is_said ? &place == speaker && !place.hears_itself : !place.hears_entries) continue;
    tell(std::static_pointer_cast<Conversation>(place.being.audience), TopicEvent{place.id, message, false});
  }
}

void Shard::handle(ShardRequest& request, SayRequest& what) {
  NamespaceState& space = *request.space;
  TopicPlace* speaker = nullptr;
  const Topic* topic = nullptr;
  bool is_kept = what.is_kept;
  Result<void> verdict;
  if (request.conversation != nullptr) {
    OtherListeners& others = request.conversation->other();
    const auto found = others.topics.find(what.listener);
    if (found == others.topics.end())
      return answer_with(request, Error{ErrorCode::NotFound, "It is not in the topic."});
    speaker = found->second.get();
    topic = speaker->topic;
    is_kept = speaker->is_kept;
    verdict = may_speak(space, *speaker);
  } else {
    if (Result<void> loaded = committer_.load(space.tree); !loaded.ok()) return answer_with(request, std::move(loaded));
    if (what.may_speak != nullptr) verdict = what.may_speak->check(moment_of(space));
    if (space.topics != nullptr) topic = space.topics->find(what.topic);
  }
  if (Step::here().is_over()) return;
  // What was said is the first to go short: half of the room is for those who are there.
  is_kept = is_kept && has_room_to_keep(space, what.message->byte_count());
  if (!verdict.ok()) return answer_with(request, std::move(verdict));
  if (topic != nullptr) Step::here().foresee({topic->members.size(), 0, 0});
  if (Step::here().is_over()) return;
  const Step::Whole whole;
  counted_.topic_messages.add();
  if (is_kept) {
    what.message->time = with_.clock.now();
    if (space.topics == nullptr) space.topics = std::make_unique<Topics>(with_.memory->topics);
    what.message->number = space.topics->next_number();
    const std::string name = topic != nullptr ? topic->name : what.topic;
    space.topics->keep(name, what.message);
    topic = space.topics->find(name);
  }
  if (topic != nullptr) tell_topic(*topic, what.message, speaker);
  answer_with(request, {});
}

void Shard::handle(ShardRequest& request, HearEntriesRequest& what) {
  const auto& topics = request.conversation->other().topics;
  const auto found = topics.find(what.listener);
  if (found == topics.end() || found->second->hears_entries) return;
  Step::here().foresee({found->second->topic->entries.size(), 0, 0});
  if (Step::here().is_over()) return;
  found->second->hears_entries = true;
  tell(request.conversation, TopicEvent{what.listener, request.space->topics->present(*found->second->topic), false});
}

void Shard::handle(ShardRequest& request, AnnounceRequest& what) {
  NamespaceState& space = *request.space;
  OtherListeners& others = request.conversation->other();
  const auto found = others.topics.find(what.listener);
  if (found == others.topics.end()) return answer_with(request, Error{ErrorCode::NotFound, "It is not in the topic."});
  TopicPlace& place = *found->second;
  size_t bytes = 0;
  bool adds = false;
  for (const TopicAnnouncement& one : what.announcements) {
    bytes += one.key.size() + one.value.size();
    adds = adds || !one.is_gone;
  }
  Result<void> verdict = adds ? may_speak(space, place) : Result<void>();
  if (Step::here().is_over()) return;
  if (verdict.ok() && adds) verdict = room_in_topics(space, bytes);
  Step::here().foresee({place.topic->members.size(), 0, 0});
  if (Step::here().is_over()) return;
  const Step::Whole whole;
  // Who has lost the right, or finds no room, may still take away what it announced.
  if (!verdict.ok()) std::erase_if(what.announcements, [](const TopicAnnouncement& one) { return !one.is_gone; });
  const auto news = space.topics->announce(place, what.announcements, with_.clock.now());
  if (!news.ok()) return answer_with(request, news.error());
  if (news.value() != nullptr) tell_topic(*place.topic, news.value(), nullptr);
  answer_with(request, std::move(verdict));
}

void Shard::handle(ShardRequest& request, RecheckTopicRequest& what) {
  if (request.conversation->others == nullptr) return;
  auto& topics = request.conversation->others->topics;
  const auto found = topics.find(what.listener);
  if (found == topics.end()) return;
  NamespaceState& space = *request.space;
  TopicPlace& place = *found->second;
  place.being.check = what.may_be;
  place.speaking.check = what.may_speak;
  place.may_speak = false;
  const Result<void> verdict = check(space, place.being);
  if (verdict.ok() || Step::here().is_over()) return;
  lose_right(space, request.conversation, {&place.being, nullptr, verdict.error()});
}

// A commit, or new rules, have turned a verdict. The right to speak is asked for again when somebody speaks.
void Shard::lose_right(NamespaceState& space, const std::shared_ptr<Conversation>& conversation,
                       const Notification& lost) {
  if (conversation->others == nullptr) return;
  const uint64_t id = lost.subscription->id;
  auto& topics = conversation->others->topics;
  const auto found = topics.find(id);
  if (found == topics.end()) return;
  if (lost.subscription->purpose == Subscription::For::Speaking) {
    found->second->may_speak = false;
    space.registry.add_right(*lost.subscription);  // it was taken out; the next question watches again
    return;
  }
  leave(space, *conversation, id);
  Event event;
  event.kind = Event::Kind::Revoked;
  event.listener = id;
  event.sequence = space.tree.head.sequence;
  event.error = lost.revoked;
  tell(conversation, std::move(event));
}

void Shard::leave_topic(NamespaceState& space, TopicPlace& place) {
  if (place.is_document) leave_document(space, place);
  space.registry.remove(place.being);
  space.registry.remove(place.speaking);
  const std::string name = place.topic != nullptr ? place.topic->name : std::string();
  const auto told = space.topics->leave(place, with_.clock.now());
  Step::here().count_row(0);
  if (told == nullptr) return;
  if (const Topic* topic = space.topics->find(name)) {
    Step::here().count({topic->members.size(), 0, 0});
    tell_topic(*topic, told, nullptr);
  }
}

// Ends a listener to rows or a place in a topic. False: there was none of that id.
// What is told of it is part of the same step, however many are told.
bool Shard::leave(NamespaceState& space, Conversation& conversation, uint64_t listener) {
  if (conversation.others == nullptr) return false;
  const Step::Whole whole;
  OtherListeners& others = *conversation.others;
  if (const auto rows = others.rows.find(listener); rows != others.rows.end()) {
    space.rows.remove(*rows->second);
    if (!space.row_throttles.empty()) {
      const auto whose = std::static_pointer_cast<Conversation>(rows->second->audience);
      for (auto& [table, one] : space.row_throttles) one.withheld.forget({whose, listener});
    }
    Step::here().count_row(0);
    others.rows.erase(rows);
    return true;
  }
  const auto topic = others.topics.find(listener);
  if (topic == others.topics.end()) return false;
  leave_topic(space, *topic->second);
  others.topics.erase(topic);
  return true;
}

}  // namespace hearth::db
