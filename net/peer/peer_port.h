// The port by which nodes of one cluster reach each other, and the way to another node's. Whatever a connection is for, both
// ends have proved the cluster's secret to each other before it (handshake.h).
//
//   dial("10.0.0.2:9100", "n2", "http") ──▶ TCP ──▶ (TLS) ──▶ handshake ──▶ a socket of plain bytes
//                                                      │
//   the other node's PeerPort ◀────────────────────────┘ "bus" | "seed 5" | "http": the callback that was given for it
//
// Sockets are plain bytes for whoever gets them, with TLS as well: then it is one end of a pair of sockets of this process,
// and a thread of the port's speaks TLS behind the other one. That costs a copy within the machine, and spares the relay,
// the bus and everything that comes later a second kind of connection. Without TLS it is the connection itself.
//
// Addresses that are no loopback are refused without TLS, unless PeerOptions::plain says that the network is trusted.
// Thread: any. Each connection that comes has a thread of the port's for its handshake, which then calls what was given for
// its purpose: on_http's returns soon, those of on() may keep it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::net::peer {

inline constexpr size_t kHandshakesMax = 64;  // under way, of connections that came; more are closed
inline constexpr std::chrono::milliseconds kHandshakeTimeMax{2'000};

struct PeerTls {
  std::string certificate{};  // PEM, this node's; the same for both directions
  std::string key{};
  std::string authority{};  // PEM; whose certificates are believed. "": any, for the secret proves who is behind it
};

struct PeerOptions {
  std::string address{};  // HOST:PORT to listen on; port 0 picks one
  std::string node{};     // this node's name
  std::string cluster{};  // its id
  std::string secret{};   // of the cluster
  PeerTls tls{};
  bool plain = false;  // plain text, also off loopback
};

// A connection after the handshake. `fd` is the receiver's from then on: blocking, with TCP_NODELAY.
struct PeerSocket {
  int fd = -1;
  std::string early{};  // what was read beyond the handshake
  std::string node{};   // the other one's name
};

// Connects, proves, and says what the connection is for. Blocks, kHandshakeTimeMax at most. Errors: Unavailable (not there,
// too slow), PermissionDenied (it does not know the secret, or is another node), InvalidArgument (plain text is refused).
class PeerDialer {
 public:
  static db::Result<std::unique_ptr<PeerDialer>> make(PeerOptions options);  // Errors: InvalidArgument: a file of TLS
  ~PeerDialer();
  db::Result<PeerSocket> dial(const std::string& address, const std::string& node, const std::string& purpose);

  struct Parts;

 private:
  explicit PeerDialer(std::unique_ptr<Parts> parts);
  friend class PeerPort;
  std::unique_ptr<Parts> parts_;
};

class PeerPort {
 public:
  // Listens from here on; what comes for a purpose that nobody has taken yet is closed. `dialer` outlives it.
  static db::Result<std::unique_ptr<PeerPort>> open(PeerOptions options, PeerDialer& dialer);
  ~PeerPort();  // stop()s

  // What a relayed client's connection is given to: a socket that HTTP is spoken on, from the first byte of `early` on.
  using OnHttp = std::function<void(int fd, std::string early_bytes, std::string peer_node)>;
  void on_http(OnHttp take);
  // Others: `what` is the first word of the purpose ("bus", "seed"), `rest` what stands behind it. Called on a thread of its
  // own, which is the connection's for as long as the call lasts; the socket is shut down by stop().
  using OnPeer = std::function<void(PeerSocket socket, std::string rest)>;
  void on(const std::string& what, OnPeer take);

  uint16_t port() const;
  std::string address() const;  // as others reach it, when PeerOptions::address has port 0

  // No more connections; those of on() are shut down and their threads waited for. Sockets given to on_http are not ours
  // any more; with TLS, their other ends are closed.
  void stop();

 private:
  struct Parts;
  explicit PeerPort(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net::peer
