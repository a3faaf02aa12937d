// One shard's write pipeline: writes are evaluated one after the other, each against all before it, and committed as
// one group with one fsync. Nothing may be told before commit() answered ok.
//
//   Committer committer(store, durability);
//   committer.write(tree, write, now) …            any number, of any of the shard's namespaces
//   committer.commit()                             one batch; then a fresh snapshot is durable()
//
// Thread: its shard's.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/clock_steps.h"
#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/commit/ephemeral.h"
#include "db/commit/evaluate.h"
#include "db/commit/expiry.h"
#include "db/commit/kept_answer.h"
#include "db/commit/leaf_cache.h"
#include "db/commit/overlay.h"
#include "db/commit/quota.h"
#include "db/log/commit_log.h"
#include "db/log/log_entry.h"
#include "db/log/versions.h"
#include "db/model/history.h"
#include "db/model/write.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// What a committer knows of a namespace's log.
struct TreeLog {
  HistoryPlan plan;
  std::optional<LogState> state;          // nothing: none is kept
  uint64_t offset = 0;                    // behind its last entry
  Timestamp trimmed{};                    // when it was looked at last, by the clock
  bool is_carrying = false;               // a carry() is on its way
  std::unique_ptr<VersionSweep> sweep{};  // of versions that no moment needs any more; null: there is none to be done
};

// What a committer knows of the answers that a namespace keeps (kept_answer.h).
struct TreeAnswers {
  bool is_loaded = false;
  bool is_trimming = false;               // the shard has asked itself to
  uint64_t first = 0, next = 0;           // numbers of the oldest that may be there, and of the next that comes
  uint64_t first_offset = 0, offset = 0;  // of the same
  Timestamp oldest{};                     // when the oldest came
};

// What a committer knows of the ages of a namespace's children, and of all that is set for its paths.
struct TreeExpiry {
  ExpiryPointer plan = std::make_shared<const ExpiryPlan>();  // `paths` is null: nothing is set
  std::map<uint32_t, Timestamp> fronts;                       // Ages::fronts
  Timestamp due = Timestamp::max();   // about when the next child is too old, of those that the last look did not see
  Timestamp look = Timestamp::max();  // the shard's: when it looks again
};

// Rows in memory alone, for those who read a namespace's tree beside its shard. Thread: any.
class ShownEphemeral {
 public:
  void show(EphemeralRows rows);
  EphemeralRows rows() const;
  bool empty() const { return !has_any_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> has_any_ = false;
  mutable std::mutex mutex_;  // Guards rows_.
  EphemeralRows rows_;
};

// What a namespace has in memory alone (ephemeral.h), as of the last group.
struct TreeEphemeral {
  EphemeralRows rows;
  size_t holder_bytes = 0;  // the shard's: about what it knows of those for whom they stay
  std::shared_ptr<ShownEphemeral> shown = std::make_shared<ShownEphemeral>();
};

// A namespace as its committer knows it. Belongs to the shard.
struct Tree {
  std::string name;
  uint32_t number = 0;
  bool named = false;                                      // its name has a row
  bool loaded = false;                                     // `head` has been read
  Head head;                                               // with everything accepted so far
  PlanPointer plan = std::make_shared<const IndexPlan>();  // the same
  Usage usage;
  bool is_reconciled = false;  // the plan is what the settings ask for
  TreeLog log;
  TreeAnswers answers;
  TreeExpiry expiry;
  TreeEphemeral ephemeral;
  // In the committer's LeafCache. Another one when something else than this committer may have changed the tree.
  uint64_t leaves = LeafCache::new_tree();
  // Hashes of subtrees as they are now, pending writes included; what a write touches is forgotten.
  std::map<std::string, std::string, std::less<>> hashes;  // by path text
  size_t hash_bytes = 0;                                   // at most what they hold in memory

  // What of it is ephemeral; null: nothing.
  const PathPlan* ephemeral_paths() const {
    const auto& paths = expiry.plan->paths;
    return paths != nullptr && paths->has_ephemeral() ? paths.get() : nullptr;
  }
};

inline constexpr size_t kHashesMax = 4096;      // kept for one namespace
inline constexpr size_t kHashEntryBytes = 192;  // about what one holds in memory beside its path

inline void remember_hash(Tree& tree, const std::string& path, const std::string& hash) {
  if (tree.hashes.size() >= kHashesMax) tree.hashes.clear();
  if (tree.hashes.empty()) tree.hash_bytes = 0;
  if (!tree.hashes.insert_or_assign(path, hash).second) return;
  tree.hash_bytes += kHashEntryBytes + path.size();
}

// Erases the entries of `path`, of every path above it and of every path below it. Keys are path texts.
template <typename Map>
void forget_related(Map& map, const Path& path) {
  if (map.empty()) return;
  if (path.is_root()) return map.clear();
  for (size_t depth = 0; depth <= path.depth(); ++depth) {
    if (const auto at = map.find(path.prefix(depth).text()); at != map.end()) map.erase(at);
  }
  const std::string below = path.text() + "/";
  auto at = map.lower_bound(below);
  while (at != map.end() && std::string_view(at->first).starts_with(below)) at = map.erase(at);
}

inline constexpr uint64_t kAnswersBytesMax = 64u << 20;  // likewise, of the answers kept for one namespace
inline constexpr size_t kLeafCacheBytes = 16u << 20;     // of a committer that nobody has given another limit

// What an accepted write did.
struct Accepted {
  Record record;  // no effects: nothing changed, no sequence was used
  std::vector<Overwrite> changed;
  bool configures = false;    // some setting is another now
  bool is_ephemeral = false;  // all of it: `record` has the sequence of the commit before
  Timestamp wall{};           // what the clock said; `record` has the server time, which is mostly the same
};

// Commits that became durable together.
inline constexpr std::array<uint64_t, 12> kGroupBounds = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1'000, 2'000, 4'096};

class Committer final {
 public:
  // What became durable.
  struct alignas(kCacheLineBytes) Counted {
    Counter commits;
    Counter rows;
    Counter index_rows;       // part of them
    Counter over_quota;       // writes that were refused, for the size of their namespace
    Counter answers_dropped;  // before their time
    Counter ephemeral_writes;
    Gauge ephemeral_rows, ephemeral_bytes;  // in memory alone, now
    Histogram<kGroupBounds> group_size;
  };

  // `in_background` runs long jobs on other threads, as long as the committer lives. `steps` is told when the clock
  // is behind; it may be null.
  // `history`: of namespaces whose settings name none. `logs`: a group is appended there before it is on disk here; null: it
  // is not, and costs nothing more.
  Committer(TreeStore& store, TreeStore::Durability durability, Quota quota = {},
            Usage::InBackground in_background = {}, ClockSteps* steps = nullptr,
            size_t leaf_cache_bytes = kLeafCacheBytes, HistoryPlan history = {},
            uint64_t answers_bytes_max = kAnswersBytesMax, const ShardLogs* logs = nullptr);
  ~Committer();

  // `tell` sees the trees before and after an accepted write that changed something, while both exist. `settings`:
  // after.
  using Tell = std::function<Result<void>(const Accepted&, const TreeView& before, const TreeView& after,
                                          const Settings& settings)>;
  // Errors: of evaluate(); the write is refused and has no effect.
  Result<Accepted> write(Tree& tree, const Write& write, Timestamp now, const Tell& tell);
  // Several writes as one commit with the effects `also`; those refused are left out.
  Result<Accepted> write_each(Tree& tree, const std::vector<Write>& writes, std::vector<Effect> also, Timestamp now,
                              const Tell& tell);
  Result<void> judge(Tree& tree, const Write& write, Timestamp now);  // whether write() would take it; changes nothing
  Result<Accepted> queue(Tree& tree, std::vector<Effect> effects, Timestamp now);  // none that sets anything
  // What this store alone has, for it follows from the rest: Reindex or BuildIndex, with the next commit(). It is no
  // commit of the namespace: it has no sequence, and no log tells of it. Errors: Io, Corruption; those of a step.
  Result<void> derive(Tree& tree, const Effect& effect);
  // Whether the namespace may become that much larger (Quota). Errors: TooLarge, Io.
  Result<void> has_room(Tree& tree, const Size& by);
  // What another store has accepted, as it stands in a log (log_applier.h). A record alone does not begin a log here, nor end
  // one, whatever it sets. Errors: Corruption, where it does not fit here; Io.
  Result<void> replay(Tree& tree, const Record& record);
  Result<void> replay(Tree& tree, const LogEntry& entry);
  Result<void> replay_answer(Tree& tree, KeptAnswer kept);
  void replay_beside(const Tree& tree, const std::map<std::string, std::optional<std::string>>& rows);
  void put_applied(uint32_t shard, const LogPosition& last);  // with the next commit()
  void discard();  // what waits for commit(); what is known of its trees goes
  // A restore's moment comes before the log has it: until seal_restored() is on disk, a process that dies has a shard that
  // is no other node's, and has to be planted anew (seed.h). No log: nothing. Errors: the store's.
  Result<void> begin_restoring(const Tree& tree);
  Result<void> give_up_restoring(const Tree& tree);  // its moment did not come
  // The log is told that the namespace was made another at `at`, by the next commit(). Precondition: load_restored().
  // Where that can't be done the log is lost, and the next commit() fails: what the log has not was never restored.
  void seal_restored(Tree& tree, const Path& at, Timestamp now);
  Result<void> load(Tree& tree);  // its head, unless it is there
  // load() of a tree that a restore has made another at `at`, by the head's commit: the log says so, with the next
  // commit(). Precondition: forget() was called.
  Result<void> load_restored(Tree& tree, const Path& at, Timestamp now);
  // Whether the log may be longer than its plan allows: then trim() makes it shorter with the next commit().
  bool wants_trim(const Tree& tree, Timestamp now) const;
  Result<void> trim(Tree& tree, Timestamp now);
  // Whether there is something to be done for the versions: data to be carried over, or versions to be erased. carry()
  // does up to `rows` of it, with the next commit().
  bool wants_carry(const Tree& tree) const;
  Result<void> carry(Tree& tree, size_t rows);
  // What a write with a key was answered, if it came before. Errors: of Once::may_still; KeyReused; Io, Corruption.
  Result<std::optional<KeptAnswer>> first_answer(Tree& tree, const Write& write, Timestamp now);
  // With the next commit(), as what was accepted. Precondition: first_answer() found nothing. `offset` is filled in.
  void keep_answer(Tree& tree, KeptAnswer kept);
  // Drops the oldest answers, with the next commit(): those that are too old, and while there are too many bytes of them.
  // Some at a time; returns whether there is more to drop.
  bool wants_trim_answers(const Tree& tree, Timestamp now) const;
  Result<bool> trim_answers(Tree& tree, Timestamp now);
  // What was there before a ttl was set gets its rows, `count` children at a time, with the next commit().
  Result<void> take_up_ages(Tree& tree, size_t count, Timestamp now);
  // Children that are too old, by their rows. Nothing is removed; leftovers go with the next commit().
  Result<Expired> expired(Tree& tree, Timestamp now, const ExpiryBounds& bounds);
  // What can't be removed stays, and is looked at again at `due`. Errors: Io, Corruption.
  Result<void> keep_expired(Tree& tree, const Path& child, Timestamp due);
  void name(Tree& tree);  // gives it its row
  // A row that the shard keeps beside a tree, with the next commit(); nothing: it is erased.
  void put_beside(const std::string& key, const std::optional<std::string>& value) {
    value ? rows_.put(key, *value) : rows_.erase(key);
  }
  // Which documents' JSON lacks something that the document has, with the next commit() (committer_mirrors.cc).
  void mark_mirror(const Tree& tree, const Path& document, bool is_behind);
  Result<std::vector<Path>> marked_mirrors(const Tree& tree, size_t most) const;
  // The plan (kMirrorsSetting) by which all documents were gone through last; "" and nothing: by none.
  Result<std::optional<std::string>> mirrored_by(const Tree& tree) const;
  void set_mirrored_by(const Tree& tree, const std::string& plan);

  // The next step of removing what was at and below `path` from the past, with the next commit(): what is there now
  // stays, as of now. Errors: Io, Corruption.
  struct Purge {
    Path path;
    bool has_begun = false;
    std::string row{};                // of the data that is put again as of now: the next
    std::optional<uint64_t> since{};  // of the log that is written anew: what comes next
    uint64_t upto = 0;                // and the last, which was the head
    bool is_done = false;
    uint64_t commits = 0;                // whose entries said something of it
    bool is_sealed = false;              // the log was told
    bool has_answers = true;             // kept ones are still to be looked at,
    std::optional<uint64_t> arrival{};   // from this one on
    std::optional<uint64_t> arrivals{};  // up to, and without
  };
  Result<void> purge(Tree& tree, Purge& purge);
  Result<void> purge_answers(Tree& tree, Purge& purge);  // the part of it that drops kept answers

  bool dirty(const Tree& tree) const;  // something of it waits for commit()
  bool empty() const { return pending_.empty(); }
  bool has_changes() const;  // commit() would write something
  // The tree with everything accepted so far, and its settings.
  const TreeView& view(Tree& tree);
  const Settings& settings(Tree& tree);
  const TreeView& documents(Tree& tree);  // rows of documents (document_row), with everything accepted so far

  // Errors: the store's. On error no write of the group may be acknowledged, and no refusal either.
  Result<void> commit();

  // Drops the snapshot, because something other than this committer changed the store, or because a snapshot that is
  // kept pins removed rows on disk. The next durable() takes a fresh one. Precondition: nothing waits for commit().
  void refresh();
  void forget(Tree& tree);  // what is known of it: it is another now
  // What is in memory alone at and below the path is gone. Precondition: nothing waits for commit().
  void drop_ephemeral(Tree& tree, const Path& at);
  // The rows in memory alone, with everything accepted so far.
  const EphemeralRows& ephemeral(Tree& tree);
  // Asked before a write makes them more: what they would hold in memory. Errors: what the write is refused with.
  using EphemeralRoom = std::function<Result<void>(uint64_t bytes)>;
  void limit_ephemeral(EphemeralRoom room) { ephemeral_room_ = std::move(room); }
  // At once, on disk too: the name, and everything that it has. `goes_on`: where the next namespace of that name goes on, to
  // be kept for later processes; with a log of ours it is. Precondition: nothing waits for commit(). Errors: as of commit();
  // then nothing is removed.
  Result<void> remove(Tree& tree, std::optional<uint64_t> goes_on = {});

  // The store without what waits for commit(). Kept from the first call until commit() or refresh().
  const std::shared_ptr<const Snapshot>& durable() const;
  // The same, with what the tree has in memory alone, as of the last group: for those who read it.
  std::shared_ptr<const Snapshot> readable(const Tree& tree) const;
  const Counted& counted() const { return counted_; }  // thread: any
  const LeafCache& leaf_cache() const { return leaf_cache_; }

 private:
  struct PendingTree;
  class Rows;
  class GroupSettings;
  class HashingView;
  class AllOf;
  enum class Refused : uint8_t { Returned, LeftOut };
  Result<Accepted> write_all(Tree& tree, std::span<const Write> writes, std::vector<Effect> also, Timestamp wall,
                             const Tell& tell, Refused refused);
  PendingTree& pending(Tree& tree);
  struct After;
  Result<void> admit(PendingTree& at, const Overlay& after, const Overlay* documents, bool at_rest);
  Result<void> admit(PendingTree& at, const TreeView& before, const Overlay& after, const Overlay* documents,
                     bool at_rest);
  Result<void> replan_ephemeral(PendingTree& at, After& after, Settled& all);
  Result<void> keep_ephemeral(PendingTree& at, After& after, const std::vector<Path>& puts, uint64_t holder);
  Result<Accepted> accept_ephemeral(PendingTree& at, After&& after, Accepted accepted, const Tell& tell);
  void show_ephemeral();                                // of the group
  void show_ephemeral(Tree& tree, EphemeralRows rows);  // instead of what was there
  struct Told;
  void accept(PendingTree& pending, After&& after, const Accepted& accepted, const Told& told);
  void keep_log(PendingTree& pending, const Accepted& accepted, const Told& told);
  void append_entry(PendingTree& pending, LogEntry entry);
  void begin_log(PendingTree& pending, uint64_t cut);
  void end_log(PendingTree& pending);
  void begin_with_versions(PendingTree& pending);
  void begin_versions(PendingTree& pending);
  void end_versions(PendingTree& pending);
  void keep_versions(PendingTree& pending, const After& after, const Record& record);
  void put_state(Tree& tree);
  struct Restored {
    const Path& at;
    Timestamp wall;
  };
  Result<void> load(Tree& tree, const Restored* restored);
  Result<void> load_log(Tree& tree, const Restored* restored);
  Result<void> load_expiry(Tree& tree);
  Result<void> follow_expiry(PendingTree& pending, After& after, const std::vector<Effect>& effects, Timestamp time);
  void keep_expiry(PendingTree& pending, After& after, const Record& record);
  void cut_logs();
  Result<std::optional<std::string>> row(const std::string& key) const;  // with everything accepted so far
  Result<void> load_answers(Tree& tree);
  Result<void> may_hear(Tree& tree, const Write& write, const KeptAnswer& kept, Timestamp now);
  Result<void> replay(Tree& tree, const LogEntry& entry, bool follows_settings);
  void seal(const Tree& tree, BatchEntry entry);
  void seal_commit(const Tree& tree, const Accepted& accepted, const Told& told);
  Result<void> append_sealed(std::vector<std::unique_lock<std::mutex>>& turns);
  Result<std::string> seal_file(const Tree& tree, const Path& at, const std::string& file);
  void note_before(Tree& tree);
  void count(size_t rows);  // of the group, which is durable
  void remember_rows();

  TreeStore& store_;
  TreeStore::Durability durability_;
  const Quota quota_;
  const Usage::InBackground in_background_;
  ClockSteps* const steps_;
  const HistoryPlan history_;
  const uint64_t answers_bytes_max_;
  const ShardLogs* const logs_;
  std::map<uint32_t, std::string> sealed_;  // entries of the group, by shard
  std::optional<Error> unsealed_;           // why something of the group is not among them
  Timestamp sealed_at_{};
  // Of the group's trees, as they were before it: where the log takes another's batch, the group is void.
  struct Before {
    Head head;
    bool named;
  };
  std::map<Tree*, Before> before_;
  bool is_life_written_ = false;                              // of this run, since a log of ours has entries of it
  std::map<uint32_t, std::unique_ptr<PendingTree>> pending_;  // by number, the order of rows
  Batch rows_;                                                // names, queues, settings and answers
  uint64_t accepted_ = 0;                                     // records since the last commit()
  EphemeralRoom ephemeral_room_;
  Counted counted_;
  LeafCache leaf_cache_;
  mutable std::shared_ptr<const Snapshot> durable_;  // null: nobody has asked since
};

}  // namespace hearth::db
