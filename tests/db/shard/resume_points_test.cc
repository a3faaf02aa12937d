#include "db/shard/resume_points.h"

#include <catch2/catch.hpp>
#include <map>

using namespace hearth::db;

namespace {

using SavedPoints = std::map<std::string, std::string>;

void save_points(ResumePoints& points, SavedPoints& rows, size_t most = SIZE_MAX) {
  points.take_unsaved(most, [&](const std::string& key, const std::optional<std::string>& value) {
    if (value) {
      rows[key] = *value;
    } else {
      CHECK(rows.erase(key) == 1);
    }
  });
}

}  // namespace

TEST_CASE("ResumePoints: a hash means the latest commit at which the value had it, in its namespace and at its path",
          "[shard]") {
  ResumePoints points(1u << 20);
  points.add(1, "a", "hash", {5, 1});
  CHECK(points.find(1, "a", "hash") == ResumePoint{5, 1});
  CHECK_FALSE(points.find(2, "a", "hash"));
  CHECK_FALSE(points.find(1, "a/b", "hash"));
  CHECK_FALSE(points.find(1, "a", "other"));
  points.add(1, "a", "hash", {9, 2});
  CHECK(points.find(1, "a", "hash") == ResumePoint{9, 2});
  points.add(1, "a", "hash", {7, 2});
  CHECK(points.find(1, "a", "hash") == ResumePoint{9, 2});
}

TEST_CASE("ResumePoints: past the limit the oldest are forgotten, and their rows go", "[shard]") {
  ResumePoints points(10'000);
  SavedPoints rows;
  for (uint64_t i = 0; i < 1'000; ++i) {
    points.add(1, "path", "hash" + std::to_string(i), {i, 1});
    points.add(1, "path", "kept", {i, 1});
    CHECK(points.bytes() <= 10'000);
    if (i % 3 == 0) save_points(points, rows);
  }
  CHECK_FALSE(points.find(1, "path", "hash0"));
  CHECK(points.find(1, "path", "hash999") == ResumePoint{999, 1});
  CHECK(points.find(1, "path", "kept") == ResumePoint{999, 1});
  save_points(points, rows);
  CHECK_FALSE(points.has_unsaved());
  CHECK(rows.size() < 50);
  ResumePoints again(1u << 20);
  for (const auto& [key, value] : rows) again.add_row(key, value);
  for (uint64_t i = 0; i < 1'000; ++i) {
    const std::string hash = "hash" + std::to_string(i);
    CHECK(again.find(1, "path", hash) == points.find(1, "path", hash));
  }
}

TEST_CASE("ResumePoints: rows bring the next process what this one knew, and only what changed is written", "[shard]") {
  ResumePoints points(1u << 20);
  SavedPoints rows;
  for (uint64_t i = 0; i < 10; ++i) points.add(7, "a/b", "hash" + std::to_string(i), {100 + i, 3});
  save_points(points, rows, 4);
  CHECK(rows.size() == 4);
  save_points(points, rows);
  CHECK(rows.size() == 10);
  ResumePoints next(1u << 20);
  for (const auto& [key, value] : rows) next.add_row(key, value);
  CHECK(next.find(7, "a/b", "hash4") == ResumePoint{104, 3});
  CHECK_FALSE(next.has_unsaved());
  next.add(7, "a/b", "hash4", {104, 4});  // nothing that is not known
  CHECK_FALSE(next.has_unsaved());
  next.add(7, "a/b", "hash4", {120, 4});
  CHECK(next.has_unsaved());
  save_points(next, rows);
  CHECK(rows.size() == 10);
  next.add_row("r", "no sequence");
  next.add_row("", "");
}

TEST_CASE("ResumePoints: what is purged from the past is known no more", "[shard]") {
  ResumePoints points(1u << 20);
  SavedPoints rows;
  for (const char* path : {"", "a", "a/b", "a/b/c", "a/bb", "d"}) points.add(1, path, "hash", {1, 1});
  points.add(2, "a/b", "hash", {1, 1});
  save_points(points, rows);
  points.forget(1, Path::parse("a/b").value());
  save_points(points, rows);
  CHECK(rows.size() == 3);
  CHECK(points.find(1, "a/bb", "hash"));
  CHECK(points.find(1, "d", "hash"));
  CHECK(points.find(2, "a/b", "hash"));
}
