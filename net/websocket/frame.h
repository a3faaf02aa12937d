// WebSocket frames as bytes (RFC 6455 §5). Pure.
//
//   frame   := fin:1 deflated:1 0:2 opcode:4  mask:1 length:7  [length:16|64]  [key:32]  payload
//   message := frame{text|binary} frame{continuation}*      the last one has fin; control frames may come between
//
// Ours are whole messages, unmasked; a client's are masked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/io/bytes.h"
#include "net/websocket/deflate.h"
#include "net/websocket/websocket.h"

namespace hearth::net::http {

enum class Opcode : uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

inline constexpr size_t kControlPayloadMax = 125;
inline constexpr unsigned char kDeflatedBit = 0x40;  // RSV1 (RFC 7692 §6)

// One frame, ready for any socket. `payload` of text is valid UTF-8.
std::string frame_text(std::string_view payload);
std::string frame_binary(std::string_view payload);
void append_frame(std::string& to, Opcode opcode, std::string_view payload);
void append_close_frame(std::string& to, CloseCode code, std::string_view reason);

// Puts a client's messages together, from bytes as they come.
class FrameReader {
 public:
  // `message_bytes_max`: as they come, and inflated. `inflates`: permessage-deflate has been agreed on.
  // `may_hold`: see MessageInflater; empty: yes.
  explicit FrameReader(size_t message_bytes_max, bool inflates = false, MayHold may_hold = {})
      : message_bytes_max_(message_bytes_max), inflates_(inflates), may_hold_(std::move(may_hold)) {}

  // More: a message has come and is being inflated; next() goes on with that, before it takes bytes.
  enum class Found : uint8_t { Nothing, More, Message, Ping, Pong, Close, Error };

  // Memory that a message takes which is not whole.
  size_t held_bytes() const {
    if (inflating_ != nullptr) return inflating_->held_bytes();
    return message_.capacity() > kShortBytes ? message_.capacity() : 0;
  }
  // Whether a frame or a message has begun that is not whole.
  bool is_within() const { return in_message_ || in_payload_ || header_bytes_ > 0 || inflating_ != nullptr; }
  // From here on messages are read and forgotten.
  void drop_messages() {
    drops_ = true;
    std::string().swap(message_);
    inflating_.reset();
  }

  // Takes from the front of `bytes` up to the end of the first thing found. Nothing: all is taken, more is needed.
  // After Close and Error there is no going on.
  Found next(std::string_view& bytes);

  std::string take_message();                                                     // after Message
  MessageKind kind() const { return kind_; }                                      // after Message
  std::string_view control() const { return {control_.data(), control_bytes_}; }  // payload, after Ping and Pong
  CloseCode close_code() const { return close_code_; }  // after Close: the client's; after Error: what to close with
  const char* error() const { return error_; }          // after Error, for a person

 private:
  static constexpr size_t kShortBytes = sizeof(std::string);  // that a string has without memory of its own, at least

  bool take_header(std::string_view& bytes);
  Found on_header();
  Found on_frame_end();
  Found inflate_more();
  Found on_message();
  Found on_close_payload();
  Found fail(CloseCode code, const char* error);

  const size_t message_bytes_max_;
  const bool inflates_;
  bool drops_ = false;
  const MayHold may_hold_;
  std::string message_{};
  std::unique_ptr<MessageInflater> inflating_{};  // null: no message is
  uint64_t left_ = 0;                             // bytes of the payload to come
  const char* error_ = "";
  std::array<char, kControlPayloadMax> control_;  // as far as control_bytes_
  std::array<uint8_t, 14> header_{};
  uint8_t header_bytes_ = 0;  // that have come
  uint8_t control_bytes_ = 0;
  std::array<uint8_t, 4> key_{};
  uint8_t key_at_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;  // between its first and its last frame
  bool fin_ = false;
  bool is_deflated_ = false;  // the message
  Opcode opcode_ = Opcode::Continuation;
  MessageKind kind_ = MessageKind::Text;
  CloseCode close_code_ = CloseCode::NoStatus;
};

}  // namespace hearth::net::http
