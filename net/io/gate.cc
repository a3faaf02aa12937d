// A gate belongs to its loop and is used again and again, so an event that the loop has been told of already may still
// name it. Sockets are level-triggered in the gate and the gate is in the loop: what has come while it was shut is told
// when it is open, and nothing is lost whoever forgets about it.
#include "net/io/gate.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "db/base/invariant.h"

namespace hearth::net::http {
namespace {
constexpr size_t kHeardAtOnceMax = 256;  // sockets; others of the thread have their turn then
}  // namespace

GateLease Gate::take() {
  db::invariant(IoLoop::current() != nullptr, "gates are for io threads");
  IoLoop& loop = *IoLoop::current();
  auto& gates = loop.gates();
  const auto free = std::find_if(gates.begin(), gates.end(), [](const auto& one) { return !one->is_taken_; });
  Gate* gate = free == gates.end() ? nullptr : free->get();
  if (gate == nullptr && gates.size() < kGatesMax) {
    Fd poller(::epoll_create1(EPOLL_CLOEXEC));
    if (poller.get() < 0 || is_kept_for_files(poller)) return nullptr;
    auto made = std::make_unique<Gate>(loop, std::move(poller));
    if (!made->watch(EPOLL_CTL_ADD, true)) return nullptr;
    gate = made.get();
    gates.push_back(std::move(made));
  }
  if (gate != nullptr) gate->is_taken_ = true;
  return GateLease(gate);
}

void GiveBackGate::operator()(Gate* gate) const {
  gate->open();
  gate->is_taken_ = false;
}

bool Gate::watch(int change, bool is_heard) {
  epoll_event wanted{is_heard ? EPOLLIN : 0u, {static_cast<Waiting*>(this)}};
  return ::epoll_ctl(loop_.poller(), change, poller_.get(), &wanted) == 0;
}

void Gate::shut(std::chrono::milliseconds time) {
  if (is_busy_) return;
  const IoLoop::Time now = std::chrono::steady_clock::now(), due = now + time;
  if (is_shut_ && due <= due_) return;
  if (!is_shut_) {
    if (!watch(EPOLL_CTL_MOD, false)) return;
    is_shut_ = true;
    shut_at_ = now;
  }
  due_ = due;
  timer_ = loop_.schedule(time, [this] { hear(); });
}

void Gate::open() {
  timer_.cancel();
  if (std::exchange(is_shut_, false)) (void)watch(EPOLL_CTL_MOD, true);  // it was there, so there is room for it
}

void Gate::on_ready(uint32_t) {
  if (!is_shut_) hear();  // else it was shut in this same turn
}

// Who is heard may shut the gate again: then the others of this turn are heard all the same.
void Gate::hear() {
  if (is_shut_) waited_ = std::chrono::steady_clock::now() - shut_at_;
  open();
  std::array<epoll_event, kHeardAtOnceMax> events;
  const int count = ::epoll_wait(poller_.get(), events.data(), static_cast<int>(events.size()), 0);
  is_busy_ = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    const db::Work done = loop_.hear(*static_cast<Waiting*>(event.data.ptr), event.events);
    is_busy_ = is_busy_ || done.bytes >= kMuchHeardBytes;
  }
  waited_ = {};
  if (is_busy_) open();
}

}  // namespace hearth::net::http
