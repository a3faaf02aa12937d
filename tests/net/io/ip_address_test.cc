// Addresses and networks.
#include "net/io/ip_address.h"

#include <catch2/catch.hpp>

using hearth::net::http::IpAddress;
using hearth::net::http::IpNetwork;
using hearth::net::http::is_loopback_host;

TEST_CASE("IpAddress: text that is one, and how it is written again", "[net][http]") {
  struct Case {
    const char* text;
    const char* again;  // "": none
    bool is_loopback = false;
  };
  for (const Case& now : {Case{"127.0.0.1", "127.0.0.1", true},
                          {"127.9.9.9", "127.9.9.9", true},
                          {"128.0.0.1", "128.0.0.1"},
                          {"::1", "::1", true},
                          {"::2", "::2"},
                          {"::", "::"},
                          {"::ffff:127.0.0.1", "127.0.0.1", true},
                          {"2001:DB8:0::1", "2001:db8::1"},
                          {"", ""},
                          {"localhost", ""},
                          {"127.0.0.1 ", ""},
                          {"127.0.0.1:80", ""},
                          {"127.1", ""},
                          {"1.2.3.256", ""},
                          {"[::1]", ""},
                          {"fe80::1%eth0", ""}}) {
    INFO(now.text);
    const auto address = IpAddress::parse(now.text);
    CHECK((address ? address->text() : "") == now.again);
    if (address) CHECK(address->is_loopback() == now.is_loopback);
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("::1\0", 4)));
}

TEST_CASE("IpNetwork: what is in it and what is beside it", "[net][http]") {
  struct Case {
    const char* network;
    std::vector<const char*> in;
    std::vector<const char*> out;
  };
  for (const Case& now : std::vector<Case>{
           {"10.1.2.3", {"10.1.2.3", "::ffff:10.1.2.3"}, {"10.1.2.2", "::1"}},
           {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"11.0.0.0", "9.255.255.255"}},
           {"10.9.9.9/8", {"10.0.0.0"}, {"11.0.0.0"}},
           {"192.168.4.0/22", {"192.168.4.0", "192.168.7.255"}, {"192.168.8.0", "192.168.3.255"}},
           {"0.0.0.0/0", {"1.2.3.4"}, {"::1"}},
           {"::/0", {"1.2.3.4", "::1"}, {}},
           {"::1", {"::1"}, {"::2", "127.0.0.1"}},
           {"fd00::/8", {"fd00::1", "fdff::"}, {"fe00::", "fc00::"}},
           {"2001:db8::/33", {"2001:db8:7fff::"}, {"2001:db8:8000::"}},
           {"::ffff:10.0.0.0/104", {"10.9.9.9"}, {"11.0.0.0"}},
       }) {
    INFO(now.network);
    const auto network = IpNetwork::parse(now.network);
    REQUIRE(network.ok());
    for (const char* text : now.in) {
      INFO(text);
      CHECK(network.value().contains(*IpAddress::parse(text)));
    }
    for (const char* text : now.out) {
      INFO(text);
      CHECK_FALSE(network.value().contains(*IpAddress::parse(text)));
    }
  }
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8/8", "::1/129",
                           "10.0.0.0/8x", "proxy.example.com", "10.0.0.0 /8"}) {
    INFO(text);
    const auto network = IpNetwork::parse(text);
    REQUIRE_FALSE(network.ok());
    CHECK_THAT(network.error().message, Catch::StartsWith(text) && Catch::Contains("ADDRESS/BITS"));
  }
}

TEST_CASE("A host is this machine by its own addresses and by one name, whatever else others begin with",
          "[net][http]") {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "[127.0.0.1]"}) {
    INFO(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host : {"127.example.com", "127.0.0.1.example.com", "127.", "localhost.example.com", "example.com",
                           "", "0.0.0.0", "::", "10.0.0.1", "[::1", "::1]", "[]"}) {
    INFO(host);
    CHECK_FALSE(is_loopback_host(host));
  }
}
