// The order of sibling keys, as bytes.
//
// The whole house stands on one trick: a path is encoded so that memcmp of two encodings is the order of the data
// model. Then a sorted map of rows (RocksDB, an overlay, a Value) is the tree in its order, a subtree is a range of
// rows, "the next sibling" is one seek, and nothing ever needs a comparator.
//
//   key           segment                                 why it sorts there
//   "-5"          01 7f ff ff fb  02                      integers first, by number: the sign bit is turned
//   "0"           01 80 00 00 00  01
//   "1"           01 80 00 00 01  01                      canonical decimal: six bytes say all of it
//   "01"          01 80 00 00 01  02 '0' '1' 00           equal number: the shorter key is first; the text follows
//   "2147483648"  02 '2' '1' … 00                         no int32: an ordinary text
//   "a"           02 'a' 00
//
//   path "a" / "1"  =  02 'a' 00  01 80 00 00 01 01       segments one behind the other
//   behind a path:  00 its priority  <  01, 02 a child  <  03 (kPastChildren) the end of everything below it
//
// What must hold:
// - No segment is a prefix of another. A text ends in 00, which no key contains (check_key refuses control
//   characters). An integer is six bytes when its length byte is that of the canonical decimal, and ends in 00
//   otherwise. Were it not so, "a" followed by a child could read as another sibling, and a range would hold rows of
//   two nodes.
// - Texts sort by UTF-16 units, as JavaScript compares them, and not by code points. The two orders differ in one
//   place: the 4-byte sequences (surrogate pairs, D800…) come before U+E000–U+FFFF (lead bytes EE, EF). Moving these
//   two lead bytes up to F5 and F6, which no UTF-8 uses, repairs that byte by byte, both ways.
// - decode_path() accepts only what encode_path() makes. Another spelling of a key would be a second row for one node.
#include "db/model/key_order.h"

#include <algorithm>
#include <charconv>

namespace hearth::db {
namespace {

constexpr char kIntegerTag = '\x01';
// Lengths of 255 and more share one value of the length byte, and are then told apart by two more bytes. Keys end at
// 768 bytes, but "000…01" may use them all.
constexpr size_t kLongLength = 255;

std::string canonical(int32_t number) { return std::to_string(number); }

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

inline char remapped(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return static_cast<char>(byte == 0xEE ? 0xF5 : byte == 0xEF ? 0xF6 : byte);
}

}  // namespace

char remap_utf16(char c) { return remapped(c); }

char unmap_utf16(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return static_cast<char>(byte == 0xF5 ? 0xEE : byte == 0xF6 ? 0xEF : byte);
}

std::optional<int32_t> integer_key(std::string_view key) {
  // ^-?(0*)\d{1,10}$ and within int32.
  std::string_view digits = key;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  if (digits.empty()) return {};
  for (const char c : digits) {
    if (c < '0' || c > '9') return {};
  }
  const size_t start = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  digits.remove_prefix(start);
  if (digits.size() > 10) return {};
  int64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (negative) value = -value;
  if (value < INT32_MIN || value > INT32_MAX) return {};
  return static_cast<int32_t>(value);
}

int compare_utf16(std::string_view a, std::string_view b) {
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    if (a[i] == b[i]) continue;
    return static_cast<unsigned char>(remap_utf16(a[i])) < static_cast<unsigned char>(remap_utf16(b[i])) ? -1 : 1;
  }
  return a.size() < b.size() ? -1 : a.size() > b.size() ? 1 : 0;
}

// The same order without encoding anything, for positions of a query; tests hold the two against each other.
int compare_keys(std::string_view a, std::string_view b) {
  const auto left = integer_key(a);
  const auto right = integer_key(b);
  if (left && right) {
    if (*left != *right) return *left < *right ? -1 : 1;
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    return a.compare(b);
  }
  if (left) return -1;
  if (right) return 1;
  return compare_utf16(a, b);
}

void append_segment(std::string_view key, std::string& to) {
  if (const auto number = integer_key(key)) {
    to += kIntegerTag;
    const uint32_t biased = static_cast<uint32_t>(*number) ^ 0x80000000u;
    for (int shift = 24; shift >= 0; shift -= 8) to += static_cast<char>(biased >> shift);
    to += static_cast<char>(std::min(key.size(), kLongLength));
    if (key == canonical(*number)) return;
    if (key.size() >= kLongLength) {
      to += static_cast<char>(key.size() >> 8);
      to += static_cast<char>(key.size());
    }
    to += key;
    to += '\0';
    return;
  }
  // Every path of every write comes through here, so its bytes are put where they belong, and not added one by one.
  const size_t at = to.size();
  to.resize(at + key.size() + 2);
  char* next = to.data() + at;
  *next++ = kTextSegment;
  for (const char c : key) *next++ = remapped(c);
}

std::string encode_path(const Path& path) {
  std::string encoded;
  encoded.reserve(path.text().size() + 2 * path.depth());
  for (std::string_view rest = path.text(); !rest.empty();) {
    const std::string_view key = rest.substr(0, rest.find('/'));
    append_segment(key, encoded);
    rest.remove_prefix(std::min(key.size() + 1, rest.size()));
  }
  return encoded;
}

// For any bytes: rows come from disk and from dumps, and a damaged one must read as 0 and never past its end.
size_t segment_length(std::string_view encoded) {
  if (encoded.empty()) return 0;
  if (encoded.front() == kTextSegment) {
    const size_t end = encoded.find('\0');
    return end == std::string_view::npos || end == 1 ? 0 : end + 1;
  }
  if (encoded.front() != kIntegerTag || encoded.size() < 6) return 0;
  const auto number = static_cast<int32_t>(read_u32(encoded.substr(1)) ^ 0x80000000u);
  const auto length = static_cast<unsigned char>(encoded[5]);
  // Only the canonical decimal has that length: leading zeros make a key longer, and "-0" is longer than "0".
  if (length == canonical(number).size()) return 6;
  const size_t text = length == kLongLength ? 8 : 6;
  const size_t end = encoded.find('\0', std::min(text, encoded.size()));
  return end == std::string_view::npos ? 0 : end + 1;
}

void append_key(std::string_view segment, std::string& to) {
  if (segment.front() == kTextSegment) {
    for (const char c : segment.substr(1, segment.size() - 2)) to += unmap_utf16(c);
    return;
  }
  if (segment.size() == 6) {
    to += canonical(static_cast<int32_t>(read_u32(segment.substr(1)) ^ 0x80000000u));
    return;
  }
  const size_t text = static_cast<unsigned char>(segment[5]) == kLongLength ? 8 : 6;
  to += segment.substr(text, segment.size() - text - 1);
}

std::string decode_segment(std::string_view segment) {
  std::string key;
  append_key(segment, key);
  return key;
}

Result<Path> decode_path(std::string_view encoded) {
  Path path;
  std::string canonical_segment;
  while (!encoded.empty()) {
    const size_t length = segment_length(encoded);
    if (length == 0) return Error{ErrorCode::Corruption, "a row's key is no path"};
    // Decoded and encoded again: the cheapest proof that the row stands where its key belongs.
    const std::string key = decode_segment(encoded.substr(0, length));
    canonical_segment.clear();
    append_segment(key, canonical_segment);
    if (encoded.substr(0, length) != canonical_segment) {
      return Error{ErrorCode::Corruption, "a row's key is out of order: " + key};
    }
    auto child = path.child(key);
    if (!child.ok())
      return Error{ErrorCode::Corruption, "a row's key holds an impossible path: " + child.error().message};
    path = std::move(child).value();
    encoded.remove_prefix(length);
  }
  return path;
}

}  // namespace hearth::db
