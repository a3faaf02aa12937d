// The other side is a node of the same cluster, so what it says is well formed or the connection is given up.
#include "net/peer/relay_answer.h"

#include <algorithm>
#include <charconv>

namespace hearth::net::peer {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr uint64_t kChunkBytesMax = 1ull << 40;

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

RelayAnswer::Found RelayAnswer::next(std::string_view& bytes) {
  piece_ = {};
  if (!has_head_) {
    bool is_broken = false;
    if (!take_head(bytes, is_broken)) return is_broken ? Found::Broken : Found::Nothing;
    if (!parse()) return Found::Broken;
    has_head_ = true;
    is_whole_ = body_ == Body::None || (body_ == Body::Length && left_ == 0);
    return Found::Head;
  }
  if (is_whole_) return Found::Whole;
  if (bytes.empty()) return Found::Nothing;
  switch (body_) {
    case Body::None:
      return Found::Whole;
    case Body::Length: {
      const auto size = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      piece_ = bytes.substr(0, size);
      bytes.remove_prefix(size);
      left_ -= size;
      is_whole_ = left_ == 0;
      return Found::Body;
    }
    case Body::Chunked:
      return take_chunks(bytes);
    case Body::UntilEnd:
      piece_ = std::exchange(bytes, {});
      return Found::Body;
  }
  return Found::Broken;
}

// An interim answer (100, 103) is left out: what counts comes behind it.
bool RelayAnswer::take_head(std::string_view& bytes, bool& is_broken) {
  for (;;) {
    const size_t before = head_.size();
    const size_t from = before < kHeadEnd.size() ? 0 : before - kHeadEnd.size() + 1;
    head_ += bytes.substr(0, std::min(bytes.size(), kAnswerHeadBytesMax + 1 - std::min(before, kAnswerHeadBytesMax)));
    const size_t end = head_.find(kHeadEnd, from);
    if (end == std::string::npos) {
      bytes = {};
      is_broken = head_.size() > kAnswerHeadBytesMax;
      return false;
    }
    bytes.remove_prefix(end + kHeadEnd.size() - before);
    head_.resize(end + kHeadEnd.size());
    const bool is_interim = head_.starts_with("HTTP/1.1 1") && !head_.starts_with("HTTP/1.1 101");
    if (!is_interim) return true;
    head_.clear();
  }
}

bool RelayAnswer::parse() {
  std::string_view rest = head_;
  const size_t line_end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, line_end);
  if (!line.starts_with("HTTP/1.") || line.size() < 12) return false;
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, status_);
  if (error != std::errc() || end != line.data() + 12 || status_ < 100) return false;
  rest.remove_prefix(line_end + 2);
  while (!rest.starts_with("\r\n")) {
    const size_t stop = rest.find("\r\n");
    const std::string_view field = rest.substr(0, stop);
    const size_t colon = field.find(':');
    if (colon == 0 || colon == std::string_view::npos) return false;
    headers_.emplace_back(field.substr(0, colon), http::trimmed(field.substr(colon + 1)));
    rest.remove_prefix(stop + 2);
  }
  keeps_alive_ = !http::header_has_token(headers_, "Connection", "close");
  if (is_head_ || status_ == 204 || status_ == 304 || status_ == 101) return true;
  if (http::header_has_token(headers_, "Transfer-Encoding", "chunked")) {
    body_ = Body::Chunked;
    return true;
  }
  const auto length = http::find_header(headers_, "Content-Length");
  body_ = length ? Body::Length : Body::UntilEnd;
  if (!length) {
    keeps_alive_ = false;
    return true;
  }
  const auto parsed = std::from_chars(length->data(), length->data() + length->size(), left_);
  return parsed.ec == std::errc() && parsed.ptr == length->data() + length->size();
}

// Finds the end, and passes all of it on. The piece is as much as there is, up to the end of the body.
RelayAnswer::Found RelayAnswer::take_chunks(std::string_view& bytes) {
  size_t at = 0;
  const auto take_rest = [&] {
    piece_ = bytes.substr(0, at);
    bytes.remove_prefix(at);
    return Found::Body;
  };
  while (at < bytes.size()) {
    const char c = bytes[at];
    switch (in_) {
      case In::Size:
        if (const int digit = digit_of(c); digit >= 0) {
          size_ = size_ * 16 + static_cast<uint64_t>(digit);
          has_digits_ = true;
          if (size_ > kChunkBytesMax) return Found::Broken;
          ++at;
          break;
        }
        if (!has_digits_) return Found::Broken;
        in_ = In::Extension;
        break;
      case In::Extension:
        ++at;
        if (c != '\n') break;
        left_ = size_ + 2;
        in_ = size_ == 0 ? In::Trailer : In::Data;
        size_ = 0;
        has_digits_ = false;
        break;
      case In::Data: {
        const uint64_t size = std::min<uint64_t>(left_, bytes.size() - at);
        at += static_cast<size_t>(size);
        left_ -= size;
        if (left_ == 0) in_ = In::Size;
        break;
      }
      case In::Trailer:
        if (c != '\r' && c != '\n') {
          in_ = In::Field;
          break;
        }
        ++at;
        if (c == '\n') {
          is_whole_ = true;
          return take_rest();
        }
        break;
      case In::Field:
        ++at;
        if (c == '\n') in_ = In::Trailer;
        break;
    }
  }
  return take_rest();
}

}  // namespace hearth::net::peer
