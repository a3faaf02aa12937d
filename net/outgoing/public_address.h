// Whether an address is one of the public Internet. All others count as private: of this machine, of its networks, of nobody,
// of many (multicast), and the IPv6 forms of such IPv4 addresses. For a server that is told by others where to connect to.
// Pure.
#pragma once

#include "net/io/ip_address.h"

namespace hearth::net::http {

bool is_public(const IpAddress& address);

}  // namespace hearth::net::http
