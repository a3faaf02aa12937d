// What a proxy says of its client before the client's first byte: the PROXY protocol, versions 1 and 2
// (haproxy.org, doc/proxy-protocol.txt). Pure.
//
//   v1 := "PROXY " ( "TCP4" | "TCP6" ) " " source " " target " " port " " port "\r\n"   in all at most 107 bytes
//       | "PROXY UNKNOWN" … "\r\n"
//   v2 := 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a  2 command:4  family:4 transport:4  length:16  length bytes
//   command: 0 LOCAL, 1 PROXY; family: 0 unspecified, 1 IPv4, 2 IPv6, 3 Unix; transport: 0 unspecified, 1 stream.
//   IPv4: source:32 target:32 port:16 port:16; IPv6: 128 128 16 16. Behind them extensions, which we pass over.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "db/base/result.h"
#include "net/io/ip_address.h"

namespace hearth::net::http {

inline constexpr size_t kProxyHeaderBytesMax = 2048;  // extensions included

struct ProxyHeader {
  size_t bytes = 0;  // its own
  // Nothing when the proxy speaks for itself (LOCAL), or for a client that has no address (UNKNOWN, Unix).
  std::optional<IpAddress> source{};
};

// The header that `bytes` begin with; nothing while more must come, which is at most kProxyHeaderBytesMax in all.
// Errors: InvalidArgument, as soon as no header can become of it; TooLarge.
db::Result<std::optional<ProxyHeader>> find_proxy_header(std::string_view bytes);

}  // namespace hearth::net::http
