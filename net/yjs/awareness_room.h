// Awareness of one document, for all its clients on one io thread. Stock clients send back whatever they hear, so of N
// clients that see one move N words come in: what is known already ends here, without a word to the shard. Most of them
// are the very bytes that were told last, which is seen by comparing them; of the others the clocks are looked at. What
// is news leaves for the shard together, all that clients say within kAwarenessDelay. One of the clients, the ear, hears of
// the document's entries for all of them; what it hears is told in one message, made and framed once, and not sooner than
// kAwarenessDelay behind the one before.
//
//   client ─▶ has_news()? ─ no: dropped
//                 │ yes
//                 └─▶ speak() ─ all within 5 ms ─▶ shard (db/topics) ─▶ the ear's session
//                                                                           └─▶ note() ─ at once, or 5 ms behind the last ─▶ all clients
//
// Where nobody moved for kAwarenessQuiet, the first move waits at neither end. In a lively document that has one room, as most
// have (document_homes.h), a move waits 5 ms at the most: what comes back is what was said together. Where rooms of several
// threads speak it is 10 ms. Of 20 clients that move 20 times a second, a move costs some seven messages instead of 20.
//
// The gate. Each of those messages comes back, and not at once but one after another, so most echoes would find the thread
// asleep: to wake it costs more than all else that is done for a move. So the clients of a lively room are heard through one
// gate (net/io/gate.h), which is shut when nothing that is said is of use before it opens:
//
//   told to all ─▶ shut for kEchoTime, for the echoes ─▶ first news ─▶ shut until all may speak ─▶ they speak ─▶ told to all
//
// What waited at the gate waits so much less for the others. Edits come through the same gate, 5 ms late at the most.
//
// When the ear goes, another client takes its place, and hears first of all entries that there are: what has changed in
// between is told then, so nothing is missed.
//
// Thread: the home io thread of its clients.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "db/model/topic.h"
#include "net/io/bytes.h"
#include "net/io/gate.h"
#include "net/io/io_pool.h"

namespace hearth::net::yjs {

inline constexpr std::chrono::milliseconds kAwarenessDelay{5};
inline constexpr std::chrono::milliseconds kAwarenessQuiet{20};
inline constexpr std::chrono::milliseconds kEchoTime{2};       // in which most clients send back what they are told
inline constexpr std::chrono::milliseconds kGateQuiet{1'000};  // two moves within it, and the room has a gate
inline constexpr std::chrono::milliseconds kGateKept{10'000};  // without a move, and it has none any more
inline constexpr size_t kGateMembersMin = 4;
inline constexpr size_t kKnownClientsMax = 10'000;  // of one document, that are remembered

// What all clients of a room are told alike: the bytes, and the frames made of them, once for each head of a message.
class AwarenessTold {
 public:
  explicit AwarenessTold(std::string bytes) : bytes_(std::move(bytes)) {}
  const std::string& bytes() const { return bytes_; }
  http::SharedBytes frame(const std::string& head) const;

 private:
  const std::string bytes_;
  mutable std::vector<std::pair<std::string, http::SharedBytes>> frames_{};  // by head; y-websocket has none
};

class AwarenessRoom : public std::enable_shared_from_this<AwarenessRoom> {
 public:
  class Member {
   public:
    virtual ~Member() = default;
    virtual void be_ear() = 0;    // hear of the entries from here on (rules::Session::hear_entries)
    virtual void announce() = 0;  // what was kept for it
    virtual void tell_awareness(const AwarenessTold& told) = 0;
    virtual void hear_through(http::Gate* gate) = 0;  // its client, and null: as any
  };
  void join(Member& member);  // it is told who is there, once that is known
  void leave(Member& member);

  // Whether a client's awareness update may be news to anybody. Nothing is parsed but its clocks, and nothing is kept.
  // What is no update is news.
  bool has_news(std::string_view awareness) const;
  bool is_news(uint64_t client, uint64_t clock, bool is_gone) const;
  // The member has something to announce, and is told when, once.
  void speak(Member& member);
  // What the ear has heard.
  void note(const db::TopicMessage& message);

 private:
  struct Known {
    uint64_t clock = 0;
    std::string state{};  // JSON text; "null": gone
    bool is_gone() const { return state == "null"; }
  };
  bool learn(uint64_t client, uint64_t clock, const std::string& state);
  void schedule();
  void flush();
  void let_speak();
  void use_gate();
  void watch_gate();
  void tell_present(Member& member) const;
  std::string awareness_of(const std::set<uint64_t>& clients) const;

  std::vector<Member*> members_;
  std::vector<Member*> newcomers_;  // of them, that came while the ear had not heard who is there
  Member* ear_ = nullptr;
  bool is_ready_ = false;  // the ear has heard who is there
  std::unordered_map<uint64_t, Known> known_;
  std::set<uint64_t> changed_;  // that are to be told
  // What was told to all lately, which most clients send back.
  std::array<std::string, 3> last_told_{};
  size_t told_count_ = 0;
  std::chrono::steady_clock::time_point told_at_{};
  http::Timer timer_;
  bool is_scheduled_ = false;
  std::vector<Member*> speakers_;  // that have something to announce
  std::chrono::steady_clock::time_point spoken_at_{};
  http::Timer speak_timer_;
  bool is_about_to_speak_ = false;
  http::GateLease gate_;  // null: few are here, or little moves
  http::Timer gate_timer_;
};

// The rooms of one io thread, by namespace and path.
class AwarenessRooms {
 public:
  std::shared_ptr<AwarenessRoom> room(const std::string& space, const std::string& path);

 private:
  std::map<std::string, std::weak_ptr<AwarenessRoom>> rooms_;
  size_t next_sweep_ = 64;
};

}  // namespace hearth::net::yjs
