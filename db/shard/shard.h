// The namespaces that share a committer, and the thread that runs it.
// A group is formed of the requests that came while the last group was synced. What is to be told of a group leaves
// after its sync, in commit order.
//
//   take what waits ─▶ evaluate each, note who is told what ─▶ one commit ─▶ tell
//
// A read or listen that comes behind writes of its group waits for the next group, and so does everything that its
// conversation asks afterwards: the requests of a conversation take effect in order, and reads see only what is
// durable.
//
// Turns. Each namespace has a line of its own, and the lines take turns by the work that they cause. A turn is kTurn; a
// namespace that used more than one is passed over for as many rounds. So a request waits behind one turn of each other
// namespace, however long their lines are.
//
//   inbox ─▶ lines   shop  ▤▤▤▤▤▤▤▤▤        turns: shop, chat, game, shop, chat …
//                    chat  ▤
//                    game  ▤▤
//
// Heavy. No request may take more work here than kStepMax (db/base/step.h). One that turns out longer is undone,
// which is easy, for nothing of a write is anywhere but in its own overlay until it is accepted; and its namespace
// moves to a heavy shard, which has no such limit, with all that waits in its line. Until it has come back, home
// passes on what comes for it, in order. So the namespace that asked waits, and its neighbours at home do not. A
// heavy shard is this same class, with a thread of low priority.
//
//   home    ── leaves: all that waits ──▶   heavy       home counts what it has sent;
//           ── what comes meanwhile ────▶               heavy, when the line is empty, says how much it has done:
//           ◀── "done: so many" ─────────               equal, and the namespace is home again; else more is on its way
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/step.h"
#include "db/commit/committer.h"
#include "db/events/match.h"
#include "db/model/figures.h"
#include "db/model/live.h"
#include "db/model/stats.h"
#include "db/read/fair_pool.h"
#include "db/read/reads.h"
#include "db/shard/alarms.h"
#include "db/shard/beginning.h"
#include "db/shard/contests.h"
#include "db/shard/index_watch.h"
#include "db/shard/memory.h"
#include "db/shard/namespace_state.h"
#include "db/shard/resume_points.h"
#include "db/shard/swap.h"
#include "db/shard/throttle.h"

namespace hearth::db {

inline constexpr size_t kGroupRequestsMax = 4'096;
inline constexpr size_t kSubmittedMax = 32;         // requests that an io thread keeps until the end of its turn
inline constexpr size_t kGroupBytesMax = 4u << 20;  // of values; one larger write makes a group of its own
inline constexpr int64_t kBuildChildren = 200;      // of an index, built in one group
// What one namespace may do before the next has its turn. A step may be longer, up to kStepMax; it is waited for then.
inline constexpr Work kTurn{400, 400u << 10, 5'000};
inline constexpr double kTurnOfRequest = 1.0 / 256;  // the least that a request counts for
inline constexpr size_t kUnlistensPerStep = 1'000;   // of a session that ends
inline constexpr size_t kSettleHereMax = 1'000;      // positions that a scan has found, more are settled as heavy
inline constexpr size_t kHeavyShards = 2;
inline constexpr int kHeavyNice = 5;                   // of a heavy shard's thread (setpriority)
inline constexpr size_t kWriteBytesMax = 512u << 20;   // of rows, one write
inline constexpr size_t kKeptSumsBytesMax = 1u << 20;  // of a write with a key whose answer has sums in it

struct WriteRequest {
  Write write;
};
struct ReadRequest {
  Read read;
};
struct ListenRequest {
  uint64_t listener;
  Listen listen;
};
struct UnlistenRequest {
  uint64_t listener;
};
struct RecheckRequest {
  uint64_t listener;
  std::shared_ptr<const Precondition> check;
};
struct ListenRowsRequest {
  uint64_t listener;
  RowListen listen;
};
struct RecheckRowsRequest {
  uint64_t listener;
  std::shared_ptr<const RowCheck> check;
};
struct JoinRequest {  // a topic
  uint64_t listener;
  TopicJoin join;
};
struct RecheckTopicRequest {
  uint64_t listener;
  std::shared_ptr<const Precondition> may_be, may_speak;
};
struct SayRequest {  // in the topic that the listener is in; without a conversation, in the one that is named
  uint64_t listener;
  std::shared_ptr<TopicMessage> message;
  std::string topic{};
  std::shared_ptr<const Precondition> may_speak{};
  bool is_kept = false;
};
struct HearEntriesRequest {  // from here on, beginning with all that there are
  uint64_t listener;
};
struct AnnounceRequest {
  uint64_t listener;
  std::vector<TopicAnnouncement> announcements;
};
struct OpenDocumentRequest {
  uint64_t listener;
  DocumentOpen open;
};
struct ReadDocumentRequest {  // what a reader has found of a document that was opened
  std::string path;
  uint64_t id;  // of the OpenDocument
  std::shared_ptr<const DocumentUpdates> updates;
  std::optional<documents::Coverage> coverage;
};
struct AppendRequest {  // to the document that the listener has open; well-formed
  uint64_t listener;
  std::string update;
};
struct CompactRequest {  // a document's updates up to `upto` are this one
  Path path;
  uint64_t restores;  // of the namespace, when they were read
  uint64_t upto;
  uint64_t rows;  // that they were
  Result<std::string> update;
};
struct DisconnectRequest {
  Disconnect disconnect;
  std::shared_ptr<const Precondition> check;
};
struct RecheckDisconnectRequest {
  std::shared_ptr<const Precondition> check;
};
struct ReplyRequest {
  Result<void> status;
};
struct BeginRequest {
  std::string replaces;
};
struct EndRequest {};
struct LabelRequest {
  std::string label;
};
struct EndLabelledRequest {  // all conversations of that label; the answer's value says how many
  std::string label;
  Error reason;
  int64_t ended = 0;  // so far
};
struct CreateRequest {};
struct RemoveRequest {};  // with all that it has; alone in its group
struct StatsRequest {     // of the tree at a path
  Path path;
  std::shared_ptr<Stats> to;  // there once it is answered, if that is ok
};
struct LiveRequest {  // what lives in the namespace (shard_live.cc)
  LiveAsk ask;
  std::shared_ptr<Live> to;  // there once it is answered, if that is ok
};
struct TrimRequest {};   // of the log and of kept answers, to what is allowed
struct CarryRequest {};  // the next step for the versions of the namespace
struct ExpireRequest {   // removes children that are too old, some of them
  size_t removed = 0;    // so far, where each is a commit of its own
  size_t alone = 0;      // that are still looked at one by one, for one of them can't be removed
};
struct ThrottleRequest {    // tells what was withheld long enough
  ThrottleKey after{};      // the last one that was told
  std::string after_table;  // the same of rows
};
struct ReleaseRequest {  // ephemeral values of a conversation that has ended
  uint64_t holder;
};
struct LapseRequest {};  // removes ephemeral values whose ttl is over
struct PurgeRequest {    // a path from the namespace's past; the answer's value: commits that said something of it
  Committer::Purge purge;
};
struct
    HashedRequest {  // what stood at the path after the commit `sequence`; no hashes: it can't be known, or need not be
  std::string path;
  std::optional<NodeHashes> hashes;
  uint64_t sequence;
  enum class When : uint8_t { Left, Began } when = When::Left;  // as a client left; as the process began, none last
};
struct ResumePointsRequest {  // rows of resume_points.h that an earlier process has written
  std::vector<std::pair<std::string, std::string>> rows;
};
struct AwaitCommitRequest {  // answered once a commit after `since` is durable
  uint64_t since;
};
struct MaintainRequest {};  // the next step to the indexes that the settings ask for
struct ScannedRequest {     // what a view wanted to be found
  uint64_t view;            // its number
  uint64_t number;          // of the scan
  Result<View::Scanned> scanned;
};
struct SwapRequest {  // namespaces become others as a whole; the shard's own are told of it
  struct Place {
    std::shared_ptr<NamespaceState> space;
    Path at;
  };
  std::shared_ptr<Swap> swap;
  std::vector<Place> places;
};
struct AdoptRequest {  // the queue of a session whose process died: written when the session does not come back
  std::string session;
  std::shared_ptr<DisconnectQueue> queue;
};
struct OrphanRequest {  // the session of a dead process has not come back in time
  std::string session;
};
struct RunQueueRequest {  // a session has ended: what it has queued is written
  std::shared_ptr<DisconnectQueue> queue;
  std::shared_ptr<const Precondition> check;
};

struct ShardRequest {
  std::shared_ptr<NamespaceState> space;
  std::shared_ptr<Conversation> conversation{};  // null: a request by itself
  uint64_t id = 0;
  std::variant<WriteRequest, ReadRequest, ListenRequest, UnlistenRequest, RecheckRequest, DisconnectRequest,
               RecheckDisconnectRequest, ListenRowsRequest, RecheckRowsRequest, JoinRequest, RecheckTopicRequest,
               SayRequest, HearEntriesRequest, AnnounceRequest, OpenDocumentRequest, ReadDocumentRequest, AppendRequest,
               CompactRequest, ReplyRequest, BeginRequest, EndRequest, LabelRequest, EndLabelledRequest, CreateRequest,
               RemoveRequest, StatsRequest, LiveRequest, TrimRequest, CarryRequest, ExpireRequest, ThrottleRequest,
               ReleaseRequest, LapseRequest, PurgeRequest, HashedRequest, ResumePointsRequest, AwaitCommitRequest,
               MaintainRequest, ScannedRequest, SwapRequest, AdoptRequest, OrphanRequest, RunQueueRequest,
               MirrorsRequest, MirrorSliceRequest, MirrorRequest>
      what{};
  std::function<void(Answer)> done{};                 // without a conversation
  std::chrono::steady_clock::time_point submitted{};  // writes
  size_t bytes = 0;                                   // writes: of their values
};

class Shard {
 public:
  struct Dependencies {
    TreeStore& store;
    TreeStore::Durability durability;
    FairPool& readers;
    FairPool& scans;  // for what is known to take long
    ReadTimes& read_times;
    FirstValueCounts& first_values;
    std::shared_ptr<Memory> memory;
    uint64_t remembered_bytes_max;  // this shard's part
    uint64_t leaf_cache_bytes_max;  // the same; a heavy shard has none
    uint64_t resume_bytes_max;      // the same
    const Beginning& beginning;
    Budget& answers;
    Quota quota;
    Work step_max;  // of one request, unless the shard is heavy
    const Clock& clock;
    ClockSteps& clock_steps;
    const UsualIndexes& indexes;  // Options::indexes
    HistoryPlan history;          // Options::history
    uint64_t answers_bytes_max;   // Options::kept_answers_bytes_max
    // A namespace exists from now on. Called on the shard's thread.
    std::function<void(const std::string& name, uint32_t number)> on_named;
    // A namespace does not exist any more; `sequence`: of its last write. Called on the shard's thread.
    std::function<void(const std::string& name, uint64_t sequence)> on_removed;
    // Host::revive_by. Called on the shard's thread.
    std::function<std::shared_ptr<const Precondition>(const std::string& name, const std::string& memo)> revive;
    Alarms& alarms;
    const ShardLogs* logs;  // null: there are none
  };
  // `heavy`: where long requests go; empty: this is a heavy shard itself, which no namespace has as its home. They are
  // closed after it.
  explicit Shard(Dependencies dependencies, std::span<const std::shared_ptr<Shard>> heavy = {});
  ~Shard();      // closed
  void close();  // after what was submitted is done

  // From here on nothing is begun any more: requests are refused with `why`, those that wait too, and whoever converses
  // hears nothing but the end (shard_over.cc). What is being written is finished, or void. Thread: any; soon back.
  void stop(const Error& why);
  bool is_over() const { return is_over_.load(std::memory_order_acquire); }
  // Those who converse with these namespaces of a shard that was stopped and closed: all of it is over. What they have
  // queued for their end stays on disk.
  void end_all(const std::vector<std::shared_ptr<NamespaceState>>& spaces, const Error& why);

  // Takes a request of a namespace whose home this shard is. Once the shard is closing, the request is dropped:
  // nobody is inside the database any more who could wait for it (Engine::close). Where it was stopped, it is refused.
  void submit(ShardRequest request);             // in a MailBatch: at its end
  void take(std::list<ShardRequest>& requests);  // likewise, at once; they were submitted
  void add_to(Figures& figures) const;           // what this shard has counted. Thread: any
  ListenerRegistry::Count& registered() { return counted_.registered; }
  const std::shared_ptr<Gauge>& remembered() const { return remembered_; }

 private:
  // What a stream that comes back has missed: the changed paths themselves, or from where on the log has them.
  struct Missed {
    std::vector<Overwrite> paths{};
    std::optional<uint64_t> logged_since{};
  };
  // Something to be said once the group is durable.
  struct Outgoing {
    std::shared_ptr<Conversation> conversation;
    Item item;
    std::function<void(Answer)> done;
  };

  // Counted on the shard's thread.
  struct alignas(kCacheLineBytes) Counted {
    Counter writes, writes_denied, writes_stale, writes_failed, writes_without_room;
    Counter answers_kept, answers_repeated, keys_reused;
    Counter expired;         // children that were removed for their age
    Gauge spaces_taking_up;  // namespaces of which some children have no rows of their age yet
    TimeHistogram commit_time;
    Counter events, revocations;
    Counter events_withheld;  // for a throttle: they are told as one with others
    Gauge sessions;
    Counter slow_listeners;
    Counter disconnect_writes_queued, disconnect_writes_run;
    Counter topic_messages;    // said, not told
    Counter document_updates;  // that were appended
    Counter compactions;       // of documents
    Counter mirrors_written;   // commits of documents' JSON
    Counter mirrors_failed;    // documents whose JSON can't stand in the tree
    ListenerRegistry::Count registered;
    Gauge waiting;                                    // requests in lines
    Counter moved;                                    // times that a namespace went to a heavy shard
    Largest step_rows, step_bytes, step_evaluations;  // of one request
    Largest group_rows;
    Largest groups_waited;  // Line::listed_in
    Counter rows_worked, bytes_worked, evaluations_worked;
  };

  bool is_heavy() const { return heavy_.empty(); }
  Line& line_of(NamespaceState& space) const { return is_heavy() ? space.line_away : space.line; }
  void work();
  void take_in(std::list<ShardRequest>& came);
  void list(const std::shared_ptr<NamespaceState>& space);
  void run_group();
  // Goes: the line may go on. Waits: its namespace has to come back. Full, Last: the group ends, before or after this
  // turn.
  enum class Next : uint8_t { Goes, Waits, Full, Last };
  Next take_turn(const std::shared_ptr<NamespaceState>& space);
  enum class Done : uint8_t { Yes, Again, Over };
  Done run_step(ShardRequest& request);
  bool all_here(const SwapRequest& swap) const;
  void finish_group();
  void send_away(const std::shared_ptr<NamespaceState>& space);
  void come_back(std::shared_ptr<NamespaceState> space, uint64_t done);  // to its home. Thread: a heavy shard's
  void take_back(const std::shared_ptr<NamespaceState>& space, uint64_t done);
  void count(const Result<void>& verdict);
  void count_durable();
  bool must_wait(const ShardRequest& request) const;
  void handle(ShardRequest& request);
  void handle(ShardRequest& request, WriteRequest& write);
  void handle(ShardRequest& request, ReadRequest& read);
  void handle(ShardRequest& request, ListenRequest& listen);
  void handle(ShardRequest& request, UnlistenRequest& unlisten);
  void handle(ShardRequest& request, RecheckRequest& recheck);
  void handle(ShardRequest& request, ListenRowsRequest& listen);
  void handle(ShardRequest& request, RecheckRowsRequest& recheck);
  void handle(ShardRequest& request, JoinRequest& join);
  void handle(ShardRequest& request, RecheckTopicRequest& recheck);
  void handle(ShardRequest& request, SayRequest& say);
  void handle(ShardRequest& request, HearEntriesRequest& hear);
  void handle(ShardRequest& request, AnnounceRequest& announce);
  void handle(ShardRequest& request, OpenDocumentRequest& open);
  void handle(ShardRequest& request, ReadDocumentRequest& read);
  void handle(ShardRequest& request, AppendRequest& append);
  void handle(ShardRequest& request, CompactRequest& compact);
  void handle(ShardRequest& request, DisconnectRequest& disconnect);
  void handle(ShardRequest& request, RecheckDisconnectRequest& recheck);
  void handle(ShardRequest& request, ReplyRequest& reply);
  void handle(ShardRequest& request, BeginRequest& begin);
  void handle(ShardRequest& request, EndRequest& end);
  void handle(ShardRequest& request, LabelRequest& what);
  void handle(ShardRequest& request, EndLabelledRequest& what);
  void handle(ShardRequest& request, CreateRequest& create);
  void handle(ShardRequest& request, RemoveRequest& remove);
  void handle(ShardRequest& request, StatsRequest& stats);
  void handle(ShardRequest& request, LiveRequest& live);
  void handle(ShardRequest& request, TrimRequest& trim);
  void handle(ShardRequest& request, CarryRequest& carry);
  void handle(ShardRequest& request, ExpireRequest& expire);
  void handle(ShardRequest& request, ThrottleRequest& throttle);
  void handle(ShardRequest& request, ReleaseRequest& release);
  void handle(ShardRequest& request, LapseRequest& lapse);
  void handle(ShardRequest& request, PurgeRequest& purge);
  void handle(ShardRequest& request, HashedRequest& hashed);
  void handle(ShardRequest& request, ResumePointsRequest& known);
  void handle(ShardRequest& request, AwaitCommitRequest& wait);
  void handle(ShardRequest& request, MaintainRequest& maintain);
  void handle(ShardRequest& request, ScannedRequest& scanned);
  void handle(ShardRequest& request, SwapRequest& swap);
  void handle(ShardRequest& request, AdoptRequest& adopt);
  void handle(ShardRequest& request, OrphanRequest& orphan);
  void handle(ShardRequest& request, RunQueueRequest& run);
  void handle(ShardRequest& request, MirrorsRequest& look);
  void handle(ShardRequest& request, MirrorSliceRequest& slice);
  void handle(ShardRequest& request, MirrorRequest& mirror);

  void tell_soon_if_full(const NamespaceState& space, const Throttled& one);
  bool withhold_first(NamespaceState& space, const ShardRequest& request, const Subscription& subscription);
  void answer(const ShardRequest& request, Answer answer);
  void answer_with(const ShardRequest& request, Result<void> status);
  void tell(const std::shared_ptr<Conversation>& conversation, Item item);
  bool unlisten_some(Conversation& conversation);
  Moment moment_of(NamespaceState& space);
  Result<void> enter(const ShardRequest& request, uint64_t listener, const TopicJoin& join);
  void greet(const ShardRequest& request, uint64_t listener, const TopicJoin& join);
  Result<void> may_speak(NamespaceState& space, TopicPlace& place);
  void tell_topic(const Topic& topic, const std::shared_ptr<const TopicMessage>& message, const TopicPlace* speaker);
  bool leave(NamespaceState& space, Conversation& conversation, uint64_t listener);
  void leave_topic(NamespaceState& space, TopicPlace& place);
  void lose_right(NamespaceState& space, const std::shared_ptr<Conversation>& conversation, const Notification& lost);
  Result<bool> has_data_of_its_own(NamespaceState& space, const Path& path);
  Result<void> may_have_document(NamespaceState& space, const Path& path);
  void read_document(const ShardRequest& request, OpenDocument& document, Answer answer);
  void compact(NamespaceState& space, OpenDocument& document);
  void start_compactions(const std::shared_ptr<NamespaceState>& space);
  void leave_document(NamespaceState& space, TopicPlace& place);
  Mirrors* mirrors_of(NamespaceState& space);
  static void begin_mirror(Mirrors& mirrors, Mirror& mirror);
  void put_off_mirrors(NamespaceState& space);
  static void drop_replica(Mirrors& mirrors, Mirror& mirror);
  static void leave_mirror(NamespaceState& space, const std::string& document);
  void note_update(NamespaceState& space, const Path& document);
  static void note_other_documents(NamespaceState& space, const Path& at);
  void start_mirrors(const std::shared_ptr<NamespaceState>& space);
  void read_slice(const std::shared_ptr<NamespaceState>& space);
  void end_pass_if_done(NamespaceState& space);
  Result<void> remove_mirror(NamespaceState& space, const Path& at);
  Result<void> write_mirror(NamespaceState& space, const Path& at, std::vector<Overwrite> overwrites);
  void end_documents(NamespaceState& space, const Path& at, const Error& why);
  void end_removed_documents(NamespaceState& space, const Record& record);
  Result<void> room_in_topics(const NamespaceState& space, size_t bytes);
  bool has_room_to_keep(const NamespaceState& space, size_t bytes) const;
  void end(const std::shared_ptr<Conversation>& conversation);
  void end_told(const std::vector<std::shared_ptr<Conversation>>& conversations, const Error& reason);
  void refuse_removed(const ShardRequest& request);
  void refuse_over(ShardRequest& request);
  static void refuse_late(std::list<ShardRequest>& requests, const Error& why);
  Error why_over() const;
  void end_orphan(const std::shared_ptr<NamespaceState>& space, const std::string& session);
  void run_next(const std::shared_ptr<NamespaceState>& space, std::shared_ptr<DisconnectQueue> queue,
                std::shared_ptr<const Precondition> check);
  Result<void> note_change(NamespaceState& space, const Accepted& accepted, const Difference& difference,
                           const TreeView& before, const TreeView& after);
  Result<void> check(NamespaceState& space, Subscription& subscription);
  Committer::Tell teller(NamespaceState& space, bool merge, const Path& base);
  void read_first(const std::shared_ptr<FirstValue>& first, const NamespaceState& space, const Conversation& asks,
                  std::shared_ptr<const FirstValue::Earlier> earlier = nullptr);
  void first_of_view(ShardRequest& request, const Listen& listen, Subscription& subscription,
                     ListenerRegistry::Added added);
  void resume(ShardRequest& request, const Listen& listen, Missed missed);
  std::optional<uint64_t> known_hash(NamespaceState& space, const Path& path, const std::string& hash) const;
  std::shared_ptr<const FirstValue::Earlier> look_back(const std::shared_ptr<NamespaceState>& space, const Path& path);
  void save_resume_points();
  void note_leaving(Conversation& conversation, const Subscription& subscription);
  void keep_history(const std::shared_ptr<NamespaceState>& space);
  void watch_expiry(NamespaceState& space);
  void keep_too_old(NamespaceState& space, ExpireRequest& what, const Path& child, const Error& why);
  Result<void> take_hold(ShardRequest& request, Write& write);
  void keep_hold(NamespaceState& space, const Write& write);
  bool release_held(NamespaceState& space, uint64_t holder);
  void release_at_end(const std::shared_ptr<NamespaceState>& space, uint64_t holder);
  void watch_holders(NamespaceState& space);
  Result<void> may_queue(NamespaceState& space, const Disconnect& disconnect);
  bool withhold(NamespaceState& space, const Subscription& subscription, const Body& body);
  bool withhold_rows(NamespaceState& space, const Path& table);
  void keep_rows(NamespaceState& space, const WithheldRows::Listener& listener, const RowEvent& event,
                 const std::vector<RowBinding>& bindings);
  bool tell_rows(NamespaceState& space, ThrottleRequest& what);
  static Throttled* withheld_from(NamespaceState& space, const Conversation& conversation, const Write& write);
  void answer_write(const ShardRequest& request, const Write& write, Answer reply);
  Result<std::shared_ptr<const Body>> what_was_withheld(NamespaceState& space, const ThrottleKey& key,
                                                        const Throttled& one);
  static std::vector<Subscription*> throttled_listeners(NamespaceState& space, const ThrottleKey& key,
                                                        const Throttled& one);
  void revoke_lapsed(NamespaceState& space, const std::vector<Subscription*>& subscriptions);
  bool is_answered_before(const ShardRequest& request, const Write& write);
  void keep_answer(NamespaceState& space, const Write& write, const Answer& reply);
  static void tell_awaiting(NamespaceState& space, const Result<void>& status);
  std::optional<Missed> missed_since(NamespaceState& space, const Listen& listen) const;
  void release(bool durable, const Error& error);
  void note_contest(const ShardRequest& request, const WriteRequest& write, const Result<void>& verdict);
  void wake_told(std::vector<std::shared_ptr<Conversation>> told);
  void wake_late();
  void tell_swapped(NamespaceState& space, const Path& at, const TreeView& before);
  void end_listeners(NamespaceState& space, const std::string& why);
  void end_listeners_if_unmatched(NamespaceState& space);
  void maintain(const std::shared_ptr<NamespaceState>& space);
  void start_scans(const std::shared_ptr<NamespaceState>& space);
  void tell_first(NamespaceState& space, View& view, std::vector<NamespaceState::PendingListen> openings);
  void refuse_view(NamespaceState& space, View& view, const std::vector<NamespaceState::PendingListen>& openings,
                   const Error& error);
  static std::vector<NamespaceState::PendingListen> take_openings(NamespaceState& space, uint64_t view);
  Result<void> room_to_listen(const NamespaceState& space, const Conversation& conversation,
                              const Subscription& subscription);
  Result<void> room_to_listen(const NamespaceState& space, const Conversation& conversation, size_t listeners,
                              size_t bytes);
  void end_large_views(NamespaceState& space);
  Result<void> room_to_queue(const NamespaceState& space, const DisconnectQueue& queue);
  Result<void> queue_for_end(NamespaceState& space, Conversation& conversation, const DisconnectRequest& what);
  void count_queue(NamespaceState& space, DisconnectQueue& queue);
  void drop_queues(NamespaceState& space);
  void remember_missed(NamespaceState& space, const Accepted& accepted);
  void forget_missed(NamespaceState& space);
  void note_use(const std::shared_ptr<NamespaceState>& space);
  void forget_oldest();

  Dependencies with_;
  const std::vector<std::shared_ptr<Shard>> heavy_;
  uint64_t scans_begun_ = 0;
  Committer committer_;
  IndexWatch index_watch_;
  ResumePoints resume_points_;
  std::set<std::pair<uint32_t, std::string>> hashing_;  // namespaces and paths whose values are being hashed
  std::set<std::pair<uint32_t, size_t>> looked_back_;   // and hashes of paths: their values of the beginning were
  Counted counted_;
  LargeValues large_values_;
  const std::shared_ptr<Gauge> remembered_ =
      std::make_shared<Gauge>();                     // bytes; spaces and first values may outlive us
  std::list<std::weak_ptr<NamespaceState>> latest_;  // that remember something, the latest used last
  size_t next_sweep_ = 1'000;                        // size of latest_ at which those that are gone are taken out
  uint64_t group_ = 1;
  std::vector<Outgoing> releases_;
  Contests contests_;
  std::optional<Error> unmatched_;  // why listeners could not be matched with the write that is being handled
  std::vector<std::chrono::steady_clock::time_point>
      accepted_;                                           // when they were submitted: the writes that this group takes
  std::vector<std::pair<std::string, uint32_t>> named_;    // namespaces that this group makes
  std::vector<std::shared_ptr<NamespaceState>> in_group_;  // kept until its end, for the committer knows their trees
  struct Forming {                                         // the group
    size_t requests = 0;
    size_t bytes = 0;
    Work work{};
  };
  Forming forming_;
  bool again_ = false;                                    // the request that is handled wants another step
  std::deque<std::shared_ptr<NamespaceState>> turns_;     // whose line has something, in the order of their turns
  std::vector<std::shared_ptr<NamespaceState>> leaving_;  // at the end of the group
  std::vector<std::shared_ptr<NamespaceState>>
      awaiting_;                    // a request at the head of their line waits for a namespace to return
  size_t away_ = 0;                 // namespaces that are at a heavy shard
  std::atomic<size_t> guests_ = 0;  // of a heavy shard: namespaces that are here

  std::atomic<bool> is_over_ = false;  // why_over_ is set

  mutable std::mutex mutex_;  // Guards all below but thread_.
  std::condition_variable more_;
  std::list<ShardRequest> inbox_;
  std::vector<std::pair<std::shared_ptr<NamespaceState>, uint64_t>> back_;  // come_back()
  bool closing_ = false;
  std::optional<Error> why_over_;
  std::thread thread_;
};

}  // namespace hearth::db
