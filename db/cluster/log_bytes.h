// How many bytes of a shard's log lie behind a batch, as far as this node has seen them pass: a node that is away must not
// keep the log for ever. Coarse: a mark for each 16 MB. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>

namespace hearth::db {

inline constexpr uint64_t kLogMarkBytes = 16u << 20;
inline constexpr size_t kLogMarksMax = 256;  // 4 GB; what is older is as far away as the oldest of them

class LogBytes {
 public:
  void add(uint64_t sequence, uint64_t bytes) {
    total_ += bytes;
    if (!marks_.empty() && total_ - marks_.back().total < kLogMarkBytes) return;
    marks_.push_back({sequence, total_});
    if (marks_.size() > kLogMarksMax) marks_.pop_front();
  }
  // At least so many, behind that batch. Less than there are when they passed before this process started.
  uint64_t behind(uint64_t sequence) const {
    for (auto mark = marks_.rbegin(); mark != marks_.rend(); ++mark) {
      if (mark->sequence <= sequence) return total_ - mark->total;
    }
    return marks_.empty() ? total_ : total_ - marks_.front().total;
  }

 private:
  struct Mark {
    uint64_t sequence, total;
  };
  std::deque<Mark> marks_;
  uint64_t total_ = 0;
};

}  // namespace hearth::db
