// Where a shard's batches (batch.h) go before they are applied, when this store is not alone: a log that several machines
// share. A single one has none, and its store's own log is all there is.
//
//   Committer: a group ─▶ sealed ─▶ ShardLog ── append: "behind 811 of epoch 3" ──▶ CommitLog     one by compare-and-set
//                                      │◀──────────── Accepted ──────────────────────┘
//                                      ▼ only then the rows, only then the answers
//
//   Conflict   somebody else has appended: what was judged here was judged on a tree that is not the last any more. The group
//              is void, and this log is lost to us: we append nothing until the shard was taken and caught up with anew.
//   Unknown    the answer did not come. A new epoch ends the doubt: after it the batch is the last one, or never will be.
//
// The interface is PostgreSQL's, or a fake's in tests. Its functions may be called by many shards at a time, each of its
// own shard. ShardLog's thread: any that holds the turn.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/log/batch.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// The last batch of a shard.
struct LogPosition {
  uint64_t sequence = 0;
  uint64_t epoch = 0;
  std::string id = std::string(kBatchIdBytes, '\0');
};

// A batch's bytes, which nobody changes any more: the engine's log and the other nodes are sent the same.
using SealedBatch = std::shared_ptr<const std::string>;
inline SealedBatch sealed(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

class CommitLog {
 public:
  enum class Appended : uint8_t { Accepted, Conflict, Unknown };
  virtual ~CommitLog() = default;

  // Appends `batch`, of that id, as the next of the shard if the last one has the sequence and the epoch of `last`. `done` is
  // called on any thread, now or later; what it is told after its first call says nothing.
  virtual void append(uint32_t shard, const LogPosition& last, const std::string& id, SealedBatch batch,
                      std::function<void(Appended)> done) = 0;
  // Makes the shard ours, by a new epoch. Who may do that, and when, is for others to know. Blocks. Errors: Unavailable.
  virtual Result<LogPosition> take(uint32_t shard) = 0;
  // Begins a new epoch of the shard, if it still is of the epoch `epoch` and ours: from then on nothing that was appended
  // before and not accepted can come to be. Nothing: it is another's. Blocks. Errors: Unavailable.
  virtual Result<std::optional<LogPosition>> begin_epoch(uint32_t shard, uint64_t epoch) = 0;
  // The name of a file that a later batch of the shard is to name: no file has it yet.
  virtual std::string new_file(uint32_t shard);
  // Adds a part to a file that a later batch names. Blocks. Errors: Unavailable.
  virtual Result<void> add_file_part(uint32_t shard, const std::string& file, std::string_view part) = 0;
};

inline constexpr int kSettleTriesMax = 8;  // new epochs for one batch, before the log counts as lost

// A shard's end of the log.
class ShardLog {
 public:
  // Told once, by the thread that finds it out, with the turn held: so it only passes the word on.
  using OnLost = std::function<void(uint32_t shard, const Error& why)>;
  // `last`: what the store has applied; the log has nothing behind it.
  ShardLog(CommitLog& log, uint32_t shard, LogPosition last, OnLost on_lost = {})
      : log_(log), shard_(shard), last_(std::move(last)), on_lost_(std::move(on_lost)) {}

  // Held from before append() until what was appended is in the store, so that both have the same order.
  std::unique_lock<std::mutex> turn() { return std::unique_lock(mutex_); }
  // Seals the entries to a batch, and appends it. Precondition: the turn is held. Errors: NotOwner, and Unavailable where
  // nobody knows whether the batch is there; then nothing of it may be applied, and everything that comes later is
  // refused as well (is_lost).
  Result<void> append(std::string_view entries, Timestamp time);
  std::string new_file() { return log_.new_file(shard_); }
  Result<void> add_file_part(const std::string& file, std::string_view part) {
    return log_.add_file_part(shard_, file, part);
  }
  // The store and the log do not have the same any more, or the shard is another's. Precondition: the turn is held.
  void lose(Error why);
  // The shard is given up: nothing is appended any more, and nobody is told. Precondition: the turn is held.
  void end(Error why) {
    if (!lost_) lost_ = std::move(why);
  }
  bool is_lost() const { return lost_.has_value(); }

  uint32_t shard() const { return shard_; }
  const LogPosition& last() const { return last_; }

 private:
  CommitLog::Appended try_append(const BatchHead& head, std::string_view entries);

  CommitLog& log_;
  const uint32_t shard_;
  std::mutex mutex_;  // Guards all below.
  LogPosition last_;
  std::optional<Error> lost_;
  const OnLost on_lost_;
};

// Where there is a log, a name is of one shard for ever, the same on all machines: what happens to it has one order. The
// number that a store gives it is chosen so that number % shards is this.
uint32_t shard_of(std::string_view name, uint32_t shards);
uint32_t number_for(std::string_view name, uint32_t from, uint32_t shards);  // the next one, from there on

// Those of a store, by shard. A namespace's is that of its home, wherever it is worked on.
// Null: the shard is another node's, and nothing of it is written here.
struct ShardLogs {
  std::vector<std::shared_ptr<ShardLog>> logs;
  ShardLog& of(uint32_t number) const { return *logs[number % logs.size()]; }
};

// Takes all shards of a store. Errors: of take(); Unavailable, where the log has another last batch than the store.
Result<ShardLogs> take_logs(CommitLog& log, const Snapshot& snapshot, uint32_t shards);

// What of a shard's log is in the store: a row that is written with each batch.
//   applied := sequence:8 BE epoch:8 BE id:16
std::pair<std::string, std::string> applied_row(uint32_t shard, const LogPosition& last);
Result<LogPosition> applied_in(const Snapshot& snapshot, uint32_t shard);  // Errors: Io, Corruption

// Of a removed name, where its next namespace goes on: an event id means one moment only, and the ids of a log outlive the
// process. The row stays when there is a namespace of that name again.
//   removed := sequence:8 BE
std::pair<std::string, std::string> removed_row(const std::string& name, uint64_t sequence);
Result<std::map<std::string, uint64_t>> removed_in(const Snapshot& snapshot);

}  // namespace hearth::db
