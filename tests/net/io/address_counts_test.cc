#include "net/io/address_counts.h"

#include <catch2/catch.hpp>

using hearth::net::http::AddressCounts;
using hearth::net::http::IpAddress;

namespace {
IpAddress address(const char* text) { return IpAddress::parse(text).value(); }
}  // namespace

TEST_CASE("AddressCounts: as many as may be, for each address by itself, and what is given back is there again",
          "[net][http][limits]") {
  AddressCounts counts;
  CHECK(counts.take(address("10.0.0.1"), 2));
  CHECK(counts.take(address("10.0.0.1"), 2));
  CHECK(!counts.take(address("10.0.0.1"), 2));
  CHECK(counts.take(address("10.0.0.2"), 2));
  counts.give_back(address("10.0.0.1"));
  CHECK(counts.take(address("10.0.0.1"), 2));
  CHECK(counts.addresses() == 2);
  CHECK(!counts.take(address("10.0.0.3"), 0));
  for (int i = 0; i < 2; ++i) counts.give_back(address("10.0.0.1"));
  counts.give_back(address("10.0.0.2"));
  CHECK(counts.addresses() == 0);  // who has gone costs nothing
}

TEST_CASE("AddressCounts: a network of 64 bits is one client, an IPv4 address by any name another",
          "[net][http][limits]") {
  AddressCounts counts;
  CHECK(counts.take(address("2001:db8:0:1::1"), 1));
  CHECK(!counts.take(address("2001:db8:0:1:ffff::2"), 1));
  CHECK(counts.take(address("2001:db8:0:2::1"), 1));
  CHECK(counts.take(address("127.0.0.1"), 1));
  CHECK(!counts.take(address("::ffff:127.0.0.1"), 1));
  CHECK(counts.take(address("127.0.0.2"), 1));
}
