// A plain pool: jobs in the order in which they came. The destructor runs what is queued, so a caller whose job was
// taken is always answered.
#include "db/upkeep/reader_pool.h"

#include <algorithm>

namespace hearth::db {

ReaderPool::ReaderPool(size_t threads) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) threads_.emplace_back([this] { work(); });
}

ReaderPool::~ReaderPool() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  more_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ReaderPool::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  more_.notify_one();
}

PoolFigures ReaderPool::figures() const {
  const std::lock_guard lock(mutex_);
  return {jobs_.size(), running_};
}

void ReaderPool::work() {
  for (bool has_run = false;; has_run = true) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      // Under the same lock that takes the next job, after the last one and all that it held are gone.
      if (has_run) --running_;
      more_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      ++running_;
    }
    job();
  }
}

}  // namespace hearth::db
