// Awareness of one document, for all its clients on one io thread. Stock clients send back whatever they hear, so of N
// clients that see one move N words come in: what is known already ends here, without a word to the shard. And what is
// told within kAwarenessDelay leaves as one message, made once for all clients of the thread.
//
//   client ─▶ is_news()? ─ no: dropped ─▶ shard (db/topics) ─▶ every client's session ─▶ note(): the first of them adds it
//                                                                         after kAwarenessDelay: one message ─▶ clients
//
// Thread: the home io thread of its clients.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "db/documents/awareness.h"
#include "db/model/topic.h"
#include "net/http/bytes.h"
#include "net/http/io_pool.h"

namespace hearth::net::yjs {

inline constexpr std::chrono::milliseconds kAwarenessDelay{5};

class AwarenessRoom : public std::enable_shared_from_this<AwarenessRoom> {
 public:
  class Member {
   public:
    virtual ~Member() = default;
    virtual void tell_awareness(const std::string& awareness) = 0;
  };
  void join(Member& member) { members_.push_back(&member); }
  void leave(Member& member) { std::erase(members_, &member); }
  bool empty() const { return members_.empty(); }

  // Whether an entry of a client's may be news to anybody.
  bool is_news(const db::documents::AwarenessEntry& entry) const;
  // What a session has heard; each message comes once for each member.
  void note(const db::TopicMessage& message);

 private:
  struct Known {
    uint64_t clock = 0;
    bool is_gone = false;
  };
  struct Waiting {
    uint64_t clock;
    std::string state;  // "null": gone
  };
  void add(const db::TopicEntry& entry, bool is_gone);
  void flush();

  std::vector<Member*> members_;
  std::unordered_map<uint64_t, Known> known_;
  std::map<uint64_t, Waiting> waiting_;
  http::Timer timer_;
  bool is_scheduled_ = false;
};

// The entries of a message, as one awareness update; "": there are none.
std::string awareness_of(const db::TopicMessage& message);

// The rooms of one io thread, by namespace and path.
class AwarenessRooms {
 public:
  std::shared_ptr<AwarenessRoom> room(const std::string& space, const std::string& path);

 private:
  std::map<std::string, std::weak_ptr<AwarenessRoom>> rooms_;
  size_t next_sweep_ = 64;
};

}  // namespace hearth::net::yjs
