#include "net/auth/address_limit.h"

#include <catch2/catch.hpp>

using namespace hearth;
using net::AddressLimit;
using std::chrono::seconds;

TEST_CASE("AddressLimit: an address that has used up what it may is over for a while; others are not", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  AddressLimit limit(10, 10, clock);
  CHECK_FALSE(limit.is_over("10.0.0.1"));
  for (int i = 0; i < 9; ++i) limit.add("10.0.0.1");
  CHECK_FALSE(limit.is_over("10.0.0.1"));  // nine of ten
  limit.add("10.0.0.1");
  CHECK(limit.is_over("10.0.0.1"));  // ten of ten
  CHECK_FALSE(limit.is_over("10.0.0.2"));
  clock.advance(seconds(5));
  CHECK(limit.is_over("10.0.0.1"));
  clock.advance(seconds(1));  // a tenth of a minute: one is forgotten
  CHECK_FALSE(limit.is_over("10.0.0.1"));
  limit.add("10.0.0.1");
  CHECK(limit.is_over("10.0.0.1"));
  clock.advance(seconds(60));
  for (int i = 0; i < 9; ++i) limit.add("10.0.0.1");
  CHECK_FALSE(limit.is_over("10.0.0.1"));
}

TEST_CASE("AddressLimit: an IPv6 network is one, nobody's address is none, and 0 is no limit", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  AddressLimit limit(2, 2, clock);
  limit.add("2001:db8::1");
  limit.add("2001:db8:0:0:ffff::2");
  CHECK(limit.is_over("2001:db8::3"));
  CHECK_FALSE(limit.is_over("2001:db8:0:1::3"));
  for (int i = 0; i < 5; ++i) limit.add("");
  CHECK_FALSE(limit.is_over(""));
  AddressLimit none(0, 0, clock);
  for (int i = 0; i < 1'000; ++i) none.add("10.0.0.1");
  CHECK_FALSE(none.is_over("10.0.0.1"));
}

TEST_CASE("AddressLimit: a flood of addresses does not make it forget who fails most", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  AddressLimit limit(10, 10, clock);
  for (int i = 0; i < 10; ++i) limit.add("10.0.0.1");
  for (size_t i = 0; i < 3 * net::kLimitedAddressesMax; ++i) {
    limit.add("1." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255));
  }
  CHECK(limit.is_over("10.0.0.1"));
}

TEST_CASE("AddressLimit: more may be used at once than a minute brings back, and in parts", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  AddressLimit limit(60, 600, clock);
  limit.add("10.0.0.1", 599);
  CHECK_FALSE(limit.is_over("10.0.0.1"));
  limit.add("10.0.0.1", 100);
  CHECK(limit.is_over("10.0.0.1"));
  clock.advance(seconds(99));
  CHECK(limit.is_over("10.0.0.1"));
  clock.advance(seconds(1));
  CHECK_FALSE(limit.is_over("10.0.0.1"));
}
