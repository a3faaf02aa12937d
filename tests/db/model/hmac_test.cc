#include "db/model/hmac.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"

using namespace hearth::db;

TEST_CASE("HMAC-SHA256: the examples of RFC 4231, a short key and one longer than a block", "[db][model]") {
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
