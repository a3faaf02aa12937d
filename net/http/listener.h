// The server's port: accepts connections and spreads them over the io threads. Thread: the one that opened it, unless
// it says otherwise.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/base/thread_pool.h"
#include "net/http/exchange.h"
#include "net/http/io_pool.h"
#include "net/http/limits.h"
#include "net/http/tls.h"

namespace hearth::net::http {

// Called on the connection's home thread with a request that is complete, its body included and inflated. Must not
// block. Bad requests never get here: they are answered with 4xx and {"error": "…"}.
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

// Requests are counted by method, and by the class of their answers' status: 1xx (a WebSocket) to 5xx.
inline constexpr std::array<std::string_view, 8> kCountedMethods = {"GET",   "HEAD",   "PUT",     "POST",
                                                                    "PATCH", "DELETE", "OPTIONS", "other"};
inline constexpr size_t kStatusClasses = 5;

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

class HalfReceived;

// A connection, as those see it who run the server.
struct SeenConnection {
  uint64_t number = 0;      // as in the log
  std::string peer{};       // its address
  std::string_view kind{};  // "HTTP", "event stream", "WebSocket"
  std::chrono::seconds age{};
  size_t waiting_bytes = 0;  // to be sent
  bool is_secure = false;
};
inline constexpr size_t kSeenConnectionsMax = 1'000;  // of each io thread: more are not looked at in one step

class Listener {
 public:
  struct Options {
    std::string host{};  // "": 127.0.0.1 and, where there is IPv6, ::1. Else an address or a name
    uint16_t port = 0;   // 0: picks one, the same for all addresses
    Limits limits{};
    TlsFiles tls{};                                 // empty: none
    std::vector<std::string> trusted_proxies{};     // "10.0.0.1", "fd00::/8": whose X-Forwarded headers count
    bool proxy_protocol = false;                    // each connection of a trusted proxy begins with a PROXY header
    std::vector<std::string> host_names{};          // of this machine, beside those that always are (origin.h)
    std::shared_ptr<HalfReceived> half_received{};  // shared with others; null: one of its own, as `limits` say
  };

  // Accepts from here on. `io` has been started; it and `workers` outlive the listener.
  static db::Result<std::unique_ptr<Listener>> open(IoPool& io, db::ThreadPool& workers, const Options& options,
                                                    Handler handler);

  ~Listener();  // drains with no patience
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const;
  // "http://127.0.0.1:9000": the IPv4 address or the name. With TLS, "https://…".
  std::string url() const;

  // With TLS only. Any thread; the first reads files. See TlsCertificate.
  db::Result<void> reload_certificate();
  std::string certificate_validity() const;
  Stats stats() const;  // any thread
  // Who is there: `told` hears it once, on an io thread; never, if the server closes before. Any thread.
  void look(std::function<void(std::vector<SeenConnection>)> told) const;
  // Cuts the connection of that number, as if the network had. `told` hears whether there is one; as above.
  void cut(uint64_t number, std::function<void(bool)> told) const;

  // Accepts no more, closes what is idle, lets requests be answered, ends streams, says goodbye (1001) to WebSockets;
  // what is left after `patience` is cut. Not on an io thread. Afterwards the handler is not called any more.
  void drain(std::chrono::milliseconds patience);

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::net::http
