// Why counting is enough. A channel calls add() before its session listens to rows, and the shard knows of the listener
// before it matches a commit for it. So a write whose change is told to a channel finds that channel counted when it is
// answered, and a relaxed load will do: the shard's lock has put add() before. The counter is a short cut for servers
// without such channels.
#include "net/supabase/row_fence.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hearth::net::supabase {

void RowFence::add(std::string_view space, size_t thread) {
  const std::lock_guard lock(mutex_);
  auto found = spaces_.find(space);
  if (found == spaces_.end()) found = spaces_.emplace(space, std::vector<size_t>(io_.size())).first;
  ++found->second[thread];
  channels_.fetch_add(1, std::memory_order_relaxed);
}

void RowFence::remove(std::string_view space, size_t thread) {
  const std::lock_guard lock(mutex_);
  const auto found = spaces_.find(space);
  --found->second[thread];
  channels_.fetch_sub(1, std::memory_order_relaxed);
  if (std::ranges::all_of(found->second, [](size_t channels) { return channels == 0; })) spaces_.erase(found);
}

std::vector<size_t> RowFence::threads_of(std::string_view space, size_t home) const {
  std::vector<size_t> threads;
  const std::lock_guard lock(mutex_);
  const auto found = spaces_.find(space);
  if (found == spaces_.end()) return threads;
  for (size_t thread = 0; thread < found->second.size(); ++thread) {
    if (thread != home && found->second[thread] > 0) threads.push_back(thread);
  }
  return threads;
}

// The word of the change is in each thread's mailbox before what is posted here: the shard wakes those who are told
// before it answers (Shard::finish_group).
void RowFence::pass(std::string_view space, size_t home, std::function<void()> then) {
  if (channels_.load(std::memory_order_relaxed) == 0) return then();
  const std::vector<size_t> threads = threads_of(space, home);
  if (threads.empty()) return then();
  struct Waiting {
    std::atomic<size_t> left;
    std::function<void()> then;
  };
  const auto waiting = std::make_shared<Waiting>();
  waiting->left = threads.size();
  waiting->then = std::move(then);
  hops_.fetch_add(threads.size(), std::memory_order_relaxed);
  for (const size_t thread : threads) {
    io_.post(thread, [waiting] {
      http::IoPool::after_flush([waiting] {
        if (waiting->left.fetch_sub(1) == 1) waiting->then();
      });
    });
  }
}

}  // namespace hearth::net::supabase
