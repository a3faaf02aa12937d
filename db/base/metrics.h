// Plain figures: code counts in them, and whoever watches reads them now and then. What they are called elsewhere and
// how they are written down is not known here (net/admin/metrics_page.h).
//
// Thread: any. Counting is one relaxed add. Figures that several threads count at once are a PerThread, so that no two
// write to one cache line; those with one writer stand on a line of their own.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hearth::db {

inline constexpr size_t kCacheLineBytes = 64;

// Only grows.
class Counter {
 public:
  void add(uint64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// How many there are now.
class Gauge {
 public:
  void add(int64_t by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_ = 0;
};

// The largest that was seen. Written by one thread.
class Largest {
 public:
  void observe(uint64_t value) {
    if (value > value_.load(std::memory_order_relaxed)) value_.store(value, std::memory_order_relaxed);
  }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// What histograms have seen, at one moment. `counts`: of what is at most each bound and more than the one before; the
// last is of what is more than all of them. A value.
struct Distribution {
  std::span<const uint64_t> bounds{};  // ascending; constants
  std::vector<uint64_t> counts{};
  uint64_t sum = 0;

  uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t one : counts) all += one;
    return all;
  }
};

// How large things were, between fixed bounds. `kBounds`: a constant array, ascending.
template <const auto& kBounds>
class Histogram {
 public:
  void observe(uint64_t value) {
    const auto bucket = static_cast<size_t>(std::lower_bound(kBounds.begin(), kBounds.end(), value) - kBounds.begin());
    counts_[bucket].add();
    sum_.add(value);
  }
  void observe(std::chrono::nanoseconds time) { observe(static_cast<uint64_t>(std::max<int64_t>(time.count(), 0))); }

  // Together with what other histograms of these bounds have seen.
  void add_to(Distribution& to) const {
    to.bounds = kBounds;
    to.counts.resize(counts_.size());
    for (size_t i = 0; i < counts_.size(); ++i) to.counts[i] += counts_[i].value();
    to.sum += sum_.value();
  }

 private:
  std::array<Counter, kBounds.size() + 1> counts_;
  Counter sum_;
};

// Bounds of times, in nanoseconds: 50 µs to 10 s.
inline constexpr std::array<uint64_t, 17> kTimeBounds = {
    50'000,      100'000,       250'000,       500'000,       1'000'000,     2'500'000,
    5'000'000,   10'000'000,    25'000'000,    50'000'000,    100'000'000,   250'000'000,
    500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
using TimeHistogram = Histogram<kTimeBounds>;

// A number for the calling thread; those of threads that run at once differ.
inline size_t thread_number() {
  static std::atomic<size_t> last = 0;
  thread_local const size_t number = last.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// A copy of the figures for each thread, as long as there are at most kThreads; more share, and are only slower.
template <typename Figures>
class PerThread {
 public:
  static constexpr size_t kThreads = 16;

  Figures& mine() { return copies_[thread_number() % kThreads].figures; }
  // Calls with every copy: what there is, is their sum.
  template <typename Function>
  void each(Function&& function) const {
    for (const Copy& copy : copies_) function(copy.figures);
  }

 private:
  struct alignas(kCacheLineBytes) Copy {
    Figures figures;
  };
  std::array<Copy, kThreads> copies_;
};

}  // namespace hearth::db
