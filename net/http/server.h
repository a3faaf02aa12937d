// An HTTP server: listens on one port at one or more addresses, spreads connections over the io threads, and hands each
// whole request to one handler. Thread: start and stop from one; the rest is the connections'.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "net/http/exchange.h"
#include "net/http/io_pool.h"
#include "net/http/worker_pool.h"

namespace hearth::net::http {

// Every limit of a connection, by name. Defaults as documented in README.md.
struct Limits {
  size_t body_bytes_max = 256u << 20;        // also of what a compressed body unpacks to
  uint32_t header_bytes_max = 64u << 10;
  size_t connections_max = 100'000;
  size_t websocket_message_bytes_max = 32u << 20;
  size_t outbox_low_bytes = 256u << 10;      // below, more may be gathered (on_drained)
  std::chrono::seconds request_timeout{60};  // from a request's first byte to its last, unless bytes keep coming
  std::chrono::seconds idle_timeout{75};     // between requests
  std::chrono::seconds stall_timeout{30};    // of a reader that takes nothing of what waits for it
  std::chrono::seconds ping_interval{25};
  std::chrono::seconds websocket_idle_timeout{90};  // wire-protocol.md §2.3
  std::chrono::seconds drain_timeout{5};            // for answers under way when the server stops
};

using Handler = std::function<void(std::shared_ptr<Exchange>)>;

// What every connection of one server shares.
struct ServerCore {
  IoPool& io;
  WorkerPool& workers;
  Limits limits;
  Handler handler;
  std::atomic<size_t> connections{0};

  // Hands the request on when its compressed body has been unpacked on a worker.
  void unpack_and_handle(std::shared_ptr<Exchange> exchange);
};

class Server {
 public:
  struct Options {
    std::vector<std::string> hosts;  // addresses or names; empty: 127.0.0.1, and ::1 where there is IPv6
    uint16_t port = 0;               // 0: one that is free, the same at each address
    Limits limits;
  };
  Server(IoPool& io, WorkerPool& workers, Options options, Handler handler);
  ~Server();

  // Binds and begins to accept. Errors: Unavailable, naming the address and what to do.
  db::Result<void> start();
  uint16_t port() const;
  void stop();  // accepts no more, lets answers under way go out, closes the rest; waits for that
  size_t connections() const { return core_.connections; }

 private:
  struct Acceptors;
  void accept(size_t which);

  Options options_;
  ServerCore core_;
  std::unique_ptr<Acceptors> acceptors_;
  std::atomic<size_t> next_loop_{0};
  bool stopped_ = false;
};

}  // namespace hearth::net::http
