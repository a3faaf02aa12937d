// permessage-deflate (RFC 7692) without memory: every message is compressed by itself, in both directions. So a connection
// costs nothing for it, a frame that was compressed once can be sent to many, and what one message says shows in the length
// of no other. Pure.
#pragma once

#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/http/gzip.h"
#include "net/http/request.h"

namespace hearth::net::http {

inline constexpr size_t kDeflateBytesMin = 256;  // below it, compressing does not pay

// Whether one of the offers in Sec-WebSocket-Extensions can be met, by kDeflateAnswer.
bool offers_deflate(const Headers& headers);
inline constexpr std::string_view kDeflateAnswer =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

// A frame of text, compressed when that makes it smaller.
std::string deflated_frame_text(std::string_view payload);

// Errors: InvalidData (not such data), TooLarge (more than `bytes_max`), Unavailable: `may_hold` said no.
db::Result<std::string> inflate_message(std::string_view payload, size_t bytes_max, const MayHold& may_hold = {});

}  // namespace hearth::net::http
