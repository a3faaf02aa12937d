// Which commit a hash means: what clients of the Firebase protocol name their value by when they come back. A hash that was
// told, asked or seen as a client left is kept with its path and sequence; whoever comes back with it is told what changed
// since (the log has that), and not the whole value again. Past its limit the oldest is forgotten: its client gets the value.
//
//   client leaves ─▶ add() ─▶ known_ ─ the shard's next commit ─▶ row beside the tree ─ a restart ─▶ add(), of an earlier run
//   client is back ─▶ find() ─▶ sequence, run ─▶ is the log there from it on? (Shard::known_hash) ─▶ the net change
//
// Rows go into batches that are written anyhow: between a client that leaves and the next commit nothing changes, and what
// stood there as a process ended is known to the next one by itself (beginning.h). A row that is lost with its process
// costs its client the value.
//
//   row   := "r" path 0x00 hash                  below Table::Beside and the namespace's number; on disk
//   value := sequence:8 BE run:4 BE              the run in which the value was seen there (TreeStore::life_index)
//
// Thread: its shard's, but for bytes().
#pragma once

#include <cstdint>
#include <iterator>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "db/base/metrics.h"
#include "db/model/hash.h"
#include "db/model/path.h"
#include "db/store/row_key.h"

namespace hearth::db {

inline constexpr size_t kResumePointBytes = 224;     // about what one holds in memory beside its path and hash, twice
inline constexpr size_t kUnsavedPointBytes = 96;     // and until it is on disk, beside them once more
inline constexpr size_t kPointsSavedMax = 1'000;     // with one commit
inline constexpr std::string_view kPointRows = "r";  // what their rows begin with, below table and number

// When a value had a hash.
struct ResumePoint {
  uint64_t sequence = 0;
  uint32_t run = 0;
  friend bool operator==(const ResumePoint&, const ResumePoint&) = default;
};

class ResumePoints {
 public:
  explicit ResumePoints(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // The value at the path of that namespace has that hash at that point; a later one counts.
  void add(uint32_t space, std::string_view path, std::string_view hash, const ResumePoint& at) {
    add(key_of(space, path, hash), at, Saved::No);
  }

  // The same, by either way in which a client may say it.
  void add(uint32_t space, std::string_view path, const NodeHashes& hashes, const ResumePoint& at) {
    add(space, path, hashes.exact, at);
    if (hashes.javascript != hashes.exact) add(space, path, hashes.javascript, at);
  }

  // What take_unsaved() gave an earlier process. One that makes no sense is none.
  void add_row(std::string_view key, std::string_view value) {
    if (key.size() <= kTableAndNumber || value.size() != 12) return;
    add(std::string(key), {read_sequence(value), read_number(value.substr(8))}, Saved::Yes);
  }

  std::optional<ResumePoint> find(uint32_t space, std::string_view path, std::string_view hash) const {
    const auto found = known_.find(key_of(space, path, hash));
    if (found == known_.end()) return {};
    return found->second->at;
  }

  // Hashes of what was at, above and below that path mean nothing any more.
  void forget(uint32_t space, const Path& path) {
    const std::string rows = row_key(Table::Beside, space, kPointRows);
    const auto contains = [](std::string_view above, std::string_view below) {
      return above.empty() ||
             (below.starts_with(above) && (below.size() == above.size() || below[above.size()] == '/'));
    };
    for (auto at = points_.begin(); at != points_.end();) {
      const std::string_view key = at->key;
      bool is_concerned = key.starts_with(rows);
      if (is_concerned) {
        const std::string_view of = key.substr(rows.size(), key.find('\0', rows.size()) - rows.size());
        is_concerned = contains(of, path.text()) || contains(path.text(), of);
      }
      at = is_concerned ? drop(at) : std::next(at);
    }
  }

  // Calls `put(key, value)` with up to `most` rows that are to be written, or erased where the value is nothing.
  template <typename Put>
  void take_unsaved(size_t most, const Put& put) {
    for (; most > 0 && !unsaved_.empty(); --most) {
      const std::string key = *unsaved_.begin();
      settle(key);
      const auto found = known_.find(key);
      if (found == known_.end()) {
        put(key, std::optional<std::string>());
        continue;
      }
      found->second->is_saved = true;
      std::string value;
      append_sequence(found->second->at.sequence, value);
      append_number(found->second->at.run, value);
      put(key, std::optional(std::move(value)));
    }
  }
  bool has_unsaved() const { return !unsaved_.empty(); }

  uint64_t bytes() const { return static_cast<uint64_t>(bytes_.value()); }

 private:
  enum class Saved : uint8_t { No, Yes };
  struct Point {
    std::string key;  // of its row
    ResumePoint at;
    bool is_saved = false;  // a row of it may be on disk
  };
  static std::string key_of(uint32_t space, std::string_view path, std::string_view hash) {
    std::string key = row_key(Table::Beside, space, kPointRows);
    key += path;
    key += '\0';
    return key += hash;
  }
  void add(std::string key, const ResumePoint& at, Saved saved) {
    if (const auto found = known_.find(key); found != known_.end()) {
      Point& point = *found->second;
      points_.splice(points_.end(), points_, found->second);
      if (at.sequence <= point.at.sequence) return;
      point.at = at;
      if (saved == Saved::No) note_unsaved(point.key);
    } else {
      bytes_.add(static_cast<int64_t>(kResumePointBytes + 2 * key.size()));
      points_.push_back({std::move(key), at, saved == Saved::Yes});
      known_[points_.back().key] = std::prev(points_.end());
      if (saved == Saved::No) note_unsaved(points_.back().key);
    }
    while (bytes() > bytes_max_ && !points_.empty()) drop_oldest();
  }
  void note_unsaved(const std::string& key) {
    if (unsaved_.insert(key).second) bytes_.add(static_cast<int64_t>(kUnsavedPointBytes + key.size()));
  }
  void settle(const std::string& key) {
    if (unsaved_.erase(key) > 0) bytes_.add(-static_cast<int64_t>(kUnsavedPointBytes + key.size()));
  }
  void drop_oldest() { drop(points_.begin()); }
  std::list<Point>::iterator drop(std::list<Point>::iterator at) {
    const std::string key = at->key;
    const bool is_saved = at->is_saved;
    bytes_.add(-static_cast<int64_t>(kResumePointBytes + 2 * key.size()));
    known_.erase(key);
    const auto next = points_.erase(at);
    is_saved ? note_unsaved(key) : settle(key);
    return next;
  }

  const uint64_t bytes_max_;
  std::list<Point> points_;  // the oldest first
  std::unordered_map<std::string_view, std::list<Point>::iterator> known_;
  std::set<std::string> unsaved_;  // rows that are not as the point is, or are there without one
  Gauge bytes_;
};

}  // namespace hearth::db
