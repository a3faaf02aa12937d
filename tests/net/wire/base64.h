// Text as a client cuts it into the URLs of long polling: base64 with the web-safe alphabet, "." for padding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "db/base/text.h"

namespace hearth::net::wire::test {

inline std::string base64(std::string_view text) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string to;
  for (size_t i = 0; i < text.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k)
      bits = bits << 8 | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) to += i + k <= text.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '.';
  }
  return to;
}

}  // namespace hearth::net::wire::test
