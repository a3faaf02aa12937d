// HMAC-SHA256 of RFC 2104, as the handshake of nodes and the signatures of webhooks use it. Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace hearth::db {

std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 bytes

}  // namespace hearth::db
