// The io threads as the rest of the program sees them. The loops themselves are in io_loop.cc.
//
//                      ┌─ IoLoop 0 ── its connections, timers, mailbox    also home of the listening sockets
//   post(thread, task)─┼─ IoLoop 1
//                      └─ IoLoop n
//
// A thread has a number, which is what others remember of a connection's home. stop() and join() are two steps:
// between them the owner can let go of what posts to the pool.
#include "net/io/io_pool.h"

#include <algorithm>
#include <utility>

#include "db/base/invariant.h"
#include "net/io/io_loop.h"

namespace hearth::net::http {

IoPool::IoPool(size_t threads) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) loops_.push_back(std::make_unique<IoLoop>(i));
}

IoPool::~IoPool() {
  stop();
  join();
}

void IoPool::start() {
  for (const auto& loop : loops_) loop->start();
}

void IoPool::stop() {
  if (std::exchange(is_stopped_, true)) return;
  for (const auto& loop : loops_) loop->stop();
}

void IoPool::join() {
  db::invariant(is_stopped_, "threads that go on are not waited for");
  for (const auto& loop : loops_) loop->join();
  // Only when all threads have ended: a task that is left in one loop may own something that lives in another.
  for (const auto& loop : loops_) loop->forget_work();
}

void IoPool::post(size_t thread, Task task) { loops_[thread]->post({std::move(task), nullptr}); }
void IoPool::post(size_t thread, std::shared_ptr<const Waker> waker) {
  loops_[thread]->post({nullptr, std::move(waker)});
}

size_t IoPool::current() {
  const IoLoop* loop = IoLoop::current();
  return loop == nullptr ? kNone : loop->index();
}

Timer IoPool::schedule(std::chrono::milliseconds delay, Task task) {
  IoLoop* loop = IoLoop::current();
  db::invariant(loop != nullptr, "timers are for io threads");
  return loop->schedule(delay, std::move(task));
}

// The tasks of later() run before connections flush, and those that they add run behind that (IoLoop::finish_turn).
void IoPool::after_flush(Task task) {
  IoLoop* loop = IoLoop::current();
  db::invariant(loop != nullptr, "connections are flushed by io threads");
  loop->later([loop, task = std::move(task)]() mutable { loop->later(std::move(task)); });
}

bool IoPool::is_home(size_t thread) const { return IoLoop::current() == loops_[thread].get(); }

db::Work IoPool::longest_step(size_t thread) const { return loops_[thread]->longest_step(); }

}  // namespace hearth::net::http
