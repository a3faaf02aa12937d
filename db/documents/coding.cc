// Where JavaScript and C++ differ, this file follows JavaScript: a number has at most 53 bits, −0 is not 0, and a
// text's length is counted in UTF-16 code units.
//
// Of UTF-8 the number of units follows from first bytes alone: each byte that is no continuation begins a character,
// and one of 0xF0 and above begins a character of two units. Texts have been found to be UTF-8 when these are called.
//
// Failing is final. A Reader that has failed gives zeros and empty texts, and never goes on behind the mistake; so a
// caller may read a group of fields and ask once. What is wrong first is what is told.
#include "db/documents/coding.h"

#include "db/base/bytes.h"
#include "db/model/json.h"

namespace hearth::db::documents {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
bool begins_pair(char c) { return static_cast<unsigned char>(c) >= 0xf0; }

// Most texts are a few letters: those are seen at a glance.
bool is_short_ascii(std::string_view text) {
  if (text.size() > 32) return false;
  unsigned char bits = 0;
  for (const char c : text) bits = static_cast<unsigned char>(bits | static_cast<unsigned char>(c));
  return bits < 0x80;
}

}  // namespace

void Reader::fail(const char* why) {
  if (why_ == nullptr) why_ = why;
}

Error Reader::error() const {
  invariant(!ok(), "error() is asked only of a reader that failed");
  return {ErrorCode::InvalidData, std::string(why_) + " at byte " + std::to_string(at_) + "."};
}

uint8_t Reader::byte() {
  if (left() == 0) {
    fail("The bytes end too early");
    return 0;
  }
  return static_cast<uint8_t>(bytes_[at_++]);
}

uint64_t Reader::var_uint() {
  uint64_t value = 0;
  for (size_t count = 0; count < kVarBytesMax; ++count) {
    const uint8_t next = byte();
    value |= static_cast<uint64_t>(next & 0x7f) << (7 * count);
    if (next >= 0x80) continue;
    if (value <= kIntegerMax) return ok() ? value : 0;
    break;
  }
  fail("A number is too large");
  return 0;
}

Reader::Integer Reader::var_int() {
  uint8_t next = byte();
  const bool is_negative = (next & 0x40) != 0;
  uint64_t value = next & 0x3f;
  for (size_t count = 1; next >= 0x80 && count < kVarBytesMax; ++count) {
    next = byte();
    value |= static_cast<uint64_t>(next & 0x7f) << (7 * count - 1);
  }
  if (next >= 0x80 || value > kIntegerMax) fail("A number is too large");
  return ok() ? Integer{value, is_negative} : Integer{0, false};
}

std::string_view Reader::bytes(uint64_t count) {
  if (count > left()) fail("A length reaches past the end");
  if (!ok()) return {};
  const std::string_view found = bytes_.substr(at_, static_cast<size_t>(count));
  at_ += found.size();
  return found;
}

std::string_view Reader::var_string() {
  const std::string_view text = var_buf();
  if (!is_trusted_ && !is_short_ascii(text) && !is_utf8(text)) fail("A text is not UTF-8");
  return text;
}

void append_var_uint(uint64_t value, std::string& to) { append_varint(value, to); }

void append_var_int(Reader::Integer value, std::string& to) {
  uint64_t rest = value.magnitude >> 6;
  to.push_back(static_cast<char>((value.magnitude & 0x3f) | (value.is_negative ? 0x40 : 0) | (rest > 0 ? 0x80 : 0)));
  if (rest > 0) append_var_uint(rest, to);
}

void append_var_buf(std::string_view bytes, std::string& to) {
  append_var_uint(bytes.size(), to);
  to += bytes;
}

uint64_t utf16_length(std::string_view utf8) {
  uint64_t units = 0;
  for (const char c : utf8) units += (is_continuation(c) ? 0U : 1U) + (begins_pair(c) ? 1U : 0U);
  return units;
}

Utf16Place utf16_place(std::string_view utf8, uint64_t units) {
  size_t at = 0;
  while (at < utf8.size() && units > 0) {
    if (begins_pair(utf8[at])) {
      if (units == 1) return {at, true};
      --units;
    }
    --units;
    for (++at; at < utf8.size() && is_continuation(utf8[at]); ++at) {
    }
  }
  return {at, false};
}

}  // namespace hearth::db::documents
