// What the connections of one listener share. Thread: any, unless it says otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "db/base/thread_pool.h"
#include "net/io/address_counts.h"
#include "net/io/counters.h"
#include "net/io/half_received.h"
#include "net/io/io_pool.h"
#include "net/io/ip_address.h"
#include "net/io/limits.h"
#include "net/io/protocol.h"
#include "net/io/tls.h"

namespace hearth::net::http {

class Connection;

struct Hub {
  // `the_budget`: null for one of its own.
  Hub(IoPool& io_pool, db::ThreadPool& the_workers, Limits the_limits, MakeProtocol protocol_maker,
      std::shared_ptr<HalfReceived> the_budget)
      : io(io_pool),
        workers(the_workers),
        limits(the_limits),
        make_protocol(std::move(protocol_maker)),
        half_received(the_budget != nullptr ? std::move(the_budget)
                                            : std::make_shared<HalfReceived>(limits.pending_bytes_max,
                                                                             limits.pending_bytes_per_address_max)),
        threads(io_pool.size()) {}

  // The home of what lives on one io thread; nobody else looks at it.
  struct Thread {
    std::unordered_set<std::shared_ptr<Connection>> connections;
    bool is_closing = false;
    Counters counters;
  };

  IoPool& io;
  db::ThreadPool& workers;
  const Limits limits;
  const MakeProtocol make_protocol;
  const std::shared_ptr<HalfReceived> half_received;
  std::unique_ptr<TlsCertificate> tls;  // null: none. Set before the first connection, as are the next three
  IpNetworks trusted_proxies;
  bool proxy_protocol = false;
  bool of_nodes = false;  // as Listener::Options'
  std::vector<Thread> threads;
  std::atomic<size_t> connection_count = 0;  // handed to a thread and not yet gone
  std::atomic<size_t> next_thread = 0;       // for the next connection

  AddressCounts addresses;

  bool is_crowded() const {
    uint64_t waiting = 0;
    for (const Thread& thread : threads) waiting += thread.counters.outbox_bytes.load(std::memory_order_relaxed);
    return waiting > limits.outbound_bytes_max;
  }
};

}  // namespace hearth::net::http
