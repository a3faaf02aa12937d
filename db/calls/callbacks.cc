// Where the app's callbacks run, and how that ends.
//
//   add(task) ─▶ tasks ─▶ our thread: work() ─▶ run_next()            one at a time, in order
//                   └──▶ the app's `run` ─▶ its loop ─▶ run_next()    each call takes the next task
//
// Closing is hard because it may be asked for from within a callback, which can't wait for itself. So each thread
// knows which callbacks it is in (Frame, a list on its stack): close() and wait_for_others() wait until only those
// run that are theirs.
//
// - The mutex is never held while anything of the app's is called or destroyed: it may call back in here.
// - The Queue outlives the Callbacks: tasks in the app's loop, and a thread whose callback closed, still hold it.
// - passing_on counts calls of `run`: when close() returns, none is under way in the app's code.
#include "db/calls/callbacks.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace hearth::db {

struct Callbacks::Queue {
  // A callback that this thread is in; one may be within another's, of another database.
  struct Frame {
    const Queue* queue;
    const Frame* outer;
  };
  // Per thread, for all queues: a callback of one database may run within one of another.
  static thread_local const Frame* innermost;

  std::mutex mutex;  // Guards all below; not held while anything of the app's is called.
  std::condition_variable changed;
  std::deque<std::function<void()>> tasks;
  size_t running = 0;
  size_t passing_on = 0;  // calls of `run_`
  bool is_closed = false;

  size_t count_here() const {
    size_t count = 0;
    for (const Frame* frame = innermost; frame != nullptr; frame = frame->outer) count += frame->queue == this ? 1 : 0;
    return count;
  }

  // One callback, from its first line until what it held is gone. It counts as running also when it throws.
  class Running {
   public:
    Running(Queue& queue, std::function<void()> task) : queue_(queue), task_(std::move(task)) { innermost = &frame_; }
    ~Running() {
      // What the task held goes before it counts as done: its destructors are the app's code too.
      task_ = nullptr;
      innermost = frame_.outer;
      const std::lock_guard lock(queue_.mutex);
      --queue_.running;
      queue_.changed.notify_all();
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    void operator()() const { task_(); }

   private:
    Queue& queue_;
    std::function<void()> task_;
    const Frame frame_{&queue_, innermost};
  };

  void run_next(std::unique_lock<std::mutex> lock) {
    if (tasks.empty()) return;
    std::function<void()> task = std::move(tasks.front());
    tasks.pop_front();
    ++running;
    lock.unlock();
    const Running call(*this, std::move(task));
    call();
  }

  void work() {
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [this] { return is_closed || !tasks.empty(); });
      if (tasks.empty()) return;
      run_next(std::move(lock));
    }
  }
};

thread_local const Callbacks::Queue::Frame* Callbacks::Queue::innermost = nullptr;

Callbacks::Callbacks(Run run) : run_(std::move(run)), queue_(std::make_shared<Queue>()) {
  if (run_ == nullptr) thread_ = std::thread([queue = queue_] { queue->work(); });
}

Callbacks::~Callbacks() = default;

void Callbacks::add(std::function<void()> task) {
  {
    const std::lock_guard lock(queue_->mutex);
    if (queue_->is_closed) return;
    queue_->tasks.push_back(std::move(task));
    if (run_ != nullptr) ++queue_->passing_on;
    queue_->changed.notify_all();
  }
  if (run_ == nullptr) return;
  // The task stays in the queue and the app gets a call for it: tasks keep their order, even if the loop mixes up its
  // calls.
  run_([queue = queue_] { queue->run_next(std::unique_lock(queue->mutex)); });
  const std::lock_guard lock(queue_->mutex);
  --queue_->passing_on;
  queue_->changed.notify_all();
}

bool Callbacks::is_here() const { return queue_->count_here() > 0; }

void Callbacks::close() {
  if (run_ == nullptr && !is_here()) {
    // In its turn: what those before it add is still called, and what these add is not, or there might be no end.
    add([queue = queue_.get()] {
      const std::lock_guard lock(queue->mutex);
      queue->is_closed = true;
    });
  } else {
    std::deque<std::function<void()>> dropped;  // goes when the mutex is free
    const std::lock_guard lock(queue_->mutex);
    queue_->is_closed = true;
    dropped.swap(queue_->tasks);
  }
  wait_for_others();
  if (!thread_.joinable()) return;
  if (is_here()) {
    thread_.detach();  // it ends with the callback that closes
  } else {
    thread_.join();
  }
}

void Callbacks::wait_for_others() {
  std::unique_lock lock(queue_->mutex);
  queue_->changed.wait(lock, [this, here = queue_->count_here()] {
    return queue_->is_closed && queue_->tasks.empty() && queue_->running == here && queue_->passing_on == 0;
  });
}

}  // namespace hearth::db
