#include "db/model/key_order.h"

#include <algorithm>
#include <charconv>

namespace hearth::db {
namespace {

constexpr char kIntegerTag = '\x01';
constexpr char kTextTag = '\x02';
constexpr size_t kLongLength = 255;

std::string canonical(int32_t number) { return std::to_string(number); }

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

}  // namespace

char remap_utf16(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return static_cast<char>(byte == 0xEE ? 0xF5 : byte == 0xEF ? 0xF6 : byte);
}

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
  to += kTextTag;
  for (const char c : key) to += remap_utf16(c);
  to += '\0';
}

std::string encode_path(const Path& path) {
  std::string encoded;
  encoded.reserve(path.text().size() + 2 * path.depth());
  for (const std::string_view key : path.keys()) append_segment(key, encoded);
  return encoded;
}

size_t segment_length(std::string_view encoded) {
  if (encoded.empty()) return 0;
  if (encoded.front() == kTextTag) {
    const size_t end = encoded.find('\0');
    return end == std::string_view::npos || end == 1 ? 0 : end + 1;
  }
  if (encoded.front() != kIntegerTag || encoded.size() < 6) return 0;
  const auto number = static_cast<int32_t>(read_u32(encoded.substr(1)) ^ 0x80000000u);
  const auto length = static_cast<unsigned char>(encoded[5]);
  if (length == canonical(number).size()) return 6;
  const size_t text = length == kLongLength ? 8 : 6;
  const size_t end = encoded.find('\0', std::min(text, encoded.size()));
  return end == std::string_view::npos ? 0 : end + 1;
}

void append_key(std::string_view segment, std::string& to) {
  if (segment.front() == kTextTag) {
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
