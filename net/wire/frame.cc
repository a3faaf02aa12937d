// Messages in frames of at most 16,384 UTF-16 units, as the SDKs cut them, and together again.
//
// A message of several pieces begins with a frame that holds only their number. Between two messages any frame of up
// to six digits is taken for that, which is safe, because a message is an object and begins with a bracket. "0" is
// the client's keepalive: it announces no pieces.
//
// What is larger than allowed is not kept, but its ends are: from there request_number() (message.cc) finds the
// number, so that the request can be refused by it. The reader goes on with the next message.
#include "net/wire/frame.h"

#include <algorithm>
#include <utility>

#include "net/websocket/deflate.h"
#include "net/websocket/frame.h"

namespace hearth::net::wire {

namespace {

// The number in a header frame.
std::optional<uint32_t> header_of(std::string_view frame) {
  if (frame.empty() || frame.size() > 6) return std::nullopt;
  uint32_t number = 0;
  for (const char c : frame) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<uint32_t>(c - '0');
  }
  return number;
}

// Bytes of the longest prefix of `text` that is whole characters and at most kPieceUnitsMax UTF-16 units.
// Four bytes of UTF-8 are two units of UTF-16; everything else is one.
size_t piece_bytes(std::string_view text) {
  size_t units = 0;
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    units += bytes == 4 ? 2 : 1;
    if (units > kPieceUnitsMax) break;
    at += bytes;
  }
  return std::min(at, text.size());
}

std::string last_bytes(const std::string& text) {
  return text.size() > kDroppedEndBytes ? text.substr(text.size() - kDroppedEndBytes) : text;
}

}  // namespace

std::optional<MessageReader::Message> MessageReader::on_frame(std::string&& frame) {
  if (begun_ == nullptr) {
    const auto pieces = header_of(frame);
    if (pieces && *pieces == 0) return std::nullopt;  // the client is there
    if (pieces) {
      begun_.reset(new Begun{.announced = *pieces});
      return std::nullopt;
    }
    Begun whole{.announced = 1};
    add(whole, std::move(frame));
    return take(whole);
  }
  begun_->all_full = begun_->all_full && frame.size() == kPieceUnitsMax;
  ++begun_->arrived;
  add(*begun_, std::move(frame));
  // The C++ SDK announces one piece more than it sends when the length is an exact multiple of a piece's. No object is
  // a proper prefix of another, so a whole one is the message. SDK: connection/connection.cc.
  const bool is_one_short = begun_->arrived + 1 == begun_->announced && begun_->all_full &&
                            begun_->total_bytes <= message_bytes_max_ && is_whole_object(begun_->text);
  if (begun_->arrived < begun_->announced && !is_one_short) return std::nullopt;
  const auto begun = std::exchange(begun_, nullptr);  // most sockets are between messages, and hold nothing then
  return take(*begun);
}

void MessageReader::add(Begun& to, std::string&& piece) const {
  to.total_bytes += piece.size();
  if (to.total_bytes <= message_bytes_max_) {
    if (to.text.empty()) {
      to.text = std::move(piece);
    } else {
      to.text += piece;
    }
    return;
  }
  // From here on nobody will read the middle: both ends are kept, to tell which request it was.
  if (to.total_bytes - piece.size() <= message_bytes_max_) {
    to.tail = last_bytes(to.text);
    to.text += std::string_view(piece).substr(0, kDroppedEndBytes);
    to.text.resize(std::min(to.text.size(), kDroppedEndBytes));
    to.text.shrink_to_fit();
  }
  to.tail += last_bytes(piece);
  to.tail = last_bytes(to.tail);
}

void MessageReader::Message::drop_middle() {
  tail = last_bytes(text);
  text.resize(std::min(text.size(), kDroppedEndBytes));
  text.shrink_to_fit();
}

MessageReader::Message MessageReader::take(Begun& begun) const {
  return {.text = std::move(begun.text),
          .too_large = begun.total_bytes > message_bytes_max_,
          .tail = std::move(begun.tail)};
}

Pieces split_message(std::string_view message) {
  Pieces split;
  // UTF-8 never has fewer bytes than UTF-16 has units.
  if (message.size() <= kPieceUnitsMax) {
    split.pieces.push_back(message);
    return split;
  }
  while (!message.empty()) {
    const size_t bytes = piece_bytes(message);
    split.pieces.push_back(message.substr(0, bytes));
    message.remove_prefix(bytes);
  }
  if (split.pieces.size() > 1) split.header = std::to_string(split.pieces.size());
  return split;
}

std::string frame_message(std::string_view message, Packed packed) {
  const Pieces split = split_message(message);
  std::string bytes;
  if (packed == Packed::No) bytes.reserve(message.size() + 10 * (split.pieces.size() + 1));
  if (!split.header.empty()) bytes += http::frame_text(split.header);
  for (const std::string_view piece : split.pieces) {
    bytes += packed == Packed::Yes ? http::deflated_frame_text(piece) : http::frame_text(piece);
  }
  return bytes;
}

bool is_whole_object(std::string_view text) {
  const size_t last = text.find_last_not_of(" \t\r\n");
  if (text.empty() || text.front() != '{' || text[last] != '}') return false;
  size_t depth = 0;
  bool quoted = false;
  for (size_t at = 0; at <= last; ++at) {
    const char c = text[at];
    if (quoted) {
      if (c == '\\') ++at;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (--depth == 0) return at == last;
    }
  }
  return false;
}

}  // namespace hearth::net::wire
