// Members come and go in constant time; what an entry becomes follows from its clock and its owner:
//
//   with a clock      known? older or equal      dropped; equal and "gone" of its owner: it goes
//                     another live member's      dropped
//                     newer                      passes; the member owns it from here on
//   without a clock   the same value again       dropped, nobody is told
//                     another value              the old one leaves and the new one joins, in one message
//
// What a topic promises to those who are in it:
// - One state and its differences. present() is all that is there; each Changed from then on is what came and what
//   went. A member that applies them in order has at each moment what present() would tell. An entry that replaces
//   another names its version (`replaces`), so that no one who watches sees somebody leave and come.
// - Who leaves takes along what was announced. A member owns its entries by `keys`, and leave() takes each of them
//   away: so a connection that breaks leaves nobody behind who is not there.
// - A member changes and takes away its own entries alone. Once an owner has left, others may pass on a newer "gone" of
//   its client; they do not own the entry by that.
//
// Who comes back. Clients of Yjs send all entries that they know, also those of others. A client's entry with an old
// clock would bring back somebody who has left; so an entry with a clock stays for kGoneClockTime at least, without its
// value and as gone, and only a newer clock brings it back. It may stay longer: forget_gone() looks when somebody
// leaves, and seldom.
//
// What is kept. A message that is kept for those who come later lies in `kept`, the oldest first. Three limits hold it:
// messages and bytes of a topic, and bytes of all topics that nobody is in (idle_). Of these the one that was left
// first goes first, as a whole. A topic that someone is in never goes, so its messages are outside of idle_bytes_ until
// the last member has left. keep() makes a topic that is not there, and settle() decides whether it stays: so a message
// that is too large to be kept leaves no empty topic.
//
// Nothing here sends anything, and nothing is on disk. The shard tells what these functions return, in its order.
#include "db/topics/topics.h"

#include <algorithm>
#include <utility>

namespace hearth::db {
namespace {

constexpr size_t kEntryBytes = 160;  // about what one holds in memory, beside its key and its value

size_t bytes_of(const std::string& key, const std::string& value) { return kEntryBytes + key.size() + value.size(); }

std::shared_ptr<TopicMessage> changed() {
  auto message = std::make_shared<TopicMessage>();
  message->kind = TopicMessage::Kind::Changed;
  return message;
}

Topics::Message unless_empty(std::shared_ptr<TopicMessage> message) {
  if (message->joined.empty() && message->left.empty()) return nullptr;
  return message;
}

}  // namespace

Topics::~Topics() {
  for (auto& [name, topic] : topics_) {
    counted_.topics.add(-1);
    counted_.members.add(-static_cast<int64_t>(topic->members.size()));
    counted_.bytes.add(-static_cast<int64_t>(topic->bytes));
  }
}

void Topics::count_bytes(Topic& topic, int64_t bytes) {
  topic.bytes += static_cast<size_t>(bytes);
  bytes_ += static_cast<size_t>(bytes);
  counted_.bytes.add(bytes);
}

void Topics::each(const std::function<bool(const Topic&)>& look) const {
  for (const auto& [name, topic] : topics_) {
    if (!look(*topic)) return;
  }
}

Topic* Topics::find(std::string_view name) const {
  const auto found = topics_.find(name);
  return found == topics_.end() ? nullptr : found->second.get();
}

Topic& Topics::at(const std::string& name) {
  std::unique_ptr<Topic>& topic = topics_[name];
  if (topic == nullptr) {
    topic = std::make_unique<Topic>();
    topic->name = name;
    counted_.topics.add();
    count_bytes(*topic, static_cast<int64_t>(kTopicBytes + 2 * name.size()));
  }
  return *topic;
}

void Topics::join(TopicMember& member, const std::string& name) {
  Topic& topic = at(name);
  if (topic.idle) {
    idle_.erase(*topic.idle);
    topic.idle.reset();
    idle_bytes_ -= topic.kept_bytes;
  }
  member.topic = &topic;
  member.index = topic.members.size();
  member.keys.clear();
  topic.members.push_back(&member);
  counted_.members.add();
  count_bytes(topic, kTopicMemberBytes);
}

Topics::Message Topics::leave(TopicMember& member, Timestamp now) {
  Topic* topic = std::exchange(member.topic, nullptr);
  if (topic == nullptr) return nullptr;
  TopicMember* last = topic->members.back();  // the order of members means nothing
  topic->members[member.index] = last;
  last->index = member.index;
  topic->members.pop_back();
  counted_.members.add(-1);
  count_bytes(*topic, -static_cast<int64_t>(kTopicMemberBytes));
  auto told = changed();
  for (const std::string& key : std::exchange(member.keys, {})) take_away(*topic, member, key, *told, now);
  forget_gone(*topic, now);
  settle(*topic);
  return unless_empty(std::move(told));
}

// Ends the member's entry at `key`. Of an entry with a clock the clock is kept, so that an older word does not bring it
// back.
void Topics::take_away(Topic& topic, TopicMember& member, const std::string& key, TopicMessage& told, Timestamp now) {
  const auto found = topic.entries.find(key);
  if (found == topic.entries.end()) return;
  std::vector<Topic::Entry>& entries = found->second;
  const auto own =
      std::find_if(entries.begin(), entries.end(), [&](const Topic::Entry& entry) { return entry.owner == &member; });
  if (own == entries.end()) return;
  own->owner = nullptr;
  if (!own->is_gone) told.left.push_back({key, own->version, 0, own->value});
  if (own->has_clock) {
    count_bytes(topic, -static_cast<int64_t>(own->value.size()));
    own->value.clear();
    own->is_gone = true;
    own->gone = now;
    return;
  }
  count_bytes(topic, -static_cast<int64_t>(bytes_of(key, own->value)));
  entries.erase(own);
  if (entries.empty()) topic.entries.erase(found);
}

// Forgets the clocks of entries that went more than kGoneClockTime ago. All entries of the topic are looked at, so that
// is done once in that time, and not each time that somebody leaves.
void Topics::forget_gone(Topic& topic, Timestamp now) {
  if (now < topic.swept + kGoneClockTime) return;
  topic.swept = now;
  for (auto at = topic.entries.begin(); at != topic.entries.end();) {
    auto& [key, entries] = *at;
    std::erase_if(entries, [&](const Topic::Entry& entry) {
      if (!entry.is_gone || entry.owner != nullptr || now < entry.gone + kGoneClockTime) return false;
      count_bytes(topic, -static_cast<int64_t>(bytes_of(key, entry.value)));
      return true;
    });
    at = entries.empty() ? topic.entries.erase(at) : std::next(at);
  }
}

// A topic that nobody is in goes, unless it keeps what was said; of those the oldest go when they are too large.
void Topics::settle(Topic& topic) {
  if (!topic.members.empty()) return;
  const auto drop = [this](Topic& one) {
    count_bytes(one, -static_cast<int64_t>(one.bytes));
    counted_.topics.add(-1);
    topics_.erase(topics_.find(one.name));
  };
  if (topic.kept.empty()) return drop(topic);
  if (!topic.idle) {
    topic.idle = idle_.insert(idle_.end(), &topic);
    idle_bytes_ += topic.kept_bytes;
  }
  while (idle_bytes_ > kTopicsKeptBytes) {
    Topic& oldest = *idle_.front();
    idle_.pop_front();
    idle_bytes_ -= oldest.kept_bytes;
    drop(oldest);
  }
}

Result<Topics::Message> Topics::announce(TopicMember& member, const std::vector<TopicAnnouncement>& all,
                                         Timestamp now) {
  if (member.topic == nullptr) return Error{ErrorCode::NotFound, "Nobody announces anything in a topic it is not in."};
  auto told = changed();
  bool left_out = false;
  for (const TopicAnnouncement& one : all) {
    if (!one.is_gone && member.keys.size() >= kTopicEntriesMax &&
        std::find(member.keys.begin(), member.keys.end(), one.key) == member.keys.end()) {
      left_out = true;  // what did find room is told all the same
      continue;
    }
    if (one.clock) {
      announce_clocked(member, one, *told, now);
    } else {
      announce_own(member, one, *told);
    }
  }
  if (left_out && told->joined.empty() && told->left.empty()) {
    return Error{ErrorCode::TooLarge,
                 "A member announces at most " + std::to_string(kTopicEntriesMax) + " entries in a topic."};
  }
  return unless_empty(std::move(told));
}

void Topics::announce_clocked(TopicMember& member, const TopicAnnouncement& one, TopicMessage& told, Timestamp now) {
  Topic& topic = *member.topic;
  const auto found = topic.entries.find(one.key);
  if (found == topic.entries.end()) {
    if (one.is_gone || *one.clock == 0) return;  // who never says anything is not there: the known clock is 0
    topic.entries[one.key].push_back({.owner = &member, .version = *one.clock, .value = one.value, .has_clock = true});
    count_bytes(topic, static_cast<int64_t>(bytes_of(one.key, one.value)));
    member.keys.push_back(one.key);
    told.joined.push_back({one.key, *one.clock, 0, one.value});
    return;
  }
  Topic::Entry& entry = found->second.front();
  if (entry.owner != nullptr && entry.owner != &member) return;
  const bool is_newer = *one.clock > entry.version;
  const bool ends = one.is_gone && !entry.is_gone && *one.clock == entry.version;
  if (!is_newer && !ends) return;
  if (entry.owner == nullptr && !one.is_gone) {  // who says that somebody has gone speaks for nobody
    entry.owner = &member;
    member.keys.push_back(one.key);
  }
  const TopicEntry before{one.key, *one.clock, 0, entry.value};
  count_bytes(topic,
              static_cast<int64_t>(one.is_gone ? 0 : one.value.size()) - static_cast<int64_t>(entry.value.size()));
  entry.version = *one.clock;
  entry.value = one.is_gone ? std::string() : one.value;
  const bool was_gone = std::exchange(entry.is_gone, one.is_gone);
  if (one.is_gone) {
    entry.gone = now;
    if (!was_gone) told.left.push_back(before);
  } else {
    told.joined.push_back({one.key, *one.clock, 0, one.value});
  }
}

void Topics::announce_own(TopicMember& member, const TopicAnnouncement& one, TopicMessage& told) {
  Topic& topic = *member.topic;
  const auto found = topic.entries.find(one.key);
  Topic::Entry* own = nullptr;
  if (found != topic.entries.end()) {
    const auto at = std::find_if(found->second.begin(), found->second.end(),
                                 [&](const Topic::Entry& entry) { return entry.owner == &member; });
    if (at != found->second.end()) own = &*at;
  }
  if (one.is_gone) {
    if (own == nullptr) return;
    told.left.push_back({one.key, own->version, 0, own->value});
    count_bytes(topic, -static_cast<int64_t>(bytes_of(one.key, own->value)));
    found->second.erase(found->second.begin() + (own - found->second.data()));
    if (found->second.empty()) topic.entries.erase(found);
    std::erase(member.keys, one.key);
    return;
  }
  if (own != nullptr && own->value == one.value) return;
  const uint64_t version = ++last_version_;
  if (own == nullptr) {
    topic.entries[one.key].push_back({.owner = &member, .version = version, .value = one.value});
    count_bytes(topic, static_cast<int64_t>(bytes_of(one.key, one.value)));
    member.keys.push_back(one.key);
    told.joined.push_back({one.key, version, 0, one.value});
    return;
  }
  told.left.push_back({one.key, own->version, 0, own->value});
  told.joined.push_back({one.key, version, own->version, one.value});
  count_bytes(topic, static_cast<int64_t>(one.value.size()) - static_cast<int64_t>(own->value.size()));
  own->version = version;
  own->value = one.value;
}

Topics::Message Topics::present(const Topic& topic) const {
  auto message = std::make_shared<TopicMessage>();
  message->kind = TopicMessage::Kind::Present;
  for (const auto& [key, entries] : topic.entries) {
    for (const Topic::Entry& entry : entries) {
      if (!entry.is_gone) message->joined.push_back({key, entry.version, 0, entry.value});
    }
  }
  return message;
}

void Topics::keep(const std::string& name, Message message) {
  Topic& topic = at(name);
  const size_t bytes = message->byte_count();
  if (bytes > kTopicKeptBytes) return settle(topic);
  if (topic.idle) idle_bytes_ += bytes;
  topic.kept.push_back(std::move(message));
  topic.kept_bytes += bytes;
  count_bytes(topic, static_cast<int64_t>(bytes));
  while (topic.kept.size() > kTopicKeptMessages || topic.kept_bytes > kTopicKeptBytes) {
    const size_t gone = topic.kept.front()->byte_count();
    topic.kept.pop_front();
    topic.kept_bytes -= gone;
    if (topic.idle) idle_bytes_ -= gone;
    count_bytes(topic, -static_cast<int64_t>(gone));
  }
  settle(topic);
}

std::vector<Topics::Message> Topics::kept_since(const Topic& topic, Timestamp since, size_t most) const {
  std::vector<Message> found;
  for (auto at = topic.kept.rbegin(); at != topic.kept.rend() && found.size() < most; ++at) {
    if ((*at)->time <= since) break;
    found.push_back(*at);
  }
  std::reverse(found.begin(), found.end());
  return found;
}

}  // namespace hearth::db
