#include "net/auth/good_tokens.h"

#include <catch2/catch.hpp>
#include <string>

using hearth::net::GoodTokens;

namespace {

GoodTokens::Digest digest(int number) { return GoodTokens::digest_of("token " + std::to_string(number)); }

}  // namespace

TEST_CASE("GoodTokens: a token is known by the very key that verified it", "[auth]") {
  GoodTokens tokens;
  const auto key = std::make_shared<const int>(1), other = std::make_shared<const int>(1);
  CHECK_FALSE(tokens.knows(digest(1), key));
  tokens.add(digest(1), key);
  CHECK(tokens.knows(digest(1), key));
  CHECK_FALSE(tokens.knows(digest(1), other));
  CHECK_FALSE(tokens.knows(digest(2), key));
}

TEST_CASE("GoodTokens: there are no more than may be, and those seen last stay", "[auth]") {
  GoodTokens tokens(100);
  const auto key = std::make_shared<const int>(1);
  for (int i = 0; i < 1'000; ++i) {
    tokens.add(digest(i), key);
    CHECK(tokens.size() <= 100);
    CHECK(tokens.knows(digest(0), key));  // as it is seen again and again
  }
  CHECK(tokens.knows(digest(999), key));
  CHECK_FALSE(tokens.knows(digest(500), key));
}

TEST_CASE("GoodTokens: what is kept is a token's SHA-256", "[auth]") {
  const GoodTokens::Digest abc = GoodTokens::digest_of("abc");  // FIPS 180-2, B.1
  CHECK(abc[0] == 0xba);
  CHECK(abc[1] == 0x78);
  CHECK(abc[31] == 0xad);
}
