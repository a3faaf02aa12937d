#include "net/http/request_reader.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hearth::net::http {
namespace {

constexpr size_t kMethodBytesMax = 32;
constexpr size_t kVersionBytes = 8;  // "HTTP/1.1"
constexpr size_t kChunkLineBytesMax = 256;
constexpr size_t kReserveBytesMax = 1u << 20;  // for a body that has only been announced
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> is{};
  for (char c = '0'; c <= '9'; ++c) is[static_cast<uint8_t>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) is[static_cast<uint8_t>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) is[static_cast<uint8_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) is[static_cast<uint8_t>(c)] = true;
  return is;
}();

bool is_token(std::string_view text) {
  const auto may_be = [](char c) { return kTokenChars[static_cast<uint8_t>(c)]; };
  return !text.empty() && std::all_of(text.begin(), text.end(), may_be);
}

bool is_control(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<uint64_t> parse_number(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

}  // namespace

RequestReader::Found RequestReader::next(std::string_view& bytes) {
  if (error_status_ != 0) return Found::Error;
  return state_ == State::Head ? take_head(bytes) : take_body(bytes);
}

// --- the head ---

RequestReader::Found RequestReader::take_head(std::string_view& bytes) {
  if (head_.empty()) {
    // RFC 9112 §2.2: empty lines before a request are nothing.
    bytes.remove_prefix(std::min(bytes.find_first_not_of(kLineEnd), bytes.size()));
    if (bytes.empty()) return Found::Nothing;
  }
  // Most heads come whole, and are parsed where they lie.
  std::string_view all = bytes;
  const size_t had = head_.size();
  if (had > 0) {
    head_.append(bytes.substr(0, limits_.head_bytes_max + 1 - had));
    all = head_;
  }
  const size_t look_from = had < kHeadEnd.size() ? 0 : had - kHeadEnd.size();
  const size_t end = all.substr(0, limits_.head_bytes_max).find(kHeadEnd, look_from);
  if (end != std::string_view::npos) {
    const size_t size = end + kHeadEnd.size();
    bytes.remove_prefix(size - had);
    if (!parse_head(all.substr(0, size - kLineEnd.size()))) return Found::Error;
    std::string().swap(head_);
    state_ = State::BodyStart;
    return Found::Head;
  }
  const size_t first_line_max = kMethodBytesMax + 1 + limits_.target_bytes_max + 1 + kVersionBytes + kLineEnd.size();
  if (all.size() > first_line_max && all.substr(0, first_line_max).find('\n') == std::string_view::npos) {
    return fail(414, "The URL is too long.");
  }
  if (all.size() > limits_.head_bytes_max) return fail(431, "The header fields are too large.");
  if (had == 0) head_ = bytes;
  bytes = {};
  return Found::Nothing;
}

// `head` ends with the end of its last line.
bool RequestReader::parse_head(std::string_view head) {
  constexpr size_t kUsualFields = 16;
  request_.headers.reserve(kUsualFields);
  for (bool is_first = true; !head.empty(); is_first = false) {
    const size_t end = head.find(kLineEnd);
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + kLineEnd.size());
    if (is_first ? !parse_request_line(line) : !parse_field(line)) return false;
  }
  return check_fields();
}

bool RequestReader::parse_request_line(std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) return refuse(400, "This is no HTTP request.");
  const std::string_view method = line.substr(0, method_end);
  const std::string_view version = line.substr(target_end + 1);
  if (!is_token(method) || method.size() > kMethodBytesMax) return refuse(400, "This is no HTTP request.");
  if (version.size() != kVersionBytes || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
      !is_digit(version[7])) {
    return refuse(400, "This is no HTTP request.");
  }
  is_http_1_0_ = version == "HTTP/1.0";
  if (!is_http_1_0_ && version != "HTTP/1.1") return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");

  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (target.size() > limits_.target_bytes_max) return refuse(414, "The URL is too long.");
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {  // as to a proxy (RFC 9112 §3.2.2)
    const size_t path = target.find('/', kScheme.size());
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  const bool has_control = std::any_of(target.begin(), target.end(), is_control);
  if (has_control || (!target.starts_with('/') && target != "*")) return refuse(400, "The URL is not valid.");
  request_.method = method;
  request_.target = target;
  return true;
}

bool RequestReader::parse_field(std::string_view line) {
  if (request_.headers.size() == limits_.header_fields_max) return refuse(431, "There are too many header fields.");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return refuse(400, "The header fields are not valid HTTP.");  // also a blank before the colon, and a folded line
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), [](char c) { return is_control(c) && c != '\t'; })) {
    return refuse(400, "The header fields are not valid HTTP.");
  }
  request_.headers.emplace_back(line.substr(0, colon), value);
  return true;
}

bool RequestReader::check_fields() {
  size_t hosts = 0;
  for (const auto& [name, value] : request_.headers) {
    if (equals_ignoring_case(name, "host")) ++hosts;
    if (!equals_ignoring_case(name, "expect")) continue;
    if (!equals_ignoring_case(value, "100-continue")) return refuse(417, "Only 100-continue can be expected.");
    expects_continue_ = !is_http_1_0_;
  }
  if (hosts > 1 || (hosts == 0 && !is_http_1_0_)) return refuse(400, "A request of HTTP/1.1 names its host, once.");
  keep_alive_ = !header_has_token(request_.headers, "connection", "close") &&
                (!is_http_1_0_ || header_has_token(request_.headers, "connection", "keep-alive"));
  return check_length();
}

// Where the request ends. Whatever a proxy before us might understand otherwise is refused.
bool RequestReader::check_length() {
  for (const auto& [name, value] : request_.headers) {
    if (equals_ignoring_case(name, "content-length")) {
      const bool is_plain = std::all_of(value.begin(), value.end(), is_digit);
      const auto length = is_plain ? parse_number(value, 10) : std::nullopt;
      if (!length || (content_length_ && *content_length_ != *length)) {
        return refuse(400, "The Content-Length is not valid.");
      }
      content_length_ = length;
    } else if (equals_ignoring_case(name, "transfer-encoding")) {
      if (is_chunked_ || is_http_1_0_) return refuse(400, "The Transfer-Encoding is not valid.");
      if (!equals_ignoring_case(value, "chunked"))
        return refuse(501, "The only transfer coding known here is chunked.");
      is_chunked_ = true;
    }
  }
  if (is_chunked_ && content_length_) return refuse(400, "The body's length is told in two ways.");
  if (content_length_.value_or(0) > limits_.body_bytes_max) return refuse(413, "Payload is too large");
  expects_continue_ = expects_continue_ && (is_chunked_ || content_length_.value_or(0) > 0);
  return true;
}

// --- the body ---

RequestReader::Found RequestReader::take_body(std::string_view& bytes) {
  for (;;) {
    switch (state_) {
      case State::Head:
        return Found::Nothing;
      case State::BodyStart:
        left_ = content_length_.value_or(0);
        if (!is_chunked_ && left_ == 0) return on_request_end();
        state_ = is_chunked_ ? State::ChunkSize : State::Body;
        break;
      case State::Body:
        if (!take_payload(bytes)) return Found::Nothing;
        return on_request_end();
      case State::ChunkSize: {
        const auto line = take_line(bytes, kChunkLineBytesMax);
        if (!line) return error_status_ == 0 ? Found::Nothing : Found::Error;
        if (const Found found = parse_chunk_size(*line); found != Found::Nothing) return found;
        break;
      }
      case State::Chunk:
        if (!take_payload(bytes)) return Found::Nothing;
        state_ = State::ChunkEnd;
        break;
      case State::ChunkEnd:
        if (!take_line(bytes, 0)) return error_status_ == 0 ? Found::Nothing : Found::Error;
        state_ = State::ChunkSize;
        break;
      case State::Trailer: {
        const auto line = take_line(bytes, limits_.head_bytes_max - trailer_bytes_);
        if (!line) return error_status_ == 0 ? Found::Nothing : Found::Error;
        if (line->empty()) return on_request_end();
        trailer_bytes_ += line->size();
        break;
      }
    }
  }
}

// True when the body, or the chunk, is whole.
bool RequestReader::take_payload(std::string_view& bytes) {
  const size_t count = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  std::string& body = request_.body;
  if (content_length_ && body.capacity() < *content_length_ + kBodyPaddingBytes) {
    // Who has sent a megabyte means the rest too.
    const bool is_earnest = body.size() + count > kReserveBytesMax;
    const uint64_t room = is_earnest ? *content_length_ : std::min<uint64_t>(*content_length_, kReserveBytesMax);
    body.reserve(static_cast<size_t>(room) + kBodyPaddingBytes);
  }
  body.append(bytes.substr(0, count));
  bytes.remove_prefix(count);
  left_ -= count;
  return left_ == 0;
}

RequestReader::Found RequestReader::parse_chunk_size(std::string_view line) {
  const auto size = parse_number(trim(line.substr(0, line.find(';'))), 16);  // what follows is of no use to anyone
  if (!size) return fail(400, "The body is not valid HTTP.");
  if (*size > limits_.body_bytes_max - request_.body.size()) return fail(413, "Payload is too large");
  left_ = *size;
  state_ = left_ == 0 ? State::Trailer : State::Chunk;
  return Found::Nothing;
}

std::optional<std::string_view> RequestReader::take_line(std::string_view& bytes, size_t bytes_max) {
  if (line_.ends_with('\n')) line_.clear();  // the one before
  const size_t newline = bytes.find('\n');
  const size_t count = newline == std::string_view::npos ? bytes.size() : newline + 1;
  const bool is_too_long = line_.size() + count > bytes_max + kLineEnd.size();
  line_.append(bytes.substr(0, is_too_long ? 0 : count));
  bytes.remove_prefix(count);
  if (is_too_long || (newline != std::string_view::npos && !line_.ends_with(kLineEnd))) {
    refuse(400, "The body is not valid HTTP.");
    return {};
  }
  if (newline == std::string_view::npos) return {};
  return std::string_view(line_).substr(0, line_.size() - kLineEnd.size());
}

RequestReader::Found RequestReader::on_request_end() {
  std::string& body = request_.body;
  if (!body.empty() && body.capacity() < body.size() + kBodyPaddingBytes) {
    body.reserve(body.size() + kBodyPaddingBytes);
  }
  return Found::Request;
}

bool RequestReader::refuse(int status, const char* error) {
  error_status_ = status;
  error_ = error;
  return false;
}

RequestReader::Found RequestReader::fail(int status, const char* error) {
  refuse(status, error);
  return Found::Error;
}

}  // namespace hearth::net::http
