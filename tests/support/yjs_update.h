// Updates of Yjs documents as a client writes them, for tests without one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::test {

// An update in which the client inserts ASCII into the root text "t", behind what it has inserted before: that is as many
// clocks as it has letters.
inline std::string insertion(uint64_t client, uint64_t clock, std::string_view text) {
  std::string bytes{1, 1};
  const auto add = [&](uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes += static_cast<char>(number | 0x80);
    bytes += static_cast<char>(number);
  };
  add(client);
  add(clock);
  if (clock == 0) {
    bytes += std::string("\x04\x01\x01t", 4);
  } else {
    bytes += static_cast<char>(0x84);
    add(client);
    add(clock - 1);
  }
  add(text.size());
  bytes += text;
  bytes += '\0';
  return bytes;
}

inline std::string letter(uint8_t client, uint8_t clock, char c = 'x') { return insertion(client, clock, {&c, 1}); }

}  // namespace hearth::test
