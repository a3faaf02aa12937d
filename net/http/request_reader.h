// Puts a client's requests together, from bytes as they come (RFC 9112). Strict where a proxy before us might see
// something else: framing, line ends, blanks in names. Lenient in the target, which clients send as they please. Pure.
//
//   request := method SP target SP "HTTP/1." ("0" | "1") CRLF  field* CRLF  body
//   field   := name ":" value CRLF
//   body    := Content-Length bytes  |  chunk* "0" CRLF field* CRLF      else nothing
//   chunk   := hex-size (";" anything)? CRLF  bytes CRLF
//
// The target ends at the last blank of its line: clients send blanks, quotes and braces as they are
// (net/rest/http-api.md §11). Boost.Beast parses the rest; what it would forgive is refused here. A reader is for one
// request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/request.h"
#include "net/io/limits.h"

namespace hearth::net::http {

class RequestReader {
 public:
  // `limits` outlives the reader.
  explicit RequestReader(const Limits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class Found : uint8_t { Nothing, Head, Request, Error };

  // Takes from the front of `bytes` up to the end of the first thing found. Nothing: all is taken, more is needed.
  // Head comes before every Request. After Error there is no going on: the rest of the bytes means nothing.
  Found next(std::string_view& bytes);

  bool has_begun() const { return has_head_ || !held_.empty(); }
  bool has_head() const { return has_head_; }

  // After Head.
  bool is_http_1_0() const { return is_http_1_0_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  std::optional<uint64_t> content_length() const { return content_length_; }
  // Memory of what has come, about. Room that was made for an announced body and is not used yet is not in it: nobody has
  // touched it, so it is no memory.
  size_t held_bytes() const {
    return held_.capacity() + head_bytes_ + (content_length_ ? request_.body.size() : request_.body.capacity());
  }
  const Request& request() const { return request_; }
  Request& request() { return request_; }

  // After Request: as it came, with the body. Peer is not filled in. The last call.
  Request take_request() { return std::move(request_); }

  // After Error.
  int error_status() const { return error_status_; }
  const char* error() const { return error_; }

 private:
  class Parser;  // Beast's, with what it calls

  Found take_head(std::string_view& bytes);
  Found parse_head(std::string_view head);
  Found take_body(std::string_view& bytes);
  void append_to_body(std::string_view bytes);
  Found refuse(int status, const char* error);

  const Limits& limits_;
  std::unique_ptr<Parser> parser_;  // from a whole head on
  std::string held_{};              // what has come of a head, or of a line in a chunked body, while it is not whole
  Request request_{};
  std::optional<uint64_t> content_length_{};
  const char* error_ = "";
  size_t head_bytes_ = 0;  // of a head that is whole
  int error_status_ = 0;
  bool has_head_ = false;
  bool is_http_1_0_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
};

}  // namespace hearth::net::http
