// Late answers, and a server that may be gone.
//
//   expect(then) ─▶ held[id] = then;  the guard is given a small function that knows the id and the State
//   the answer comes ─ begin(id): takes `then` out, running + 1 ─ calls it without the lock ─ finish: running - 1
//   close() ─ is_closed ─ waits until running is 0 ─ destroys what is held
//
// The function that the guard keeps owns only the State. So whatever `then` holds (exchanges, `this` of a handler) is
// destroyed by the answer that takes it or by close(), both while the server is alive, and never by a guard that
// drops a callback later.
#include "net/http/pending_answers.h"

#include <utility>

namespace hearth::net::http {

std::shared_ptr<void> PendingAnswers::begin(State& state, uint64_t id) {
  const std::lock_guard lock(state.mutex);
  const auto found = state.held.find(id);
  if (found == state.held.end()) return nullptr;
  std::shared_ptr<void> call = std::move(found->second);
  state.held.erase(found);
  ++state.running;
  return call;
}

void PendingAnswers::finish(State& state) {
  const std::lock_guard lock(state.mutex);
  if (--state.running == 0 && state.is_closed) state.idle.notify_all();
}

// After close() nothing is held: the caller's object dies with the caller's pointer, in the caller's thread.
uint64_t PendingAnswers::hold(std::shared_ptr<void> what) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t id = ++state_->last_id;
  if (!state_->is_closed) state_->held.emplace(id, std::move(what));
  return id;
}

void PendingAnswers::let_go(uint64_t id) {
  std::shared_ptr<void> last;  // destroyed without the lock
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->held.find(id);
  if (found == state_->held.end()) return;
  last = std::move(found->second);
  state_->held.erase(found);
}

// What was held is destroyed without the lock, because its destructors may call let_go().
void PendingAnswers::close() {
  std::unordered_map<uint64_t, std::shared_ptr<void>> held;
  std::unique_lock lock(state_->mutex);
  state_->is_closed = true;
  state_->idle.wait(lock, [this] { return state_->running == 0; });
  held.swap(state_->held);
  lock.unlock();
}

}  // namespace hearth::net::http
