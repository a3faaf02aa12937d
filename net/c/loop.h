// Where callbacks wait until an app in C takes them (hearth_poll). Thread: any posts, the app's runs.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace hearth::net::c {

// A Loop outlives its database, which may still post to it while it closes.
class Loop {
 public:
  Loop(void (*wake)(void*), void* user) : wake_(wake), user_(user) {}

  void post(std::function<void()> task) {
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      is_first = tasks_.empty();
      tasks_.push_back(std::move(task));
    }
    if (is_first) wake_(user_);
  }
  size_t run() {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    return tasks.size();
  }

 private:
  void (*const wake_)(void*);
  void* const user_;
  std::mutex mutex_;  // Guards tasks_.
  std::vector<std::function<void()>> tasks_;
};

}  // namespace hearth::net::c
