// The bytes of a leaf. Equal values must have equal bytes, for values are compared, hashed into digests and looked up
// as bytes: so a varint has one spelling only, and an integral double becomes an integer before it is written.
#include "db/model/leaf.h"

#include <bit>
#include <cmath>

#include "db/base/bytes.h"

namespace hearth::db {
namespace {

constexpr size_t kVarintBytesMax = 10;
constexpr double kTwo63 = 9223372036854775808.0;

char byte_of(LeafTag tag) { return static_cast<char>(tag); }

// Whether the bytes are a 64-bit number in its one shortest form: equal numbers have equal bytes.
// The tenth byte holds the 64th bit and nothing else, so it may be 1 only.
bool is_varint(std::string_view bytes) {
  if (bytes.empty() || bytes.size() > kVarintBytesMax || (bytes.back() & 0x80) != 0) return false;
  for (const char c : bytes.substr(0, bytes.size() - 1)) {
    if ((c & 0x80) == 0) return false;
  }
  if (bytes.size() > 1 && bytes.back() == 0) return false;
  return bytes.size() < kVarintBytesMax || bytes.back() == 1;
}

}  // namespace

// Zigzag: 0, -1, 1, -2 … become 0, 1, 2, 3 …, so small numbers of either sign take one byte.
int64_t integer_of_leaf(std::string_view leaf) {
  uint64_t raw = 0;
  for (size_t i = 1, shift = 0; i < leaf.size(); ++i, shift += 7) raw |= static_cast<uint64_t>(leaf[i] & 0x7f) << shift;
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

double double_of_leaf(std::string_view leaf) {
  uint64_t bits = 0;
  for (size_t i = 1; i < 9; ++i) bits = bits << 8 | static_cast<unsigned char>(leaf[i]);
  return std::bit_cast<double>(bits);
}

void append_integer_leaf(int64_t value, std::string& to) {
  to += byte_of(LeafTag::Integer);
  const auto zigzag = static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  append_varint(zigzag, to);
}

void append_double_leaf(double value, std::string& to) {
  to += byte_of(LeafTag::Double);
  const auto bits = std::bit_cast<uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(bits >> shift);
}

// The bounds are exact in a double: -2^63 is an int64 and 2^63 is not.
void append_number_leaf(double value, std::string& to) {
  if (value == std::trunc(value) && value >= -kTwo63 && value < kTwo63) {
    append_integer_leaf(static_cast<int64_t>(value), to);
  } else {
    append_double_leaf(value, to);
  }
}

// For bytes that nobody has checked: rows of a store, a dump, or a record.
bool is_well_formed_leaf(std::string_view leaf) {
  if (leaf.empty()) return false;
  const std::string_view body = leaf.substr(1);
  switch (tag_of_leaf(leaf)) {
    case LeafTag::False:
    case LeafTag::True:
    case LeafTag::ServerTime:
      return body.empty();
    case LeafTag::Integer:
      return is_varint(body);
    case LeafTag::Double:
      return body.size() == 8 && std::isfinite(double_of_leaf(leaf));
    case LeafTag::String:
      return true;
    case LeafTag::Increment:
      return !body.empty() && (tag_of_leaf(body) == LeafTag::Integer || tag_of_leaf(body) == LeafTag::Double) &&
             is_well_formed_leaf(body);
  }
  return false;
}

}  // namespace hearth::db
