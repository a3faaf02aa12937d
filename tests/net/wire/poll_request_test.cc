#include "net/wire/poll_request.h"

#include <catch2/catch.hpp>

using namespace hearth;
using namespace hearth::net::wire;
using Kind = PollRequest::Kind;

TEST_CASE("PollRequest: a start names the namespace, the session before, and the client's functions", "[wire]") {
  const auto parsed = parse_poll("/.lp?start=t&ser=93&cb=12&v=5&ls=old&p=1:2:web:3&ns=demo", "h:1");
  REQUIRE(parsed.ok());
  const PollRequest& request = parsed.value();
  CHECK(request.kind == Kind::Start);
  CHECK(request.callback == "12");
  CHECK(request.upgrade.space == "demo");
  CHECK(request.upgrade.last_session == "old");
  CHECK(request.upgrade.host == "h:1");
}

TEST_CASE("PollRequest: polls carry pieces, the others tell of leaving", "[wire]") {
  const auto parsed = parse_poll("/.lp?id=a&pw=b&ser=7&ns=x&seg0=4&ts0=1&d0=e30&seg1=5&ts1=2&d1=e3", "h");
  REQUIRE(parsed.ok());
  CHECK(parsed.value().kind == Kind::Poll);
  CHECK(parsed.value().id == "a");
  CHECK(parsed.value().password == "b");
  CHECK(parsed.value().serial == 7);
  REQUIRE(parsed.value().segments.size() == 2);
  CHECK(parsed.value().segments[1].number == 5);
  CHECK(parsed.value().segments[1].count == 2);
  CHECK(parsed.value().segments[1].data == "e3");
  CHECK(parse_poll("/.lp?id=a&pw=b&dframe=t", "h").value().kind == Kind::Frame);
  CHECK(parse_poll("/.lp?id=a&pw=b&disconn=t", "h").value().kind == Kind::Disconnect);
  CHECK(parse_poll("/.lp?id=a&pw=b", "h").value().serial == 0);
}

TEST_CASE("PollRequest: what makes no sense is refused", "[wire]") {
  const char* const bad[] = {"/.lp",
                             "/.lp?",
                             "/.lp?id=a",
                             "/.lp?pw=a",
                             "/.lp?start=t",
                             "/.lp?start=t&cb=",
                             "/.lp?start=t&cb=1;alert(1)",
                             "/.lp?start=t&cb=111111111111111111111",
                             "/.lp?id=a&pw=b&d0=e30",
                             "/.lp?id=a&pw=b&d0=e30&seg0=x&ts0=1",
                             "/.lp?id=a&pw=b&d0=e30&seg0=1&ts0=-1",
                             "/.lp?id=a&pw=b&seg0=1&ts0=1",
                             "/.lp?id=a&pw=b&d0=e30&seg0=1&ts0=99999999999"};
  for (const char* target : bad) {
    INFO(target);
    CHECK_FALSE(parse_poll(target, "h").ok());
  }
  CHECK(is_poll_target("/.lp?x"));
  CHECK(is_poll_target("/.lp/?x"));
  CHECK_FALSE(is_poll_target("/.lpx"));
  CHECK_FALSE(is_poll_target("/a/.lp"));
}
