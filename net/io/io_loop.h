// One io thread from inside, for the .cc files that speak Asio. Thread: its own, unless it says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/step.h"
#include "net/io/asio.h"
#include "net/io/io_pool.h"

namespace hearth::net::http {

// An object that has bytes to send at the end of the turn.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

class IoLoop {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit IoLoop(size_t index) : index_(index) {}
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  static IoLoop* current();  // the loop whose thread this is, or null. Thread: any

  // Thread: the pool's owner.
  void start();
  void stop();         // soon; no task is taken from here on
  void join();         // the thread
  void forget_work();  // after join: destroys what will never run

  // A task of its own, or one that others may post too.
  struct Letter {
    Task task;
    std::shared_ptr<const Task> shared;
  };
  void post(Letter letter);  // thread: any. In a MailBatch: at its end

  Timer schedule(std::chrono::milliseconds delay, Task task);
  void unschedule(Time due, uint64_t id);

  // Runs `task` in this turn, after what is running now.
  void later(Task task) { later_.push_back(std::move(task)); }

  void mark_dirty(std::shared_ptr<Flushable> what) { dirty_.push_back(std::move(what)); }

  // The most that one event of a socket, letter, timer or flush has done since the start (kIoStepMax). Thread: any.
  db::Work longest_step() const;

  size_t index() const { return index_; }
  asio::io_context& io() { return *io_; }
  // Shared by all connections of the thread: what it holds is valid until the function that the loop called returns.
  std::array<char, 64u << 10>& read_buffer() { return read_buffer_; }
  std::array<char, 16u << 10>& record_buffer() { return record_buffer_; }  // for one record of TLS, decrypted

 private:
  // Where letters come in. Outlives the loop while a thread that has letters for it is about to pass them on.
  struct Mailbox {
    explicit Mailbox(IoLoop& of) : loop(of) {}
    void take(std::vector<Letter>& come);  // thread: any
    std::mutex mutex;                      // Guards letters and is_stopped.
    std::vector<Letter> letters;
    bool is_stopped = false;  // the loop takes no more, and may be gone
    IoLoop& loop;
  };
  void run();
  void run_step(Task& task);
  void end_step();
  void take_mail();
  void run_timers();
  void set_alarm();
  void finish_turn();

  const size_t index_;
  std::optional<asio::io_context> io_{std::in_place, 1};
  std::optional<asio::steady_timer> alarm_{std::in_place, *io_};
  Time alarm_due_ = Time::max();
  std::map<std::pair<Time, uint64_t>, Task> timers_;
  uint64_t last_timer_ = 0;
  std::vector<Task> later_;
  std::vector<std::shared_ptr<Flushable>> dirty_;
  std::array<char, 64u << 10> read_buffer_{};
  std::array<char, 16u << 10> record_buffer_{};
  std::thread thread_;
  std::atomic<uint64_t> rows_max_ = 0, bytes_max_ = 0, evaluations_max_ = 0;  // of one step; written by the thread

  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(*this);
};

// A point in time that moves often and is seldom reached. Moving it later costs nothing but a store.
class Deadline {
 public:
  Deadline(IoLoop& loop, Task on_due) : loop_(loop), on_due_(std::move(on_due)) {}

  void set(std::chrono::milliseconds from_now);
  void set_earlier(std::chrono::milliseconds from_now);  // does nothing when it is due sooner already
  void clear() { due_ = IoLoop::Time::max(); }

 private:
  void on_timer();

  IoLoop& loop_;
  Task on_due_;
  IoLoop::Time due_ = IoLoop::Time::max();
  IoLoop::Time timer_due_ = IoLoop::Time::max();
  Timer timer_;
};

}  // namespace hearth::net::http
