// How often each part of a ruleset was true, false, something else, or failed. Relaxed: the counts lose nothing, and
// order nothing. Thread: any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth::rules {

class PartCounts {
 public:
  enum class Seen : uint8_t { True, False, Other, Failed };  // Other: a value that is no boolean

  // Expressions have the ids 0 to `expressions`.
  explicit PartCounts(size_t expressions) : counts_(expressions * kKinds) {}

  void count(uint32_t expression, Seen seen) {
    counts_[expression * kKinds + static_cast<size_t>(seen)].fetch_add(1, std::memory_order_relaxed);
  }
  uint32_t of(uint32_t expression, Seen seen) const {
    return counts_[expression * kKinds + static_cast<size_t>(seen)].load(std::memory_order_relaxed);
  }

 private:
  static constexpr size_t kKinds = 4;
  std::vector<std::atomic<uint32_t>> counts_;
};

}  // namespace hearth::rules
