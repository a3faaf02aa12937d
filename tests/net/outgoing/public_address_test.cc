#include "net/outgoing/public_address.h"

#include <catch2/catch.hpp>

namespace hearth::net::http {

TEST_CASE("is_public: addresses of the Internet, and all the others", "[net][http]") {
  const std::vector<std::pair<const char*, bool>> cases = {
      {"8.8.8.8", true},
      {"93.184.216.34", true},
      {"1.0.0.0", true},
      {"0.0.0.0", false},  // connects to this machine
      {"0.1.2.3", false},
      {"9.255.255.255", true},
      {"10.0.0.0", false},
      {"10.255.255.255", false},
      {"11.0.0.0", true},
      {"100.63.255.255", true},
      {"100.64.0.0", false},  // CGNAT
      {"100.127.255.255", false},
      {"100.128.0.0", true},
      {"127.0.0.1", false},
      {"127.255.255.254", false},
      {"128.0.0.1", true},
      {"169.253.255.255", true},
      {"169.254.0.1", false},
      {"169.254.169.254", false},  // metadata of clouds
      {"172.15.255.255", true},
      {"172.16.0.0", false},
      {"172.31.255.255", false},
      {"172.32.0.0", true},
      {"192.0.0.8", false},
      {"192.0.2.1", false},
      {"192.88.99.1", false},
      {"192.167.255.255", true},
      {"192.168.0.1", false},
      {"192.169.0.1", true},
      {"198.17.255.255", true},
      {"198.18.0.1", false},
      {"198.19.255.255", false},
      {"198.20.0.1", true},
      {"198.51.100.1", false},
      {"203.0.113.1", false},
      {"223.255.255.255", true},
      {"224.0.0.1", false},
      {"239.255.255.255", false},
      {"240.0.0.1", false},
      {"255.255.255.255", false},
      {"2606:4700:4700::1111", true},
      {"2001:4860:4860::8888", true},
      {"::", false},
      {"::1", false},
      {"::2", false},
      {"::ffff:127.0.0.1", false},  // mapped
      {"::ffff:10.0.0.1", false},
      {"::ffff:8.8.8.8", true},
      {"::ffff:7f00:1", false},
      {"::127.0.0.1", false},  // compatible, long gone
      {"::8.8.8.8", false},
      {"64:ff9b::8.8.8.8", true},  // NAT64
      {"64:ff9b::10.0.0.1", false},
      {"64:ff9b::127.0.0.1", false},
      {"64:ff9b::169.254.169.254", false},
      {"64:ff9b:1::8.8.8.8", false},  // NAT64 of a network's own
      {"2002:808:808::1", true},      // 6to4
      {"2002:a00:1::1", false},
      {"2002:7f00:1::1", false},
      {"2002:c0a8:1::", false},
      {"2001::1", false},  // Teredo
      {"2001:10::1", false},
      {"2001:db8::1", false},
      {"3fff::1", false},
      {"fc00::1", false},  // unique local
      {"fd12:3456::1", false},
      {"fe80::1", false},  // link-local
      {"febf::1", false},
      {"fec0::1", false},
      {"ff02::1", false},  // multicast
      {"ff0e::1", false},
      {"100::1", false},  // discard
      {"4000::1", false},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    const auto address = IpAddress::parse(text);
    REQUIRE(address);
    CHECK(is_public(*address) == expected);
  }
}

}  // namespace hearth::net::http
