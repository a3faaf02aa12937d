// A request, from bytes as they come. Strict where two programs could read one text in two ways.
//
//   bytes ─▶ take_head ─▶ parse_head ─┬─ request line: cut here, since clients send blanks in targets
//              │ until CRLF CRLF      └─ a stand-in line and the fields ─▶ Parser (Boost.Beast's basic_parser)
//              ▼
//            held_                    ┌─ Content-Length: to the end
//   bytes ─▶ take_body ─▶ Parser ─────┤                                ─▶ append_to_body ─▶ Request
//              │                      └─ chunks; their lines must be whole
//              ▼
//            held_
//
// Why strict. Behind a proxy, requests of different clients share one connection. If the proxy and we disagree about
// where a request ends, the rest of one client's body becomes the head of another client's request (request
// smuggling). What has made programs disagree is therefore refused and not guessed: lengths that differ, a list of
// lengths, a length beside chunks, codings other than `chunked`, folded lines, a bare LF in a chunk's extension, a
// chunk longer than its size says, a blank before a colon, two Hosts. Leniency is kept for the target alone, which
// decides nothing about framing: SDKs and people send quotes, braces and blanks there.
//
// Why Beast, and why so much around it. Its parser is well tested. But it gives up at the first blank of a target,
// takes what it does not know for granted, and wants lines in one piece. So each line that Beast would forgive has a
// check here, with the reason beside it; the tests send each of them (tests/net/http/request_reader_test.cc).
//
// Memory. A head has one limit, and is parsed where it lies when it came whole. A body has room made for it in steps:
// a client that announces 256 MB and sends nothing costs nothing.
//
// After an error there is no next request: nobody knows where it would begin. The connection ends.
#include "net/http/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>

namespace hearth::net::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using ParseError = beast::http::error;

constexpr size_t kMethodBytesMax = 32;
constexpr size_t kVersionBytes = 8;  // "HTTP/1.1"
constexpr size_t kChunkExtensionBytesMax = 256;
constexpr size_t kReserveBytesMax = 1u << 20;  // for a body that has only been announced
constexpr size_t kReserveTimes = 8;            // past that, as many times what has come
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kLastChunkSize = "0\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool is_control_character(char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; }

bool is_decimal(char c) { return c >= '0' && c <= '9'; }

bool is_valid_target(std::string_view target) {
  return (target.starts_with('/') || target == "*") && std::none_of(target.begin(), target.end(), is_control_character);
}

// A target may be a whole URL, as clients send it to a proxy (RFC 9112 §3.2.2). Its host goes to `host`, since it
// says by which name we were asked (origin.h).
std::string_view without_origin(std::string_view target, std::string& host) {
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return target;
  const size_t path = target.find('/', kScheme.size());
  host = target.substr(kScheme.size(), path == std::string_view::npos ? path : path - kScheme.size());
  if (host.empty()) host = "?";  // nobody's name
  return path == std::string_view::npos ? "/" : target.substr(path);
}

// A line that begins with a blank continued the one before it, once (RFC 9112 §5.2). A proxy that does not know that
// sees another field, or an end.
bool has_folded_line(std::string_view head) {
  return head.find("\n ") != std::string_view::npos || head.find("\n\t") != std::string_view::npos;
}

}  // namespace

// Fills in the reader. What is refused here sets status and sentence in the reader at once. Beast's own refusals come
// as a code, which explain() turns into a sentence.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  explicit Parser(RequestReader& reader) : reader_(reader) {
    header_limit(std::numeric_limits<uint32_t>::max());  // a head is given to Beast whole, and within its limits
    body_limit(reader.limits_.body_bytes_max);
  }

  // Takes what it understands from the front of `bytes`. False: it needs more, and all of this again.
  bool parse(std::string_view& bytes) {
    if (ends_chunk_ && !kLineEnd.starts_with(bytes.substr(0, kLineEnd.size()))) {  // Beast would wait for the next size
      reader_.refuse(400, "The body is not valid HTTP.");
      return false;
    }
    beast::error_code code;
    bytes.remove_prefix(put({bytes.data(), bytes.size()}, code));
    if (code == ParseError::need_more) return false;
    if (code && reader_.error_status_ == 0) explain(code);
    return true;
  }

  // Returns false when the request has been refused.
  bool parse_whole(std::string_view bytes) {
    parse(bytes);
    if (!bytes.empty() && reader_.error_status_ == 0) explain(ParseError::partial_message);
    return reader_.error_status_ == 0;
  }

 private:
  void refuse(int status, const char* error, beast::error_code& code) {
    reader_.refuse(status, error);
    code = ParseError::bad_value;
  }

  void explain(beast::error_code code) {
    if (code == ParseError::body_limit) {
      reader_.refuse(413, "Payload is too large");
    } else if (code == ParseError::bad_content_length || code == ParseError::multiple_content_length ||
               code == ParseError::bad_transfer_encoding) {
      reader_.refuse(400, "The body's length is not told in one valid way.");
    } else if (code == ParseError::bad_method) {
      reader_.refuse(400, "This is no HTTP request.");
    } else {
      reader_.refuse(400, is_header_done() ? "The body is not valid HTTP." : "The header fields are not valid HTTP.");
    }
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view, int version,
                       beast::error_code& code) override {
    if (method.size() > kMethodBytesMax) return refuse(400, "This is no HTTP request.", code);
    reader_.request_.method = std::string_view(method);
    reader_.is_http_1_0_ = version == 10;
  }

  // Beast calls it for trailers too. They are read over: whoever merges a trailer into the head lets a body change
  // what was judged.
  void on_field_impl(field name, beast::string_view name_text, beast::string_view value,
                     beast::error_code& code) override {
    if (is_header_done()) return;  // a trailer
    Headers& headers = reader_.request_.headers;
    if (headers.size() == reader_.limits_.header_fields_max) {
      return refuse(431, "There are too many header fields.", code);
    }
    headers.emplace_back(std::string_view(name_text), std::string_view(value));
    switch (name) {
      case field::host:
        ++hosts_;
        break;
      case field::expect:
        if (!equals_ignoring_case(value, "100-continue"))
          return refuse(417, "Only 100-continue can be expected.", code);
        reader_.expects_continue_ = true;
        break;
      case field::content_length:  // Beast takes a list of equal ones
        if (!std::all_of(value.begin(), value.end(), is_decimal)) code = ParseError::bad_content_length;
        break;
      case field::transfer_encoding:  // Beast passes over codings it does not know
        if (reader_.is_http_1_0_) {
          code = ParseError::bad_transfer_encoding;
        } else if (!equals_ignoring_case(value, "chunked")) {
          refuse(501, "The only transfer coding known here is chunked.", code);
        }
        break;
      default:
        break;
    }
  }

  void on_header_impl(beast::error_code& code) override {
    if (hosts_ > 1 || (hosts_ == 0 && !reader_.is_http_1_0_)) {
      return refuse(400, "A request of HTTP/1.1 names its host, once.", code);
    }
    reader_.keep_alive_ = keep_alive();
    if (const auto length = content_length()) reader_.content_length_ = *length;
    reader_.expects_continue_ = reader_.expects_continue_ && !reader_.is_http_1_0_ && !is_done();
  }

  size_t on_body_impl(beast::string_view bytes, beast::error_code&) override {
    reader_.append_to_body(bytes);
    return bytes.size();
  }

  void on_chunk_header_impl(uint64_t, beast::string_view extension, beast::error_code& code) override {
    // Beast takes anything within quotes, a line's end too.
    if (extension.size() > kChunkExtensionBytesMax ||
        std::any_of(extension.begin(), extension.end(), is_control_character)) {
      code = ParseError::bad_chunk_extension;
    }
    ends_chunk_ = false;
  }

  size_t on_chunk_body_impl(uint64_t left, beast::string_view bytes, beast::error_code&) override {
    reader_.append_to_body(bytes);
    ends_chunk_ = left == bytes.size();
    return bytes.size();
  }

  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<uint64_t>&, beast::error_code&) override {}
  void on_finish_impl(beast::error_code&) override {}

  RequestReader& reader_;
  size_t hosts_ = 0;
  bool ends_chunk_ = false;  // a chunk has come to its end, and no line end has been seen
};

RequestReader::RequestReader(const Limits& limits) : limits_(limits) {}

RequestReader::~RequestReader() = default;

RequestReader::Found RequestReader::next(std::string_view& bytes) {
  if (error_status_ != 0) return Found::Error;
  return has_head_ ? take_body(bytes) : take_head(bytes);
}

RequestReader::Found RequestReader::take_head(std::string_view& bytes) {
  if (held_.empty()) {
    // RFC 9112 §2.2: empty lines before a request are nothing.
    bytes.remove_prefix(std::min(bytes.find_first_not_of(kLineEnd), bytes.size()));
    if (bytes.empty()) return Found::Nothing;
  }
  // Most heads come whole, and are parsed where they lie.
  std::string_view all = bytes;
  const size_t had = held_.size();
  if (had > 0) {
    held_.append(bytes.substr(0, limits_.head_bytes_max + 1 - had));
    all = held_;
  }
  const size_t look_from = had < kHeadEnd.size() ? 0 : had - kHeadEnd.size();
  const size_t end = all.substr(0, limits_.head_bytes_max).find(kHeadEnd, look_from);
  if (end != std::string_view::npos) {
    const size_t size = end + kHeadEnd.size();
    bytes.remove_prefix(size - had);
    const Found found = parse_head(all.substr(0, size));
    head_bytes_ = size;
    std::string().swap(held_);
    has_head_ = found == Found::Head;
    return found;
  }
  // A target that is too long is told from fields that are too large, before all of it has come.
  const size_t first_line_max = kMethodBytesMax + 1 + limits_.target_bytes_max + 1 + kVersionBytes + kLineEnd.size();
  if (all.size() > first_line_max && all.substr(0, first_line_max).find('\n') == std::string_view::npos) {
    return refuse(414, "The URL is too long.");
  }
  if (all.size() > limits_.head_bytes_max) return refuse(431, "The header fields are too large.");
  if (had == 0) held_ = bytes;
  bytes = {};
  return Found::Nothing;
}

// `head` is whole. Beast would end the target at its first blank, so it is given a line with the target "/" instead.
RequestReader::Found RequestReader::parse_head(std::string_view head) {
  const std::string_view line = head.substr(0, head.find(kLineEnd));
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == target_end) return refuse(400, "This is no HTTP request.");  // both may be nowhere
  const std::string_view version = line.substr(target_end + 1);
  if (!version.starts_with("HTTP/")) return refuse(400, "This is no HTTP request.");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  }
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  if (target.size() > limits_.target_bytes_max) return refuse(414, "The URL is too long.");
  request_.target = without_origin(target, request_.target_host);
  if (!is_valid_target(request_.target)) return refuse(400, "The URL is not valid.");
  if (has_folded_line(head)) return refuse(400, "The header fields are not valid HTTP.");

  constexpr size_t kUsualFields = 16;
  request_.headers.reserve(kUsualFields);
  std::string plain_line(line.substr(0, method_end));
  plain_line.append(" / ").append(version).append(kLineEnd);
  parser_ = std::make_unique<Parser>(*this);
  return parser_->parse_whole(plain_line) && parser_->parse_whole(head.substr(line.size() + kLineEnd.size()))
             ? Found::Head
             : Found::Error;
}

RequestReader::Found RequestReader::take_body(std::string_view& bytes) {
  while (!parser_->is_done()) {
    if (bytes.empty()) return Found::Nothing;
    // Beast wants a chunk's head, or the last chunk with its trailer, in one piece.
    const size_t had = held_.size();
    if (had > 0) held_.append(bytes.substr(0, limits_.head_bytes_max - had));
    const std::string_view all = had > 0 ? held_ : bytes;
    std::string_view rest = all;
    // Beast 1.81 asserts that it sees more than this when it looks again for the end of a body without chunks.
    const bool is_too_early = had > 0 && all.size() == kLastChunkSize.size() + 1 && all.starts_with(kLastChunkSize);
    const bool needs_more = is_too_early || !parser_->parse(rest);
    if (error_status_ != 0) return Found::Error;
    if (needs_more) {
      if (all.size() >= limits_.head_bytes_max) return refuse(400, "The body is not valid HTTP.");
      if (had == 0) held_ = bytes;
      bytes = {};
      return Found::Nothing;
    }
    bytes.remove_prefix(all.size() - rest.size() - had);  // what was held was not enough
    held_.clear();
  }
  std::string& body = request_.body;
  if (!body.empty()) body.reserve(body.size() + kBodyPaddingBytes);
  return Found::Request;
}

void RequestReader::append_to_body(std::string_view bytes) {
  std::string& body = request_.body;
  if (content_length_ && body.capacity() < *content_length_ + kBodyPaddingBytes) {
    // In steps, so that what is announced costs no addresses and a step copies no more than an eighth.
    const size_t come = body.size() + bytes.size();
    if (body.capacity() < come + kBodyPaddingBytes) {
      const size_t room = std::max(kReserveBytesMax, come * kReserveTimes);
      body.reserve(static_cast<size_t>(std::min<uint64_t>(*content_length_, room)) + kBodyPaddingBytes);
    }
  }
  body.append(bytes);
}

// The first refusal stays: next() looks at error_status_ before anything else.
RequestReader::Found RequestReader::refuse(int status, const char* error) {
  error_status_ = status;
  error_ = error;
  return Found::Error;
}

}  // namespace hearth::net::http
