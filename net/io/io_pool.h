// The io threads. Each runs one loop: it hears what the sockets have, runs what was posted and what is due, and then
// sends what its connections have to say, one system call for each connection (db/store/machine-facts.md §1.1: this
// order is worth a factor of two). A connection and all that it carries belongs to one thread, its home. Other
// threads talk to it by post().
//
// Thread: any, unless it says otherwise.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "db/base/step.h"

namespace hearth::net::http {

class IoLoop;
class Waker;

// The most that an io thread does in one go, before others of the thread have their turn: an event of a socket, a letter,
// a timer or a flush. Rows are requests, messages and what a session is told; bytes are what was read from a socket,
// inflated, copied to be sent, and taken by the kernel. A drain at the end of the server is exempt.
inline constexpr db::Work kIoStepMax{2'500, 4u << 20, 50'000};

using Task = std::function<void()>;

// A task that is due later on the thread that scheduled it. Destroying the Timer cancels the task. Thread: the one that
// scheduled it.
class Timer {
 public:
  Timer() = default;
  Timer(Timer&& other) noexcept;
  Timer& operator=(Timer&& other) noexcept;
  ~Timer() { cancel(); }

  void cancel();

 private:
  friend class IoLoop;
  class Waker;
  using Time = std::chrono::steady_clock::time_point;
  Timer(IoLoop& loop, Time due, uint64_t id) : loop_(&loop), due_(due), id_(id) {}

  IoLoop* loop_ = nullptr;
  Time due_{};
  uint64_t id_ = 0;
};

class IoPool {
 public:
  explicit IoPool(size_t threads);
  ~IoPool();  // stops and joins
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;

  void start();
  size_t size() const { return loops_.size(); }

  // Runs `task` on that thread, soon; tasks of one poster run in the order posted. The mailbox: the thread is woken
  // only when nothing was in it. After stop() the task is dropped, unrun.
  void post(size_t thread, Task task);
  // The same for the task of a waker, which is posted again and again: nothing of it is copied.
  void post(size_t thread, std::shared_ptr<const Waker> waker);

  // The io thread we are on, of any pool; kNone elsewhere.
  static constexpr size_t kNone = SIZE_MAX;
  static size_t current();

  // On an io thread only, and for it.
  [[nodiscard]] static Timer schedule(std::chrono::milliseconds delay, Task task);

  // On an io thread only: runs `task` there when what its connections have to say by now has been sent, as far as the
  // kernel takes it.
  static void after_flush(Task task);

  // Whether this is that thread of this pool.
  bool is_home(size_t thread) const;

  // The threads end soon; what is posted from then on is destroyed, unrun. Listeners are gone before. Thread: the
  // owner's.
  void stop();
  // Waits for the threads, and destroys what they have left to run.
  void join();

  db::Work longest_step(size_t thread) const;  // since the start. Thread: any

  // For net/io itself.
  IoLoop& loop(size_t thread) { return *loops_[thread]; }
  uint64_t next_connection() { return last_connection_.fetch_add(1, std::memory_order_relaxed) + 1; }  // its number

 private:
  std::vector<std::unique_ptr<IoLoop>> loops_;
  std::atomic<uint64_t> last_connection_ = 0;
  bool is_stopped_ = false;
};

}  // namespace hearth::net::http
