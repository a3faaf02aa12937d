// Sockets of one thread that may be heard together. While a gate is shut, what comes to its sockets wakes nobody; it is
// heard when the gate opens, in one turn. For clients who all speak at the same time, as those do that send back what
// they hear: a wake-up of the thread for each of them costs several times what it costs to read and handle their words.
//
//   socket ─┐
//   socket ─┼─▶ epoll of the gate ──▶ epoll of the loop        open: heard as any socket
//   socket ─┘                    ✕                             shut: until its time is over, or hear()
//
// It is shut for milliseconds at a time, and by those whose sockets they are. A gate at which a socket had much to say stays
// open until that is heard.
//
// Thread: an io thread, its home.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "net/io/addresses.h"
#include "net/io/io_loop.h"
#include "net/io/io_pool.h"

namespace hearth::net::http {

inline constexpr size_t kGatesMax = 256;              // of one thread; each is a descriptor
inline constexpr size_t kMuchHeardBytes = 32u << 10;  // what a socket says in one step, past which it is much

class Gate;
struct GiveBackGate {
  void operator()(Gate* gate) const;
};
// A gate that somebody uses. Given back it is open; sockets that are still in it are heard as any.
using GateLease = std::unique_ptr<Gate, GiveBackGate>;

class Gate final : public Waiting {
 public:
  // One of this thread. Null: all are taken, or there are no descriptors left.
  static GateLease take();

  Gate(IoLoop& loop, Fd poller) : loop_(loop), poller_(std::move(poller)) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // From now on for `time`, unless it is shut for longer already.
  void shut(std::chrono::milliseconds time);
  // Opens, and hears what has come, here and now.
  void hear();
  bool is_shut() const { return is_shut_; }
  // How long what is heard at this moment may have waited at the gate.
  std::chrono::steady_clock::duration waited() const { return waited_; }
  int poller() const { return poller_.get(); }  // of epoll; for Watch

  void on_ready(uint32_t events) override;

 private:
  friend struct GiveBackGate;
  bool watch(int change, bool is_heard);
  void open();

  IoLoop& loop_;
  const Fd poller_;
  Timer timer_;
  IoLoop::Time shut_at_{}, due_{};
  std::chrono::steady_clock::duration waited_{0};
  bool is_taken_ = false;
  bool is_shut_ = false;
  bool is_busy_ = false;  // a socket had much to say when it was heard last
};

}  // namespace hearth::net::http
