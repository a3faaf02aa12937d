// gzip and deflate bodies, by zlib. Runs on workers: a large body takes long.
//
// Inflating trusts nothing. The room grows with what comes out, so a small lie about a large body costs nothing;
// bytes_max is checked after each piece; MayHold is asked before the string grows, for the capacity that std::string
// will really take (it doubles). "deflate" means zlib's format in the RFC and raw deflate to some clients: both are
// tried. Several gzip members in a row are one body (RFC 1952 §2.2). A body that is cut off is an error, not a
// shorter body.
#include "net/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <new>

#include "db/base/invariant.h"
#include "net/http/request.h"
#include "net/io/field_value.h"

namespace hearth::net::http {
namespace {

constexpr int kGzipWindow = 15 + 16;  // a gzip head and trailer
constexpr int kAnyWindow = 15 + 32;   // gzip or zlib, whichever comes
constexpr int kRawWindow = -15;       // what some send for "deflate"
constexpr int kGzipLevel = 4;
constexpr size_t kGzipPieceBytes = 64u << 10;

// "q=0" refuses a coding (RFC 9110 §12.4.2); any other weight allows it.
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view parameter = take_item(parameters, ';');
    if (!equals_ignoring_case(take_item(parameter, '='), "q")) continue;
    double q = 1;
    std::from_chars(parameter.data(), parameter.data() + parameter.size(), q);
    return q <= 0;
  }
  return false;
}

struct Inflater {
  explicit Inflater(int window) {
    if (inflateInit2(&stream, window) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};
};

enum class Outcome { Whole, Broken, TooLarge, NoRoom };

// `to` may grow to one byte beyond bytes_max, which is how a body that is too large is told from one that just fits.
Outcome inflate_all(std::string_view bytes, int window, size_t bytes_max, const MayHold& may_hold, std::string& to) {
  Inflater inflater(window);
  z_stream& stream = inflater.stream;
  to.clear();
  // Room is made as it is needed, so that a small lie about a large body costs nothing.
  size_t room = std::max<size_t>(bytes.size() * 4, kGzipPieceBytes);
  for (;;) {
    const size_t piece = std::min<size_t>(bytes.size(), std::numeric_limits<unsigned>::max());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<unsigned>(piece);
    const size_t before = to.size();
    if (before > bytes_max) return Outcome::TooLarge;
    const size_t wanted = before + std::min(room, bytes_max + 1 - before);
    if (may_hold && wanted > to.capacity() && !may_hold(std::max(wanted, 2 * to.capacity()))) return Outcome::NoRoom;
    to.resize(wanted);
    stream.next_out = reinterpret_cast<Bytef*>(to.data() + before);
    stream.avail_out = static_cast<unsigned>(to.size() - before);
    const int state = inflate(&stream, Z_NO_FLUSH);
    to.resize(to.size() - stream.avail_out);
    const size_t taken = piece - stream.avail_in;
    bytes.remove_prefix(taken);
    if (to.size() > bytes_max) return Outcome::TooLarge;
    if (state == Z_STREAM_END) {
      if (bytes.empty()) return Outcome::Whole;
      if (window != kAnyWindow || inflateReset(&stream) != Z_OK) return Outcome::Broken;  // gzip members may follow
      continue;
    }
    if (state != Z_OK || (taken == 0 && to.size() == before)) return Outcome::Broken;
    room = std::max(room, to.size());
  }
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    std::string_view parameters = take_item(accept_encoding, ',');
    const std::string_view coding = take_item(parameters, ';');
    if (equals_ignoring_case(coding, "gzip") || equals_ignoring_case(coding, "x-gzip")) return !is_refused(parameters);
    if (coding == "*") any = !is_refused(parameters);
  }
  return any;
}

db::Result<std::string> inflate_body(std::string_view body, std::string_view encoding, size_t bytes_max,
                                     const MayHold& may_hold) {
  encoding = trimmed(encoding);
  const bool is_gzip = equals_ignoring_case(encoding, "gzip") || equals_ignoring_case(encoding, "x-gzip");
  const bool is_deflate = equals_ignoring_case(encoding, "deflate");
  if (!is_gzip && !is_deflate) {
    return db::Error{db::ErrorCode::Unsupported, "Content-Encoding may be gzip or deflate."};
  }
  std::string text;
  Outcome outcome = inflate_all(body, kAnyWindow, bytes_max, may_hold, text);
  if (outcome == Outcome::Broken && is_deflate) outcome = inflate_all(body, kRawWindow, bytes_max, may_hold, text);
  switch (outcome) {
    case Outcome::Whole:
      text.reserve(text.size() + kBodyPaddingBytes);
      return text;
    case Outcome::NoRoom:
      return db::Error{db::ErrorCode::Unavailable, "no room"};
    case Outcome::TooLarge:
      return db::Error{db::ErrorCode::TooLarge, "Payload is too large"};
    case Outcome::Broken:
      break;
  }
  return db::Error{db::ErrorCode::InvalidData, "The body is not what its Content-Encoding says."};
}

struct GzipWriter::State {
  z_stream stream{};
};

GzipWriter::GzipWriter() : state_(std::make_unique<State>()) {
  if (deflateInit2(&state_->stream, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

GzipWriter::~GzipWriter() { deflateEnd(&state_->stream); }

// zlib has written all it can when it leaves room in the piece; a full piece means that there may be more.
void GzipWriter::add(std::string_view bytes, End end, std::string& to) {
  z_stream& stream = state_->stream;
  bool is_last = false;
  while (!is_last) {
    const size_t piece = std::min<size_t>(bytes.size(), std::numeric_limits<unsigned>::max());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<unsigned>(piece);
    bytes.remove_prefix(piece);
    is_last = bytes.empty();
    do {
      const size_t before = to.size();
      to.resize(before + kGzipPieceBytes);
      stream.next_out = reinterpret_cast<Bytef*>(to.data() + before);
      stream.avail_out = kGzipPieceBytes;
      const int state = deflate(&stream, is_last && end == End::Yes ? Z_FINISH : Z_NO_FLUSH);
      db::invariant(state != Z_STREAM_ERROR, "a gzip stream is added to until its end, and not beyond");
      to.resize(before + kGzipPieceBytes - stream.avail_out);
    } while (stream.avail_out == 0);
  }
}

}  // namespace hearth::net::http
