#include "db/documents/awareness.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db;
using namespace hearth::db::documents;
using namespace hearth::test;

TEST_CASE("Awareness: what a client says of itself is read, and written byte for byte", "[db][documents]") {
  const std::string& bytes = yjs_vector("awareness/update");
  const auto entries = parse_awareness(bytes);
  REQUIRE(entries.ok());
  REQUIRE(entries.value().size() == 1);
  CHECK(entries.value()[0].client == 1);
  CHECK(entries.value()[0].clock == 1);
  CHECK(entries.value()[0].state == "{\"user\":{\"name\":\"Al\",\"color\":\"#f00\"}}");
  CHECK_FALSE(entries.value()[0].is_gone());
  CHECK(encode_awareness(entries.value()) == bytes);
  // 01 08 is the message around it: awareness, and its length.
  CHECK(encode_awareness(std::vector<AwarenessEntry>{{1, 2, "null"}}) == yjs_vector("msg/awareness-null").substr(2));
  CHECK(parse_awareness(yjs_vector("msg/awareness-null").substr(2)).value()[0].is_gone());
  CHECK(parse_awareness(from_hex("00")).value().empty());
}

TEST_CASE("Awareness: what no client could read, and what is too much, is refused", "[db][documents]") {
  for (const char* hex :
       {"", "01", "01 01 01", "01 01 01 05 6e", "01 01 01 01 78", "01 01 01 00", "01 01 01 02 c328", "00 00"}) {
    INFO(hex);
    const auto entries = parse_awareness(from_hex(hex));
    REQUIRE_FALSE(entries.ok());
    CHECK(entries.error().code == ErrorCode::InvalidData);
  }
  const AwarenessLimits limits{.entries_max = 2, .state_bytes_max = 4};
  CHECK(parse_awareness(from_hex("02 01 01 04 6e756c6c 02 01 01 31"), limits).ok());
  for (const char* hex : {"03 01 01 01 31 02 01 01 31 03 01 01 31", "01 01 01 05 3132333435", "ffffffff0f"}) {
    INFO(hex);
    const auto entries = parse_awareness(from_hex(hex), limits);
    REQUIRE_FALSE(entries.ok());
    CHECK(entries.error().code == ErrorCode::TooLarge);
  }
}
