// The head of a response as bytes. Pure, but for the time of day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http/request.h"

namespace hearth::net::http {

enum class Framing : unsigned char { Length, Chunked, UntilClose, None };

struct HeadOptions {
  Framing framing = Framing::Length;
  uint64_t content_length = 0;  // Framing::Length
  bool keep_alive = true;
  bool is_gzipped = false;
};

std::string response_head(int status, const Headers& headers, const HeadOptions& options);

// A chunk of a chunked body is `chunk_head(size)`, the bytes, CRLF.
std::string chunk_head(size_t bytes);
std::string small_chunk(std::string_view bytes);  // all of it, as one text
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace hearth::net::http
