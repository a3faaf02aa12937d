#include "net/http/io_pool.h"

#include <algorithm>

#include "net/http/io_loop.h"

namespace hearth::net::http {
namespace {
thread_local size_t current_thread = IoPool::kNowhere;
}  // namespace

void IoPool::Loop::post(std::function<void()> task) {
  bool first = false;
  {
    const std::lock_guard lock(mutex);
    first = mailbox.empty();
    mailbox.push_back(std::move(task));
  }
  if (first) asio::post(io, [this] { drain(); });
}

void IoPool::Loop::drain() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex);
    tasks.swap(mailbox);
  }
  for (auto& task : tasks) task();
}

void IoPool::Loop::flush() {
  while (!dirty.empty()) {  // a flush may close a connection, and that may say something to another
    std::vector<std::shared_ptr<Flushable>> now;
    now.swap(dirty);
    for (const auto& what : now) what->flush();
  }
}

void IoPool::Loop::tick() {
  ticker.expires_after(std::chrono::seconds(1));
  ticker.async_wait([this](SystemError failed) {
    if (failed) return;
    const auto now = std::chrono::steady_clock::now();
    for (Flushable* member : std::vector<Flushable*>(members.begin(), members.end())) {
      if (members.contains(member)) member->tick(now);
    }
    tick();
  });
}

void IoPool::Loop::run() {
  current_thread = index;
  tick();
  while (!io.stopped()) {
    if (io.run_one() == 0) break;
    for (int count = 0; count < 256 && io.poll_one() > 0; ++count) {
    }
    flush();
  }
  dirty.clear();
}

IoPool::IoPool(size_t threads) {
  for (size_t i = 0; i < std::max<size_t>(threads, 1); ++i) loops_.push_back(std::make_unique<Loop>(i));
}

IoPool::~IoPool() { stop(); }

void IoPool::start() {
  for (auto& loop : loops_) loop->thread = std::thread([&loop] { loop->run(); });
}

void IoPool::stop() {
  if (stopped_.exchange(true)) return;
  for (auto& loop : loops_) loop->io.stop();
  for (auto& loop : loops_) {
    if (loop->thread.joinable()) loop->thread.join();
  }
}

size_t IoPool::current() { return current_thread; }

void IoPool::post(size_t thread, std::function<void()> task) { loops_[thread]->post(std::move(task)); }

void IoPool::post_or_run(size_t thread, std::function<void()> task) {
  if (current_thread == thread) return task();
  post(thread, std::move(task));
}

void IoPool::after(size_t thread, std::chrono::milliseconds delay, std::function<void()> task) {
  auto timer = std::make_shared<asio::steady_timer>(loops_[thread]->io, delay);
  timer->async_wait([timer, task = std::move(task)](SystemError failed) {
    if (!failed) task();
  });
}

}  // namespace hearth::net::http
