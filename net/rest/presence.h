// Whether the client that asked for a read still waits for it. One that sends no more may have hung up, or may have only said
// that this was its last request and wait for the answer: for kHangUpGrace from its request on it has the benefit of the doubt.
// Thread: any.
#pragma once

#include <atomic>
#include <chrono>

namespace hearth::net::rest {

inline constexpr std::chrono::seconds kHangUpGrace{1};

class Presence {
 public:
  using Moment = std::chrono::steady_clock::time_point;
  explicit Presence(Moment asked) : asked_(asked) {}
  void leave() { has_left_.store(true, std::memory_order_relaxed); }
  // Stays so. `now` is looked at for one that has left.
  bool is_over(Moment now) const { return has_left_.load(std::memory_order_relaxed) && now > asked_ + kHangUpGrace; }

 private:
  const Moment asked_;
  std::atomic<bool> has_left_ = false;
};

}  // namespace hearth::net::rest
