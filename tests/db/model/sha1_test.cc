#include "db/model/sha1.h"

#include <catch2/catch.hpp>

TEST_CASE("SHA-1: the example of RFC 3174 §7.3, in base64", "[db][model]") {
  CHECK(hearth::db::sha1_base64("abc") == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  CHECK(hearth::db::sha1_base64("") == "2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
}
