// The node hash that SDKs compute too (data-model.md §9, wire-protocol.md §7.2): transactions, listens and ETags.
#pragma once

#include <string>
#include <string_view>

#include "db/model/value.h"

namespace hearth::db {

enum class NumberHex {
  Ieee754,
  JavaScript,  // the JS SDK's own rounding of some doubles (wire-protocol.md §7.2 "Number quirk")
};

// "" for null, else 28 characters of base64. Priorities count.
std::string node_hash(const Value& value, NumberHex hex = NumberHex::Ieee754);

// Whether a client that holds `value` may have sent `hash`: either way of writing doubles is right.
bool hash_matches(const Value& value, std::string_view hash);

// Names a text: the first bytes of its SHA-256. On disk.
inline constexpr size_t kTextDigestBytes = 16;
std::string text_digest(std::string_view text);

std::string base64(std::string_view bytes);

}  // namespace hearth::db
