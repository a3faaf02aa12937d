// The turn of an io thread.
//
//   ┌──────────────────────────── one turn ─────────────────────────────────────────────────────┐
//   │  epoll_wait(): up to 256 sockets                        finish_turn()                     │
//   │                                                                                           │
//   │    mailbox_: tasks of post() ─────┐                     later_ ─▶ tasks ───┐              │
//   │    socket is readable, writable ──┼─▶ sessions run ─▶   dirty_ ─▶ flush() ─┴─ until both  │
//   │    timers_: what is due ──────────┘   and send()                              are empty   │
//   └───────────────────────────────────────────────────────────────────────────────────────────┘
//
// The order is the point. All that the sockets have is heard first, and only then does each connection send what it
// has to say, in one system call. A write, its answer and the events that it causes then share a send(). Merely
// posting the flush lets it run between two reads, and doubles the CPU of a pipelined write
// (db/store/machine-facts.md §1.1).
//
// Three ways to run something on the thread, from far to near:
// - post(): from any thread. The mailbox is one vector behind a mutex. Only the post that finds the loop asleep wakes it,
//   so a burst of a thousand answers costs one wake, and what the loop posts to itself costs none. What one thread posts
//   in a db::MailBatch comes in one go: of a shard all that a group tells, of an io thread what it asks in a turn.
// - schedule(), Deadline: at a time. All timers of a thread share one map, all deadlines one heap, and the first of both
//   is how long the loop waits: a timer costs no system call.
// - later(): in this turn, when the functions on the stack have returned. A connection uses it to tell its protocol
//   that it is gone, so that the protocol is not destroyed within its own call.
//
// A socket is put into epoll when it is first waited for and stays there, so a read costs no other system call
// (class Watch); some are waited for together, and not at all times (gate.h). Who is told of an event is a raw pointer: a connection is destroyed by finish_turn() at the earliest,
// when all events of the turn have been told, and a closed socket leaves epoll by itself.
//
// Each event, letter, timer and flush is a step for which others have to wait, so each has a limit (kIoStepMax);
// end_step() measures steps for /.metrics. What is longer goes on in a step of its own, by post(). finish_turn() repeats
// until nothing is left: later() may send, flush() may close, and a close is told by later(). It ends because a connection
// closes once.
//
// Stopping: stop() lets no new task in, join() waits, and forget_work() destroys what never ran. IoPool joins all
// loops before the first forgets its work, since a task of one loop may own something whose home is another.
#include "net/io/io_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include "db/base/mail_batch.h"
#include "net/io/gate.h"
#include "net/io/waker.h"

namespace hearth::net::http {
namespace {
constexpr size_t kEventsPerTurnMax = 256;
constexpr std::chrono::milliseconds kWaitMax{60'000};  // of one system call
thread_local IoLoop* current_loop = nullptr;

Fd opened(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return Fd(fd);
}
}  // namespace

IoLoop::IoLoop(size_t index)
    : index_(index),
      poller_(opened(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      bell_(opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
  // Edge-triggered: each write wakes once, and nobody has to read.
  epoll_event ring{EPOLLIN | EPOLLET, {nullptr}};
  if (::epoll_ctl(poller_.get(), EPOLL_CTL_ADD, bell_.get(), &ring) != 0) (void)opened(-1, "epoll_ctl");
}

IoLoop::~IoLoop() = default;

IoLoop* IoLoop::current() { return current_loop; }

void IoLoop::start() {
  thread_ = std::thread([this] { run(); });
}

void IoLoop::stop() {
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->is_stopped = true;
  }
  wake();
}

void IoLoop::wake() {
  const uint64_t one = 1;
  (void)!::write(bell_.get(), &one, sizeof one);
}

void IoLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void IoLoop::forget_work() {
  // Destructors of tasks may schedule, cancel and post. Nothing that they post is kept (is_stopped), and timers that
  // they cancel are looked for in timers_; so each container is emptied before its members are destroyed.
  std::vector<Letter> mail;
  {
    const std::lock_guard lock(mailbox_->mutex);
    mail.swap(mailbox_->letters);
  }
  mail.clear();
  std::exchange(later_, {}).clear();
  std::exchange(dirty_, {}).clear();
  std::exchange(timers_, {}).clear();
}

void IoLoop::post(Letter letter) {
  if (db::MailBatch::is_open()) {
    thread_local db::KeptMail<std::shared_ptr<Mailbox>, std::vector<Letter>> posted;
    posted.of(mailbox_).push_back(std::move(letter));
    return db::MailBatch::add(posted);
  }
  std::vector<Letter> one;
  one.push_back(std::move(letter));
  mailbox_->take(one);
}

void IoLoop::Mailbox::take(std::vector<Letter>& come) {
  const std::lock_guard lock(mutex);
  if (is_stopped) return;
  if (letters.empty()) {
    letters.swap(come);
  } else {
    std::move(come.begin(), come.end(), std::back_inserter(letters));
  }
  // Under the lock, so that the loop is there: it goes after is_stopped.
  if (std::exchange(is_asleep, false)) loop.wake();
}

// Ends one step: compares what this thread did in it (db/base/step.h) with the most of any step so far, and returns it.
db::Work IoLoop::end_step() {
  const auto raise = [](std::atomic<uint64_t>& to, uint64_t value) {
    if (value > to.load(std::memory_order_relaxed)) to.store(value, std::memory_order_relaxed);
  };
  const db::Work done = db::Step::here().done();
  raise(rows_max_, done.rows);
  raise(bytes_max_, done.bytes);
  raise(evaluations_max_, done.evaluations);
  db::Step::here().begin(db::kNoLimit);
  return done;
}

db::Work IoLoop::hear(Waiting& waiting, uint32_t events) {
  waiting.on_ready(events);
  return end_step();
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

// Tasks run without the lock, so they may post. What they post is mail of the next turn. Returns false when the loop is
// stopped.
bool IoLoop::take_mail() {
  std::vector<Letter> mail;
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->is_asleep = false;
    if (mailbox_->is_stopped) return false;
    mail.swap(mailbox_->letters);
  }
  for (Letter& letter : mail) {
    if (letter.waker != nullptr) {
      letter.waker->run();
      letter.waker = nullptr;
      end_step();
    } else {
      run_step(letter.task);
    }
  }
  return true;
}

Timer IoLoop::schedule(std::chrono::milliseconds delay, Task task) {
  const Time due = std::chrono::steady_clock::now() + delay;
  const uint64_t id = ++last_timer_;
  timers_.emplace(std::pair(due, id), std::move(task));
  return Timer(*this, due, id);
}

void IoLoop::unschedule(Time due, uint64_t id) {
  // The task is taken out of the map before it is destroyed, because its destructor may cancel other timers.
  const auto node = timers_.extract(std::pair(due, id));
}

// ---- deadlines: a binary heap, of which each knows its place ----

void IoLoop::place(size_t at, std::pair<Time, Deadline*> one) {
  one.second->place_ = static_cast<uint32_t>(at);
  deadlines_[at] = one;
}

void IoLoop::rise(size_t at) {
  const auto one = deadlines_[at];
  for (size_t above; at > 0 && one.first < deadlines_[above = (at - 1) / 2].first; at = above) {
    place(at, deadlines_[above]);
  }
  place(at, one);
}

void IoLoop::sink(size_t at) {
  const auto one = deadlines_[at];
  for (size_t below; (below = 2 * at + 1) < deadlines_.size(); at = below) {
    if (below + 1 < deadlines_.size() && deadlines_[below + 1].first < deadlines_[below].first) ++below;
    if (deadlines_[below].first >= one.first) break;
    place(at, deadlines_[below]);
  }
  place(at, one);
}

void IoLoop::watch(Deadline& deadline, Time due) {
  if (deadline.place_ == Deadline::kNowhere) {
    deadlines_.emplace_back();
    place(deadlines_.size() - 1, {due, &deadline});
  } else {
    deadlines_[deadline.place_].first = due;
  }
  rise(deadline.place_);
}

void IoLoop::unwatch(Deadline& deadline) {
  const size_t at = std::exchange(deadline.place_, Deadline::kNowhere);
  if (at == Deadline::kNowhere) return;
  const auto last = deadlines_.back();
  deadlines_.pop_back();
  if (at == deadlines_.size()) return;
  place(at, last);
  rise(at);
  sink(last.second->place_);
}

// Each is taken out before it is told: it may be set again, or destroyed. One that was moved later takes its place behind
// those that are nearer.
void IoLoop::run_deadlines(Time now) {
  while (!deadlines_.empty() && deadlines_.front().first <= now) {
    auto& [due, first] = deadlines_.front();
    Deadline& deadline = *first;
    if (deadline.due_ != Time::max() && deadline.due_ > due) {
      due = deadline.due_;
      sink(0);
      continue;
    }
    unwatch(deadline);
    if (std::exchange(deadline.due_, Time::max()) == Time::max()) continue;  // it was cleared
    deadline.of_.on_deadline();
    end_step();
  }
}

std::optional<IoLoop::Time> IoLoop::next_due() const {
  std::optional<Time> next;
  if (!timers_.empty()) next = timers_.begin()->first.first;
  if (!deadlines_.empty()) next = std::min(next.value_or(Time::max()), deadlines_.front().first);
  return next;
}

// Each task is taken out before it runs: it may cancel its own timer, or schedule others.
void IoLoop::run_timers() {
  if (timers_.empty() && deadlines_.empty()) return;
  const Time now = std::chrono::steady_clock::now();
  run_deadlines(now);
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    run_step(node.mapped());
  }
}

void IoLoop::finish_turn() {
  // Each may cause the other: flush() closes a connection, later() tells its session of it, and that session may send
  // on others.
  while (!later_.empty() || !dirty_.empty()) {
    std::vector<Task> tasks = std::exchange(later_, {});
    for (Task& task : tasks) run_step(task);
    for (const auto& what : std::exchange(dirty_, {})) {
      what->flush();
      end_step();
    }
  }
}

// Waits until a socket is ready, a letter comes or a timer is due. Returns how many `events` there are.
int IoLoop::wait(std::span<epoll_event> events) {
  auto patience = kWaitMax;
  if (const auto due = next_due()) {
    const auto left = *due - std::chrono::steady_clock::now();
    patience = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds(0), kWaitMax);
  }
  {
    const std::lock_guard lock(mailbox_->mutex);
    if (!mailbox_->letters.empty() || mailbox_->is_stopped) patience = std::chrono::milliseconds(0);
    mailbox_->is_asleep = patience.count() > 0;
  }
  return ::epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()),
                      static_cast<int>(patience.count()));  // -1: a signal came
}

void IoLoop::run() {
  current_loop = this;
  std::array<epoll_event, kEventsPerTurnMax> events;
  for (;;) {
    const int count = wait(events);
    {
      const db::MailBatch batch;  // what is asked in this turn, before its answers are sent
      if (!take_mail()) break;
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        if (event.data.ptr == nullptr) continue;  // the bell
        hear(*static_cast<Waiting*>(event.data.ptr), event.events);
      }
      run_timers();
    }
    const db::MailBatch batch;
    finish_turn();
  }
  current_loop = nullptr;
}

bool Watch::move_to(IoLoop& loop, Waiting& waiting, int fd, int poller) {
  if (poller == (poller_ == kOfLoop ? loop.poller() : poller_)) return true;
  const uint32_t wanted = events_;
  if (!set(loop, waiting, fd, 0)) return false;
  poller_ = poller;
  return set(loop, waiting, fd, wanted);
}

bool Watch::set(IoLoop& loop, Waiting& waiting, int fd, uint32_t events) {
  if (events == events_) return true;
  epoll_event wanted{events, {&waiting}};
  const int change = events_ == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  if (::epoll_ctl(poller_ == kOfLoop ? loop.poller() : poller_, change, fd, &wanted) != 0) return false;
  events_ = events;
  return true;
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

// A connection moves its deadline with nearly every read, mostly to a later time. Only an earlier time is told to the
// loop, which looks at due_ when the time has come that it knows.
void Deadline::set(std::chrono::milliseconds from_now) {
  due_ = std::chrono::steady_clock::now() + from_now;
  if (place_ == kNowhere || due_ < loop_.deadlines_[place_].first) loop_.watch(*this, due_);
}

void Deadline::set_earlier(std::chrono::milliseconds from_now) {
  if (std::chrono::steady_clock::now() + from_now < due_) set(from_now);
}

}  // namespace hearth::net::http
