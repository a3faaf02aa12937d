// Bytes that are held for others, as many as may be. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "db/base/metrics.h"

namespace hearth::db {

// Held as long as somebody has one.
using Lease = std::shared_ptr<const void>;

class Budget {
 public:
  explicit Budget(uint64_t bytes_max) : state_(std::make_shared<State>(bytes_max)) {}

  // Null when that would be too much. What is larger than all there is may be had when nothing else is.
  Lease take(uint64_t bytes) {
    const uint64_t before = state_->bytes.fetch_add(bytes);
    if (before > 0 && before + bytes > state_->bytes_max) {
      state_->bytes.fetch_sub(bytes);
      refused_.add();
      return nullptr;
    }
    return {state_.get(), [state = state_, bytes](const void*) { state->bytes.fetch_sub(bytes); }};
  }

  uint64_t bytes() const { return state_->bytes.load(); }
  uint64_t refused() const { return refused_.value(); }

 private:
  struct State {
    explicit State(uint64_t most) : bytes_max(most) {}
    const uint64_t bytes_max;
    std::atomic<uint64_t> bytes = 0;
  };
  const std::shared_ptr<State> state_;  // leases may outlive the budget
  Counter refused_;
};

}  // namespace hearth::db
