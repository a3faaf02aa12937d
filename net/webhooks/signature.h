// Messages as Standard Webhooks signs them (standardwebhooks.com, "Signature scheme"), which a receiver verifies by any of
// its libraries.
//
//   secret    := "whsec_" base64(24 to 64 bytes)
//   signature := "v1," base64(HMAC-SHA256(bytes of the secret, id "." timestamp "." body))     several with a blank between
//
// Pure, but for make_secret(). Thread: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::net::webhooks {

std::string make_secret();
std::optional<std::string> secret_bytes(std::string_view secret);  // nothing: it is none
// `secret`: one that make_secret() made. `seconds`: since 1970.
std::string signature_of(std::string_view secret, std::string_view id, int64_t seconds, std::string_view body);

}  // namespace hearth::net::webhooks
