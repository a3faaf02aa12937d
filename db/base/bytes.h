// The small grammar of what is kept in bytes (records, the log, dumps): numbers, and bytes behind their length. A reader
// that is given damaged bytes says so by ok() and reads nothing more. What strangers send as updates of documents is read by
// db/documents/coding.h.
//
//   varint := 7 bits a byte, low ones first, 0x80: more follow
//   bytes  := length:varint byte*
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::db {

inline void append_varint(uint64_t number, std::string& to) {
  for (; number >= 0x80; number >>= 7) to += static_cast<char>(number | 0x80);
  to += static_cast<char>(number);
}

inline void append_bytes(std::string_view bytes, std::string& to) {
  append_varint(bytes.size(), to);
  to += bytes;
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  uint64_t varint() {
    uint64_t number = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      number |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return number;
    }
    return fail();
  }

  std::string_view bytes() { return fixed(varint()); }

  std::string_view fixed(uint64_t length) {
    if (length > left_.size()) {
      fail();
      return {};
    }
    const std::string_view found = left_.substr(0, length);
    left_.remove_prefix(length);
    return found;
  }

  char byte() {  // 0 where there is none
    const std::string_view one = fixed(1);
    return one.empty() ? '\0' : one.front();
  }

  std::string_view rest() { return fixed(left_.size()); }
  bool done() const { return left_.empty(); }
  bool ok() const { return ok_; }

 private:
  uint64_t fail() {
    ok_ = false;
    left_ = {};
    return 0;
  }

  std::string_view left_;
  bool ok_ = true;
};

}  // namespace hearth::db
