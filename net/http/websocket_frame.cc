#include "net/http/websocket_frame.h"

#include <openssl/sha.h>

#include <cstring>

#include "db/model/hash.h"

namespace hearth::net::http {

std::string frame_of(Opcode opcode, std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 10);
  frame += static_cast<char>(0x80 | static_cast<unsigned>(opcode));
  const uint64_t size = payload.size();
  if (size < 126) {
    frame += static_cast<char>(size);
  } else if (size < 65536) {
    frame += static_cast<char>(126);
    frame += static_cast<char>(size >> 8);
    frame += static_cast<char>(size);
  } else {
    frame += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(size >> shift);
  }
  frame += payload;
  return frame;
}

std::string close_payload(uint16_t code, std::string_view reason) {
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code);
  payload += reason.substr(0, 123);
  return payload;
}

std::optional<FrameHead> read_head(std::string_view bytes, bool& broken) {
  broken = false;
  if (bytes.size() < 2) return {};
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  FrameHead head{};
  const unsigned opcode = byte(0) & 0x0f;
  head.final = (byte(0) & 0x80) != 0;
  const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
  const bool control = opcode >= 8;
  const uint64_t short_size = byte(1) & 0x7f;
  // No extension is agreed, clients mask, control frames are short and whole (RFC 6455 §5.2, §5.5).
  broken = !known || (byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0 || (control && (!head.final || short_size > 125));
  if (broken) return {};
  head.opcode = static_cast<Opcode>(opcode);
  const size_t extra = short_size == 126 ? 2 : short_size == 127 ? 8 : 0;
  head.head_bytes = 2 + extra + 4;
  if (bytes.size() < head.head_bytes) return {};
  head.payload_bytes = extra == 0 ? short_size : 0;
  for (size_t i = 0; i < extra; ++i) head.payload_bytes = head.payload_bytes << 8 | byte(2 + i);
  broken = head.payload_bytes >> 63 != 0;
  if (broken) return {};
  std::memcpy(head.mask, bytes.data() + 2 + extra, 4);
  return head;
}

void unmask(char* payload, size_t bytes, const unsigned char mask[4]) {
  uint64_t wide = 0;
  unsigned char repeated[8];
  for (size_t i = 0; i < 8; ++i) repeated[i] = mask[i % 4];
  std::memcpy(&wide, repeated, 8);
  size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    uint64_t chunk = 0;
    std::memcpy(&chunk, payload + i, 8);
    chunk ^= wide;
    std::memcpy(payload + i, &chunk, 8);
  }
  for (; i < bytes; ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
}

std::string accept_key(std::string_view key) {
  const std::string salted = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(salted.data()), salted.size(), digest);
  return db::base64({reinterpret_cast<const char*>(digest), sizeof digest});
}

}  // namespace hearth::net::http
