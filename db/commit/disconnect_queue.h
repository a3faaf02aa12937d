// What one session wants written when it ends, as a sparse tree: no two entries overlap, a later one replaces or edits
// what it covers. And by whose rights, for a restart. SDK: core/SparseSnapshotTree.ts; db/model/data-model.md §12,
// net/wire/protocol.md §8.2. Thread: its shard's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/base/result.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr char kQueuedByMark = '\xff';            // On disk. The key of the memo, which no path begins with
inline constexpr size_t kDisconnectEntriesMax = 10'000;  // of one session
inline constexpr size_t kDisconnectEntryBytes = 256;     // about what one holds in memory beside its value and its path

class DisconnectQueue {
 public:
  explicit DisconnectQueue(std::string session) : session_(std::move(session)) {}
  DisconnectQueue(DisconnectQueue&&) = default;  // never a copy: it may be large

  // Takes the operation in; answers the rows it adds, changes and removes. Errors: TooLarge.
  Result<std::vector<Effect>> take(const Disconnect& disconnect);
  // Notes the memo by which the queue will be judged (Precondition::memo); an empty queue has none. Returns the rows
  // that this changes.
  std::vector<Effect> sign(const std::string& memo);
  const std::string& memo() const { return memo_; }
  // Takes back what take(), sign() and clear() have done since keep(). Costs what they changed, not the whole queue.
  void undo();
  void keep();
  size_t undo_count() const { return undo_.size(); }  // entries that undo() would put back or remove
  // One write for each entry, in key order, and the effects that remove them all.
  std::vector<Overwrite> overwrites() const;
  std::vector<Overwrite> first(size_t most) const;  // the same, some of them
  std::vector<Effect> clear();
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  // What the queue would add to its namespace (rows, and bytes of keys and values), and about what it holds in memory.
  size_t row_count() const { return rows_; }
  size_t data_byte_count() const { return data_bytes_; }
  size_t byte_count() const { return bytes_ + entries_.size() * kDisconnectEntryBytes; }
  size_t counted_rows = 0, counted_data_bytes = 0, counted_bytes = 0;  // what its owner has counted of these sums

  // A row found in the store (key as in queue_key behind the session, or kQueuedByMark).
  Result<void> restore(std::string_view key, std::string_view rows);

 private:
  using Entries = std::map<std::string, Overwrite, std::less<>>;  // by encoded path, 0x00 behind it for a priority
  void put(const Overwrite& overwrite, std::vector<Effect>& effects);
  void cancel(const Path& path, std::vector<Effect>& effects);
  void remove_at_and_below(const std::string& key, std::vector<Effect>& effects);
  Entries::iterator above(const Path& path);  // the entry that covers `path` from above, or end
  void store(Overwrite overwrite, std::vector<Effect>& effects);
  void put_entry(std::string key, Overwrite overwrite);
  Entries::iterator erase_entry(Entries::iterator at);
  void count(const Overwrite& overwrite, bool is_there);

  std::string session_;
  std::string memo_;
  Entries entries_;
  size_t rows_ = 0;
  size_t data_bytes_ = 0;
  size_t bytes_ = 0;                                                    // of paths and values
  std::vector<std::pair<std::string, std::optional<Overwrite>>> undo_;  // what stood there, the first change first
  std::optional<std::string> undo_memo_;
};

}  // namespace hearth::db
