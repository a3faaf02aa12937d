// Whether the client that asked for a read still waits for the answer. A client that has sent its last byte has hung
// up, or this was its last request and it waits; nobody can tell which. For kHangUpGrace from its request on it
// counts as waiting. Thread: any.
#pragma once

#include <atomic>
#include <chrono>

namespace hearth::net::http {

inline constexpr std::chrono::seconds kHangUpGrace{1};

class Presence {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  explicit Presence(Moment asked) : asked_(asked) {}
  void leave() { has_left_.store(true, std::memory_order_relaxed); }
  // Whether nobody waits any more; once true it stays true. `now` matters only after leave().
  bool is_over(Moment now) const { return has_left_.load(std::memory_order_relaxed) && now > asked_ + kHangUpGrace; }

 private:
  const Moment asked_;
  std::atomic<bool> has_left_ = false;
};

}  // namespace hearth::net::http
