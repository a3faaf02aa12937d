// permessage-deflate (RFC 7692) without memory: every message is compressed by itself, in both directions. So a connection
// costs nothing for it, a frame that was compressed once can be sent to many, and what one message says shows in the length
// of no other. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/io/bytes.h"

namespace hearth::net::http {

inline constexpr size_t kDeflateBytesMin = 256;  // below it, compressing does not pay

// Whether one of the offers in the value of a Sec-WebSocket-Extensions field can be met, by kDeflateAnswer.
bool offers_deflate(std::string_view extensions);
inline constexpr std::string_view kDeflateAnswer =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

// A frame of text, compressed when that makes it smaller.
std::string deflated_frame_text(std::string_view payload);

inline constexpr size_t kInflateStepBytes = 256u
                                            << 10;  // of what comes out, until others of the thread have their turn

// Inflates one message, a step at a time. Thread: one.
class MessageInflater {
 public:
  // `may_hold`: asked for the bytes that a step takes beside held_bytes(). Outlives the inflater; null: yes.
  MessageInflater(std::string payload, size_t bytes_max, const MayHold* may_hold);
  ~MessageInflater();
  MessageInflater(const MessageInflater&) = delete;
  MessageInflater& operator=(const MessageInflater&) = delete;

  // One step. Returns whether the message is whole; take() then has it. Errors, after which there is no going on:
  // InvalidData (not compressed as agreed), TooLarge (more than `bytes_max`), Unavailable (`may_hold` said no).
  db::Result<bool> step();
  std::string take();
  size_t held_bytes() const { return payload_.capacity() + message_.capacity(); }

 private:
  struct Stream;
  static std::unique_ptr<Stream>& spare();
  const std::string payload_;
  const size_t bytes_max_;
  const MayHold* const may_hold_;
  std::string message_{};
  std::string_view rest_;  // of the payload, and then of the tail that every message leaves out
  bool in_tail_ = false;   // rest_ is of the tail
  std::unique_ptr<Stream> stream_;
};

}  // namespace hearth::net::http
