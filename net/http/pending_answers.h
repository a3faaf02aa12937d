// Holds what waits for an answer of the guard, or for a credential to be verified. Answers come on threads of others,
// perhaps when the server is gone; they then find nothing here, and nothing happens. So everything that waits is
// destroyed while the server is alive. Thread: any.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "db/model/event.h"

namespace hearth::net::http {

class PendingAnswers {
 public:
  PendingAnswers() : state_(std::make_shared<State>()) {}
  ~PendingAnswers() { close(); }
  PendingAnswers(const PendingAnswers&) = delete;
  PendingAnswers& operator=(const PendingAnswers&) = delete;

  // Returns a function for the guard to call once. It runs `then`, unless close() came first.
  std::function<void(db::Answer)> expect(std::function<void(db::Answer)> then) {
    return expect_a<db::Answer>(std::move(then));
  }
  // Likewise, for answers of other types.
  template <typename T>
  std::function<void(T)> expect_a(std::function<void(T)> then) {
    const uint64_t id = hold(std::make_shared<std::function<void(T)>>(std::move(then)));
    return [state = state_, id](T answer) {
      std::shared_ptr<void> call = begin(*state, id);
      if (call == nullptr) return;
      (*static_cast<std::function<void(T)>*>(call.get()))(std::move(answer));
      call = nullptr;
      finish(*state);
    };
  }

  // Keeps `what` alive until it is let go, or until close().
  uint64_t hold(std::shared_ptr<void> what);
  void let_go(uint64_t id);

  // Destroys all that waits. When it returns, no `then` is running, and none will.
  void close();

 private:
  struct State {
    std::mutex mutex;  // Guards all below.
    std::condition_variable idle;
    std::unordered_map<uint64_t, std::shared_ptr<void>> held;
    uint64_t last_id = 0;
    size_t running = 0;
    bool is_closed = false;
  };
  static std::shared_ptr<void> begin(State& state, uint64_t id);  // null: nothing waits under `id`; else call finish()
  static void finish(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace hearth::net::http
