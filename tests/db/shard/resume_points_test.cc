#include "db/shard/resume_points.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("ResumePoints: a hash means the latest commit at which the value had it, in its namespace and at its path",
          "[shard]") {
  ResumePoints points(1u << 20);
  points.add(1, "a", "hash", 5);
  CHECK(points.find(1, "a", "hash") == 5);
  CHECK_FALSE(points.find(2, "a", "hash"));
  CHECK_FALSE(points.find(1, "a/b", "hash"));
  CHECK_FALSE(points.find(1, "a", "other"));
  points.add(1, "a", "hash", 9);
  CHECK(points.find(1, "a", "hash") == 9);
}

TEST_CASE("ResumePoints: past the limit the oldest are forgotten", "[shard]") {
  ResumePoints points(10'000);
  for (uint64_t i = 0; i < 1'000; ++i) {
    points.add(1, "path", "hash" + std::to_string(i), i);
    points.add(1, "path", "kept", i);
    CHECK(points.bytes() <= 10'000);
  }
  CHECK_FALSE(points.find(1, "path", "hash0"));
  CHECK(points.find(1, "path", "hash999") == 999);
  CHECK(points.find(1, "path", "kept") == 999);
}
