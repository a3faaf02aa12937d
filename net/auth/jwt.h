// A JSON Web Token taken apart. Nothing is verified here: what it says is what somebody wrote.
//
//   token := base64url(header) "." base64url(claims) "." base64url(signature)      no padding; RFC 7515 §3.1
//
// A value. Thread: any.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::net {

inline constexpr size_t kTokenBytesMax = 64 * 1024;

struct Jwt {
  std::string header;                 // JSON text of an object
  std::string claims;                 // JSON text of an object
  std::string algorithm;              // the header's `alg`
  std::optional<std::string> key_id;  // the header's `kid`
  bool has_critical;                  // the header's `crit`: extensions that must be understood, of which we know none
  // A member of the header or a claim is named twice: two readers could see two tokens (RFC 7515 §4, RFC 7519 §4).
  bool is_ambiguous;
  std::string signature;  // bytes

  // RFC 7519 §6: an unsecured token names "none" and has no signature.
  bool is_unsigned() const { return algorithm == "none" && signature.empty(); }
};

// Errors: InvalidToken "Could not parse auth token." (net/rest/http-api.md §9).
db::Result<Jwt> decode_jwt(std::string_view token);

// Whether `text` has the three parts of a token; says nothing of what is in them.
bool looks_like_jwt(std::string_view text);

}  // namespace hearth::net
