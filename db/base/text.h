// Bytes as text: hexadecimal, base64 and base64url (RFC 4648), whole numbers, and the comparison of secrets. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::db {

std::string to_hex(std::string_view bytes);  // in lower case

std::string base64(std::string_view bytes);            // with "="
std::string encode_base64url(std::string_view bytes);  // without "="
// Nothing when `text` is not base64url; trailing "=" is allowed.
std::optional<std::string> decode_base64url(std::string_view text);

// The number that the whole of `text` is, in decimal digits alone. Nothing when there is another byte, none, or too many.
std::optional<uint64_t> whole_number(std::string_view text);

// Takes as long whichever bytes differ; whether the lengths do may show.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace hearth::db
