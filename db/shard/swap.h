// One moment for several shards: each calls meet() and waits for the others. The last one does the work; then all go
// on with its result. While the work is done, none of them commits anything. A shard that can't come refuses for all.
// shard_swap.cc has the drawing. Thread: each shard's, once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "db/base/result.h"

namespace hearth::db {

class Swap {
 public:
  Swap(size_t shards, std::function<Result<void>()> work) : missing_(shards), work_(std::move(work)) {}

  Result<void> meet() {
    std::unique_lock lock(mutex_);
    arrive();
    done_.wait(lock, [this] { return is_done_; });
    return result_;
  }
  // Instead of meet(), and without waiting: the work is not done, and all who meet have that error.
  void refuse(const Error& why) {
    const std::lock_guard lock(mutex_);
    if (result_.ok()) result_ = why;
    arrive();
  }

 private:
  void arrive() {  // under mutex_
    if (--missing_ > 0) return;
    if (result_.ok()) result_ = work_();
    is_done_ = true;
    done_.notify_all();
  }

  std::mutex mutex_;  // Guards all below.
  std::condition_variable done_;
  size_t missing_;
  const std::function<Result<void>()> work_;
  bool is_done_ = false;
  Result<void> result_;
};

}  // namespace hearth::db
