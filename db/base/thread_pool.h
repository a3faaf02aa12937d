// Threads for work that would hold up others: parsing, serialising and compressing of net, dumps, restores and compactions of
// db. One queue, first come, first served. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth::db {

class ThreadPool {
 public:
  static constexpr size_t kQueueMax = 4'096;

  explicit ThreadPool(size_t threads, size_t queue_max = kQueueMax);
  ~ThreadPool();  // runs what is queued, then joins
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Returns false when the queue is full: the caller answers 503, or does without.
  [[nodiscard]] bool try_run(std::function<void()> task);

  // For the next step of something that has been let in, which is bounded by the number of connections.
  void run(std::function<void()> task);

  size_t waiting() const;  // tasks that no thread has begun

 private:
  void work();

  const size_t queue_max_;
  mutable std::mutex mutex_;  // Guards tasks_ and closing_.
  std::condition_variable more_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hearth::db
