// permessage-deflate (RFC 7692), each message by itself.
//
//   out:  payload ─ deflate, sync flush ─▶ blocks 00 00 ff ff          the tail is cut off (§7.2.1)
//   in:   blocks ─ step ─ step ─ step ─▶ text;   then 00 00 ff ff is fed in again, so that zlib gives up its last bytes
//                256 kB each
//
// The extension would allow both sides to keep their window from message to message, for better compression. That
// costs 300 kB for each connection and makes frames unshareable: an event that goes to 1,000 listeners would be
// compressed 1,000 times. So the answer says no_context_takeover for both sides; a deflater and a spare inflater for
// each thread do for all. It also means that the length of one message tells nothing about another, which is what
// attacks like CRIME measure.
//
// A step counts what it takes as well as what comes out. Deflate has blocks that say nothing: a payload of 16 MB of
// them would keep a step that counted only its output busy to the end. MayHold is asked before the buffer grows, for
// what the growing string will really take: a std::string doubles.
#include "net/websocket/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <set>

#include "db/base/step.h"
#include "net/io/field_value.h"
#include "net/websocket/frame.h"

namespace hearth::net::http {
namespace {

constexpr int kDeflateWindow = -15;
constexpr int kDeflateLevel = 1;  // on the threads that send
constexpr size_t kDeflatePieceBytes = 16u << 10;
constexpr std::string_view kTail("\0\0\xff\xff", 4);  // of every message, and left out of it (RFC 7692 §7.2.1)

// RFC 7692 §7.1: a parameter that is unknown, is there twice or has a value that it cannot have makes us decline the
// offer.
bool can_be_met(std::string_view offer) {
  if (!equals_ignoring_case(take_item(offer, ';'), "permessage-deflate")) return false;
  std::set<std::string> seen;
  while (!trimmed(offer).empty()) {
    std::string_view parameter = take_item(offer, ';');
    const bool has_value = parameter.find('=') != std::string_view::npos;
    const std::string name(take_item(parameter, '='));
    if (!seen.insert(name).second) return false;
    if (name == "server_no_context_takeover" || name == "client_no_context_takeover") {
      if (has_value) return false;
      continue;
    }
    if (name != "client_max_window_bits" && name != "server_max_window_bits") return false;
    if (!has_value && name == "client_max_window_bits") continue;
    if (parameter.size() >= 2 && parameter.front() == '"' && parameter.back() == '"') {
      parameter = parameter.substr(1, parameter.size() - 2);
    }
    int bits = 0;
    const auto read = std::from_chars(parameter.data(), parameter.data() + parameter.size(), bits);
    if (read.ec != std::errc() || read.ptr != parameter.data() + parameter.size() || bits < 8 || bits > 15)
      return false;
    // All clients get the same frames, made with the largest window. One that asks for a smaller window cannot have
    // them.
    if (name == "server_max_window_bits" && bits < 15) return false;
  }
  return true;
}

struct Deflater {
  Deflater() {
    if (deflateInit2(&stream, kDeflateLevel, Z_DEFLATED, kDeflateWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      throw std::bad_alloc();
  }
  ~Deflater() { deflateEnd(&stream); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  z_stream stream{};
};

Bytef* bytes_of(const char* text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text)); }

}  // namespace

bool offers_deflate(std::string_view extensions) {
  while (!extensions.empty()) {
    if (can_be_met(take_item(extensions, ','))) return true;
  }
  return false;
}

// Returns a plain frame when compressing does not make it smaller: a sender may mix both (RFC 7692 §6).
std::string deflated_frame_text(std::string_view payload) {
  if (payload.size() < kDeflateBytesMin || payload.size() > UINT32_MAX / 2) return frame_text(payload);
  thread_local Deflater deflater;  // a quarter of a megabyte, once for each thread that sends
  z_stream& stream = deflater.stream;
  deflateReset(&stream);
  std::string packed(payload.size() + 16, '\0');  // more would not be smaller
  stream.next_in = bytes_of(payload.data());
  stream.avail_in = static_cast<unsigned>(payload.size());
  stream.next_out = bytes_of(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  const int state = deflate(&stream, Z_SYNC_FLUSH);
  packed.resize(packed.size() - stream.avail_out);
  const bool is_whole = state == Z_OK && stream.avail_in == 0 && packed.ends_with(kTail);
  if (!is_whole || packed.size() - kTail.size() >= payload.size()) return frame_text(payload);
  packed.resize(packed.size() - kTail.size());
  std::string frame;
  frame.reserve(packed.size() + 10);
  append_frame(frame, Opcode::Text, packed);
  frame.front() = static_cast<char>(frame.front() | kDeflatedBit);
  return frame;
}

struct MessageInflater::Stream {
  Stream() {
    if (inflateInit2(&of, kDeflateWindow) != Z_OK) throw std::bad_alloc();
  }
  ~Stream() { inflateEnd(&of); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  z_stream of{};
};

// Most messages are whole after one step, so one idle stream for each thread is enough. A message that needs more
// steps keeps its stream, and a second one is made meanwhile.
std::unique_ptr<MessageInflater::Stream>& MessageInflater::spare() {
  thread_local std::unique_ptr<Stream> spare;
  return spare;
}

MessageInflater::MessageInflater(std::string payload, size_t bytes_max, const MayHold* may_hold)
    : payload_(std::move(payload)),
      bytes_max_(bytes_max),
      may_hold_(may_hold),
      rest_(payload_),
      stream_(spare() != nullptr ? std::move(spare()) : std::make_unique<Stream>()) {
  inflateReset(&stream_->of);
}

MessageInflater::~MessageInflater() { spare() = std::move(stream_); }

db::Result<bool> MessageInflater::step() {
  z_stream& stream = stream_->of;
  for (size_t done = 0; done < kInflateStepBytes;) {  // what is taken counts too: there are blocks of nothing
    const size_t before = message_.size();
    const size_t wanted = before + std::min(kDeflatePieceBytes, bytes_max_ + 1 - before);
    if (const size_t has = message_.capacity(); may_hold_ != nullptr && wanted > has) {
      if (!(*may_hold_)(std::max(wanted, 2 * has) - has)) return db::Error{db::ErrorCode::Unavailable, "no room"};
    }
    message_.resize(wanted);
    const size_t piece = std::min(rest_.size(), kDeflatePieceBytes);
    stream.next_in = bytes_of(rest_.data());
    stream.avail_in = static_cast<unsigned>(piece);
    stream.next_out = bytes_of(message_.data() + before);
    stream.avail_out = static_cast<unsigned>(message_.size() - before);
    const int state = inflate(&stream, Z_NO_FLUSH);
    message_.resize(message_.size() - stream.avail_out);
    const size_t taken = piece - stream.avail_in;
    rest_.remove_prefix(taken);
    done += taken + message_.size() - before;
    db::Step::here().count({0, taken + message_.size() - before, 0});
    if (message_.size() > bytes_max_) return db::Error{db::ErrorCode::TooLarge, "message too large"};
    if (state == Z_STREAM_END) {
      inflateReset(&stream);  // a block may say that it is the last (§7.2.3.4): what comes then is the next
    } else if (state != Z_OK && state != Z_BUF_ERROR) {
      return db::Error{db::ErrorCode::InvalidData, "not compressed as agreed"};
    }
    // zlib left room in the piece, so it has nothing more to give for the input so far.
    if (!rest_.empty() || (state != Z_STREAM_END && stream.avail_out == 0)) continue;
    if (in_tail_) return true;
    in_tail_ = true;
    rest_ = kTail;
  }
  return false;
}

std::string MessageInflater::take() {
  message_.shrink_to_fit();
  return std::move(message_);
}

}  // namespace hearth::net::http
