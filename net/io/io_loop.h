// One io thread from inside, for the .cc files that have sockets. Thread: its own, unless it says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/step.h"
#include "net/io/addresses.h"
#include "net/io/io_pool.h"

struct epoll_event;

namespace hearth::net::http {

class Gate;

// An object that has bytes to send at the end of the turn.
class Flushable {
 public:
  virtual ~Flushable() = default;
  virtual void flush() = 0;
};

// An object with a socket that the loop waits for.
class Waiting {
 public:
  virtual ~Waiting() = default;
  virtual void on_ready(uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
};

// Which events of a socket the loop tells of, from each turn in which they last to the next (level-triggered). Costs a
// system call only when they change, so who does not want an event for a while may as well ignore it once.
class Watch {
 public:
  // Tells `waiting` of its socket `fd`. Those three are the same in all calls. False: the kernel has no room for it.
  [[nodiscard]] bool set(IoLoop& loop, Waiting& waiting, int fd, uint32_t events);
  // The socket is waited for by that epoll from here on (gate.h). False: as above, and it is waited for by none.
  [[nodiscard]] bool move_to(IoLoop& loop, Waiting& waiting, int fd, int poller);
  uint32_t events() const { return events_; }
  void forget() { events_ = 0; }  // the socket is closed, and so is the watch

 private:
  static constexpr int kOfLoop = -1;
  int poller_ = kOfLoop;  // the epoll that waits
  uint32_t events_ = 0;
};

// Somebody whose Deadline has come.
class Timed {
 public:
  virtual ~Timed() = default;
  virtual void on_deadline() = 0;
};

class Deadline;

class IoLoop {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit IoLoop(size_t index);  // throws std::system_error when there are no descriptors left
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  static IoLoop* current();  // the loop whose thread this is, or null. Thread: any

  // Thread: the pool's owner.
  void start();
  void stop();         // soon; no task is taken from here on
  void join();         // the thread
  void forget_work();  // after join: destroys what will never run

  // A task of its own, or what a waker has to say.
  struct Letter {
    Task task;
    std::shared_ptr<const Waker> waker;
  };
  void post(Letter letter);  // thread: any. In a MailBatch: at its end

  Timer schedule(std::chrono::milliseconds delay, Task task);
  void unschedule(Time due, uint64_t id);

  // Has deadline.of_ told then, once; one that is watched already is moved. For Deadline.
  void watch(Deadline& deadline, Time due);
  void unwatch(Deadline& deadline);

  // Runs `task` in this turn, after what is running now.
  void later(Task task) { later_.push_back(std::move(task)); }

  // Tells of an event, as one step. Returns what was done in it.
  db::Work hear(Waiting& waiting, uint32_t events);

  void mark_dirty(std::shared_ptr<Flushable> what) { dirty_.push_back(std::move(what)); }

  // The most that one event of a socket, letter, timer or flush has done since the start (kIoStepMax). Thread: any.
  db::Work longest_step() const;

  size_t index() const { return index_; }
  int poller() const { return poller_.get(); }  // of epoll
  std::vector<std::unique_ptr<Gate>>& gates() { return gates_; }
  // Shared by all connections of the thread: what it holds is valid until the function that the loop called returns.
  std::array<char, 64u << 10>& read_buffer() { return read_buffer_; }
  std::array<char, 16u << 10>& record_buffer() { return record_buffer_; }  // for one record of TLS, decrypted

 private:
  friend class Deadline;
  // Where letters come in. Outlives the loop while a thread that has letters for it is about to pass them on.
  struct Mailbox {
    explicit Mailbox(IoLoop& of) : loop(of) {}
    void take(std::vector<Letter>& come);  // thread: any
    std::mutex mutex;                      // Guards what follows.
    std::vector<Letter> letters;
    bool is_asleep = false;   // the loop waits, and has to be woken
    bool is_stopped = false;  // the loop takes no more, and may be gone
    IoLoop& loop;
  };
  void run();
  int wait(std::span<epoll_event> events);
  void wake();
  void run_step(Task& task);
  db::Work end_step();
  bool take_mail();
  void run_timers();
  void run_deadlines(Time now);
  std::optional<Time> next_due() const;
  void place(size_t at, std::pair<Time, Deadline*> one);
  void rise(size_t at);
  void sink(size_t at);
  void finish_turn();

  const size_t index_;
  const Fd poller_;  // of epoll
  const Fd bell_;    // an eventfd: written to wake the loop, and never read
  std::map<std::pair<Time, uint64_t>, Task> timers_;
  uint64_t last_timer_ = 0;
  std::vector<std::pair<Time, Deadline*>> deadlines_;  // a heap, the nearest first
  std::vector<Task> later_;
  std::vector<std::shared_ptr<Flushable>> dirty_;
  std::vector<std::unique_ptr<Gate>> gates_;  // that were ever taken, and stay
  std::array<char, 64u << 10> read_buffer_{};
  std::array<char, 16u << 10> record_buffer_{};
  std::thread thread_;
  std::atomic<uint64_t> rows_max_ = 0, bytes_max_ = 0, evaluations_max_ = 0;  // of one step; written by the thread

  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(*this);
};

// A point in time that moves often and is seldom reached. Moving it later costs nothing but a store. Every connection has
// some, so it is small: 32 bytes, and 16 in the loop while it is set.
class Deadline {
 public:
  Deadline(IoLoop& loop, Timed& of) : loop_(loop), of_(of) {}
  ~Deadline() { loop_.unwatch(*this); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void set(std::chrono::milliseconds from_now);
  void set_earlier(std::chrono::milliseconds from_now);  // does nothing when it is due sooner already
  void clear() { due_ = IoLoop::Time::max(); }
  IoLoop& loop() const { return loop_; }

 private:
  friend class IoLoop;
  static constexpr uint32_t kNowhere = UINT32_MAX;

  IoLoop& loop_;
  Timed& of_;
  IoLoop::Time due_ = IoLoop::Time::max();
  uint32_t place_ = kNowhere;  // in the loop's heap, which may hold an earlier time
};

}  // namespace hearth::net::http
