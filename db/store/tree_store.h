// All namespaces' rows on disk. Writes go in as sorted batches, one at a time for each shard; reads see a Snapshot.
//
//   head := version:1 = 1  sequence:8 BE  time:8 BE  flags:1  [ rules:16 ]
//   flags: bit 0: some node has or had a priority; bit 1: some path has or had a document. rules: the digest of that setting, when it is set
//
// On disk. Never renumber. A commit that fails leaves the store broken: it is not known what is on disk, so nothing
// more is written until a restart has looked. Thread: any. Blocks on disk.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/figures.h"
#include "db/model/notice.h"
#include "db/model/settings.h"
#include "db/model/tree_view.h"
#include "db/store/row_key.h"
#include "db/store/snapshot.h"

namespace hearth::db {

// From format 2 on a store has index rows: an older Hearth would change the data and leave them as they are.
// From format 4 on it may have documents, which an older Hearth would leave out of dumps and write over.
// From format 5 on it may have logs, which an older Hearth would not go on with.
// From format 6 on documents may stand in the tree too, which an older Hearth would not keep up.
inline constexpr uint32_t kStoreFormat = 6;
inline constexpr size_t kLivesMax = 4'096;  // runs of a database that its store remembers
inline constexpr std::chrono::milliseconds kRoomLookInterval{100};
// The disk counts as having room again when an eighth of the reserve is free above it: else the operator would be
// told of every byte that crosses the line.
inline constexpr uint64_t kRoomMargin = 8;
// Larger batches go in as a file, past the log (db/store/machine-facts.md §3.1).
inline constexpr size_t kIngestRowsMin = 50'000;
// Rows and what RocksDB's memory adds to them. It guesses how many of a range wait there by the heights of a skip list,
// which are drawn by lot: 10,000 of 210,000 were taken for none, and for all (RocksDB 7.8.3).
inline constexpr uint64_t kEstimatedInMemoryMax = 1u << 20;
// Range tombstones in memory before a flush (db/store/machine-facts.md §3.2).
inline constexpr size_t kTombstonesMax = 100;
// A seek goes through removed rows one by one while these and their tombstone are both in memory. So memory is flushed
// before a range is removed, when it holds more rows than this.
inline constexpr uint64_t kRowsUnderTombstoneMax = 1'000;

// Files and folders of these names in the data folder are leftovers: the next open removes them, as it does staged
// files.
inline constexpr std::string_view kCheckpointSuffix = ".checkpoint";
inline constexpr std::string_view kUploadSuffix = ".upload";
inline constexpr size_t kStagedFileBytes = 16u << 20;  // of one file of a Staged; the filter of each is made in memory

// Rows to be written as one commit of the store: first the ranges are emptied, then the rows are put or erased.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual size_t row_count() const = 0;
  virtual std::vector<std::pair<std::string, std::string>> ranges() const = 0;
  // Calls in ascending order of key; nothing as value: erased.
  using PutFunction = std::function<void(std::string_view key, std::optional<std::string_view> value)>;
  virtual void rows(const PutFunction& put) const = 0;
};

// A few rows, kept in a map.
class Batch final : public RowSource {
 public:
  void put(const std::string& key, std::string_view value) { rows_[key] = std::string(value); }
  void erase(const std::string& key) { rows_[key] = std::nullopt; }
  void take(Batch&& later) {  // its rows win
    for (auto& [key, value] : later.rows_) rows_[key] = std::move(value);
  }
  // What the batch would make of that row; null when the batch does not mention it.
  const std::optional<std::string>* find(const std::string& key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
  }
  size_t row_count() const override { return rows_.size(); }
  std::vector<std::pair<std::string, std::string>> ranges() const override { return {}; }
  void rows(const PutFunction& put) const override {
    for (const auto& [key, value] : rows_) put(key, value);
  }

 private:
  std::map<std::string, std::optional<std::string>> rows_;
};

class Staged;

// A store that no process has open, or a checkpoint of a store that is in use. It is read and never changed. The
// snapshot owns everything that it needs.
struct Frozen {
  std::shared_ptr<const Snapshot> snapshot;
  std::string id;
  std::map<std::string, uint32_t> names;
  std::map<uint32_t, std::string> lives{};  // runs of the database that are remembered, by their numbers
  std::string running{};                    // of a checkpoint: the run that made it
};
enum class Afterwards : uint8_t { Keep, Remove };  // the folder, when the snapshot goes
// A folder whose name was mistyped is not made. Errors: NotFound.
Result<void> check_there_is_a_store(const std::string& folder);
// Errors: NotFound (there is no store), Locked, Io, Corruption, Unsupported.
Result<Frozen> open_frozen(const std::string& folder, Afterwards afterwards = Afterwards::Keep);

class TreeStore {
 public:
  enum class Durability { Synced, Os };

  struct Options {
    std::string folder;
    uint32_t shards = 1;          // of a new store; an old one keeps its number
    void* environment = nullptr;  // a rocksdb::Env*, for tests
    uint64_t free_bytes_min = 0;  // see room()
    OnNotice on_notice{};         // may be empty
    std::string life{};           // of a cluster: its own, the same on all nodes and at every open; "": a new one
  };
  // Errors: Locked, Io, Corruption, Unsupported (made by a newer Hearth), InvalidArgument (it is not of that cluster).
  static Result<std::unique_ptr<TreeStore>> open(const Options& options);
  ~TreeStore();

  const std::string& id() const { return id_; }
  uint32_t shards() const { return shards_; }
  const std::map<std::string, uint32_t>& names_at_open() const { return names_; }

  // Runs of the database. Sequences of a namespace count on from one to the next, but for a folder that was put back to
  // an older state: so an id that outlives a run says of which run it is (db/log/log_reader.h). `life`: unguessable, new
  // at every open. Runs are numbered in their order, from 1. One that has
  // a log is remembered, by its row: from the open on where there was a log, else from the first entry on. A cluster is one
  // run on all its nodes, with the same number (Options::life): no node has a commit that the others have not.
  const std::string& life() const;
  uint32_t life_index() const { return life_index_; }
  std::optional<uint32_t> life_index_of(std::string_view life) const;  // nothing: no run that is remembered
  const std::string* life_of(uint32_t index) const;                    // null: the same
  std::pair<std::string, std::string> life_row() const;                // key and value
  // Entries up to `cut` are not read any more, and go. Blocks on disk.
  void cut_log(uint32_t number, uint64_t cut);
  // Writes the files of these tables' rows of a namespace anew, without what was overwritten or removed. Blocks on disk.
  void rewrite(uint32_t number, std::initializer_list<Table> tables);

  // Errors: Io; also when an earlier commit failed. After an error nothing of the batch may be told.
  Result<void> commit(const RowSource& rows, Durability durability);
  std::shared_ptr<const Snapshot> snapshot() const;
  // From here on what was committed by Durability::Os survives a power cut too. Errors: Io; then the store is broken.
  Result<void> sync();

  // For what is too large for one RowSource (staged.h). Errors of commit: as above; the files stay the Staged's.
  std::unique_ptr<Staged> stage(size_t file_bytes_max = kStagedFileBytes);
  Result<void> commit(Staged& staged);
  // The store as it is now, frozen, with everything that was committed before the call, in a folder of links that
  // goes with the snapshot or at the next open. It may outlive the store. Errors: Io, and of room().
  Result<Frozen> checkpoint();

  // Writes all files anew, without what was overwritten or removed. Reads and writes go on. Errors: Io, of room();
  // Unavailable when `is_stopping` became true meanwhile.
  Result<Compacted> compact(std::atomic<bool>& is_stopping);

  // Moves what waits in memory to files when it is more than kEstimatedInMemoryMax, and waits for that. Snapshot::
  // bytes_between() is about right for files, and a matter of luck for memory.
  void flush_for_estimates();

  Result<void> health() const;  // Errors: Unavailable, why writes are refused
  // Whether the disk has more than Options::free_bytes_min left: a write that fills it up breaks the store, one that
  // is not begun breaks nothing, and there is room to remove something. Looks again after kRoomLookInterval. Thread:
  // any. Errors: Unavailable.
  Result<void> room() const;
  StoreFigures figures() const;
  const OnNotice& on_notice() const { return on_notice_; }  // what else is to be noticed is told there too

 private:
  struct Rocks;
  explicit TreeStore(std::unique_ptr<Rocks> rocks);
  void tell_of_room(uint64_t left) const;
  Result<void> read_or_make_identity(uint32_t shards);
  Result<void> begin_life(const std::string& own);
  Result<void> write_batch(const RowSource& source, Durability durability);
  Result<void> ingest(const RowSource& source);
  Error break_store(const Error& cause);
  void flush();  // begins one, for the speed of reads alone

  std::unique_ptr<Rocks> rocks_;
  std::string id_;
  uint32_t shards_ = 1;
  std::map<std::string, uint32_t> names_;
  std::map<uint32_t, std::string> lives_;  // by their numbers; the last one is this
  uint32_t life_index_ = 0;
  uint64_t free_bytes_min_ = 0;
  mutable std::atomic<int64_t> looked_at_{INT64_MIN};  // room(), by the steady clock
  mutable std::atomic<uint64_t> free_bytes_{UINT64_MAX};
  mutable std::atomic<bool> is_short_{false};  // as it was told
  OnNotice on_notice_;
  std::atomic<size_t> tombstones_{0};
  std::atomic<uint64_t> next_file_{0};
  std::atomic<bool> was_synced_{false};  // by sync()
  std::atomic<bool> broken_{false};
  mutable std::mutex mutex_;  // Guards why_broken_.
  std::string why_broken_;
};

}  // namespace hearth::db
