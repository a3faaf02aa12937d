// How far a restore is, and whether it is still wanted: one thread restores and counts here, others ask.
//
//   native   rows are staged as they are read:                    part = bytes read / bytes of the file
//   JSON     all is read and sorted, and then its rows come out:  half of it is the reading, half are the rows
//
// Until it is known which it is, reading counts half, so that the part never falls. A part of 1 is not the end: files are
// sealed, and small namespaces in no order sorted, before the moment comes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace hearth::db {

class RestoreMeter {
 public:
  explicit RestoreMeter(uint64_t file_bytes) : file_bytes_(file_bytes) {}

  // Thread: the one that restores.
  void read(uint64_t bytes) { add(bytes_, bytes); }
  void stage() { stages_.store(true, std::memory_order_relaxed); }  // rows are staged as they are read
  void expect(uint64_t rows) { rows_expected_.store(rows, std::memory_order_relaxed); }  // at most, once all is read
  void row() { add(rows_, 1); }

  // Thread: any.
  double part() const {
    const double read = share(bytes_.load(std::memory_order_relaxed), file_bytes_);
    if (stages_.load(std::memory_order_relaxed)) return read;
    const uint64_t expected = rows_expected_.load(std::memory_order_relaxed);
    if (expected == kNotKnown) return read / 2;
    return 0.5 + share(rows_.load(std::memory_order_relaxed), expected) / 2;
  }
  void give_up() { is_given_up_.store(true, std::memory_order_relaxed); }
  bool is_given_up() const { return is_given_up_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kNotKnown = UINT64_MAX;
  static double share(uint64_t of, uint64_t all) {
    return all == 0 ? 1.0 : std::min(1.0, static_cast<double>(of) / static_cast<double>(all));
  }
  // One thread counts, so nothing is lost between the load and the store; and a million rows cost nothing.
  static void add(std::atomic<uint64_t>& to, uint64_t more) {
    to.store(to.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  const uint64_t file_bytes_;
  std::atomic<uint64_t> bytes_ = 0;
  std::atomic<uint64_t> rows_ = 0;
  std::atomic<uint64_t> rows_expected_ = kNotKnown;
  std::atomic<bool> stages_ = false;
  std::atomic<bool> is_given_up_ = false;
};

}  // namespace hearth::db
