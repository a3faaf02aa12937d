// Limits on what one client of this protocol may use. Tests set smaller ones.
#pragma once

#include <cstddef>

namespace hearth::net::wire {

inline constexpr size_t kListenersMax = 20'000;        // of one connection
inline constexpr size_t kMessageBytesMax = 16u << 20;  // docs, limits: 16 MB a write by SDK
inline constexpr size_t kLongPollsMax = 10'000;        // of a server

struct Limits {
  size_t listeners_max = kListenersMax;         // past it: the listen is refused
  size_t message_bytes_max = kMessageBytesMax;  // past it: the request is refused
  size_t long_polls_max = kLongPollsMax;        // past it: 503
};

}  // namespace hearth::net::wire
