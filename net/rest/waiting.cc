#include "net/rest/waiting.h"

#include <utility>

namespace hearth::net::rest {

rules::Guard::Done Waiting::expect(Then then) {
  const std::lock_guard lock(state_->mutex);
  const uint64_t id = ++state_->last_id;
  if (!state_->is_closed) state_->calls.emplace(id, std::move(then));
  return [state = state_, id](db::Answer answer) {
    Then call;
    {
      const std::lock_guard inner(state->mutex);
      const auto found = state->calls.find(id);
      if (found == state->calls.end()) return;
      call = std::move(found->second);
      state->calls.erase(found);
      ++state->running;
    }
    call(std::move(answer));
    call = nullptr;
    const std::lock_guard inner(state->mutex);
    if (--state->running == 0 && state->is_closed) state->idle.notify_all();
  };
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
  std::unordered_map<uint64_t, Then> calls;
  std::unordered_map<uint64_t, std::shared_ptr<void>> held;
  std::unique_lock lock(state_->mutex);
  state_->is_closed = true;
  state_->idle.wait(lock, [this] { return state_->running == 0; });
  calls.swap(state_->calls);
  held.swap(state_->held);
  lock.unlock();
}

}  // namespace hearth::net::rest
