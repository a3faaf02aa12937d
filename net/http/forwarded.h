// Who asks, when proxies stand between us and the client. Pure.
//
// A proxy adds to X-Forwarded-For the address that it was asked from. So the list is walked from its right end: each
// hop is believed as long as the one that names it is a trusted proxy, and the first that is none is the client.
#pragma once

#include <optional>
#include <string>

#include "net/http/ip_address.h"
#include "net/http/request.h"

namespace hearth::net::http {

// The other end of a connection.
struct Peer {
  IpAddress address{};
  std::string text{};        // of the address; "" when the client had gone before we asked
  bool is_loopback = false;  // as is every hop between it and us
  bool is_trusted = false;   // a proxy whose X-Forwarded headers we believe
};

// The peer of a connection for which a trusted proxy has named `source`. Nothing: the proxy does not know whose
// connection it is; then the peer is a stranger with the proxy's address.
Peer peer_behind(const Peer& proxy, const std::optional<IpAddress>& source, const IpNetworks& trusted);

// Fills in where `request` comes from. A client counts as one of this machine only when everything says so. A trusted
// proxy that names nobody, or headers of a proxy that was not declared, make the client a stranger.
void set_origin(Request& request, const Peer& peer, const IpNetworks& trusted);

}  // namespace hearth::net::http
