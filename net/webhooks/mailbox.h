// Tasks for a thread, from any thread, until it closes; those that come later are dropped. So callbacks of others may hold
// the mailbox for as long as they like.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace hearth::net::webhooks {

class Mailbox {
 public:
  // `wake`: called with each task, under the lock; it must only pass the word on.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // False: it is closed, and the task is dropped.
  bool post(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return false;
    tasks_.push_back(std::move(task));
    wake_();
    return true;
  }
  std::vector<std::function<void()>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(tasks_, {});
  }
  // Nothing is called any more when it returns. What was not taken is dropped.
  void close() {
    std::vector<std::function<void()>> rest;  // goes after the lock
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
    rest.swap(tasks_);
  }

 private:
  std::mutex mutex_;  // Guards all below.
  std::vector<std::function<void()>> tasks_;
  bool is_closed_ = false;
  const std::function<void()> wake_;
};

}  // namespace hearth::net::webhooks
