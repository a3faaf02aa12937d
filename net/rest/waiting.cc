#include "net/rest/waiting.h"

#include <utility>

namespace hearth::net::rest {

std::shared_ptr<void> Waiting::begin(State& state, uint64_t id) {
  const std::lock_guard lock(state.mutex);
  const auto found = state.held.find(id);
  if (found == state.held.end()) return nullptr;
  std::shared_ptr<void> call = std::move(found->second);
  state.held.erase(found);
  ++state.running;
  return call;
}

void Waiting::finish(State& state) {
  const std::lock_guard lock(state.mutex);
  if (--state.running == 0 && state.is_closed) state.idle.notify_all();
}

uint64_t Waiting::hold(std::shared_ptr<void> what) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t id = ++state_->last_id;
  if (!state_->is_closed) state_->held.emplace(id, std::move(what));
  return id;
}

void Waiting::let_go(uint64_t id) {
  std::shared_ptr<void> last;  // destroyed without the lock
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->held.find(id);
  if (found == state_->held.end()) return;
  last = std::move(found->second);
  state_->held.erase(found);
}

void Waiting::close() {
  std::unordered_map<uint64_t, std::shared_ptr<void>> held;
  std::unique_lock lock(state_->mutex);
  state_->is_closed = true;
  state_->idle.wait(lock, [this] { return state_->running == 0; });
  held.swap(state_->held);
  lock.unlock();
}

}  // namespace hearth::net::rest
