// The embedded API: a realtime JSON tree database in this process. Start reading here.
//
//   auto database = Database::open({.folder = "data"}).value();
//   Namespace chat = database->space("chat").value();
//   chat.set("rooms/r1/name", Value::string("Lobby"));            // blocks until it is on disk
//   auto listener = chat.listen("rooms/r1", {.value = [](const Value& room) { … }});
//
// Threads. Every call may be made from any thread, at any time, also from a callback, except that a *blocking* call
// (those that return a Result of the work done) must not be made on the thread that runs callbacks: it is refused with
// InvalidArgument where that would wait for itself. Callbacks run one at a time, in commit order, on a thread of the
// database's own, or wherever `Options::run` passes them (the app's loop); an app that gives `run` must go on running
// what it is given, in order, and not within `run` itself. A callback that was told to stop may still finish a call
// already begun; none begins after `stop` returned on the thread that runs callbacks.
//
// Closing: close(), or the end of the Database, at any time and on any thread.
// - Whatever is asked for from then on is refused as Unavailable. What was accepted before is finished, and is on disk.
// - The callbacks of what was accepted are called, each once, with its result. Then listeners that still run hear
//   `cancelled`. Whatever these callbacks ask for is refused, and they are told so. When only refusals are left to be
//   told, further requests are dropped, so that writes which begin one another come to an end.
// - When it returns the folder may be opened again, no callback runs, and none will.
// - With `run` nobody is waited for but a callback that runs: what has not been called by then is dropped, and what the
//   app's loop still holds does nothing. The same when a callback closes; that one may go on.
// - Handles (Namespace, Listener, Client) may outlive the Database. They are refused, and hold some memory.
// Functions that are called on threads of the database (`done`, `wake`, preconditions) must not close the database.
//
// Errors are values (db/base/result.h). Nothing here throws, logs or handles signals.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/clock_steps.h"
#include "db/base/result.h"
#include "db/model/change.h"
#include "db/model/event.h"
#include "db/model/figures.h"
#include "db/model/history.h"
#include "db/model/index.h"
#include "db/model/memory_limits.h"
#include "db/model/namespace_name.h"
#include "db/model/notice.h"
#include "db/model/read.h"
#include "db/model/stats.h"
#include "db/model/value.h"
#include "db/model/write.h"

namespace hearth::db {

class Client;
class CommitLog;
class Engine;

enum class SyncMode {
  Group,  // a write is told after an fsync, shared by all that wait: survives a power cut
  Os,     // a write is told when the kernel has it: survives a kill of the process, not a power cut
};

// Callbacks of one listener; those left empty are not called.
struct ListenerCallbacks {
  std::function<void(const Value&)> value{};  // at first, and after every change at or below
  // Children of the path, with the key of the one before it ("" for the first): by priority, or in the query's order.
  std::function<void(const std::string& key, const Value&, const std::string& previous)> child_added{};
  std::function<void(const std::string& key, const Value&, const std::string& previous)> child_changed{};
  std::function<void(const std::string& key, const Value&, const std::string& previous)> child_moved{};
  std::function<void(const std::string& key, const Value&)> child_removed{};
  std::function<void(const Error&)> cancelled{};  // no callback follows
};

// A running listener; stops when destroyed.
class Listener {
 public:
  Listener() = default;
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) noexcept;
  ~Listener();
  void stop();

 private:
  friend class Namespace;
  struct State;
  explicit Listener(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// For what is written at ephemeral paths (db/model/path_plan.h): it is in memory alone, and goes after that long, 60 seconds
// at most. A Client's stays until it ends (db/client.h).
struct WriteOptions {
  std::chrono::milliseconds ttl{0};
};

struct Written {
  uint64_t sequence = 0;
  Timestamp time{};
};

// A handle to one tree; a copy is a pointer. It may outlive its Database: see Closing.
class Namespace {
 public:
  const std::string& name() const;

  // Blocking forms. Errors: InvalidPath, InvalidData, TooLarge, Unavailable, Io.
  Result<Value> get(std::string_view path) const;
  Result<Written> set(std::string_view path, Value value);                                            // null removes
  Result<Written> update(std::string_view path, std::vector<std::pair<std::string, Value>> entries);  // all or nothing
  Result<Written> set(std::string_view path, Value value, const WriteOptions& options);
  Result<Written> update(std::string_view path, std::vector<std::pair<std::string, Value>> entries,
                         const WriteOptions& options);
  Result<std::string> push(std::string_view path, Value value);  // the new child's key
  Result<Written> remove(std::string_view path);
  // Of the children at the path: those that the query selects; how many; removing them, in one commit.
  Result<Value> get(std::string_view path, const Query& query, const Projection& projection = {}) const;
  Result<uint64_t> count(std::string_view path, const Query& query = Query::by_key()) const;
  Result<Written> remove(std::string_view path, const Query& query);
  // Writes `to` if what stands there is exactly `from`. Errors: Stale.
  Result<Written> compare_and_set(std::string_view path, const Value& from, Value to);
  // Calls `change` with the value that stands there until what it returns could be written on just that value; nothing
  // returned: leaves it. Returns what stands there at last. Transactions of this process at one path take turns, so
  // only other writes make a try vain. Errors: Stale after kTransactionTriesMax tries.
  Result<Value> transaction(std::string_view path, const std::function<std::optional<Value>(const Value&)>& change);

  // The same without waiting: `done` is called back (see Threads, Closing), after the write is durable.
  using Done = std::function<void(Result<Written>)>;
  void set_async(std::string_view path, Value value, Done done = {});
  void set_async(std::string_view path, Value value, const WriteOptions& options, Done done = {});
  void update_async(std::string_view path, std::vector<std::pair<std::string, Value>> entries, Done done = {});
  std::string push_async(std::string_view path, Value value, Done done = {});
  void remove_async(std::string_view path, Done done = {});
  void get_async(std::string_view path, std::function<void(Result<Value>)> done) const;

  // No gap and no repeat: the first value and what changed after it. Costs one copy of the listened value in memory.
  // Errors: InvalidPath.
  [[nodiscard]] Result<Listener> listen(std::string_view path, ListenerCallbacks callbacks);
  // To what the query selects, or with Query::counts to how many it selects; children come in its order. Costs the
  // window, and an index spares the rest. `projection`: of each child those paths alone; name what the query orders
  // by among them, or child events come in the order of what is left.
  [[nodiscard]] Result<Listener> listen(std::string_view path, const Query& query, ListenerCallbacks callbacks,
                                        Projection projection = {});

  // What happened here and where, commit by commit, from the log that Options::history keeps: a page of what came after
  // `read.since` ("0": all that there is). Whoever stores `next` together with what came of the page sees each change once.
  // Where there is nothing yet it waits for something, for `patience`; then the page is empty. Errors: of
  // db/read/changes.h; NotFound: since then the log was cut, so what the app has is to be read anew.
  Result<ChangesPage> changes(const ChangesRead& read, std::chrono::milliseconds patience = {}) const;
  void changes_async(ChangesRead read, std::function<void(Result<ChangesPage>)> done) const;  // does not wait for more

  // The secondary indexes of this tree: [{"at": "/rooms/$room/messages", "by": "sent"}, …]; `by`: a child path, a
  // list of them, or ".value". They are built while writes go on; until one is complete, queries are answered without
  // it. Errors: InvalidData.
  Result<Written> set_indexes(std::string_view json);

 private:
  friend class Database;
  struct State;
  explicit Namespace(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

inline constexpr int kTransactionTriesMax = 25;

class Database {
 public:
  struct Options {
    std::string folder;  // made when missing
    SyncMode sync = SyncMode::Group;
    size_t shards = 4;   // fixed when the store is made; later opens use the stored number
    size_t readers = 2;  // threads that read
    // What one request may take, in rows, of a thread that many namespaces share (db/base/step.h); what takes more is
    // done on another thread, and only its own namespace waits. Bytes and evaluations of rules have limits in
    // proportion.
    uint64_t step_rows_max = 4'000;
    // Reads that wait for these, and likewise for the threads of long ones: in all, and of one namespace. What comes
    // then is Unavailable.
    size_t reads_waiting_max = 262'144;
    size_t reads_waiting_of_one_max = 131'072;
    // After a start: how long sessions of a process that was killed may take to come back, before what they queued for
    // their end is written.
    std::chrono::milliseconds disconnect_grace{15'000};
    uint64_t free_bytes_min = 64u << 20;      // with less left on the disk, writes that add something are Unavailable
    uint64_t answer_bytes_max = 1024u << 20;  // of large values that clients have asked for and not yet taken, in all
    // Of one namespace; writes that would make it larger are TooLarge. 0: any number. Bytes are those of keys and
    // values.
    uint64_t namespace_rows_max = 0;
    uint64_t namespace_bytes_max = 0;
    // Of the answers that are kept for writes with a key (Once), in one namespace: past it the oldest are dropped early.
    uint64_t kept_answers_bytes_max = 64u << 20;
    MemoryLimits memory;  // of what clients may hold
    // After that, what is known of a namespace that nobody uses is forgotten.
    std::chrono::milliseconds space_idle_time{600'000};
    UsualIndexes indexes;          // of namespaces whose settings name none (db/model/index.h)
    HistoryPlan history;           // the same: how much of what happened is kept (db/model/history.h)
    const Clock* clock = nullptr;  // null: the system's; must outlive the database and its handles
    std::function<void(const ClockStep&)> on_clock_step{};  // db/base/clock_steps.h; any thread, and soon back
    std::function<void(std::function<void()>)> run;         // passes on where callbacks run; empty: a thread of ours
    OnNotice on_notice;           // hears what an operator should know (db/model/notice.h); empty: nobody
    void* environment = nullptr;  // tests: a rocksdb::Env*
    // Takes what is committed before it is on disk (db/log/commit_log.h); must outlive the database. Null: there is none.
    // With one all shards are taken at the open, and what is behind the log does not open; or, for a node of a cluster,
    // all shards are followed until Host::replica() is told to own some. Then `shards` is the cluster's number, and
    // nothing is synced but by sync_applied(), for the log has it.
    CommitLog* log = nullptr;
    bool follows = false;
    std::string cluster_id;  // is Host::life() on all nodes
    // A shard that was owned is another's, or nobody can say: it takes nothing more, and is to be disowned. Called once for
    // each owning, at most; any thread, and soon back: it must not call the database.
    std::function<void(uint32_t shard, const Error& why)> on_lost{};
  };

  // Errors: Locked (another process has it), Io, Corruption (naming what is wrong), Unsupported (a newer format).
  static Result<std::unique_ptr<Database>> open(const Options& options);
  ~Database();  // close()s
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  void close();  // see Closing; returns at once in a callback of a database that is being closed

  // The namespace of that name; a name not seen before is an empty tree and costs nothing until it is written.
  // Errors: InvalidArgument when the name is none (check_namespace_name).
  Result<Namespace> space(std::string_view name);

  // Names of namespaces that exist, and making one by hand.
  std::vector<std::string> namespaces() const;
  bool exists(std::string_view name) const;
  Result<void> create(std::string_view name);
  // With everything in it, its rules and its indexes. Whoever converses with it hears Ended (listeners: cancelled).
  // The name is then as one not seen before. Blocks; its room on disk comes back by and by (compact). Errors:
  // NotFound; Unavailable, while a restore is under way.
  Result<void> remove(std::string_view name);

  // How large the tree at the path is and where, and who listens to the namespace, without going through all of it.
  void stats(const std::string& name, Path path, std::function<void(Result<Stats>)> done);
  // Gives back the room of what was overwritten and removed, which otherwise comes by and by; beside reads and
  // writes, whose disk it takes part of. Errors: db/upkeep/backups.h.
  void compact(std::function<void(Result<Compacted>)> done);
  Result<void> health() const;  // Unavailable: writes are refused, and why: the store is broken, or the disk is full

 protected:
  explicit Database(std::shared_ptr<Engine> engine);
  const std::shared_ptr<Engine> engine_;
};

}  // namespace hearth::db
