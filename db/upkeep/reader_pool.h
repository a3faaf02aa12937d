// Threads for work of the database itself, first come, first served: dumps, restores, compactions. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "db/model/figures.h"

namespace hearth::db {

class ReaderPool {
 public:
  explicit ReaderPool(size_t threads);
  ~ReaderPool();  // runs what is queued first
  void run(std::function<void()> job);
  PoolFigures figures() const;

 private:
  void work();

  mutable std::mutex mutex_;  // Guards jobs_, running_ and closing_.
  std::condition_variable more_;
  std::deque<std::function<void()>> jobs_;
  size_t running_ = 0;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hearth::db
