// The registries of special addresses (IANA, RFC 6890) as lists. Of IPv6 only 2000::/3 is given out, so everything else is
// private without being named; what carries an IPv4 address is judged by that one:
//
//   ::ffff:a.b.c.d      mapped        IpAddress has it as IPv4
//   64:ff9b::a.b.c.d    NAT64         reaches a.b.c.d through a translator, which may be this network's
//   2002:a.b.c.d::      6to4          reaches a.b.c.d through a tunnel
//   2001:0:…            Teredo        hides an IPv4 address, in part inverted: private as a whole
#include "net/outgoing/public_address.h"

#include <algorithm>
#include <initializer_list>

namespace hearth::net::http {
namespace {

IpNetworks networks(std::initializer_list<std::string_view> texts) {
  IpNetworks all;
  for (const std::string_view text : texts) all.push_back(IpNetwork::parse(text).value());
  return all;
}

// The IPv4 address that begins at that byte.
IpAddress v4_within(const IpAddress& address, size_t at) {
  std::array<uint8_t, 4> four{};
  std::copy_n(address.bytes().begin() + static_cast<ptrdiff_t>(at), four.size(), four.begin());
  return IpAddress::v4(four);
}

}  // namespace

bool is_public(const IpAddress& address) {
  static const IpNetworks private_v4 = networks({
      "0.0.0.0/8",        // this host, unspecified
      "10.0.0.0/8",       //
      "100.64.0.0/10",    // of providers (CGNAT)
      "127.0.0.0/8",      // loopback
      "169.254.0.0/16",   // link-local, and where clouds tell secrets
      "172.16.0.0/12",    //
      "192.0.0.0/24",     // protocols
      "192.0.2.0/24",     // documentation
      "192.88.99.0/24",   // 6to4 relays
      "192.168.0.0/16",   //
      "198.18.0.0/15",    // benchmarks
      "198.51.100.0/24",  // documentation
      "203.0.113.0/24",   // documentation
      "224.0.0.0/4",      // multicast
      "240.0.0.0/4",      // reserved, and broadcast
  });
  if (address.is_v4()) return !contains(private_v4, address);
  static const IpNetworks nat64 = networks({"64:ff9b::/96"});
  if (contains(nat64, address)) return is_public(v4_within(address, 12));
  static const IpNetworks sixtofour = networks({"2002::/16"});
  if (contains(sixtofour, address)) return is_public(v4_within(address, 2));
  static const IpNetworks given_out = networks({"2000::/3"});
  static const IpNetworks special = networks({
      "2001::/23",      // protocols, Teredo among them
      "2001:db8::/32",  // documentation
      "3fff::/20",      // documentation
  });
  return contains(given_out, address) && !contains(special, address);
}

}  // namespace hearth::net::http
