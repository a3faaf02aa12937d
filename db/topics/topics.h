// The topics of one namespace: who is there, and what was said a while ago. In memory only; the shard orders what is
// said, and tells it (db/shard/shard_topics.cc). A topic is there as long as it has a member, or keeps what was said.
//
//   join ─▶ Topic "todos:u1"    members   ada (phone), ada (desk), ben
//                               entries   ada ─▶ {phone: v7}, {desk: v9}      without clocks: one of each member
//                                         4711 ─▶ {ben: clock 12}             with clocks: one of the topic
//   announce, leave ─▶ Changed {joined, left}: what became of the entries, for the shard to tell
//
// Entries with clocks. Clients send back whatever they hear, so most of what comes is known: it is dropped without a
// word. An entry belongs to the member that first brought it, until that member has gone. The clock of who has gone is
// remembered for a while, so that an old word does not bring it back.
//
// Thread: the namespace's shard.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/model/topic.h"

namespace hearth::db {

inline constexpr size_t kTopicMemberBytes =
    1'536;                                      // about what a member holds in memory, with what the layers above keep
inline constexpr size_t kTopicBytes = 512;      // a topic, beside its name
inline constexpr size_t kTopicEntriesMax = 64;  // of one member
inline constexpr std::chrono::milliseconds kGoneClockTime{60'000};  // that the clock of who has gone is remembered
// What was said, kept for those who come later: of one topic, and of all that nobody is in.
inline constexpr size_t kTopicKeptMessages = 256;
inline constexpr size_t kTopicKeptBytes = 256u << 10;
inline constexpr size_t kTopicsKeptBytes = 4u << 20;

struct Topic;

// One who is in a topic. Its owner keeps it; it must have left before it goes.
struct TopicMember {
  Topic* topic = nullptr;  // null: it is in none
  bool hears_entries = false;
  bool hears_itself = false;
  std::vector<std::string> keys{};  // of the entries that it owns
  size_t index = 0;                 // among the members
};

struct Topic {
  struct Entry {
    TopicMember* owner = nullptr;  // null: has gone
    uint64_t version = 0;
    std::string value{};
    bool has_clock = false;
    bool is_gone = false;
    Timestamp gone{};
  };
  std::string name;
  std::vector<TopicMember*> members;
  std::map<std::string, std::vector<Entry>, std::less<>> entries;  // by key
  std::deque<std::shared_ptr<const TopicMessage>> kept;
  size_t kept_bytes = 0;
  size_t bytes = 0;                                 // about what it holds in memory, members included
  Timestamp swept{};                                // when clocks of those who have gone were last looked at
  std::optional<std::list<Topic*>::iterator> idle;  // among those that nobody is in
};

class Topics {
 public:
  struct Count {
    Gauge topics, members, bytes;
  };
  explicit Topics(Count& counted) : counted_(counted) {}
  ~Topics();
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  void join(TopicMember& member, const std::string& name);
  using Message = std::shared_ptr<const TopicMessage>;
  // The member is in no topic from here on. Returns what is to be told to those who are still there; null: nothing.
  Message leave(TopicMember& member, Timestamp now);

  // Returns what is new, to be told to all members; null: nothing is. Of more than kTopicEntriesMax the rest is left out.
  // Errors: TooLarge, nothing found room.
  Result<Message> announce(TopicMember& member, const std::vector<TopicAnnouncement>& all, Timestamp now);
  Message present(const Topic& topic) const;

  Topic* find(std::string_view name) const;  // null: there is none
  size_t size() const { return topics_.size(); }
  // In the order of their names, until `look` returns false.
  void each(const std::function<bool(const Topic&)>& look) const;
  uint64_t next_number() { return ++last_number_; }  // of what is kept
  void keep(const std::string& name, Message message);
  // What was said after `since`, the oldest first; the newest `most` of it.
  std::vector<Message> kept_since(const Topic& topic, Timestamp since, size_t most) const;

  size_t byte_count() const { return bytes_; }
  bool empty() const { return topics_.empty(); }

 private:
  Topic& at(const std::string& name);
  void settle(Topic& topic);
  void count_bytes(Topic& topic, int64_t bytes);
  void take_away(Topic& topic, TopicMember& member, const std::string& key, TopicMessage& told, Timestamp now);
  void forget_gone(Topic& topic, Timestamp now);
  void announce_clocked(TopicMember& member, const TopicAnnouncement& one, TopicMessage& told, Timestamp now);
  void announce_own(TopicMember& member, const TopicAnnouncement& one, TopicMessage& told);

  Count& counted_;
  std::map<std::string, std::unique_ptr<Topic>, std::less<>> topics_;
  std::list<Topic*> idle_;  // that are kept though nobody is in them, the longest first
  size_t idle_bytes_ = 0;
  size_t bytes_ = 0;
  uint64_t last_version_ = 0;
  uint64_t last_number_ = 0;
};

}  // namespace hearth::db
