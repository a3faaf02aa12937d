// The parts behind a database, in which order they open, and in which they close.
//
//   open    store ─▶ scans ─▶ readers ─▶ heavy shards ─▶ shards ─▶ backups ─▶ orphans, idle sweep, unfinished indexes
//
//   close   gate          nobody comes in any more; those inside are waited for
//           timers        orphans' end, idle sweep: they submit to shards
//           backups       a restore's moment needs its shards
//           shards        finish what was submitted; wait for namespaces that are at a heavy shard
//           heavy shards
//           readers       answer what shards asked for; pass long jobs on to the scans
//           scans
//           conversations each story ends with Ended
//           callbacks     the last ones are called
//           store         the folder is free again
//
// The rule of the order: a part closes after all that make work for it. In another order a request that was accepted
// would find nobody to do it, and whoever waits for its answer would wait for ever.
//
// Namespaces. spaces_ has those in memory, by name; names_ those that exist on disk. Only the map hands a NamespaceState out,
// so one that the map alone holds (use_count() == 1, under the lock held alone) is used by nobody, and may be
// forgotten: everything that matters is in its rows, and whoever has something queued for its end holds it.
#include "db/engine.h"

#include <condition_variable>
#include <mutex>

#include <algorithm>
#include <future>

#include "db/base/random.h"
#include "db/model/index.h"
#include "db/read/changes.h"
#include "db/read/past.h"
#include "db/read/reads.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

Answer answer_of(Error error) {
  Answer answer;
  answer.status = std::move(error);
  return answer;
}
Answer closed_answer() { return answer_of(closed_error()); }

}  // namespace

// A test that moves the clock moves `steady_` with it; only the watch on clock steps has the real steady clock.
Engine::Engine(Database::Options options)
    : options_(std::move(options)),
      callbacks_(options_.run),
      clock_(options_.clock != nullptr ? options_.clock : &system_clock_),
      steady_(options_.clock != nullptr ? options_.clock : &steady_clock_),
      clock_steps_(options_.on_clock_step, *clock_, steady_clock_),
      memory_(std::make_shared<Memory>(options_.memory)),
      alarms_(*steady_, options_.clock != nullptr, [this](const auto& name, Alarms::For what) { ring(name, what); }),
      answers_(options_.answer_bytes_max) {}

Result<std::shared_ptr<Engine>> Engine::open(const Database::Options& options) {
  std::shared_ptr<Engine> engine(new Engine(options));
  RETURN_IF_ERROR(engine->start());
  return engine;
}

Result<void> Engine::start() {
  ASSIGN_OR_RETURN(store_,
                   TreeStore::open({options_.folder, static_cast<uint32_t>(options_.shards), options_.environment,
                                    options_.free_bytes_min, options_.on_notice, options_.cluster_id}));
  names_ = store_->names_at_open();
  for (const auto& [name, number] : names_) next_number_ = std::max(next_number_, number + 1);
  RETURN_IF_ERROR(options_.follows ? begin_following() : take_logs());
  RETURN_IF_ERROR(erase_strays_beside());
  store_id_ = store_->id();
  life_ = store_->life();
  const std::shared_ptr<const Snapshot> beginning = store_->snapshot();
  const size_t readers = std::max<size_t>(options_.readers, 1);
  FairPool::Options scans;
  scans.threads = kScanThreads;
  scans.running_max = kScansRunningMax;
  scans.waiting_max = options_.reads_waiting_max;
  scans.waiting_of_one_max = options_.reads_waiting_of_one_max;
  scans.nice = kScanNice;
  scans_ = std::make_unique<FairPool>(scans);
  FairPool::Options first = scans;
  first.threads = first.running_max = first.running_of_one_max = readers;
  first.beyond = scans_.get();
  first.nice = 0;
  readers_ = std::make_unique<FairPool>(first);
  // A shard needs the heavy ones from its first request on.
  for (size_t i = 0; i < kHeavyShards; ++i) heavy_shards_.push_back(std::make_shared<Shard>(dependencies()));
  shards_.resize(store_->shards());
  for (auto& shard : shards_) {
    if (!options_.follows) shard = std::make_shared<Shard>(dependencies(), heavy_shards_);
  }
  backups_ = std::make_unique<Backups>(*store_, options_.folder, *clock_, *steady_,
                                       [this](const std::string& name) { return space(name); });
  const Names names = options_.follows ? Names() : names_;
  const SpaceOf space_of = [this](const std::string& name) { return space(name); };
  RETURN_IF_ERROR(take_up_hashes(beginning, names, space_of));
  RETURN_IF_ERROR(adopt_orphans(names, space_of));
  idle_spaces_go_ = std::jthread([this](const std::stop_token& stopping) { forget_long_idle_spaces(stopping); });
  return resume(names);
}

Shard::Dependencies Engine::dependencies() {
  const bool is_synced = options_.sync == SyncMode::Group && !options_.follows;
  const auto durability = is_synced ? TreeStore::Durability::Synced : TreeStore::Durability::Os;
  // Called by shards' threads after the commit: a name exists for others only once it is on disk.
  const auto on_named = [this](const std::string& name, uint32_t number) {
    const std::unique_lock lock(mutex_);
    names_[name] = number;
  };
  const auto on_removed = [this](const std::string& name, uint64_t sequence) {
    const std::unique_lock lock(mutex_);
    names_.erase(name);
    spaces_.erase(name);
    next_sequences_[name] = sequence + 1;
  };
  const auto on_revive = [this](const std::string& name, const std::string& memo) {
    Revive revive;
    {
      const std::shared_lock lock(mutex_);
      revive = revive_;
    }
    return revive ? revive(name, memo) : nullptr;
  };
  return Shard::Dependencies{*store_,
                             durability,
                             *readers_,
                             *scans_,
                             read_times_,
                             first_values_,
                             memory_,
                             options_.memory.remembered_bytes_max / store_->shards(),
                             options_.memory.leaf_cache_bytes_max / store_->shards(),
                             options_.memory.resume_bytes_max / store_->shards(),
                             beginning_,
                             answers_,
                             Quota{options_.namespace_rows_max, options_.namespace_bytes_max},
                             step_of_rows(options_.step_rows_max),
                             *clock_,
                             clock_steps_,
                             options_.indexes,
                             options_.history,
                             options_.kept_answers_bytes_max,
                             on_named,
                             on_removed,
                             on_revive,
                             alarms_,
                             options_.log != nullptr ? &logs_ : nullptr};
}

void Engine::revive_by(Revive revive) {
  const std::unique_lock lock(mutex_);
  revive_ = std::move(revive);
}

Engine::~Engine() {
  if (!is_closed_) close();
}

void Engine::close() {
  if (!gate_.close()) {
    if (callbacks_.is_here()) return;  // who closes waits for this callback
    is_closed_.wait(false);
    return callbacks_.wait_for_others();
  }
  // From here on nobody asks for more, and what was asked for is finished, in the order in which one makes work for
  // the other.

  orphans_end_ = {};
  orphans_.clear();
  idle_spaces_go_ = {};
  alarms_.close();
  backups_.reset();  // a restore's moment needs its shards
  for (const auto& shard : shards_) {
    if (shard != nullptr) shard->close();
  }
  for (const auto& shard : heavy_shards_) shard->close();
  readers_.reset();  // they pass on to the scans
  scans_.reset();
  end_all_conversations();
  callbacks_.close();
  // From here on nothing runs. Handles keep what is memory; the store is for whoever opens it next.

  {
    const std::unique_lock lock(mutex_);
    spaces_.clear();
    revive_ = nullptr;
  }
  beginning_.let_go();
  for (const auto& follower : followers_) follower->close();
  store_.reset();
  is_closed_ = true;
  is_closed_.notify_all();
}

// Tells every conversation that the database is closed. Their queues stay on disk, for the next start.
void Engine::end_all_conversations() {
  for (const auto& [name, space] : spaces_) {
    for (const auto& [id, session] : space->sessions) {
      const std::shared_ptr<Conversation> conversation = session.lock();
      if (conversation == nullptr) continue;
      conversation->story.end(closed_error());
      conversation->subscriptions.clear();  // they hold it
    }
    space->openings.clear();  // likewise
    space->throttles.clear();
  }
}

std::shared_ptr<NamespaceState> Engine::space(const std::string& name) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = spaces_.find(name); found != spaces_.end()) {
      found->second->idle_since = 0;
      return found->second;
    }
    if (!followers_.empty() && !is_served(name)) return nullptr;
  }
  const std::unique_lock lock(mutex_);
  if (!followers_.empty() && !is_served(name)) return nullptr;
  std::shared_ptr<NamespaceState>& made = spaces_[name];
  if (made == nullptr) {
    const auto known = names_.find(name);
    const bool named = known != names_.end();
    // A number for a name that may never be written: they are counted on, and none is given out twice in one life.
    if (!named && options_.log != nullptr) next_number_ = number_for(name, next_number_, store_->shards());
    const uint32_t number = named ? known->second : next_number_++;
    made = make_space(name, number, named, shards_[number % shards_.size()]);
    std::shared_ptr<NamespaceState> result = made;
    forget_idle_spaces();
    return result;
  }
  return made;
}

std::shared_ptr<NamespaceState> Engine::make_space(const std::string& name, uint32_t number, bool named,
                                                   const std::shared_ptr<Shard>& shard) const {
  // Not by make_shared: a shard remembers it weakly, which would hold its memory.
  std::shared_ptr<NamespaceState> made(
      new NamespaceState(name, number, named, shard, shard->registered(), shard->remembered()));
  if (const auto before = next_sequences_.find(name); before != next_sequences_.end())
    made->tree.head.sequence = before->second;
  return made;
}

// Whoever uses a space holds it, and comes by it only through the map: one that the map alone holds is used by
// nobody. What it knew is in its rows.
void Engine::forget_idle_spaces() {
  if (spaces_.size() <= kSpacesInMemoryMax || spaces_.size() < next_sweep_) return;
  std::erase_if(spaces_, [](const auto& entry) { return entry.second.use_count() == 1; });
  next_sweep_ = spaces_.size() + kSpacesInMemoryMax / 10;  // or a full map of busy ones would be swept each time
}

void Engine::forget_long_idle_spaces(const std::stop_token& stopping) {
  const auto period = std::clamp<std::chrono::milliseconds>(options_.space_idle_time / 4, std::chrono::milliseconds(20),
                                                            std::chrono::seconds(15));
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock waiting(mutex);
  auto trim_at = std::chrono::steady_clock::now() + kTrimIdleLogsPart * options_.space_idle_time;
  while (!never.wait_for(waiting, stopping, period, [] { return false; }) && !stopping.stop_requested()) {
    if (std::chrono::steady_clock::now() >= trim_at) {
      trim_at += kTrimIdleLogsPart * options_.space_idle_time;
      trim_idle();
    }
    end_beginning();
    const int64_t now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    std::vector<std::shared_ptr<NamespaceState>> gone;  // their memory goes when nobody waits for the lock any more
    const std::unique_lock lock(mutex_);
    std::erase_if(spaces_, [&](const auto& entry) {
      NamespaceState& space = *entry.second;
      const bool is_used = entry.second.use_count() > 1 || !space.tree.ephemeral.shown->empty();
      // Two looks are needed: the first finds it unused and takes the time, a later one finds it still unused.
      if (is_used || space.idle_since == 0) {
        space.idle_since = is_used ? 0 : now;
        return false;
      }
      if (now - space.idle_since < options_.space_idle_time.count()) return false;
      gone.push_back(entry.second);
      return true;
    });
  }
}

std::vector<std::string> Engine::names() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, number] : names_) names.push_back(name);
  return names;
}

bool Engine::exists(const std::string& name) const {
  const std::shared_lock lock(mutex_);
  return names_.contains(name);
}

Result<void> Engine::ask_shard(const std::string& name, decltype(ShardRequest::what) what) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return not_owner_error();
  // On this stack: the shard answers everything that it took before close() goes on, and the pass keeps close()
  // waiting.
  std::promise<Result<void>> done;
  where->shard.submit(
      {.space = where, .what = std::move(what), .done = [&](const Answer& answer) { done.set_value(answer.status); }});
  return done.get_future().get();
}

Result<void> Engine::create(const std::string& name) { return ask_shard(name, CreateRequest{}); }

// Never while a restore is under way: it has asked for the numbers of its namespaces, and must find them.
Result<void> Engine::remove(const std::string& name) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  return backups_->meanwhile([&] { return ask_shard(name, RemoveRequest{}); });
}

Result<std::shared_ptr<Conversation>> Engine::converse(const std::string& name, std::string_view replaces, Wake wake) {
  const Gate::Pass pass(gate_);
  if (!pass) return closed_error();
  std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return not_owner_error();
  // The request is submitted before anybody has the conversation: so it is the first of its line of requests.
  auto conversation =
      std::make_shared<Conversation>(SessionId::random(), std::move(where), std::move(wake), memory_->events.get());
  conversation->since = clock_->now();
  conversation->space->shard.submit(
      {.space = conversation->space, .conversation = conversation, .what = BeginRequest{std::string(replaces)}});
  return conversation;
}

void Engine::end_conversations(const std::string& name, std::string label, Error reason,
                               std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  where->shard.submit(
      {.space = where, .what = EndLabelledRequest{std::move(label), std::move(reason)}, .done = std::move(done)});
}

// The rows in memory are taken first: the snapshot may be newer than they are, and is never older.
std::shared_ptr<const Snapshot> Engine::readable(const NamespaceState& space) const {
  const EphemeralRows rows = space.tree.ephemeral.shown->rows();
  const auto snapshot = store_->snapshot();
  return rows.empty() ? snapshot : snapshot->with(rows);
}

void Engine::read(const std::string& name, Read read, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  run_read(*readers_, read_times_, answers_, std::move(read), readable(*where), where->tree.number, clock_->now(),
           std::move(done), store_.get());
}

void Engine::write(const std::string& name, Write write, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  where->shard.submit({.space = where, .what = WriteRequest{std::move(write)}, .done = std::move(done)});
}

void Engine::say(const std::string& name, std::string topic, std::shared_ptr<const Precondition> may_speak,
                 std::shared_ptr<TopicMessage> message, bool is_kept, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  SayRequest say{0, std::move(message), std::move(topic), std::move(may_speak)};
  say.is_kept = is_kept;
  where->shard.submit({.space = where, .what = std::move(say), .done = std::move(done)});
}

void Engine::judge(const std::string& name, Write write, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  run_job(*readers_, *where, std::move(done), [this, where, write = std::move(write), now = clock_->now()](Turn& turn) {
    return answer_judge(write, readable(*where), where->tree.number, now, turn);
  });
}

void Engine::setting(const std::string& name, std::string which,
                     std::function<void(Result<std::optional<std::string>>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*readers_, *where, std::move(done), [this, where, which = std::move(which)](Turn&) {
    return SnapshotSettings(store_->snapshot(), where->tree.number).text(which);
  });
}

void Engine::changes(const std::string& name, ChangesRead read, std::function<void(Result<ChangesPage>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*readers_, *where, std::move(done), [this, where, read = std::move(read)](Turn& turn) {
    return read_changes(read, *store_, store_->snapshot(), where->tree.number, options_.history, turn);
  });
}

void Engine::purge(const std::string& name, Path path, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  beginning_.let_go();  // it has what is to go
  PurgeRequest purge;
  purge.purge.path = std::move(path);
  // What is gone is gone from the disk too when the answer is told: files of versions and of the log are written anew.
  auto rewrite = [this, where, done = std::move(done)](const Answer& answer) {
    if (!answer.status.ok()) return done(answer);
    FairPool::Job job;
    job.payer = {where->tree.number, 0};
    job.refuse = [done](const Error& error) { done(answer_of(error)); };
    job.run = [this, where, done, answer](Turn&) {
      store_->rewrite(where->tree.number, {Table::Log, Table::Version, Table::Beside});
      done(answer);
    };
    scans_->run(std::move(job));
  };
  where->shard.submit({.space = where, .what = std::move(purge), .done = std::move(rewrite)});
}

void Engine::undo(const std::string& name, EventId id, std::string by, std::function<void(Answer)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_answer());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(answer_of(not_owner_error()));
  run_job(
      *readers_, *where,
      [where, by = std::move(by), done](Result<Write> write) {
        if (!write.ok()) return done(answer_of(write.error()));
        write.value().by = by;
        where->shard.submit({.space = where, .what = WriteRequest{std::move(write).value()}, .done = done});
      },
      [this, where, id = std::move(id)](Turn& turn) {
        return undo_of(id, *store_, store_->snapshot(), where->tree.number, turn);
      });
}

void Engine::history(const std::string& name, HistoryRead read, std::function<void(Result<PathHistory>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*readers_, *where, std::move(done), [this, where, read = std::move(read)](Turn& turn) {
    return read_history(read, *store_, store_->snapshot(), where->tree.number, turn);
  });
}

void Engine::stats(const std::string& name, Path path, std::function<void(Result<Stats>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  const auto found = std::make_shared<Stats>();
  auto tell = [found, done = std::move(done)](const Answer& answer) {
    done(answer.status.ok() ? Result<Stats>(std::move(*found)) : Result<Stats>(answer.status.error()));
  };
  where->shard.submit({.space = where, .what = StatsRequest{std::move(path), found}, .done = std::move(tell)});
}

void Engine::indexes(const std::string& name, std::function<void(Result<IndexPlan>)> done) {
  const Gate::Pass pass(gate_);
  if (!pass) return done(closed_error());
  const std::shared_ptr<NamespaceState> where = space(name);
  if (where == nullptr) return done(not_owner_error());
  run_job(*readers_, *where, std::move(done), [this, where, usual = options_.indexes](Turn&) -> Result<IndexPlan> {
    const auto snapshot = store_->snapshot();
    ASSIGN_OR_RETURN(const auto row, snapshot->get(row_key(Table::Index, where->tree.number, kPlanRow)));
    IndexPlan plan;
    if (row) {
      ASSIGN_OR_RETURN(plan, IndexPlan::decode(*row));
    }
    // What the settings ask for becomes part of the plan by a commit of its own, behind theirs.
    ASSIGN_OR_RETURN(const auto wanted, wanted_indexes(SnapshotSettings(snapshot, where->tree.number), usual));
    for (const IndexSpec& spec : wanted) {
      const auto is_it = [&](const Index& index) { return index.spec == spec; };
      if (std::none_of(plan.indexes.begin(), plan.indexes.end(), is_it)) plan.indexes.push_back({spec});
    }
    return plan;
  });
}

Figures Engine::figures() const {
  Figures figures;
  std::vector<std::shared_ptr<Shard>> shards;
  {
    const std::shared_lock lock(mutex_);
    figures = past_;
    shards = shards_;
  }
  for (const auto& shard : shards) {
    if (shard != nullptr) shard->add_to(figures);
  }
  for (const auto& shard : heavy_shards_) shard->add_to(figures);
  figures.answer_bytes = answers_.bytes();
  figures.answers_refused = answers_.refused();
  figures.event_bytes = static_cast<uint64_t>(std::max<int64_t>(memory_->events->bytes.value(), 0));
  figures.topics = static_cast<uint64_t>(memory_->topics.topics.value());
  figures.topic_members = static_cast<uint64_t>(memory_->topics.members.value());
  figures.topic_bytes = static_cast<uint64_t>(memory_->topics.bytes.value());
  figures.disconnect_bytes = static_cast<uint64_t>(memory_->disconnect_bytes.value());
  figures.listener_bytes = static_cast<uint64_t>(memory_->listeners.bytes.value());
  memory_->add_to(figures.memory_limits_reached);
  figures.memory_limits = memory_->limits;
  read_times_.each([&](const TimeHistogram& times) { times.add_to(figures.read_time); });
  figures.first_values_read = first_values_.reads.value();
  figures.first_values_hashed = first_values_.hashes.value();
  figures.reads = readers_->figures();
  figures.scans = scans_->figures();
  figures.store = store_->figures();
  const std::shared_lock lock(mutex_);
  figures.kept_answers_bytes_max = options_.kept_answers_bytes_max;
  figures.namespaces = names_.size();
  figures.namespaces_in_memory = spaces_.size();
  return figures;
}

}  // namespace hearth::db
