#include "db/documents/coding.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db::documents;
using namespace hearth::test;

TEST_CASE("Coding: numbers are the bytes that lib0 writes, and come back", "[db][documents]") {
  for (const auto& [name, bytes] : yjs_vectors()) {
    INFO(name);
    Reader from(bytes);
    std::string again;
    if (name.starts_with("varuint/")) {
      const uint64_t value = std::stoull(name.substr(8));
      CHECK(from.var_uint() == value);
      append_var_uint(value, again);
    } else if (name.starts_with("varint/")) {
      const std::string text = name.substr(7);
      const bool is_negative = text.starts_with('-');
      const Reader::Integer value = from.var_int();
      CHECK(value.magnitude == std::stoull(text.substr(is_negative ? 1 : 0)));
      CHECK(value.is_negative == is_negative);  // of −0 too
      append_var_int(value, again);
    } else if (name.starts_with("varstring/")) {
      CHECK(from.var_string() == name.substr(10));
      append_var_buf(name.substr(10), again);
    } else {
      continue;
    }
    CHECK(from.ok());
    CHECK(from.is_at_end());
    CHECK(again == bytes);
  }
}

TEST_CASE("Coding: what is too long or too large is a mistake at a place, and nothing is read after it",
          "[db][documents]") {
  struct Case {
    const char* bytes;
    char read;
    const char* error;
  };
  for (const Case& at : {
           Case{"", 'u', "The bytes end too early at byte 0."},
           Case{"80", 'u', "The bytes end too early at byte 1."},
           Case{"ffffffffffffff10", 'u', "A number is too large at byte 8."},    // 2^53 and more
           Case{"808080808080808001", 'u', "A number is too large at byte 8."},  // nine bytes
           Case{"ffffffffffffff20", 'i', "A number is too large at byte 8."},
           Case{"c080808080808080 8001", 'i', "A number is too large at byte 8."},
           Case{"c0", 'i', "The bytes end too early at byte 1."},
           Case{"0361 62", 's', "A length reaches past the end at byte 1."},
           Case{"ffffffffffffff0f61", 's', "A length reaches past the end at byte 8."},
           Case{"02c328", 's', "A text is not UTF-8 at byte 3."},
           Case{"03eda080", 's', "A text is not UTF-8 at byte 4."},  // half a pair
           Case{"27 6161616161616161616161616161616161616161616161616161616161616161616161616161ff", 's',
                "A text is not UTF-8 at byte 40."},
       }) {
    INFO(at.bytes);
    const std::string bytes = from_hex(at.bytes);
    Reader from(bytes);
    if (at.read == 'u') CHECK(from.var_uint() == 0);
    if (at.read == 'i') CHECK(from.var_int().magnitude == 0);
    if (at.read == 's') from.var_string();
    REQUIRE_FALSE(from.ok());
    CHECK(from.error() == hearth::db::Error{hearth::db::ErrorCode::InvalidData, at.error});
    CHECK(from.left() == 0);
    CHECK(from.byte() == 0);
    CHECK(from.bytes(1).empty());
    CHECK(from.error().message == at.error);  // the first one
  }
}

TEST_CASE("Coding: 2^53 − 1 is the largest, with either sign", "[db][documents]") {
  std::string bytes;
  append_var_int({kIntegerMax, true}, bytes);
  Reader from(bytes);
  const Reader::Integer read = from.var_int();
  CHECK(from.ok());
  CHECK(read.magnitude == kIntegerMax);
  CHECK(read.is_negative);
}

TEST_CASE("Coding: the length of a text is JavaScript's, and a place in it may be within a character",
          "[db][documents]") {
  const std::string text = "hé😀x";
  CHECK(utf16_length("") == 0);
  CHECK(utf16_length(text) == 5);
  const std::vector<std::pair<size_t, bool>> places = {{0, false}, {1, false}, {3, false},
                                                       {3, true},  {7, false}, {8, false}};
  for (uint64_t units = 0; units < places.size(); ++units) {
    INFO(units);
    const Utf16Place place = utf16_place(text, units);
    CHECK(place.byte == places[units].first);
    CHECK(place.splits_pair == places[units].second);
  }
  CHECK(utf16_place(text, 99).byte == text.size());
}
