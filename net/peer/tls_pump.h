// TLS behind a pair of sockets: whoever has the other end speaks plain bytes, and knows of no TLS.
//
//   receiver ◀── plain ──▶ [ pair ] ◀── TlsPump: SSL_read, SSL_write ──▶ TCP ──▶ the other node
//
// One thread with one epoll does it for all connections of a node; each has a record's bytes in flight in each direction
// (kPumpBytes), and whoever does not read holds up his own connection alone, as TCP does. Thread: any.
#pragma once

#include <cstddef>
#include <memory>

#include "db/base/result.h"

struct ssl_st;

namespace hearth::net::peer {

inline constexpr size_t kPumpBytes = 16u << 10;  // each way, of each connection

class TlsPump {
 public:
  TlsPump();
  ~TlsPump();  // closes what it has; the other ends see an end of file

  // Takes over an established session and its socket, also when that fails. The end for plain bytes, blocking.
  // Errors: Unavailable (no descriptors).
  db::Result<int> take(ssl_st* session, int socket);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net::peer
