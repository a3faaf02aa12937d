#include "net/http/io_loop.h"

#include <algorithm>

namespace hearth::net::http {
namespace {
constexpr int kEventsPerTurnMax = 256;
thread_local IoLoop* current_loop = nullptr;
}  // namespace

IoLoop* IoLoop::current() { return current_loop; }

void IoLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void IoLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  io_->stop();
}

void IoLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void IoLoop::forget_work() {
  // What is destroyed may schedule, cancel and post; from stop() on none of it stays.
  std::vector<Task> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mailbox_);
  }
  mail.clear();
  std::exchange(later_, {}).clear();
  std::exchange(dirty_, {}).clear();
  std::exchange(timers_, {}).clear();
  alarm_.reset();
  io_.reset();
}

void IoLoop::post(Task task) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    was_empty = mailbox_.empty();
    mailbox_.push_back(std::move(task));
    // Under the lock, so that the io_context is there: forget_work comes after stopped_.
    if (was_empty) asio::post(*io_, [this] { take_mail(); });
  }
}

// What ends here was one step: the meter of this thread says what it did.
void IoLoop::end_step() {
  const auto raise = [](std::atomic<uint64_t>& to, uint64_t value) {
    if (value > to.load(std::memory_order_relaxed)) to.store(value, std::memory_order_relaxed);
  };
  const db::Work& done = db::Step::here().done();
  raise(rows_max_, done.rows);
  raise(bytes_max_, done.bytes);
  raise(evaluations_max_, done.evaluations);
  db::Step::here().begin(db::kNoLimit);
}

void IoLoop::run_step(Task& task) {
  task();
  task = nullptr;  // what the task holds is destroyed in its own step
  end_step();
}

db::Work IoLoop::longest_step() const {
  return {rows_max_.load(std::memory_order_relaxed), bytes_max_.load(std::memory_order_relaxed),
          evaluations_max_.load(std::memory_order_relaxed)};
}

void IoLoop::take_mail() {
  std::vector<Task> mail;
  {
    const std::lock_guard lock(mutex_);
    mail.swap(mailbox_);
  }
  for (Task& task : mail) run_step(task);
}

Timer IoLoop::schedule(std::chrono::milliseconds delay, Task task) {
  const Time due = std::chrono::steady_clock::now() + delay;
  const uint64_t id = ++last_timer_;
  timers_.emplace(std::pair(due, id), std::move(task));
  set_alarm();
  return Timer(*this, due, id);
}

void IoLoop::unschedule(Time due, uint64_t id) {
  // Taken out before it is destroyed: that may cancel other timers.
  const auto node = timers_.extract(std::pair(due, id));
}

void IoLoop::set_alarm() {
  if (!alarm_ || timers_.empty()) return;
  const Time due = timers_.begin()->first.first;
  if (due >= alarm_due_) return;
  alarm_due_ = due;
  alarm_->expires_at(due);
  alarm_->async_wait([this](SystemError failed) {
    if (failed) return;  // moved
    alarm_due_ = Time::max();
    run_timers();
  });
}

void IoLoop::run_timers() {
  const Time now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    run_step(node.mapped());
  }
  set_alarm();
}

void IoLoop::finish_turn() {
  // Either may lead to the other: an answer closes a connection, and that is told to a session, which says something.
  while (!later_.empty() || !dirty_.empty()) {
    std::vector<Task> tasks = std::exchange(later_, {});
    for (Task& task : tasks) run_step(task);
    for (const auto& what : std::exchange(dirty_, {})) {
      what->flush();
      end_step();
    }
  }
}

void IoLoop::run() {
  current_loop = this;
  const auto until_stopped = asio::make_work_guard(*io_);
  while (io_->run_one() > 0) {
    end_step();
    for (int count = 1; count < kEventsPerTurnMax && io_->poll_one() > 0; ++count) end_step();
    finish_turn();
  }
  current_loop = nullptr;
}

Timer::Timer(Timer&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), due_(other.due_), id_(other.id_) {}

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this == &other) return *this;
  cancel();
  loop_ = std::exchange(other.loop_, nullptr);
  due_ = other.due_;
  id_ = other.id_;
  return *this;
}

void Timer::cancel() {
  if (IoLoop* loop = std::exchange(loop_, nullptr)) loop->unschedule(due_, id_);
}

void Deadline::set(std::chrono::milliseconds from_now) {
  due_ = std::chrono::steady_clock::now() + from_now;
  if (due_ >= timer_due_) return;
  timer_due_ = due_;
  timer_ = loop_.schedule(from_now, [this] { on_timer(); });
}

void Deadline::set_earlier(std::chrono::milliseconds from_now) {
  if (std::chrono::steady_clock::now() + from_now < due_) set(from_now);
}

void Deadline::on_timer() {
  timer_due_ = IoLoop::Time::max();
  if (due_ == IoLoop::Time::max()) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due_ - std::chrono::steady_clock::now());
  if (left.count() > 0) return set(left);
  clear();
  on_due_();
}

}  // namespace hearth::net::http
