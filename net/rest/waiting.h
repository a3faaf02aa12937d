// What waits for the guard. Its answers come on threads of the database's, perhaps late, when the server is gone: they
// then find nothing here, and nothing happens. So what waits is destroyed where the server is alive, and nowhere else.
// Thread: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "rules/guard.h"

namespace hearth::net::rest {

class Waiting {
 public:
  Waiting() : state_(std::make_shared<State>()) {}
  ~Waiting() { close(); }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  using Then = std::function<void(db::Answer)>;
  // For the guard to call, once: runs `then`, unless close() came first.
  rules::Guard::Done expect(Then then);

  // Keeps `what` alive until it is let go, or until close().
  uint64_t hold(std::shared_ptr<void> what);
  void let_go(uint64_t id);

  // Destroys all that waits. When it returns, no `then` is running, and none will.
  void close();

 private:
  struct State {
    std::mutex mutex;  // Guards all below.
    std::condition_variable idle;
    std::unordered_map<uint64_t, Then> calls;
    std::unordered_map<uint64_t, std::shared_ptr<void>> held;
    uint64_t last_id = 0;
    size_t running = 0;
    bool is_closed = false;
  };
  const std::shared_ptr<State> state_;
};

}  // namespace hearth::net::rest
