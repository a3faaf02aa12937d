// Who asks, when proxies stand between us and the client. Pure.
//
// A proxy adds to X-Forwarded-For the address that it was asked from. So the list is walked from its right end: each
// hop is believed as long as the one that names it is a trusted proxy, and the first that is none is the client.
#pragma once

#include <string>
#include <string_view>

#include "net/http/request.h"
#include "net/io/peer.h"

namespace hearth::net::http {

// Fills in where `request` comes from. A client counts as one of this machine only when everything says so. A trusted
// proxy that names nobody, or headers of a proxy that was not declared, make the client a stranger.
void set_origin(Request& request, const Peer& peer, const IpNetworks& trusted);

// One node of a cluster passes a client's request on to another. Beside the X-Forwarded fields it says what those cannot:
//
//   Hearth-Relayed: NODE [";far"] [";stranger"]       far: the client is none of the node's own machine, whatever its address;
//                                                     stranger: Request::is_behind_stranger
//
// Believed of connections that have proved to be a node's only (Listener::Options::of_nodes). Elsewhere it means nothing, and
// is not passed on.
inline constexpr std::string_view kRelayedField = "Hearth-Relayed";
std::string relayed_text(const Request& request, std::string_view node);
void set_relayed(Request& request);  // behind set_origin()

}  // namespace hearth::net::http
