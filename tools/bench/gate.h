// For scenarios in this process: its CPU time, and a bound on what is under way. Thread: any.
#pragma once

#include <sys/resource.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace hearth::tools {

// User and system, of all threads.
inline std::chrono::duration<double, std::micro> own_cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto micros = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return micros(usage.ru_utime) + micros(usage.ru_stime);
}

// Lets a fixed number of writes be under way.
class Gate {
 public:
  explicit Gate(size_t places) : places_(places), free_(places) {}
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ > 0; });
    --free_;
  }
  void leave() {
    // Notified under the lock, because the gate may be destroyed as soon as the last one has left.
    const std::lock_guard lock(mutex_);
    ++free_;
    changed_.notify_one();
  }
  void wait_until_empty() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return free_ == places_; });
  }

 private:
  const size_t places_;
  std::mutex mutex_;  // Guards free_.
  std::condition_variable changed_;
  size_t free_;
};

}  // namespace hearth::tools
