#include "db/model/key_order.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/random_tree.h"
#include "tests/support/vectors.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

std::string encoded(std::string_view key) {
  std::string segment;
  append_segment(key, segment);
  return segment;
}

int sign(int value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

// Keys of the kinds that meet at the borders of the order: integers, near-integers, private-use and supplementary.
std::string tricky_key(RandomTree& random) {
  static const std::vector<std::string> pieces = {"0",      "00", "1",      "9", "-",          "+",      "2147483647",
                                                  "214748", "a",  "é",      "ﬀ", "\uE000",     "\uF8FF", "\uFFFF",
                                                  "😀",      "~",  "\uD7FF", " ", "\U0010FFFF", "\uEFFF", "b"};
  std::string key;
  for (size_t count = 1 + random.below(4); count > 0; --count) key += pieces[random.below(pieces.size())];
  return key;
}

}  // namespace

// db/model/data-model.md §3
TEST_CASE("KeyOrder: 32-bit integers first by number, then strings by UTF-16", "[db][model]") {
  const std::vector<std::string> sorted = {
      "-2147483648", "-5",  "0",          "-0", "00", "3",           "03",     "003",        "5", "9",
      "20",          "100", "2147483647", " 1", "+1", "-2147483649", "1_5",    "2147483648", "A", "_",
      "a",           "bar", "foo",        "~",  "é",  "😀",           "\uF000", "\uFFFF"};
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t k = 0; k < sorted.size(); ++k) {
      INFO(sorted[i] << " and " << sorted[k]);
      CHECK(sign(compare_keys(sorted[i], sorted[k])) == (i < k ? -1 : i > k ? 1 : 0));
      CHECK(sign(encoded(sorted[i]).compare(encoded(sorted[k]))) == (i < k ? -1 : i > k ? 1 : 0));
    }
  }
}

TEST_CASE("KeyOrder: is that of the SDK's vectors", "[db][model]") {  // net/wire/protocol.md §11.2
  const auto document = hearth::test::vectors();
  const auto keys = document.root().field("key_order")->elements();
  REQUIRE(keys.size() == 33);
  for (size_t i = 1; i < keys.size(); ++i) {
    const auto before = *keys[i - 1].string();
    const auto after = *keys[i].string();
    INFO(before << " < " << after);
    CHECK(compare_keys(before, after) < 0);
    CHECK(encoded(before) < encoded(after));
  }
}

TEST_CASE("KeyOrder: what is an integer key", "[db][model]") {  // SDK: util.ts tryParseInt
  struct Case {
    std::string key;
    std::optional<int32_t> number;
  };
  const std::vector<Case> cases = {{"0", 0},
                                   {"-0", 0},
                                   {"007", 7},
                                   {"-5", -5},
                                   {"2147483647", 2147483647},
                                   {"-2147483648", INT32_MIN},
                                   {"00000000000000002147483647", 2147483647},
                                   {std::string(500, '0'), 0},
                                   {std::string(500, '0') + "12", 12},
                                   {"2147483648", {}},
                                   {"-2147483649", {}},
                                   {"99999999999", {}},
                                   {"", {}},
                                   {"-", {}},
                                   {"+1", {}},
                                   {" 1", {}},
                                   {"1 ", {}},
                                   {"1.0", {}},
                                   {"1e3", {}},
                                   {"0x1", {}},
                                   {"--1", {}},
                                   {"٣", {}}};
  for (const Case& at : cases) {
    INFO(at.key);
    CHECK(integer_key(at.key) == at.number);
  }
}

TEST_CASE("KeyOrder: the encoded order is the key order, and no encoding begins another", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 50'000; ++i) {
    const std::string a = tricky_key(random);
    const std::string b = tricky_key(random);
    const std::string left = encoded(a);
    const std::string right = encoded(b);
    const bool same_order = sign(compare_keys(a, b)) == sign(left.compare(right));
    const bool free = a == b || (!left.starts_with(right) && !right.starts_with(left));
    const bool antisymmetric = sign(compare_keys(a, b)) == -sign(compare_keys(b, a));
    if (!same_order || !free || !antisymmetric) {
      INFO(a << " and " << b);
      REQUIRE(same_order);
      REQUIRE(free);
      REQUIRE(antisymmetric);
    }
  }
}

TEST_CASE("KeyOrder: decoding an encoded key gives the key", "[db][model]") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  std::vector<std::string> keys = {"0",
                                   "-1",
                                   "01",
                                   "-01",
                                   "2147483647",
                                   "-2147483648",
                                   std::string(254, '0'),
                                   std::string(255, '0'),
                                   std::string(256, '0'),
                                   std::string(768, '0'),
                                   std::string(767, '0') + "7",
                                   std::string(768, 'x')};
  for (int i = 0; i < 5'000; ++i) keys.push_back(tricky_key(random));
  for (const std::string& key : keys) {
    const std::string segment = encoded(key);
    INFO(key);
    REQUIRE(decode_segment(segment) == key);
    REQUIRE(segment_length(segment) == segment.size());
    REQUIRE(segment_length(segment + encoded("next")) == segment.size());
    for (size_t cut = 0; cut < segment.size(); cut += 1 + segment.size() / 16) {
      REQUIRE(segment_length(std::string_view(segment).substr(0, cut)) == 0);
    }
  }
}

TEST_CASE("KeyOrder: a path is the concatenation of its keys", "[db][model]") {
  const Path path = Path::parse("users/007/😀/5").value();
  CHECK(encode_path(path) == encoded("users") + encoded("007") + encoded("😀") + encoded("5"));
  CHECK(decode_path(encode_path(path)).value() == path);
  CHECK(encode_path(Path()).empty());
  CHECK(decode_path("").value() == Path());
}

TEST_CASE("KeyOrder: bytes that are no path are found out", "[db][model]") {
  const std::vector<std::string> damaged = {
      "x",
      "\x03",
      std::string(1, '\0'),
      "\x02"
      "abc",
      std::string("\x02\0", 2),
      std::string("\x01\x80\0\0", 4),
      std::string("\x01\x80\0\0\0\x02", 6),  // the text of a long 0 is missing
      std::string("\x02"
                  "a.b\0",
                  5),  // no key of ours
      encoded("a") + "\x02",
      std::string("\x01\x80\0\0\7\3"
                  "008\0",
                  10),  // a number that is not its text's
      std::string("\x01\x80\0\0\7\3"
                  "abc\0",
                  10),
      std::string("\x01\x80\0\0\7\2"
                  "007\0",
                  10),  // a length that is not its text's
      std::string("\x02"
                  "12\0",
                  4),                        // an integer among the texts
      std::string("\x02\xEE\x80\x80\0", 5),  // not remapped
  };
  for (const std::string& bytes : damaged) {
    const auto got = decode_path(bytes);
    REQUIRE_FALSE(got.ok());
    CHECK(got.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("KeyOrder: UTF-16 order puts what needs surrogates before the private-use area", "[db][model]") {
  const std::vector<std::string> sorted = {"",  "a",          "aa",     "b",      "\uD7FF",
                                           "😀", "\U0010FFFF", "\uE000", "\uF8FF", "\uFFFF"};
  for (size_t i = 1; i < sorted.size(); ++i) {
    CHECK(compare_utf16(sorted[i - 1], sorted[i]) < 0);
    CHECK(compare_utf16(sorted[i], sorted[i - 1]) > 0);
    CHECK(compare_utf16(sorted[i], sorted[i]) == 0);
  }
}
