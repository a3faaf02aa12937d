// One namespace in memory: what its shard knows of it, and the conversations with it. Everything here but the constant
// name and shard belongs to the shard's thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "db/base/id_map.h"
#include "db/base/metrics.h"
#include "db/base/random.h"
#include "db/base/wake.h"
#include "db/commit/committer.h"
#include "db/commit/disconnect_queue.h"
#include "db/documents/coverage.h"
#include "db/events/listener_registry.h"
#include "db/events/row_registry.h"
#include "db/model/hash.h"
#include "db/model/live.h"
#include "db/read/fair_pool.h"
#include "db/shard/holders.h"
#include "db/shard/mirrors.h"
#include "db/shard/story.h"
#include "db/shard/throttle.h"
#include "db/shard/withheld_rows.h"
#include "db/topics/topics.h"

namespace hearth::db {

class Shard;
struct ShardRequest;
struct NamespaceState;

inline constexpr size_t kFirstValueBytes = 640;  // about what one holds in memory beside its value
inline constexpr size_t kMissedBytes = 160;      // about what a changed path holds beside its text

inline constexpr size_t kMissedPathsMax = 10'000;        // changed paths remembered for streams that come back
inline constexpr size_t kFirstValuesMax = 64;            // first values kept to be shared
inline constexpr size_t kSmallValueBytesMax = 64 << 10;  // of one that is kept as long as it is true
inline constexpr size_t kLargeValueBytesMax =
    8 << 20;                                   // of one that is kept among the latest of its shard, see LargeValues
inline constexpr size_t kLargeValuesMax = 64;  // that are
inline constexpr size_t kLargeValuesBytesMax = 16 << 20;  // of all these; their texts take as much again

// One that is in a topic: with the right to be there, and the right to speak there, which is asked for when it speaks.
struct TopicPlace final : TopicMember {
  uint64_t id = 0;  // the owner's
  Subscription being, speaking;
  bool may_speak = false;  // it was asked, and nothing that it read has changed
  bool is_kept = false;    // what is said here is
  std::string document{};  // the path text of the one that the topic is for; "" and is_document false: none
  bool is_document = false;
};

// A Yjs document that somebody has open.
struct OpenDocument {
  uint64_t id = 0;  // among all that were ever opened in its namespace
  Path path;
  size_t members = 0;
  bool is_known = false;  // what follows has been read
  uint64_t rows = 0, bytes = 0;
  uint64_t rows_since = 0, bytes_since = 0;  // that came since it was compacted
  bool is_compacting = false;
  std::optional<documents::Coverage> coverage{};  // of what it has; nothing: not known, or too large
  std::weak_ptr<const DocumentUpdates> read{};    // as it was read last, while somebody still has that
  uint64_t changed = 0;                           // the number of its last update, if one came while it was open
};
inline constexpr size_t kCoverageBytesMax = 1u << 20;
inline constexpr uint64_t kCompactRows = 200;          // updates since, at which a document is compacted
inline constexpr uint64_t kCompactBytes = 256u << 10;  // or bytes, and as many as it had
inline constexpr uint64_t kCompactRowsAtEnd = 20;      // when nobody has it open any more

// One that changes values by compare-and-set (db/shard/contests.h).
struct Contender {
  size_t contest = 0;     // where it has tried last
  uint64_t tried_in = 0;  // and in which group
  std::chrono::steady_clock::time_point asleep_since{};
  uint32_t losses = 0;     // conditional writes that were refused as stale since it won
  bool is_called = false;  // it was woken to try again
};

// Of a conversation: unguessable, URL-safe, as a text that has its length always.
class SessionId {
 public:
  static SessionId random() {
    SessionId made;
    random_hex(made.text_.size() / 2).copy(made.text_.data(), made.text_.size());
    return made;
  }
  operator std::string_view() const noexcept { return {text_.data(), text_.size()}; }

  // For maps that are asked for what a client calls an id.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view id) const noexcept { return std::hash<std::string_view>()(id); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
  };

 private:
  std::array<char, 32> text_{};
};

// What few conversations have beside listeners.
struct OtherListeners {
  std::map<uint64_t, std::unique_ptr<RowSubscription>> rows;  // by the owner's id
  std::map<uint64_t, std::unique_ptr<TopicPlace>> topics;     // the same
};

// One conversation's state at its shard. `story`, `is_gone` and the constants are for any thread, the rest for the
// shard's.
struct Conversation final : Audience {
  // `events` lives as long as the shards do.
  Conversation(const SessionId& session, std::shared_ptr<NamespaceState> with, Wake wake, EventBudget* events)
      : id(session), space(std::move(with)), story(std::move(wake), events) {}
  const SessionId id;
  const std::shared_ptr<NamespaceState> space;
  Timestamp since{};  // constant once others know of it
  // Who has it, for those who run the server: said by the owner, on any thread (Client::set_origin, set_admin).
  std::atomic<uint64_t> connection = 0;
  std::atomic<const char*> protocol = "";
  std::atomic<bool> is_admin = false;
  std::atomic<bool> is_gone = false;  // nobody hears the story any more
  bool ended = false;                 // the shard's, as what comes behind the story
  Origin origin() const {
    return {connection.load(std::memory_order_relaxed), protocol.load(std::memory_order_relaxed)};
  }
  Payer payer() const;  // whose share of the readers' turns it takes
  Story story;
  std::unique_ptr<DisconnectQueue> queue;              // null until something is queued
  std::unique_ptr<const std::string> label;            // Client::set_label; null for the many that have none
  std::shared_ptr<const Precondition> queue_check;     // asked again when it is written; null: allowed
  IdMap<std::unique_ptr<Subscription>> subscriptions;  // by the owner's id
  std::unique_ptr<OtherListeners> others;              // null for the many that have none
  OtherListeners& other() { return *(others == nullptr ? others = std::make_unique<OtherListeners>() : others); }
  uint64_t held_in = 0;                  // the group that holds something for it to be told
  uint64_t carried_in = 0;               // the group in which a request of it had to wait for the next
  uint64_t holder = 0;                   // of what it has written at ephemeral paths; 0: nothing
  std::unique_ptr<Contender> contender;  // null until it tries a conditional write
};

struct FirstValueCounts {
  Counter reads;
  Counter hashes;  // of values that were read
};

// The first value of a path, read once for all who ask for it before it changes. A large value may be let go, and is
// then read again for whoever comes later, unless they name its hash. Only read() reads and hashes, on a reader's
// thread.
class FirstValue {
 public:
  struct Waiter {
    std::shared_ptr<Conversation> conversation;
    uint64_t place;
    uint64_t request;
    std::optional<std::string> hash;  // of what the client has
  };
  // `show`: what of it is read. `hashes`: when it is known what they are.
  using Show = std::function<Result<Value>(const TreeView& view)>;
  // What stood here at an earlier moment, which clients may still have, and what became of it since.
  struct Had {
    NodeHashes hashes;
    std::shared_ptr<const Body> change{};  // null: nothing
  };
  // Finds that out (Shard::look_back). What it gives when the turn is over does not count.
  using Earlier = std::function<std::vector<Had>(Turn& turn)>;
  FirstValue(Path path, Show show, bool wants_hash, uint64_t sequence, std::optional<NodeHashes> hashes,
             FirstValueCounts& counts, Budget& answers, std::shared_ptr<Gauge> kept, bool looks_back = false)
      : path_(std::move(path)),
        show_(std::move(show)),
        sequence_(sequence),
        wants_hash_(wants_hash),
        counts_(counts),
        answers_(answers),
        kept_(std::move(kept)),
        looks_back_(looks_back),
        hashes_(std::move(hashes)) {
    keep(kFirstValueBytes + path_.text().size());
  }
  ~FirstValue() { kept_->add(-static_cast<int64_t>(kept_bytes_)); }
  FirstValue(const FirstValue&) = delete;
  FirstValue& operator=(const FirstValue&) = delete;

  // Answers the waiter now, or queues it until read() is done. Returns false, and leaves the waiter alone, when this
  // value cannot serve it (it was let go, or its hash is unknown); the caller then makes a new FirstValue.
  bool wait(Waiter& waiter);
  // Reads the value and answers all who wait, on a reader's thread. Does nothing when `turn` is over afterwards: the
  // view spends its work there. Null: there is no turn. `earlier`: if it looks back.
  void read(const TreeView& view, Turn* turn = nullptr, const Earlier* earlier = nullptr);
  void fail(const Error& error);       // instead of read(), once: answers all with the error; later waiters are refused
  bool is_unwanted();                  // whether all who waited have gone; if so, it is as after fail(). Thread: any
  std::optional<NodeHashes> hashes();  // once they are known
  bool looks_back() const { return looks_back_; }
  size_t large_bytes();  // bytes of the kept value; 0 for a small one
  void let_go();         // drops the kept value

 private:
  void keep(size_t bytes);  // that many now
  void answer(const Waiter& waiter, const std::shared_ptr<const Body>& body);
  static const Had* had_by(const Waiter& waiter, const std::vector<Had>& earlier);
  void tell_change_or_value(const Waiter& waiter, const std::shared_ptr<const Body>& body, Answer& answer);
  void tell(const std::shared_ptr<const Body>& body, Answer& answer);

  const Path path_;
  const Show show_;
  const uint64_t sequence_;
  const bool wants_hash_;
  FirstValueCounts& counts_;
  Budget& answers_;
  const std::shared_ptr<Gauge> kept_;  // of the shard
  const bool looks_back_;
  size_t kept_bytes_ = 0;  // of that; by whoever makes it, then under mutex_
  std::mutex mutex_;       // Guards all below; what is done does not change, but for body_ and lease_.
  bool done_ = false;
  bool failed_ = false;  // done, and nothing was read
  std::vector<Waiter> waiters_;
  Result<void> status_;
  std::optional<NodeHashes> hashes_;
  std::vector<Had> earlier_;
  std::shared_ptr<const Body> body_;  // null: not done, or it was large, and is gone
  std::weak_ptr<const void> lease_;   // of those who were told and have not read it yet
};

// The latest first values of a shard. Of the large ones only kLargeValuesBytesMax bytes are kept. Thread: the shard's.
class LargeValues {
 public:
  void add(const std::shared_ptr<FirstValue>& value);  // that is going to be read

 private:
  std::deque<std::weak_ptr<FirstValue>> latest_;
};

// The requests of one namespace that wait for their turn at one shard, first come first. Belongs to that shard's
// thread.
struct Line {
  std::list<ShardRequest> requests;
  std::list<ShardRequest> carried;  // had their turn too early: they must see the end of the group first
  double debt = 0;                  // turns that it has used and not waited for (Shard::kTurn)
  uint64_t group = 0;               // the last one in which it had a turn
  bool is_listed = false;           // it is among the shard's turns
  uint64_t listed_in = 0;  // the group that was to be formed when it had something again; 0: it has had a turn since
};

struct NamespaceState {
  // `kept`: the shard's gauge of what it remembers.
  NamespaceState(std::string name, uint32_t number, bool named, std::shared_ptr<Shard> at,
                 ListenerRegistry::Count& counted, std::shared_ptr<Gauge> kept_bytes_of_all);
  ~NamespaceState();
  NamespaceState(const NamespaceState&) = delete;
  NamespaceState& operator=(const NamespaceState&) = delete;

  const std::shared_ptr<Shard> home;  // for whoever has the namespace when the database is closed
  Shard& shard;
  Tree tree;
  ListenerRegistry registry;
  RowRegistry rows;
  std::unique_ptr<Topics> topics;                              // null: there are none
  std::map<std::string, OpenDocument, std::less<>> documents;  // that are open, by path text
  uint64_t documents_opened = 0;
  uint64_t restores = 0;             // that have replaced something here
  std::vector<Path> compactions;     // of documents, to begin when the group is durable
  std::unique_ptr<Mirrors> mirrors;  // of documents; null: none are asked for, or nobody has looked
  bool mirrors_known = false;        // somebody has
  bool mirrors_asked = false;        // somebody will
  uint64_t mirror_jobs = 0;          // begun, since ever
  std::unordered_map<SessionId, std::weak_ptr<Conversation>, SessionId::Hash, SessionId::Equal> sessions;
  // Sessions of a dead process, for as long as they may come back.
  std::unordered_map<std::string, std::shared_ptr<DisconnectQueue>> orphans;
  std::map<std::string, std::shared_ptr<FirstValue>, std::less<>> firsts;  // by path text
  std::map<uint64_t, std::shared_ptr<FirstValue>> view_firsts;             // by number of the view; of views that are
  // Those who wait for a view to open, by the view's number.
  struct PendingListen {
    FirstValue::Waiter waiter;
    uint64_t listener;
    const View* view;  // compared, never used: it may be gone
  };
  std::map<uint64_t, std::vector<PendingListen>> openings;
  size_t view_bytes = 0;  // of the registry's views, when they were last looked at
  size_t disconnect_rows = 0, disconnect_data_bytes = 0, disconnect_bytes = 0;  // of all queues, orphans' too
  // The paths that commits changed, for event streams that come back; kept once there was such a stream. Everything
  // after `missed_from` is here.
  bool had_streams = false;
  std::deque<std::pair<uint64_t, Overwrite>> missed;  // values left out
  size_t missed_bytes = 0;                            // about what they hold in memory
  uint64_t missed_from = 0;
  bool missed_known = false;  // `missed_from` has been set
  // Those who wait for the next commit, with the place of their answer.
  struct Awaiting {
    std::weak_ptr<Conversation> conversation;
    uint64_t since;  // for one after it
    uint64_t place;
    uint64_t request;
  };
  std::vector<Awaiting> awaiting;
  Throttles throttles;
  std::map<std::string, ThrottledRows> row_throttles;  // by the table's path text
  Holders holders;                                     // of ephemeral values
  bool is_taking_up = false;    // counted as one of which some children have no rows of their age yet
  bool is_removed = false;      // whoever still has it is refused; the name means another from here on
  bool is_maintained = false;   // a MaintainRequest is on its way, or failed
  bool waits_for_room = false;  // the same, for the disk was too full to build an index

  // What is only remembered to spare work is counted in the shard's gauge. The shard lists its spaces, the latest
  // used last.
  const std::shared_ptr<Gauge> kept;
  size_t kept_bytes = 0;  // counted there, beside what first values count for themselves
  std::optional<std::list<std::weak_ptr<NamespaceState>>::iterator> latest;

  std::atomic<int64_t> idle_since = 0;  // steady milliseconds; 0: used since the engine last looked. Thread: any

  // Where its requests are done (db/shard/shard.h, "heavy"). What is above belongs to whichever shard that is.
  Line line;                 // at home
  Line line_away;            // the heavy shard's
  uint64_t done_away = 0;    // the heavy shard's: requests done there, since ever
  Shard* away = nullptr;     // home's, like all below; null: it is at home
  uint64_t sent_away = 0;    // requests passed on, since ever
  bool is_recalled = false;  // nothing more is passed on, for something waits for its return
};

inline Payer Conversation::payer() const { return {space->tree.number, reinterpret_cast<uintptr_t>(this)}; }

}  // namespace hearth::db
