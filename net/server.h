// Serves a Guard to the network: REST, event streams and the Firebase protocol, on one port. Start reading here.
//
//   GET /.ws, as an upgrade     net/wire
//   GET /.metrics               net/admin
//   everything else             net/rest
//
// Thread: its owner's. It has threads of its own: io threads, each the home of some connections, and workers for what
// takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "db/base/result.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net {

// Whoever watches asks little, and whoever else gets there shall not cost much.
inline constexpr size_t kWatchConnectionsMax = 64;
inline constexpr size_t kWatchBodyBytesMax = 4u << 10;

// A port of its own for /.metrics and /.health, without credentials: for those who watch the server.
struct WatchPort {
  std::string host{};  // as Server::Options
  uint16_t port = 0;
};

class Server {
 public:
  struct Options {
    std::string host{};    // "": 127.0.0.1 and, where there is IPv6, ::1. Else an address or a name
    uint16_t port = 9000;  // 0: picks one, the same for all addresses
    size_t io_threads = 2;
    size_t workers = 2;
    std::optional<WatchPort> watch{};
    std::chrono::milliseconds patience{5'000};  // of stop(), with requests that are being answered
  };

  // Answers from here on. `guard` outlives the server's stop(). Errors: when the address is taken or not ours, naming
  // it.
  static db::Result<std::unique_ptr<Server>> start(rules::Guard& guard, Options options);
  ~Server();  // stop()s
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  std::string url() const;  // http://127.0.0.1:9000
  std::string watch_url() const;  // the same of the watch port; "" when there is none

  // Accepts no more, lets requests be answered, says goodbye to the rest. When it returns, nothing of this server asks
  // the guard any more; answers that still come from it go nowhere. The database may go before the server does.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net
