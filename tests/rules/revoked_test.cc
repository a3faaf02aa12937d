#include "rules/revoked.h"

#include <catch2/catch.hpp>

#include "db/model/settings.h"

using namespace hearth::rules;
using std::chrono::seconds;

namespace {
constexpr seconds kNow{2'000'000'000};
}  // namespace

TEST_CASE("Revoked: tokens issued up to a user's sign-out are covered, later ones are not", "[rules]") {
  Revoked revoked;
  CHECK_FALSE(revoked.covers("chat", "ada", seconds(5), kNow));
  CHECK(revoked.add("chat", "ada", seconds(1000)) == R"({"ada":1000})");
  CHECK(revoked.covers("chat", "ada", seconds(999), kNow));
  CHECK(revoked.covers("chat", "ada", seconds(1000), kNow));
  CHECK(revoked.covers("chat", "ada", std::nullopt, kNow));  // it could be from before
  CHECK_FALSE(revoked.covers("chat", "ada", seconds(1001), kNow));
  CHECK_FALSE(revoked.covers("chat", "bob", seconds(5), kNow));
  CHECK_FALSE(revoked.covers("games", "ada", seconds(5), kNow));
  CHECK(revoked.add("chat", "b\"ob", seconds(1001)) == R"({"ada":1000,"b\"ob":1001})");
  CHECK(revoked.add("chat", "ada", seconds(1002)) == R"({"ada":1002,"b\"ob":1001})");
}

TEST_CASE("Revoked: whoever was signed out by a clock that was ahead comes in with a new token once it is right") {
  Revoked revoked;
  const seconds now(1'000'000), ahead = now + std::chrono::hours(48);
  revoked.add("chat", "ada", ahead);
  CHECK(revoked.covers("chat", "ada", ahead, ahead));
  CHECK(revoked.covers("chat", "ada", now, now));  // the first question after it went back: what there was is out
  CHECK_FALSE(revoked.covers("chat", "ada", now + seconds(1), now + seconds(1)));
  CHECK(revoked.covers("chat", "ada", now, now + seconds(1)));
  // A clock that is a little behind forgives nobody.
  revoked.add("chat", "bob", now);
  CHECK(revoked.covers("chat", "bob", now, now - seconds(10)));
  CHECK(revoked.covers("chat", "bob", now, now));
}

TEST_CASE("Revoked: what was written is read again; what can't be read says so", "[rules]") {
  Revoked revoked;
  REQUIRE(revoked.load("chat", R"({"ada":1000,"bob":1001})").ok());
  CHECK(revoked.covers("chat", "bob", seconds(1001), kNow));
  CHECK_FALSE(revoked.covers("chat", "ada", seconds(1001), kNow));
  for (const char* row : {"", "[]", "{", R"({"eve":"x"})"}) {
    INFO(row);
    const auto loaded = revoked.load("games", row);
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == hearth::db::ErrorCode::Corruption);
  }
}

TEST_CASE("Revoked: it holds so many, forgets the first, and the old", "[rules]") {
  Revoked revoked;
  for (size_t i = 0; i < kRevokedMax; ++i) revoked.add("chat", "u" + std::to_string(i), seconds(1000 + i));
  CHECK(revoked.covers("chat", "u0", seconds(1), kNow));
  revoked.add("chat", "one more", seconds(100'000));
  CHECK_FALSE(revoked.covers("chat", "u0", seconds(1), kNow));
  CHECK(revoked.covers("chat", "u1", seconds(1), kNow));
  revoked.add("games", "ada", seconds(1000));
  CHECK(revoked.add("games", "bob", seconds(1000) + kRevokedKept) == R"({"ada":1000,"bob":2593000})");
  CHECK(revoked.add("games", "bob", seconds(1001) + kRevokedKept) == R"({"bob":2593001})");
  CHECK_FALSE(revoked.covers("games", "ada", seconds(1), kNow));
  // Long names that need escapes: the row stays within a setting.
  size_t longest = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string number = std::to_string(i);
    longest = std::max(
        longest,
        revoked.add("long", std::string(kRevokedUidBytesMax - number.size(), '\1') + number, seconds(i)).size());
  }
  CHECK(longest <= hearth::db::kSettingBytesMax);
  CHECK(longest > hearth::db::kSettingBytesMax - 2000);
}
