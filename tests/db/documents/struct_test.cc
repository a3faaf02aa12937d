#include "db/documents/struct.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db::documents;
using namespace hearth::test;

namespace {

Struct read(const std::string& bytes, uint64_t client = 1, uint64_t clock = 5) {
  Reader from(bytes);
  const Struct made = read_struct(client, clock, from);
  REQUIRE(from.ok());
  REQUIRE(from.is_at_end());
  return made;
}

std::string written(Struct from, bool anew = false) {
  if (anew) from.raw = {};
  std::string bytes;
  append_struct(from, bytes);
  return bytes;
}

}  // namespace

TEST_CASE("Struct: each kind is read and written again, byte for byte", "[db][documents]") {
  struct Case {
    const char* hex;
    Kind kind;
    uint64_t length;
  };
  for (const Case& at : {
           Case{"00 05", Kind::Gc, 5},
           Case{"0a 05", Kind::Skip, 5},
           Case{"01 01 01 61 ac02", Kind::Deleted, 300},
           Case{"82 01 00 02 01 31 09 756e646566696e6564", Kind::Json, 2},  // 1, undefined
           Case{"c3 01 00 07 08 02 ff00", Kind::Binary, 1},
           Case{"04 00 02 03 04 f09f9880", Kind::String, 2},
           Case{"24 01 01 61 01 62 01 78", Kind::String, 1},
           Case{"45 02 03 02 7b7d", Kind::Embed, 1},
           Case{"86 01 00 01 62 04 74727565", Kind::Format, 1},
           Case{"27 01 01 61 01 6b 03 01 70", Kind::Type, 1},
           Case{"87 01 02 01", Kind::Type, 1},
           Case{"a8 01 00 03 7e 7d05 77 01 78", Kind::Any, 3},
           Case{"89 01 00 01 67 76 00", Kind::Document, 1},
       }) {
    INFO(at.hex);
    const std::string bytes = from_hex(at.hex);
    const Struct made = read(bytes);
    CHECK(made.kind == at.kind);
    CHECK(made.length == at.length);
    CHECK(made.end() == 5 + at.length);
    CHECK(written(made) == bytes);
    CHECK(written(made, true) == bytes);
  }
}

TEST_CASE("Struct: what would make a client of Yjs fail is refused", "[db][documents]") {
  struct Case {
    const char* hex;
    const char* error;
  };
  for (const Case& at : {
           Case{"0b 01", "no known kind"},
           Case{"1f 01", "no known kind"},
           Case{"8a 05", "no known kind"},
           Case{"87 01 00 07", "A type is of no known kind"},
           Case{"85 01 00 01 78", "not JSON"},
           Case{"85 01 00 09 756e646566696e6564", "not JSON"},
           Case{"86 01 00 01 62 00", "not JSON"},
           Case{"82 01 00 01 01 78", "not JSON"},
           Case{"84 01 00 02 c328", "not UTF-8"},
           Case{"86 01 00 01 ff 01 31", "not UTF-8"},
           Case{"04 01 01 ff 01 61", "not UTF-8"},
           Case{"88 01 00 01 01", "no known kind"},
           Case{"89 01 00 01 67 7e", "no options"},
           Case{"84 01 05 01 61", "refers to a later one"},  // to itself
           Case{"44 01 06 01 61", "refers to a later one"},
           Case{"04 00 01 09 01 61", "refers to a later one"},
           Case{"00 ffffffffffffff0f", "A clock is too large"},
           Case{"00 00", "is empty"},
           Case{"0a 00", "is empty"},
           Case{"84 01 00 00", "is empty"},
           Case{"88 01 00 00", "is empty"},
           Case{"83 01 00 ff01 00", "past the end"},
           Case{"88 01 00 ffffffff0f 7e", "end too early"},
       }) {
    INFO(at.hex);
    const std::string bytes = from_hex(at.hex);
    Reader from(bytes);
    read_struct(1, 5, from);
    REQUIRE_FALSE(from.ok());
    CHECK_THAT(from.error().message, Catch::Contains(at.error));
  }
}

TEST_CASE("Struct: cut anywhere, it is two that can be joined", "[db][documents]") {
  for (const char* hex : {"64 02 07 05 68c3a97861", "04 01 01 74 04 61626364", "82 01 00 03 01 31 01 32 01 33",
                          "88 01 00 03 7d01 7701 61 7e", "41 02 07 04", "00 04"}) {
    INFO(hex);
    const std::string bytes = from_hex(hex);
    const Struct whole = read(bytes);
    for (uint64_t at = 1; at < whole.length; ++at) {
      INFO(at);
      const Struct front = only_front(whole, at);
      const Struct rest = without_front(whole, at);
      CHECK(front.clock == 5);
      CHECK(front.length == at);
      CHECK(front.origin == whole.origin);
      CHECK(rest.clock == 5 + at);
      CHECK(rest.length == whole.length - at);
      CHECK(rest.right_origin == whole.right_origin);
      CHECK(rest.has_key == whole.has_key);
      CHECK(std::string(front.content) + std::string(rest.content) == whole.content);
      if (whole.kind != Kind::Gc) CHECK(rest.origin == Id{1, 4 + at});
      CHECK(can_join(front, rest) == (whole.kind != Kind::Json));
      CHECK_FALSE(can_join(rest, front));
      // And each is a struct.
      const std::string rest_bytes = written(rest);
      CHECK(read(rest_bytes, 1, rest.clock).length == rest.length);
      const std::string front_bytes = written(front);
      CHECK(read(front_bytes).length == at);
    }
  }
}

TEST_CASE("Struct: a character of two units that is cut becomes U+FFFD on both sides", "[db][documents]") {
  const std::string bytes = from_hex("84 01 00 06 61 f09f9880 62");
  const Struct whole = read(bytes);
  CHECK(whole.length == 4);
  CHECK(written(only_front(whole, 2)) == from_hex("84 01 00 04 61 efbfbd"));
  CHECK(written(without_front(whole, 2)) == from_hex("84 01 06 04 efbfbd 62"));
  const Struct rest = without_front(whole, 2);
  CHECK(written(only_front(rest, 1)) == from_hex("84 01 06 03 efbfbd"));
  CHECK(written(without_front(rest, 1)) == from_hex("84 01 07 01 62"));
  const Struct front = only_front(whole, 2);
  CHECK(written(without_front(front, 1)) == from_hex("84 01 05 03 efbfbd"));
  CHECK(written(only_front(front, 1)) == from_hex("84 01 00 01 61"));
}

TEST_CASE("Struct: what is deleted keeps its place and loses its content", "[db][documents]") {
  CHECK(written(deleted(read(from_hex("64 02 07 02 6869")))) == from_hex("61 02 07 02"));
  CHECK(written(deleted(read(from_hex("27 01 01 61 01 6b 01")))) == from_hex("21 01 01 61 01 6b 01"));
  CHECK(written(deleted(read(from_hex("00 05")))) == from_hex("00 05"));
}

TEST_CASE("Struct: neighbours are joined when cutting could have made them", "[db][documents]") {
  struct Case {
    const char* second;
    uint64_t clock;
    bool can;
  };
  const std::string first = from_hex("c4 02 00 03 00 02 6869");
  for (const Case& at : {
           Case{"c4 01 06 03 00 01 78", 7, true},
           Case{"c4 01 06 03 00 01 78", 8, false},  // a hole between
           Case{"c4 01 05 03 00 01 78", 7, false},  // put elsewhere
           Case{"84 01 06 01 78", 7, false},        // before something else
           Case{"c8 01 06 03 00 01 7e", 7, false},  // of another kind
           Case{"c4 02 06 03 00 01 78", 7, false},
       }) {
    INFO(at.second << " at " << at.clock);
    const std::string second = from_hex(at.second);
    CHECK(can_join(read(first), read(second, 1, at.clock)) == at.can);
  }
  CHECK_FALSE(can_join(read(first), read(first, 2, 7)));
}
