// A few threads for work that takes long and waits for nothing: parsing, serialising, compressing. Thread: any.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace hearth::net::http {

class WorkerPool {
 public:
  static constexpr size_t kQueueMax = 4'096;

  explicit WorkerPool(size_t threads, size_t queue_max = kQueueMax);
  ~WorkerPool();  // runs what is queued, then joins
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

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

}  // namespace hearth::net::http
