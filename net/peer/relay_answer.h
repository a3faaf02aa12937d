// Reads what another node answers: the head, and from then on only where the answer ends. The bytes of the body are passed on
// as they are, chunks and all; nobody here unpacks them.
//
//   answer := "HTTP/1.1 " status … CRLF  field* CRLF  body
//   body   := nothing (HEAD, 204, 304) | Content-Length bytes | chunk* "0" CRLF field* CRLF | what comes until the end
//
// Pure. One reader for one answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http/request.h"

namespace hearth::net::peer {

inline constexpr size_t kAnswerHeadBytesMax = 64u << 10;

class RelayAnswer {
 public:
  explicit RelayAnswer(bool is_head) : is_head_(is_head) {}

  enum class Found : uint8_t {
    Nothing,  // more must come
    Head,     // the head is whole
    Body,     // piece() is some of the body
    Whole,    // the answer is; what is left of the bytes is not its own
    Broken,   // this is no answer
  };
  // Takes from the front of `bytes` what belongs to the first thing found.
  Found next(std::string_view& bytes);

  int status() const { return status_; }
  const http::Headers& headers() const { return headers_; }
  http::Headers& headers() { return headers_; }
  const std::string& head() const { return head_; }  // as it came
  std::string_view piece() const { return piece_; }  // of the bytes given last
  bool has_begun() const { return has_head_ || !head_.empty(); }
  bool has_head() const { return has_head_; }
  bool ends_with_connection() const { return body_ == Body::UntilEnd; }
  bool keeps_alive() const { return keeps_alive_; }  // the other side takes a next request

 private:
  enum class Body : uint8_t { None, Length, Chunked, UntilEnd };
  // Of a chunked body. Size: the digits; Extension: the rest of that line; Data: bytes of the chunk and the line's end behind
  // them; Trailer: at the begin of a line behind the last chunk; Field: within one.
  enum class In : uint8_t { Size, Extension, Data, Trailer, Field };

  bool take_head(std::string_view& bytes, bool& is_broken);
  bool parse();
  Found take_chunks(std::string_view& bytes);

  const bool is_head_;
  std::string head_{};
  http::Headers headers_{};
  std::string_view piece_{};
  int status_ = 0;
  Body body_ = Body::None;
  In in_ = In::Size;
  uint64_t left_ = 0;  // of the body, or of a chunk with its line's end
  uint64_t size_ = 0;  // of a chunk, as far as its digits are read
  bool has_digits_ = false;
  bool has_head_ = false;
  bool is_whole_ = false;
  bool keeps_alive_ = true;
};

}  // namespace hearth::net::peer
