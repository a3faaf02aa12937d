// One io thread from inside, for the .cc files that speak Asio.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "net/http/beast.h"
#include "net/http/io_pool.h"

namespace hearth::net::http {

struct IoPool::Loop {
  explicit Loop(size_t number) : index(number) {}

  void run();
  void post(std::function<void()> task);
  // Its home thread: `what` has something to send at the end of this turn.
  void mark_dirty(std::shared_ptr<Flushable> what) { dirty.push_back(std::move(what)); }

  const size_t index;
  asio::io_context io{1};
  asio::steady_timer ticker{io};
  std::thread thread;
  std::vector<std::shared_ptr<Flushable>> dirty;
  std::set<Flushable*> members;            // every connection that lives here
  std::array<char, 64 << 10> read_buffer;  // what any of them is reading right now

  std::mutex mutex;  // Guards mailbox.
  std::vector<std::function<void()>> mailbox;

 private:
  void drain();
  void tick();
  void flush();
};

}  // namespace hearth::net::http
