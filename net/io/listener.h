// The server's port: accepts connections and spreads them over the io threads. Thread: the one that opened it, unless
// it says otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/base/thread_pool.h"
#include "net/io/addresses.h"
#include "net/io/counters.h"
#include "net/io/io_pool.h"
#include "net/io/limits.h"
#include "net/io/protocol.h"
#include "net/io/tls.h"

namespace hearth::net::http {

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
    std::shared_ptr<HalfReceived> half_received{};  // shared with others; null: one of its own, as `limits` say
    bool of_nodes =
        false;  // its connections are other nodes', who have proved it: what they say of their clients counts
  };

  // Accepts from here on. `io` has been started; it and `workers` outlive the listener.
  static db::Result<std::unique_ptr<Listener>> open(IoPool& io, db::ThreadPool& workers, const Options& options,
                                                    MakeProtocol make_protocol);
  // One without a port: its connections come by adopt() alone. Neither TLS nor networks of proxies are looked at.
  static std::unique_ptr<Listener> without_port(IoPool& io, db::ThreadPool& workers, const Options& options,
                                                MakeProtocol make_protocol);

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

  // Makes a connection of a socket that somebody else has connected; `heard` is what was read of it already.
  // Closes it when there are Limits::connections_max. Any thread.
  struct Adopted {
    Fd socket;
    std::string heard{};
    size_t thread = IoPool::kNone;  // its home; kNone: the next one's turn
    MakeProtocol make_protocol{};   // for this one; empty: the listener's. Destroyed uncalled when the server closes
  };
  void adopt(Adopted adopted);

  // Accepts no more, closes what is idle, lets requests be answered, ends streams, says goodbye (1001) to WebSockets;
  // what is left after `patience` is cut. Not on an io thread. Afterwards no protocol is made or called any more.
  void drain(std::chrono::milliseconds patience);

 private:
  struct Impl;
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hearth::net::http
