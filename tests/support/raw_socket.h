// What a client of the Firebase protocol sends by hand, to a server with the namespace `default`.
#pragma once

#include <string>
#include <string_view>

namespace hearth::test {

inline constexpr std::string_view kUpgrade =
    "GET /.ws?v=5&ns=default HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

// A client's text frame, of up to 125 bytes, masked with zero.
inline std::string frame(std::string_view text) {
  std::string bytes = "\x81";
  bytes += static_cast<char>(0x80 | text.size());
  return bytes.append(4, '\0').append(text);
}

}  // namespace hearth::test
