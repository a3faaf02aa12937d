#include "db/model/past.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("past: a moment is an id, milliseconds or a time", "[model]") {
  const auto time_of = [](std::string_view text) {
    const auto moment = parse_moment(text);
    INFO(text);
    REQUIRE(moment.ok());
    REQUIRE_FALSE(moment.value().id);
    return moment.value().time.count();
  };
  CHECK(time_of("0") == 0);
  CHECK(time_of("1796055726141") == 1'796'055'726'141);
  CHECK(time_of("1970-01-01T00:00:00Z") == 0);
  CHECK(time_of("2026-11-30T16:22:06.141Z") == 1'796'055'726'141);
  CHECK(time_of("2026-11-30T17:22:06.1419+01:00") == 1'796'055'726'141);
  CHECK(time_of("2026-11-30T11:52:06-04:30") == 1'796'055'726'000);
  CHECK(time_of("2024-02-29t12:00:00z") == 1'709'208'000'000);
  const auto id = parse_moment("755d81a1b36c7d6e:12").value().id;
  REQUIRE(id);
  CHECK(id->life == "755d81a1b36c7d6e");
  CHECK(id->sequence == 12);
  for (const char* text :
       {"", "yesterday", "-5", "2026-11-30", "2026-13-01T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-30T24:00:00Z",
        "2026-11-30T16:22:06.Z", "2026-11-30T16:22:06+1:00", ":5", "abc:", "abc:-1", "abc:1x", "life:1"}) {
    INFO(text);
    CHECK(parse_moment(text).error().code == ErrorCode::InvalidArgument);
  }
}
