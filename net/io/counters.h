// What the connections of a listener count, whatever they carry: written as Counters of each io thread, read as Stats.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "db/base/step.h"
#include "net/io/limit_log.h"
#include "net/io/limits.h"

namespace hearth::net::http {

// Requests are counted by method, and by the class of their answers' status: 1xx (a WebSocket) to 5xx.
inline constexpr std::array<std::string_view, 8> kCountedMethods = {"GET",   "HEAD",   "PUT",     "POST",
                                                                    "PATCH", "DELETE", "OPTIONS", "other"};
inline constexpr size_t kStatusClasses = 5;

// The place of a request's method in kCountedMethods.
inline size_t counted_method(std::string_view method) {
  const auto found = std::find(kCountedMethods.begin(), kCountedMethods.end(), method);
  return std::min(static_cast<size_t>(found - kCountedMethods.begin()), kCountedMethods.size() - 1);
}

struct Stats {
  uint64_t connections = 0;  // open now
  uint64_t accepted = 0;
  uint64_t refused = 0;  // over connections_max
  uint64_t requests = 0;
  uint64_t bad_requests = 0;
  uint64_t websockets = 0;    // opened, ever
  uint64_t streams = 0;       // opened, ever
  uint64_t slow_readers = 0;  // disconnected for it
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t sends = 0;                     // system calls
  uint64_t greeted = 0;                   // TLS handshakes and PROXY headers that were completed
  uint64_t bad_greetings = 0;             // handshakes and headers that were broken or too slow
  uint64_t no_descriptors = 0;            // times that accepting paused for want of a descriptor
  uint64_t requests_open = 0;             // being answered now
  uint64_t streams_open = 0;              // now
  uint64_t websockets_open = 0;           // now
  uint64_t outbox_bytes = 0;              // waiting to be sent now
  uint64_t half_received_bytes = 0;       // held now of what is not whole, or not answered (half_received.h)
  std::vector<db::Work> longest_steps{};  // of each io thread, since the start (kIoStepMax)
  std::array<uint64_t, kLimitNames.size()> limits_reached{};  // by Limit
  std::array<std::array<uint64_t, kStatusClasses>, kCountedMethods.size()> answers{};
};

// A thread's own figures, so that counting costs nothing.
struct alignas(64) Counters {
  std::atomic<uint64_t> connections = 0;
  std::atomic<uint64_t> accepted = 0;
  std::atomic<uint64_t> requests = 0;
  std::atomic<uint64_t> bad_requests = 0;
  std::atomic<uint64_t> websockets = 0;
  std::atomic<uint64_t> streams = 0;
  std::atomic<uint64_t> bytes_in = 0;
  std::atomic<uint64_t> bytes_out = 0;
  std::atomic<uint64_t> sends = 0;
  std::atomic<uint64_t> greeted = 0;
  std::atomic<uint64_t> bad_greetings = 0;
  std::atomic<uint64_t> no_descriptors = 0;
  std::atomic<uint64_t> requests_open = 0;
  std::atomic<uint64_t> streams_open = 0;
  std::atomic<uint64_t> websockets_open = 0;
  std::atomic<uint64_t> outbox_bytes = 0;
  std::array<std::atomic<uint64_t>, kLimitNames.size()> limits_reached{};
  std::array<std::array<std::atomic<uint64_t>, kStatusClasses>, kCountedMethods.size()> answers{};

  // Written by one thread, read by any.
  static void add(std::atomic<uint64_t>& counter, uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  static void take(std::atomic<uint64_t>& counter, uint64_t by = 1) { add(counter, 0 - by); }
  void reach(Limit limit) {
    add(limits_reached[static_cast<size_t>(limit)]);
    tell_of_limit(kLimitNames[static_cast<size_t>(limit)]);
  }
};

}  // namespace hearth::net::http
