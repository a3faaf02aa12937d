// Puts a client's requests together, from bytes as they come (RFC 9112). Pure.
//
//   request := method ' ' target ' ' "HTTP/1." digit CRLF  (field CRLF)*  CRLF  body
//
// The target ends at the last blank of its line: clients send blanks, quotes and braces as they are (rest-api.md §11).
// What follows the request line is Beast's to parse.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/http/limits.h"
#include "net/http/request.h"

namespace hearth::net::http {

class RequestReader {
 public:
  explicit RequestReader(const Limits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  enum class Found : uint8_t { Nothing, Head, Request, Error };

  // Takes from the front of `bytes` up to the end of the first thing found. Nothing: all is taken, more is needed.
  // Head comes before every Request. After Error there is no going on: the rest of the bytes means nothing.
  Found next(std::string_view& bytes);

  bool has_begun() const { return !head_.empty() || has_head_; }
  bool has_head() const { return has_head_; }

  // After Head.
  bool is_http_1_0() const { return is_http_1_0_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const;
  std::optional<uint64_t> content_length() const { return content_length_; }
  size_t body_bytes() const;  // that have come
  const Request& request() const { return request_; }

  // After Request: as it came, with the body. Peer is not filled in.
  Request take_request();

  // After Error.
  int error_status() const { return error_status_; }
  const char* error() const { return error_; }

 private:
  struct Parser;

  Found fail(int status, const char* error);
  Found on_head(std::string_view head);
  bool take_request_line(std::string_view line);
  Found on_body(std::string_view& bytes);

  const Limits& limits_;
  std::string head_{};  // until it is whole; then what Beast wants to see again
  std::unique_ptr<Parser> parser_;
  Request request_{};
  std::optional<uint64_t> content_length_;
  const char* error_ = "";
  int error_status_ = 0;
  bool has_head_ = false;
  bool is_http_1_0_ = false;
  bool keep_alive_ = false;
};

}  // namespace hearth::net::http
