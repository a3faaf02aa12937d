// Serves a Guard to the network: REST, event streams and the Firebase protocol, on one port. Start reading here.
//
//   GET /.ws, as an upgrade     net/wire
//   GET /.metrics, /.console, and / of a browser   net/admin
//   /.webhooks…                 net/webhooks
//   everything else             net/rest
//
// Thread: its owner's. The server has threads of its own: io threads, each the home of some connections, and workers
// for what takes long. server.cc tells how they are put together, and taken apart by stop().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/model/figures.h"
#include "net/auth/auth_config.h"
#include "net/io/limits.h"
#include "net/webhooks/options.h"
#include "net/wire/limits.h"

namespace hearth::rules {
class Guard;
}

namespace hearth::net::admin {
struct ConsoleFile;
struct ClusterDoor;
}  // namespace hearth::net::admin

namespace hearth::net {

// Limits of the watch port: programs that watch ask little, and strangers who reach the port must not cost much.
inline constexpr size_t kWatchConnectionsMax = 64;
inline constexpr size_t kWatchBodyBytesMax = 4u << 10;

// A port of its own for /.metrics and /.health, without credentials, for programs that watch the server.
struct WatchPort {
  std::string host{};  // as Server::Options
  uint16_t port = 0;
};

namespace peer {
class RelayNodes;
}

class Server {
 public:
  struct Options {
    std::string host{};    // "": 127.0.0.1 and, where there is IPv6, ::1. Else an address or a name
    uint16_t port = 9000;  // 0: picks one, the same for all addresses
    http::Limits limits{};
    wire::Limits wire_limits{};
    bool may_deflate = false;                        // WebSockets, if their clients offer it (net/websocket/deflate.h)
    size_t failed_logins_per_minute = 100;           // guesses of one address (net/auth/verifier.h); 0: any number
    std::chrono::milliseconds verify_time_max{100};  // a second, for one address' tokens; 0: any
    std::vector<std::string> dev_hosts{};  // names of this machine in development (HostNames, net/http/origin.h)
    std::vector<std::string> origins{};    // of pages that may use it (net/http/origin.h); none: all
    size_t io_threads = 2;
    size_t workers = 2;
    AuthConfig auth{};  // whose signed tokens are believed
    std::optional<WatchPort> watch{};
    std::chrono::milliseconds patience{10'000};  // of stop(), with requests that are being answered
    std::string tls_certificate{}, tls_key{};    // PEM files; both or none
    std::vector<std::string> trusted_proxies{};  // "10.0.0.1", "fd00::/8": their X-Forwarded headers are believed
    const std::vector<admin::ConsoleFile>* console =
        nullptr;                                   // of /.console (net/admin/console.h); null: there is none
    bool proxy_protocol = false;                   // and each connection of theirs begins with a PROXY header
    WebhookOptions webhooks{};                     // where changes may be sent
    std::function<db::BackupFigures()> backups{};  // null: none are made
    const admin::ClusterDoor* cluster = nullptr;   // outlives it; null: this server is by itself
    peer::RelayNodes* nodes = nullptr;             // of a cluster (net/peer/relay_nodes.h); null: this is the only one
  };

  // Answers from here on. `guard` outlives the server's stop(). Errors: when the address is taken or not ours, or a
  // file cannot be used, naming it.
  static db::Result<std::unique_ptr<Server>> start(rules::Guard& guard, Options options);
  ~Server();  // stop()s
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // From here on these issuers' tokens are believed. Clients that are connected stay. Any thread; may wait for a
  // fetch to give up.
  void set_auth(AuthConfig auth);

  // In a cluster: takes over a connection of another node's, which has proved to be one and speaks HTTP; `heard` is what was
  // read of it already. Any thread.
  void adopt(int socket, std::string heard);
  // In a cluster: the namespaces for which `is_one` have come to this node, or left it. Any thread, until stop().
  void moved(std::function<bool(const std::string& space)> is_one);

  uint16_t port() const;
  std::string url() const;        // http://127.0.0.1:9000; with TLS https://…
  std::string watch_url() const;  // the same of the watch port; "" when there is none

  // With TLS only. Reads the files again, for connections to come; when it fails the old ones stay. Errors: as start().
  db::Result<void> reload_certificate();
  std::string certificate_validity() const;  // "valid until Jan  2 03:04:05 2027 GMT"

  // Accepts no more connections, lets requests be answered, says goodbye to the rest. When stop() returns, nothing of
  // this server asks the guard any more, and answers that the guard still gives go nowhere. The database may be
  // destroyed before the server.
  void stop();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net
