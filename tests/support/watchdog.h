// Ends a test that hangs. Thread: the test's.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace hearth::test {

inline constexpr std::chrono::seconds kHangs{120};

// What hangs cannot be unwound: ends the program with a word, instead of never.
class Watchdog {
 public:
  Watchdog() {
    thread_ = std::thread([this, name = Catch::getResultCapture().getCurrentTestName()] {
      std::unique_lock lock(mutex_);
      if (done_.wait_for(lock, kHangs, [this] { return is_done_; })) return;
      std::fprintf(stderr, "hangs: %s\n", name.c_str());
      std::abort();
    });
  }
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    done_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::mutex mutex_;  // Guards is_done_.
  std::condition_variable done_;
  bool is_done_ = false;
  std::thread thread_;
};

}  // namespace hearth::test
