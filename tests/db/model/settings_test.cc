#include "db/model/settings.h"

#include <catch2/catch.hpp>

#include "db/model/hash.h"

using namespace hearth::db;

TEST_CASE("Settings: of a tree without any, nothing is set", "[model]") {
  const NoSettings none;
  CHECK(none.rules_digest().value().empty());
  CHECK_FALSE(none.text(kRulesSetting).value());
}

TEST_CASE("text_digest: names a text, always the same way", "[model]") {
  CHECK(text_digest("").size() == kTextDigestBytes);
  CHECK(text_digest("a") == text_digest("a"));
  CHECK(text_digest("a") != text_digest("b"));
  // SHA-256 of "abc" (FIPS 180-2, B.1). On disk.
  CHECK(text_digest("abc") == "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23");
}
