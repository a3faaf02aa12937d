// A limit on bytes in flight: take() reserves some, dropping the Lease gives them back. Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "db/base/metrics.h"

namespace hearth::db {

// A reservation. Its bytes are given back when the last copy of the pointer goes.
using Lease = std::shared_ptr<const void>;

class Budget {
 public:
  explicit Budget(uint64_t bytes_max) : state_(std::make_shared<State>(bytes_max)) {}

  // Null when the reservation would exceed the limit. A request that is larger than the whole limit is granted when
  // nothing else is reserved: otherwise a large value could never be sent at all.
  Lease take(uint64_t bytes) {
    // Add first and take back when it was too much: two threads that ask at once can both be refused, and can never
    // both get the last bytes.
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
