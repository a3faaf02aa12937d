// Topics: what is said to all who are there, and who is there. In memory only (db/topics/topics.h); each protocol gives
// the words their meaning: a broadcast and presence, or awareness of cursors.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/model/forms.h"
#include "db/model/precondition.h"

namespace hearth::db {

// What one member says of itself, under a key: presence, a cursor.
struct TopicEntry {
  std::string key;
  uint64_t version = 0;   // unique in its topic, or the clock that its owner gave
  uint64_t replaces = 0;  // of a new one: the version of the same member's entry that it takes the place of; 0: none
  std::string value;      // the protocol's
  size_t byte_count() const { return sizeof *this + key.size() + value.size(); }
};

// Immutable, and shared by all who hear it.
struct TopicMessage {
  enum class Kind : uint8_t {
    Said,     // `event` and `bytes`
    Changed,  // the entries `joined` and `left`
    Present,  // `joined` are all entries that there are
  };
  Kind kind = Kind::Said;
  std::string event{};
  std::string bytes{};
  bool is_binary = false;  // `bytes` are no JSON text
  uint64_t number = 0;     // of what is kept to be said again: counts up in its topic
  Timestamp time{};        // the same
  std::vector<TopicEntry> joined{}, left{};
  Forms forms{};

  size_t byte_count() const {
    size_t count = sizeof *this + event.size() + bytes.size();
    for (const TopicEntry& entry : joined) count += entry.byte_count();
    for (const TopicEntry& entry : left) count += entry.byte_count();
    return count;
  }
};

// How to be in a topic.
struct TopicJoin {
  std::string topic;
  bool hears_entries = false;  // Present after the answer, and Changed from then on
  bool hears_itself = false;   // what it says
  bool is_kept = false;        // what is said here is kept for a while, for those who come later
  // Of what was kept: what was said after that time, at most so many, before anything else is heard.
  std::optional<Timestamp> since{};
  size_t since_max = 0;
  std::shared_ptr<const Precondition> may_be{};     // null: everyone. Asked again when what it read changes
  std::shared_ptr<const Precondition> may_speak{};  // the same; for saying and announcing
};

// What a member wants to be known of itself, or not any more.
struct TopicAnnouncement {
  std::string key;
  std::string value{};  // the protocol's
  bool is_gone = false;
  // With a clock an entry is its topic's, whoever says it first owns it, and only newer ones pass. Without one every
  // member has an entry of its own under the key, and a new one takes its place.
  std::optional<uint64_t> clock{};
};

// To a member.
struct TopicEvent {
  uint64_t listener = 0;
  std::shared_ptr<const TopicMessage> message;
  bool is_replayed = false;  // it was said before this member came
};

}  // namespace hearth::db
