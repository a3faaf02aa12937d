// Everything behind a Database: the store, the shards, the readers and the namespaces known by name. Thread: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "db/calls/callbacks.h"
#include "db/calls/gate.h"
#include "db/calls/turns.h"
#include "db/cluster/replica.h"
#include "db/commit/follower.h"
#include "db/database.h"
#include "db/model/beside.h"
#include "db/model/change.h"
#include "db/read/reads.h"
#include "db/shard/shard.h"
#include "db/upkeep/backups.h"

namespace hearth::db {

// The error of every call that comes while the database is closing, or later.
inline Error closed_error() {
  return {ErrorCode::Unavailable,
          "The database is closing, or closed; it takes nothing more until it is opened again."};
}

inline Error not_owner_error() {
  return {ErrorCode::NotOwner, "Another node of the cluster serves this namespace; ask again."};
}

// Namespaces kept in memory; above, those that nobody uses are forgotten until they are asked for again.
inline constexpr size_t kSpacesInMemoryMax = 10'000;

// Logs and kept answers of namespaces that nobody writes are looked at after so many times Options::space_idle_time.
inline constexpr int kTrimIdleLogsPart = 6;

class Engine final : public Replica {
 public:
  static Result<std::shared_ptr<Engine>> open(const Database::Options& options);
  ~Engine() override;  // close()s

  // Finishes what was let in and closes the store. Handles may hold the engine's memory for as long as they want.
  void close();
  // Callers of backups(), store() and figures() take a pass themselves; the other functions take their own.
  Gate& gate() { return gate_; }

  // After close() every function below fails with closed_error(). Functions with a `done` callback call it before
  // they return. Of a namespace that another node serves they fail with not_owner_error().
  std::shared_ptr<NamespaceState> space(
      const std::string& name);  // a valid name (check_namespace_name); null: not here
  std::vector<std::string> names() const;
  bool exists(const std::string& name) const;
  Result<void> create(const std::string& name);
  Result<void> remove(const std::string& name);

  void end_conversations(const std::string& name, std::string label, Error reason, std::function<void(Answer)> done);
  Result<std::shared_ptr<Conversation>> converse(const std::string& name, std::string_view replaces, Wake wake);
  void read(const std::string& name, Read read, std::function<void(Answer)> done);
  void write(const std::string& name, Write write, std::function<void(Answer)> done);
  void say(const std::string& name, std::string topic, std::shared_ptr<const Precondition> may_speak,
           std::shared_ptr<TopicMessage> message, bool is_kept, std::function<void(Answer)> done);
  void judge(const std::string& name, Write write, std::function<void(Answer)> done);
  void setting(const std::string& name, std::string which,
               std::function<void(Result<std::optional<std::string>>)> done);

  void changes(const std::string& name, ChangesRead read, std::function<void(Result<ChangesPage>)> done);
  void purge(const std::string& name, Path path, std::function<void(Answer)> done);
  void undo(const std::string& name, EventId id, std::string by, std::function<void(Answer)> done);
  void history(const std::string& name, HistoryRead read, std::function<void(Result<PathHistory>)> done);
  Result<BesideRows> beside(const std::string& name, const BesideRead& read);
  Result<void> keep_beside(const std::string& name, const BesideWrite& write);
  Result<std::vector<std::string>> with_rows_beside();
  void revive_by(Revive revive);
  void let_beginning_go() { beginning_.let_go(); }
  std::vector<std::string> names_in_use(size_t most) const;
  void live(const std::string& name, LiveAsk ask, std::function<void(Result<Live>)> done);
  void documents(const std::string& name, Path after, size_t most, std::function<void(Result<DocumentsPage>)> done);
  void document(const std::string& name, Path path, std::function<void(Result<DocumentContent>)> done);
  void stats(const std::string& name, Path path, std::function<void(Result<Stats>)> done);
  void indexes(const std::string& name, std::function<void(Result<IndexPlan>)> done);

  // As a node of a cluster (engine_replica.cc). Precondition of all: follows().
  bool follows() const { return !followers_.empty(); }
  uint32_t shards() const override { return static_cast<uint32_t>(followers_.size()); }
  LogPosition applied(uint32_t shard) const override;
  Result<void> apply(uint32_t shard, std::string_view batch, const ReadFile& read_file) override;
  Result<void> own(uint32_t shard, const LogPosition& last) override;
  void disown(uint32_t shard, const Error& why) override;
  bool owns(uint32_t shard) const override { return followers_[shard]->is_owned(); }
  Result<void> sync_applied() override;
  uint64_t durable(uint32_t shard) const override { return durable_[shard]; }
  Result<void> seed(uint32_t shard, const std::function<Result<void>(std::string_view piece)>& take) override;
  Result<std::unique_ptr<Planting>> plant(uint32_t shard) override;
  bool must_be_planted(uint32_t shard) const override { return followers_[shard]->must_be_planted(); }

  Callbacks& callbacks() { return callbacks_; }

  Backups& backups() { return *backups_; }
  Turns& turns() { return turns_; }  // of transactions, by namespace and path
  const Clock& clock() const { return *clock_; }
  const std::string& life() const { return life_; }
  const TreeStore& store() const { return *store_; }
  const std::string& store_id() const { return store_id_; }
  SyncMode sync() const { return options_.sync; }
  Figures figures() const;

 private:
  explicit Engine(Database::Options options);
  Result<void> start();
  Shard::Dependencies dependencies();
  Result<void> take_logs();            // of Options::log, where there is one
  Result<void> check_numbers() const;  // that they are of the shards of their names
  Result<void> begin_following();
  Follower::Names names_for(uint32_t shard);
  Result<void> begin_owning(uint32_t shard, const LogPosition& last);
  void give_up(uint32_t shard, const Error& why);
  void lose(uint32_t shard, const Error& why);
  using Names = std::map<std::string, uint32_t>;
  Names names_of(uint32_t shard) const;
  using SpaceOf = std::function<std::shared_ptr<NamespaceState>(const std::string& name)>;
  std::shared_ptr<NamespaceState> make_space(const std::string& name, uint32_t number, bool named,
                                             const std::shared_ptr<Shard>& shard) const;  // under mutex_
  bool is_served(const std::string& name) const;                                          // under mutex_
  Result<uint32_t> served_number(const std::string& name) const;
  Result<void> adopt_orphans(const Names& names, const SpaceOf& space_of);
  Result<void> erase_strays_beside();
  void end_orphans(const std::stop_token& stopping);
  void drop_orphans(uint32_t shard);
  Result<void> take_up_hashes(const std::shared_ptr<const Snapshot>& snapshot, const Names& names,
                              const SpaceOf& space_of);
  Result<void> resume(const Names& names);  // what goes on by itself
  Result<void> resume_indexes(const Names& names);
  Result<void> resume_mirrors(const Names& names, const std::shared_ptr<const Snapshot>& snapshot);
  Result<void> resume_expiry(const Names& names);
  void ring(const std::string& name, Alarms::For what);
  std::shared_ptr<const Snapshot> readable(const NamespaceState& space) const;
  Result<void> ask_shard(const std::string& name, decltype(ShardRequest::what) what);  // waits for the answer
  template <typename Done, typename Ask>
  static void run_job(FairPool& pool, const NamespaceState& space, Done done, Ask ask);
  void forget_idle_spaces();  // under mutex_, held alone
  void trim_idle();
  void end_beginning();  // once it is long ago
  void forget_long_idle_spaces(const std::stop_token& stopping);

  void end_all_conversations();  // when nothing runs any more but callbacks

  Database::Options options_;
  mutable Gate gate_;
  std::atomic<bool> is_closed_ = false;
  Callbacks callbacks_;
  SystemClock system_clock_;
  SteadyClock steady_clock_;
  const Clock* clock_;
  const Clock* steady_;  // for how long something is: the same where tests move it
  ClockSteps clock_steps_;
  std::string life_;
  std::string store_id_;
  std::unique_ptr<TreeStore> store_;
  ShardLogs logs_;  // of Options::log
  ReadTimes read_times_;
  FirstValueCounts first_values_;
  const std::shared_ptr<Memory> memory_;
  Alarms alarms_;
  Beginning beginning_;
  std::atomic<std::chrono::steady_clock::time_point> begun_{};
  Budget answers_;                                    // that are large
  std::unique_ptr<FairPool> scans_;                   // for what takes longer than a slice; outlives the readers
  std::unique_ptr<FairPool> readers_;                 // where reads begin
  std::vector<std::shared_ptr<Shard>> heavy_shards_;  // they outlive the others' threads
  // By number, and empty where all shards are ours. They outlive the shards.
  std::vector<std::unique_ptr<Follower>> followers_;
  std::deque<std::mutex> changing_;             // held by who owns or disowns that shard
  std::deque<std::atomic<uint64_t>> durable_;   // what of the log is synced
  std::vector<std::shared_ptr<Shard>> shards_;  // null: another node's. Guarded by mutex_ where shards are followed
  std::unique_ptr<Backups> backups_;
  Turns turns_;
  // Sessions of a process that has ended, which may come back until the thread has waited long enough; the oldest first.
  struct Orphans {
    std::chrono::steady_clock::time_point due;
    std::vector<std::pair<std::shared_ptr<NamespaceState>, std::string>> sessions;
  };
  std::mutex orphans_mutex_;  // Guards these three.
  std::condition_variable_any orphans_more_;
  std::deque<Orphans> orphans_;
  std::jthread orphans_end_;
  std::jthread idle_spaces_go_;
  mutable std::shared_mutex mutex_;  // Guards all below.
  std::map<std::string, std::shared_ptr<NamespaceState>> spaces_;
  std::map<std::string, uint32_t> names_;  // of namespaces that exist
  uint32_t next_number_ = 1;
  // For removed names: the sequence at which the next namespace of that name goes on, for an event id means one
  // moment only.
  std::map<std::string, uint64_t> next_sequences_;
  Revive revive_;
  Figures past_;           // of shards that were disowned
  size_t next_sweep_ = 0;  // size of spaces_ at which the next sweep is worth its time
};

// `done` gets what `ask(turn)` says of the namespace, or why nobody asks; nothing of what `ask` says when its turn is over.
template <typename Done, typename Ask>
void Engine::run_job(FairPool& pool, const NamespaceState& space, Done done, Ask ask) {
  using Told = std::invoke_result_t<Ask, Turn&>;
  FairPool::Job job;
  job.payer = {space.tree.number, 0};
  job.refuse = [done](const Error& error) {
    if constexpr (std::is_same_v<Told, Answer>) {
      Answer answer;
      answer.status = error;
      done(std::move(answer));
    } else {
      done(Told(error));
    }
  };
  job.run = [ask, done](Turn& turn) {
    Told told = ask(turn);
    if (!turn.is_over()) done(std::move(told));
  };
  pool.run(std::move(job));
}

}  // namespace hearth::db
