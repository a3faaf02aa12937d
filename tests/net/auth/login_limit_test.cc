#include "net/auth/login_limit.h"

#include <catch2/catch.hpp>

using namespace hearth;
using net::LoginLimit;
using std::chrono::seconds;

TEST_CASE("LoginLimit: an address that fails too often is not asked for a while; others are", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  LoginLimit limit(10, clock);
  CHECK_FALSE(limit.is_blocked("10.0.0.1"));
  for (int i = 0; i < 9; ++i) limit.failed("10.0.0.1");
  CHECK_FALSE(limit.is_blocked("10.0.0.1"));  // nine of ten
  limit.failed("10.0.0.1");
  CHECK(limit.is_blocked("10.0.0.1"));  // ten of ten
  CHECK_FALSE(limit.is_blocked("10.0.0.2"));
  clock.advance(seconds(5));
  CHECK(limit.is_blocked("10.0.0.1"));
  clock.advance(seconds(1));  // a tenth of a minute: one is forgotten
  CHECK_FALSE(limit.is_blocked("10.0.0.1"));
  limit.failed("10.0.0.1");
  CHECK(limit.is_blocked("10.0.0.1"));
  clock.advance(seconds(60));
  for (int i = 0; i < 9; ++i) limit.failed("10.0.0.1");
  CHECK_FALSE(limit.is_blocked("10.0.0.1"));
}

TEST_CASE("LoginLimit: an IPv6 network is one, nobody's address is none, and 0 is no limit", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  LoginLimit limit(2, clock);
  limit.failed("2001:db8::1");
  limit.failed("2001:db8:0:0:ffff::2");
  CHECK(limit.is_blocked("2001:db8::3"));
  CHECK_FALSE(limit.is_blocked("2001:db8:0:1::3"));
  for (int i = 0; i < 5; ++i) limit.failed("");
  CHECK_FALSE(limit.is_blocked(""));
  LoginLimit none(0, clock);
  for (int i = 0; i < 1'000; ++i) none.failed("10.0.0.1");
  CHECK_FALSE(none.is_blocked("10.0.0.1"));
}

TEST_CASE("LoginLimit: a flood of addresses does not make it forget who fails most", "[auth]") {
  db::ManualClock clock(seconds(1'000));
  LoginLimit limit(10, clock);
  for (int i = 0; i < 10; ++i) limit.failed("10.0.0.1");
  for (size_t i = 0; i < 3 * net::kFailedAddressesMax; ++i) {
    limit.failed("1." + std::to_string(i >> 16) + "." + std::to_string(i >> 8 & 255) + "." + std::to_string(i & 255));
  }
  CHECK(limit.is_blocked("10.0.0.1"));
}
