// The other end of a connection. A value.
#pragma once

#include <optional>
#include <string>

#include "net/io/ip_address.h"

namespace hearth::net::http {

struct Peer {
  IpAddress address{};
  bool is_known = false;     // the address; not when the client had gone before we asked
  bool is_loopback = false;  // as is every hop between it and us
  bool is_trusted = false;   // a proxy whose X-Forwarded headers we believe

  std::string text() const { return is_known ? address.text() : std::string(); }
};

// The peer of a connection for which a trusted proxy has named `source` (proxy_header.h). Nothing: the proxy does not know
// whose connection it is; then the peer is a stranger with the proxy's address. A source is loopback only if the proxy is
// too: a proxy elsewhere that says 127.0.0.1 means itself.
inline Peer peer_behind(const Peer& proxy, const std::optional<IpAddress>& source, const IpNetworks& trusted) {
  if (!source) return {.address = proxy.address, .is_known = proxy.is_known};
  return {.address = *source,
          .is_known = true,
          .is_loopback = proxy.is_loopback && source->is_loopback(),
          .is_trusted = contains(trusted, *source)};
}

}  // namespace hearth::net::http
