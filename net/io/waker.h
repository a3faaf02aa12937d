// Lets any thread send word to an object that lives on an io thread, without owning that object. Thread: wake() any,
// the rest the home.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "net/io/io_pool.h"

namespace hearth::net::http {

class Waker {
 public:
  // Each wake() runs `task` on the home thread. `task` should hold its object weakly and lock it only there, so that
  // the object is destroyed on no other thread.
  Waker(IoPool& io, size_t thread, std::function<void()> task)
      : io_(&io), thread_(thread), task_(std::make_shared<const Task>(std::move(task))) {}

  void wake() {
    const std::lock_guard lock(mutex_);
    if (io_ != nullptr) io_->post(thread_, task_);
  }

  // The object lives on `thread` from here on. A task that was posted before still runs on the old thread.
  void move_to(size_t thread) {
    const std::lock_guard lock(mutex_);
    thread_ = thread;
  }

  // No task is posted from here on, so the pool may be destroyed.
  void detach() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;  // Guards io_ and thread_.
  IoPool* io_;
  size_t thread_;
  const std::shared_ptr<const Task> task_;
};

}  // namespace hearth::net::http
