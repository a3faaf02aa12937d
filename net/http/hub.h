// What the connections of one listener share. Thread: any, unless it says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/http/address_counts.h"
#include "net/http/half_received.h"
#include "net/http/ip_address.h"
#include "net/http/limit_log.h"
#include "net/http/limits.h"
#include "net/http/listener.h"
#include "net/http/origin.h"

namespace hearth::net::http {

class Connection;

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

struct Hub {
  // `the_budget`: null for one of its own.
  Hub(IoPool& io_pool, db::ThreadPool& the_workers, Limits the_limits, Handler the_handler,
      std::shared_ptr<HalfReceived> the_budget)
      : io(io_pool),
        workers(the_workers),
        limits(the_limits),
        handler(std::move(the_handler)),
        half_received(the_budget != nullptr ? std::move(the_budget)
                                            : std::make_shared<HalfReceived>(limits.pending_bytes_max,
                                                                             limits.pending_bytes_per_address_max)),
        threads(io_pool.size()) {}

  // The home of what lives on one io thread; nobody else looks at it.
  struct Thread {
    std::unordered_map<const Connection*, std::shared_ptr<Connection>> connections;
    bool is_closing = false;
    Counters counters;
  };

  IoPool& io;
  db::ThreadPool& workers;
  const Limits limits;
  const Handler handler;
  const std::shared_ptr<HalfReceived> half_received;
  std::unique_ptr<TlsCertificate> tls;  // null: none. Set before the first connection, as are the next three
  IpNetworks trusted_proxies;
  bool proxy_protocol = false;
  HostNames host_names;  // of this machine
  std::vector<Thread> threads;
  std::atomic<size_t> connection_count = 0;  // handed to a thread and not yet gone
  size_t next_thread = 0;                    // for the next connection; of the thread that accepts

  AddressCounts addresses;

  bool is_crowded() const {
    uint64_t waiting = 0;
    for (const Thread& thread : threads) waiting += thread.counters.outbox_bytes.load(std::memory_order_relaxed);
    return waiting > limits.outbound_bytes_max;
  }
};

}  // namespace hearth::net::http
