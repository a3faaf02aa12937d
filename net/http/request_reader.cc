#include "net/http/request_reader.h"

#include <algorithm>

#include "net/http/beast.h"

namespace hearth::net::http {
namespace {

constexpr size_t kFramingBytesMax = 16u << 10;  // a chunk's size and extensions, or the trailer
constexpr size_t kReserveBytesMax = 1u << 20;   // for a body that is announced, before it comes

// A body in a string, with room behind it.
struct PaddedBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool isRequest, class Fields>
    reader(beast_http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<uint64_t>& length, SystemError& failed) {
      failed = {};
      if (length) length_ = static_cast<size_t>(*length);
      body_.reserve(std::min(length_, kReserveBytesMax) + kBodyPaddingBytes);
    }
    template <class Buffers>
    size_t put(const Buffers& buffers, SystemError& failed) {
      failed = {};
      size_t count = 0;
      for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it) {
        const asio::const_buffer buffer = *it;
        // Who has sent a megabyte means the rest too.
        if (body_.size() + buffer.size() > kReserveBytesMax) body_.reserve(length_ + kBodyPaddingBytes);
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        count += buffer.size();
      }
      return count;
    }
    void finish(SystemError& failed) { failed = {}; }

   private:
    value_type& body_;
    size_t length_ = 0;
  };
};

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

struct RequestReader::Parser {
  beast_http::request_parser<PaddedBody> beast;
};

RequestReader::RequestReader(const Limits& limits) : limits_(limits) {}
RequestReader::~RequestReader() = default;

RequestReader::Found RequestReader::fail(int status, const char* error) {
  error_status_ = status;
  error_ = error;
  return Found::Error;
}

bool RequestReader::expects_continue() const {
  const auto expect = request_.header("Expect");
  return expect && equals_ignoring_case(*expect, "100-continue") && !is_http_1_0_;
}

size_t RequestReader::body_bytes() const { return parser_ ? parser_->beast.get().body().size() : 0; }

RequestReader::Found RequestReader::next(std::string_view& bytes) {
  if (has_head_) return on_body(bytes);
  // Empty lines before a request are nothing (RFC 9112 §2.2).
  if (head_.empty()) {
    while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) bytes.remove_prefix(1);
  }
  const size_t before = head_.size();
  const size_t part = std::min(bytes.size(), limits_.head_bytes_max + 1 - before);
  head_ += bytes.substr(0, part);
  const size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  const bool is_too_long =
      end == std::string::npos ? part > 0 && head_.size() > limits_.head_bytes_max : end + 4 > limits_.head_bytes_max;
  if (end == std::string::npos || is_too_long) {
    bytes.remove_prefix(part);
    if (!is_too_long) return Found::Nothing;
    if (head_.find('\n') == std::string::npos) return fail(414, "The URL is too long.");
    return fail(431, "The header fields are too large.");
  }
  bytes.remove_prefix(end + 4 - before);
  head_.resize(end + 4);
  const Found found = on_head(head_);
  head_ = {};
  return found;
}

// The request line, without its end. False, and error() says why.
bool RequestReader::take_request_line(std::string_view line) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == 0 || target_end <= method_end) {
    fail(400, "This is no HTTP request.");
    return false;
  }
  const std::string_view version = line.substr(target_end + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool is_other = version.starts_with("HTTP/") && version.size() >= 6;
    fail(is_other ? 505 : 400, is_other ? "Only HTTP/1.1 and HTTP/1.0 are spoken here." : "This is no HTTP request.");
    return false;
  }
  std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (target.size() > limits_.target_bytes_max) {
    fail(414, "The URL is too long.");
    return false;
  }
  // As to a proxy: http://host/path (RFC 9112 §3.2.2).
  if (target.starts_with("http://")) {
    const size_t path = target.find_first_of("/?", 7);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (has_control_characters(line) || (!target.starts_with('/') && target != "*")) {
    fail(400, "The URL is not valid.");
    return false;
  }
  request_.method = line.substr(0, method_end);
  request_.target = target;
  return true;
}

RequestReader::Found RequestReader::on_head(std::string_view head) {
  const size_t line_end = head.find("\r\n");
  if (!take_request_line(head.substr(0, line_end))) return Found::Error;

  // A field that goes on in the next line: nobody sends it, and not everybody reads it alike (RFC 9112 §5.2).
  if (head.find("\r\n ") != std::string_view::npos || head.find("\r\n\t") != std::string_view::npos) {
    return fail(400, "The header fields are not valid HTTP.");
  }
  parser_ = std::make_unique<Parser>();
  auto& beast = parser_->beast;
  beast.eager(true);
  beast.header_limit(static_cast<uint32_t>(head.size() + 64));
  beast.body_limit(limits_.body_bytes_max);
  // Beast sees a target that it can take; the method is of no meaning to it, but it checks its characters.
  std::string line = request_.method + " /" + std::string(head.substr(line_end - 9, 11));
  std::string text = std::move(line) + std::string(head.substr(line_end + 2));
  SystemError failed;
  beast.put(asio::buffer(text), failed);
  if (failed == beast_http::error::body_limit) return fail(413, "Payload is too large");
  if (failed == beast_http::error::bad_transfer_encoding) return fail(400, "The body's length is told in two ways.");
  if (failed || !beast.is_header_done()) return fail(400, "The header fields are not valid HTTP.");

  const auto& fields = beast.get().base();
  for (const auto& field : fields) {
    if (request_.headers.size() >= limits_.header_fields_max) return fail(431, "There are too many header fields.");
    request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  const auto expect = request_.header("Expect");
  if (expect && !equals_ignoring_case(*expect, "100-continue")) return fail(417, "That cannot be expected here.");
  const auto coding = request_.header("Transfer-Encoding");
  if (coding && !equals_ignoring_case(*coding, "chunked")) {
    return fail(501, "The only transfer coding known here is chunked.");
  }
  is_http_1_0_ = beast.get().version() == 10;
  keep_alive_ = beast.keep_alive();
  if (!is_http_1_0_ && !request_.header("Host")) return fail(400, "A request of HTTP/1.1 names its host.");
  if (!coding && request_.header("Content-Length")) {
    if (const auto length = beast.content_length()) content_length_ = *length;
  }
  has_head_ = true;
  return Found::Head;
}

RequestReader::Found RequestReader::on_body(std::string_view& bytes) {
  auto& beast = parser_->beast;
  while (!beast.is_done()) {
    if (bytes.empty()) return Found::Nothing;
    // Beast takes framing only when it is whole, so what it left is shown again with what came.
    const size_t left = head_.size();
    const size_t part = left == 0 ? bytes.size() : std::min(bytes.size(), kFramingBytesMax);
    if (left > 0) head_ += bytes.substr(0, part);
    const std::string_view shown = left == 0 ? bytes : std::string_view(head_);
    SystemError failed;
    const size_t taken = beast.put(asio::buffer(shown.data(), shown.size()), failed);
    if (failed == beast_http::error::body_limit) return fail(413, "Payload is too large");
    if (failed && failed != beast_http::error::need_more) return fail(400, "The body is not valid HTTP.");
    if (left > 0 && taken < left) {
      head_.erase(0, taken);
      bytes.remove_prefix(part);
    } else {
      bytes.remove_prefix(taken - left);
      head_.clear();
      if (failed == beast_http::error::need_more || taken == 0) {
        head_ = bytes;
        bytes = {};
      }
    }
    // Beast looks at the end of a chunk only with the next one's head.
    const bool is_chunk_too_long = !head_.empty() && body_bytes() > 0 && head_.front() != '\r';
    if (is_chunk_too_long || head_.size() > kFramingBytesMax) return fail(400, "The body is not valid HTTP.");
  }
  return Found::Request;
}

Request RequestReader::take_request() {
  request_.body = std::move(parser_->beast.get().body());
  request_.body.reserve(request_.body.size() + kBodyPaddingBytes);
  return std::move(request_);
}

}  // namespace hearth::net::http
