// How long the ends of many sockets are spread over when they end for one reason: a node leaves, or a shard has another owner.
// Their clients come back at once, and not all in one moment. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>

#include "db/base/random.h"

namespace hearth::net::http {

inline constexpr std::chrono::milliseconds kLeavingSpread{1'500};

// Uniformly at random, from nothing to all of it.
inline std::chrono::milliseconds some_of(std::chrono::milliseconds spread) {
  return std::chrono::milliseconds(db::random_u64() % (static_cast<uint64_t>(spread.count()) + 1));
}

}  // namespace hearth::net::http
