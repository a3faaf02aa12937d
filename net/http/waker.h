// What another thread holds of something that lives on an io thread: enough to send it word, as long as it lives there.
// Thread: wake() any, the rest the home.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "net/http/io_pool.h"

namespace hearth::net::http {

class Waker {
 public:
  // `task` is run on the home thread for each wake(); it should hold what it wakes weakly, and lock it only there, so
  // that it is destroyed nowhere else.
  Waker(IoPool& io, size_t thread, std::function<void()> task) : io_(&io), thread_(thread), task_(std::move(task)) {}

  void wake() {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) io_->post(thread_, task_);
  }

  // What it wakes lives on that thread from here on. A task that was posted before runs where it was posted to.
  void move_to(size_t thread) {
    const std::lock_guard lock(mutex_);
    thread_ = thread;
  }

  // No task is posted from here on: the pool may go.
  void detach() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;  // Guards io_ and thread_.
  IoPool* io_;
  size_t thread_;
  const std::function<void()> task_;
};

}  // namespace hearth::net::http
