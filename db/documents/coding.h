// The bytes that Yjs is made of (the encoding of npm's lib0): numbers, texts and buffers. Numbers are spelled as those of
// db/base/bytes.h, which is for what we write ourselves; this is for what strangers wrote: it says where the mistake is,
// stops at what JavaScript can count, and knows signs and UTF-8. Pure.
//
//   var_uint   := 7 bits a byte, lowest first; the highest bit says that more follow; at most 2^53 − 1
//   var_int    := the first byte has 6 bits, bit 6 says "negative"; then as var_uint; −0 exists
//   var_buf    := var_uint length, bytes
//   var_string := var_buf of UTF-8
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::db::documents {

inline constexpr uint64_t kIntegerMax = (uint64_t{1} << 53) - 1;  // what a number of JavaScript holds exactly
inline constexpr size_t kVarBytesMax = 8;                         // of a var_uint or var_int
inline constexpr size_t kNestingMax = 64;                         // objects and arrays in one another, of a value

// Reads what a stranger wrote. The first mistake ends it: from there on every read gives zero or nothing, so a caller
// asks ok() once, after a group of reads; loops over a count that was read ask in each round. What it gives are views
// of the bytes. Thread: one.
class Reader {
 public:
  struct Integer {
    uint64_t magnitude;
    bool is_negative;
  };

  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  uint8_t byte();
  uint64_t var_uint();
  Integer var_int();
  std::string_view bytes(uint64_t count);
  std::string_view var_buf() { return bytes(var_uint()); }
  std::string_view var_string();  // well-formed UTF-8

  void fail(const char* why);  // why: a literal; what is wrong here
  bool ok() const { return why_ == nullptr; }
  bool is_at_end() const { return at_ == bytes_.size(); }
  size_t offset() const { return at_; }  // of the next byte; of the mistake, after one
  size_t left() const { return ok() ? bytes_.size() - at_ : 0; }
  std::string_view since(size_t offset) const { return bytes_.substr(offset, at_ - offset); }

  // What went wrong: InvalidData, with the offset. Precondition: not ok().
  Error error() const;
  // How a text's bytes are judged: those that we wrote need no second look.
  void trust() { is_trusted_ = true; }
  bool is_trusted() const { return is_trusted_; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  const char* why_ = nullptr;
  bool is_trusted_ = false;
};

void append_var_uint(uint64_t value, std::string& to);
void append_var_int(Reader::Integer value, std::string& to);
void append_var_buf(std::string_view bytes, std::string& to);

// How many UTF-16 code units well-formed UTF-8 is: what JavaScript calls the length of a text.
uint64_t utf16_length(std::string_view utf8);

// Where a count of UTF-16 code units ends in well-formed UTF-8. `splits_pair`: the count ends in the middle of a
// character of two units; then `byte` is where that character begins.
struct Utf16Place {
  size_t byte;
  bool splits_pair;
};
inline constexpr size_t kPairBytes = 4;  // of a character of two units
Utf16Place utf16_place(std::string_view utf8, uint64_t units);

}  // namespace hearth::db::documents
