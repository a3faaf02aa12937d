#include "net/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace hearth::net::http {
namespace {
constexpr int kGzipWindow = 15 + 16;   // a gzip head and trailer
constexpr int kAnyWindow = 15 + 32;    // gzip or zlib, whichever comes
constexpr size_t kPiece = 64 << 10;
}  // namespace

struct Gzip::State {
  z_stream stream{};
};

Gzip::Gzip() : state_(std::make_unique<State>()) {
  deflateInit2(&state_->stream, 4, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
}
Gzip::~Gzip() { deflateEnd(&state_->stream); }

void Gzip::deflate_all(std::string_view bytes, int flush, std::string& to) {
  z_stream& stream = state_->stream;
  do {
    const size_t piece = std::min<size_t>(bytes.size(), std::numeric_limits<unsigned>::max());
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<unsigned>(piece);
    bytes.remove_prefix(piece);
    do {
      const size_t before = to.size();
      to.resize(before + kPiece);
      stream.next_out = reinterpret_cast<Bytef*>(to.data() + before);
      stream.avail_out = kPiece;
      deflate(&stream, bytes.empty() ? flush : Z_NO_FLUSH);
      to.resize(before + kPiece - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (!bytes.empty());
}

void Gzip::add(std::string_view bytes, std::string& to) { deflate_all(bytes, Z_NO_FLUSH, to); }
void Gzip::finish(std::string& to) { deflate_all({}, Z_FINISH, to); }

std::string gzipped(std::string_view bytes) {
  std::string out;
  Gzip gzip;
  gzip.add(bytes, out);
  gzip.finish(out);
  return out;
}

db::Result<std::string> gunzipped(std::string_view bytes, size_t bytes_max) {
  z_stream stream{};
  inflateInit2(&stream, kAnyWindow);
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<unsigned>(std::min<size_t>(bytes.size(), std::numeric_limits<unsigned>::max()));
  int state = Z_OK;
  while (state == Z_OK && out.size() <= bytes_max) {
    const size_t before = out.size();
    out.resize(before + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = kPiece;
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + kPiece - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > bytes_max) return db::Error{db::ErrorCode::TooLarge, "Payload is too large"};
  if (state != Z_STREAM_END) return db::Error{db::ErrorCode::InvalidData, "The body is not what its Content-Encoding says: broken gzip data."};
  return out;
}

}  // namespace hearth::net::http
