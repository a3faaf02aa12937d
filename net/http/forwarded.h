// Who asks, when proxies stand between us and the client. Pure.
//
// A proxy adds to X-Forwarded-For the address that it was asked from. So the list is walked from its right end: each
// hop is believed as long as the one that names it is a trusted proxy, and the first that is none is the client.
#pragma once

#include "net/http/request.h"
#include "net/io/peer.h"

namespace hearth::net::http {

// Fills in where `request` comes from. A client counts as one of this machine only when everything says so. A trusted
// proxy that names nobody, or headers of a proxy that was not declared, make the client a stranger.
void set_origin(Request& request, const Peer& peer, const IpNetworks& trusted);

}  // namespace hearth::net::http
