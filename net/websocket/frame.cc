// WebSocket frames (RFC 6455 §5): ours are written in one go, a client's are read as they come.
//
//   bytes ─▶ take_header ─▶ on_header ─▶ payload, unmasked in place ─▶ on_frame_end ─┬─▶ control frame
//                ▲                                                                   ├─▶ whole message, inflated
//                └──────────────── the next frame ◀──────────────────────────────────┘
//
// FrameReader is a state machine that can stop behind any byte: in a header (header_bytes_), in a payload (left_),
// between the frames of a message (in_message_), between two steps of inflation (inflating_). Control frames may
// stand between the frames of a message, so they have a buffer of their own.
//
// It believes no length. A message that announces 16 MB has no memory before its bytes come, but for a first 64 kB.
// Limits apply to the sum of the frames, and again to what comes out of the inflater. What a client may not do ends
// the connection with the code of RFC 6455 §7.4.1; the checks are in the order in which the bytes tell.
#include "net/websocket/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "db/base/step.h"
#include "db/model/json.h"
#include "net/websocket/deflate.h"

namespace hearth::net::http {
namespace {

constexpr size_t kMessageKeepMax = 64u << 10;  // memory reserved for a message on the word of its header alone

bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

// RFC 6455 §7.4: what may stand in a close frame.
bool may_be_received(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

// XORs eight bytes at a time. Masking hides nothing from us: it keeps a page from making a browser send bytes that a
// proxy would take for a request (RFC 6455 §10.3).
void unmask(char* bytes, size_t count, const std::array<uint8_t, 4>& key, uint8_t& key_at) {
  std::array<uint8_t, 8> turned{};
  for (size_t i = 0; i < turned.size(); ++i) turned[i] = key[(key_at + i) % 4];
  uint64_t wide = 0;
  std::memcpy(&wide, turned.data(), sizeof wide);
  size_t i = 0;
  for (; i + sizeof wide <= count; i += sizeof wide) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + i, sizeof word);
    word ^= wide;
    std::memcpy(bytes + i, &word, sizeof word);
  }
  for (; i < count; ++i) bytes[i] = static_cast<char>(static_cast<uint8_t>(bytes[i]) ^ turned[i % 8]);
  key_at = static_cast<uint8_t>((key_at + count) % 4);
}

}  // namespace

void append_frame(std::string& to, Opcode opcode, std::string_view payload) {
  to += static_cast<char>(0x80u | static_cast<uint8_t>(opcode));
  const uint64_t size = payload.size();
  int length_bytes = 0;
  if (size < 126) {
    to += static_cast<char>(size);
  } else if (size <= 0xffff) {
    to += static_cast<char>(126);
    length_bytes = 2;
  } else {
    to += static_cast<char>(127);
    length_bytes = 8;
  }
  for (int i = length_bytes - 1; i >= 0; --i) to += static_cast<char>(size >> (8 * i));
  to += payload;
  db::Step::here().count({0, size, 0});
}

std::string frame_text(std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 10);
  append_frame(frame, Opcode::Text, payload);
  return frame;
}

std::string frame_binary(std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 10);
  append_frame(frame, Opcode::Binary, payload);
  return frame;
}

void append_close_frame(std::string& to, CloseCode code, std::string_view reason) {
  std::string payload;
  if (code != CloseCode::NoStatus && code != CloseCode::Abnormal) {
    const auto number = static_cast<uint16_t>(code);
    payload += static_cast<char>(number >> 8);
    payload += static_cast<char>(number & 0xff);
    size_t size = std::min(reason.size(), kControlPayloadMax - 2);
    // A reason must be UTF-8: it is cut between two characters.
    while (size < reason.size() && size > 0 && (static_cast<uint8_t>(reason[size]) & 0xc0) == 0x80) --size;
    payload += reason.substr(0, size);
  }
  append_frame(to, Opcode::Close, payload);
}

FrameReader::Found FrameReader::fail(CloseCode code, const char* error) {
  close_code_ = code;
  error_ = error;
  return Found::Error;
}

// True when the header is whole.
bool FrameReader::take_header(std::string_view& bytes) {
  for (;;) {
    size_t need = 2;
    if (header_bytes_ >= 2) {
      const uint8_t length = header_[1] & 0x7f;
      need += length == 126 ? 2 : length == 127 ? 8 : 0;
      need += (header_[1] & 0x80) != 0 ? 4 : 0;
    }
    if (header_bytes_ == need) return true;
    const size_t part = std::min(need - header_bytes_, bytes.size());
    if (part == 0) return false;
    std::memcpy(header_.data() + header_bytes_, bytes.data(), part);
    header_bytes_ = static_cast<uint8_t>(header_bytes_ + part);
    bytes.remove_prefix(part);
  }
}

// Judges a whole header, and makes ready for its payload. Returns Nothing when the frame is allowed.
FrameReader::Found FrameReader::on_header() {
  const unsigned opcode = header_[0] & 0x0f;
  const bool is_deflated = (header_[0] & kDeflatedBit) != 0;
  if ((header_[0] & 0x30) != 0 || (is_deflated && (!inflates_ || opcode == 0 || opcode > 2))) {
    return fail(CloseCode::ProtocolError, "reserved bits are set");
  }
  if (opcode > 10 || (opcode > 2 && opcode < 8)) return fail(CloseCode::ProtocolError, "unknown opcode");
  if ((header_[1] & 0x80) == 0) return fail(CloseCode::ProtocolError, "a client's frames are masked");
  opcode_ = static_cast<Opcode>(opcode);
  fin_ = (header_[0] & 0x80) != 0;

  left_ = header_[1] & 0x7f;
  size_t at = 2;
  if (left_ >= 126) {
    const size_t length_bytes = left_ == 126 ? 2 : 8;
    left_ = 0;
    for (size_t i = 0; i < length_bytes; ++i) left_ = left_ << 8 | header_[at++];
  }
  std::copy_n(header_.begin() + static_cast<ptrdiff_t>(at), 4, key_.begin());
  key_at_ = 0;

  if (is_control(opcode_)) {
    if (!fin_ || left_ > kControlPayloadMax) {
      return fail(CloseCode::ProtocolError, "control frames are short and not in pieces");
    }
    control_bytes_ = 0;
  } else {
    if ((opcode_ == Opcode::Continuation) != in_message_) {
      return fail(CloseCode::ProtocolError, in_message_ ? "a message within a message" : "nothing to continue");
    }
    if (left_ > message_bytes_max_ - message_.size()) return fail(CloseCode::TooLarge, "message too large");
    if (!in_message_) {
      kind_ = opcode_ == Opcode::Text ? MessageKind::Text : MessageKind::Binary;
      is_deflated_ = is_deflated;
    }
    in_message_ = true;
    const size_t whole = message_.size() + left_;
    if (whole <= kMessageKeepMax && !drops_) message_.reserve(whole + kBodyPaddingBytes);
  }
  in_payload_ = true;
  return Found::Nothing;
}

FrameReader::Found FrameReader::on_close_payload() {
  close_code_ = CloseCode::NoStatus;
  if (control_bytes_ == 0) return Found::Close;
  if (control_bytes_ == 1) return fail(CloseCode::ProtocolError, "half a close code");
  const auto code = static_cast<uint16_t>(static_cast<uint8_t>(control_[0]) << 8 | static_cast<uint8_t>(control_[1]));
  if (!may_be_received(code)) return fail(CloseCode::ProtocolError, "no such close code");
  if (!db::is_utf8(control().substr(2))) return fail(CloseCode::InvalidData, "the reason is not UTF-8");
  close_code_ = static_cast<CloseCode>(code);
  return Found::Close;
}

// Returns Nothing when the frame was not the last one of its message, or the message is dropped.
FrameReader::Found FrameReader::on_frame_end() {
  in_payload_ = false;
  header_bytes_ = 0;
  switch (opcode_) {
    case Opcode::Ping:
      return Found::Ping;
    case Opcode::Pong:
      return Found::Pong;
    case Opcode::Close:
      return on_close_payload();
    case Opcode::Continuation:
    case Opcode::Text:
    case Opcode::Binary:
      break;
  }
  if (!fin_) return Found::Nothing;
  in_message_ = false;
  if (drops_) return Found::Nothing;
  if (!is_deflated_) return on_message();
  inflating_ = std::make_unique<MessageInflater>(std::exchange(message_, {}), message_bytes_max_,
                                                 may_hold_ ? &may_hold_ : nullptr);
  return inflate_more();
}

// One step. Which error it is decides what the client is told: too large is its fault, no room is ours (try again
// later).
FrameReader::Found FrameReader::inflate_more() {
  const db::Result<bool> whole = inflating_->step();
  if (!whole.ok()) {
    inflating_.reset();
    const db::ErrorCode code = whole.error().code;
    if (code == db::ErrorCode::Unavailable) return fail(CloseCode::TryAgainLater, "no room for the message");
    return code == db::ErrorCode::TooLarge ? fail(CloseCode::TooLarge, "message too large")
                                           : fail(CloseCode::InvalidData, "not compressed as agreed");
  }
  if (!whole.value()) return Found::More;
  message_ = inflating_->take();
  inflating_.reset();
  return on_message();
}

FrameReader::Found FrameReader::on_message() {
  if (kind_ == MessageKind::Text && !db::is_utf8(message_)) return fail(CloseCode::InvalidData, "text is not UTF-8");
  return Found::Message;
}

// An empty payload passes through the loop once with `part` 0, so that on_frame_end() sees every frame.
FrameReader::Found FrameReader::next(std::string_view& bytes) {
  if (inflating_ != nullptr) return inflate_more();
  for (;;) {
    if (!in_payload_) {
      if (!take_header(bytes)) return Found::Nothing;
      if (const Found found = on_header(); found != Found::Nothing) return found;
    }
    const size_t part = std::min<uint64_t>(left_, bytes.size());
    char* to = nullptr;
    if (is_control(opcode_)) {
      to = control_.data() + control_bytes_;
      std::memcpy(to, bytes.data(), part);
      control_bytes_ = static_cast<uint8_t>(control_bytes_ + part);
    } else if (!drops_) {
      const size_t before = message_.size();
      message_.append(bytes.substr(0, part));
      to = message_.data() + before;
    }
    if (to != nullptr) unmask(to, part, key_, key_at_);
    bytes.remove_prefix(part);
    left_ -= part;
    if (left_ > 0) return Found::Nothing;
    if (const Found found = on_frame_end(); found != Found::Nothing) return found;
  }
}

std::string FrameReader::take_message() {
  message_.reserve(message_.size() + kBodyPaddingBytes);
  return std::exchange(message_, {});
}

}  // namespace hearth::net::http
