// A mutex of four bytes, for what there are many of: std::mutex takes forty. Locked and unlocked without a system call
// as long as nobody waits. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace hearth::db {

class SmallMutex {
 public:
  SmallMutex() = default;
  SmallMutex(const SmallMutex&) = delete;
  SmallMutex& operator=(const SmallMutex&) = delete;

  // The names are those that std::lock_guard and std::unique_lock call.
  void lock() {
    uint32_t was = kFree;
    if (state_.compare_exchange_strong(was, kLocked, std::memory_order_acquire, std::memory_order_relaxed)) return;
    // Whoever has waited leaves the word at Waited: others may wait too, and the next unlock() wakes one of them.
    while (state_.exchange(kWaited, std::memory_order_acquire) != kFree) {
      state_.wait(kWaited, std::memory_order_relaxed);
    }
  }
  void unlock() {
    if (state_.exchange(kFree, std::memory_order_release) == kWaited) state_.notify_one();
  }

 private:
  static constexpr uint32_t kFree = 0, kLocked = 1, kWaited = 2;
  std::atomic<uint32_t> state_ = kFree;
};

}  // namespace hearth::db
