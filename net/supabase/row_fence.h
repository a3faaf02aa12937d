// The change before the answer, also where they leave by different io threads. A client hears of rows on a socket, which
// is at home on one thread, and writes them by HTTP on another. Both threads are told by the shard at once, and nothing
// orders what they send. So the answer to a write of rows goes through the threads with channels that listen to rows of
// the namespace, and leaves when these have sent.
//
//   shard ─┬─▶ thread 1, socket:   the change ─▶ sent ─┐
//          └─▶ the answer, held ───────────────────────┴─▶ thread 0, HTTP: sent
//
// What is promised: the bytes of the change are handed to the kernel before those of the answer. Not, when the client
// reads so slowly that they wait in the server; and what a network does with two connections is its own affair. A write
// to a namespace without such channels on other threads costs one look at a counter.
//
// Thread: any, unless said otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/io/io_pool.h"

namespace hearth::net::supabase {

class RowFence {
 public:
  explicit RowFence(http::IoPool& io) : io_(io) {}
  RowFence(const RowFence&) = delete;
  RowFence& operator=(const RowFence&) = delete;

  // A channel at home on that thread listens to rows of the namespace, or does so no more.
  void add(std::string_view space, size_t thread);
  void remove(std::string_view space, size_t thread);

  // To be called by whom the shard tells that a write is done: runs `then` once the other threads than `home` have sent
  // what they were told before. At once, where there is nobody to wait for; else on one of them.
  void pass(std::string_view space, size_t home, std::function<void()> then);

  uint64_t hops() const { return hops_.load(std::memory_order_relaxed); }  // threads that answers went through, so far

 private:
  std::vector<size_t> threads_of(std::string_view space, size_t home) const;

  http::IoPool& io_;
  std::atomic<uint64_t> channels_ = 0, hops_ = 0;
  mutable std::mutex mutex_;                                        // Guards spaces_.
  std::map<std::string, std::vector<size_t>, std::less<>> spaces_;  // channels by thread; none without any
};

}  // namespace hearth::net::supabase
