// Which commit a hash means: what clients of the Firebase protocol name their value by when they come back. A hash that was
// told, asked or seen as a client left is kept with its path and sequence; whoever comes back with it is told what changed
// since (the log has that), and not the whole value again. Past its limit the oldest is forgotten: its client gets the value.
//
// Thread: its shard's, but for bytes().
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "db/base/metrics.h"
#include "db/model/hash.h"

namespace hearth::db {

inline constexpr size_t kResumePointBytes = 224;  // about what one holds in memory beside its path and hash, twice

class ResumePoints {
 public:
  explicit ResumePoints(uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // The value at the path of that namespace has that hash at `sequence`; a later one counts.
  void add(uint32_t space, std::string_view path, std::string_view hash, uint64_t sequence) {
    std::string key = key_of(space, path, hash);
    if (const auto found = known_.find(key); found != known_.end()) {
      found->second->sequence = sequence;
      points_.splice(points_.end(), points_, found->second);
      return;
    }
    bytes_.add(static_cast<int64_t>(kResumePointBytes + 2 * key.size()));
    points_.push_back({std::move(key), sequence});
    known_[points_.back().key] = std::prev(points_.end());
    while (static_cast<uint64_t>(bytes_.value()) > bytes_max_) drop_oldest();
  }

  // The same, by either way in which a client may say it.
  void add(uint32_t space, std::string_view path, const NodeHashes& hashes, uint64_t sequence) {
    add(space, path, hashes.exact, sequence);
    if (hashes.javascript != hashes.exact) add(space, path, hashes.javascript, sequence);
  }

  std::optional<uint64_t> find(uint32_t space, std::string_view path, std::string_view hash) const {
    const auto found = known_.find(key_of(space, path, hash));
    if (found == known_.end()) return {};
    return found->second->sequence;
  }

  uint64_t bytes() const { return static_cast<uint64_t>(bytes_.value()); }

 private:
  struct Point {
    std::string key;
    uint64_t sequence;
  };
  static std::string key_of(uint32_t space, std::string_view path, std::string_view hash) {
    std::string key(reinterpret_cast<const char*>(&space), sizeof space);
    key += path;
    key += '\0';
    return key += hash;
  }
  void drop_oldest() {
    bytes_.add(-static_cast<int64_t>(kResumePointBytes + 2 * points_.front().key.size()));
    known_.erase(points_.front().key);
    points_.pop_front();
  }

  const uint64_t bytes_max_;
  std::list<Point> points_;  // the oldest first
  std::unordered_map<std::string_view, std::list<Point>::iterator> known_;
  Gauge bytes_;
};

}  // namespace hearth::db
