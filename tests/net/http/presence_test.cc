#include "net/http/presence.h"

#include <catch2/catch.hpp>

using namespace hearth::net::http;

TEST_CASE("Presence: who has hung up is waited with for a moment, who is there for ever", "[net][http]") {
  const Presence::Moment asked{};
  Presence presence(asked);
  CHECK_FALSE(presence.is_over(asked + std::chrono::hours(1)));
  presence.leave();
  CHECK_FALSE(presence.is_over(asked));
  CHECK_FALSE(presence.is_over(asked + kHangUpGrace));
  CHECK(presence.is_over(asked + kHangUpGrace + std::chrono::nanoseconds(1)));
}
