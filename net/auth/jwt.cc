// A token taken apart, and base64url. Nothing here is believed yet. Whatever is odd in form is one error without
// details: a token is a secret, and the error may be shown to whoever sent it.
//
// base64url is used outside of tokens too: long polling sends its messages in it (net/wire/segments.cc).
#include "net/auth/jwt.h"

#include <algorithm>
#include <cstdint>
#include <set>

#include "db/model/json.h"

namespace hearth::net {

namespace {

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  if (c == '_') return 63;
  return -1;
}

db::Error unparsable() { return {db::ErrorCode::InvalidToken, "Could not parse auth token."}; }

// Two readers of {"sub":"ada","sub":"eve"} may see two users. A signed token that says something twice is refused by
// the verifier.
bool names_are_unique(const db::JsonNode& object) {
  std::set<std::string_view> names;
  for (const auto& [name, value] : object.fields()) {
    if (!names.insert(name).second) return false;
  }
  return true;
}

}  // namespace

std::string encode_base64url(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6) text += kDigits[(bits >> (count - 6)) & 63];
  }
  if (count > 0) text += kDigits[(bits << (6 - count)) & 63];
  return text;
}

// Strict about characters, lenient about padding. A rest of one character would be six bits, which are no byte.
std::optional<std::string> decode_base64url(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int six = sextet(c);
    if (six < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(six);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>((bits >> count) & 0xff));
    }
  }
  return bytes;
}

bool looks_like_jwt(std::string_view text) { return std::count(text.begin(), text.end(), '.') == 2; }

db::Result<Jwt> decode_jwt(std::string_view token) {
  if (token.size() > kTokenBytesMax || !looks_like_jwt(token)) return unparsable();
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  auto header = decode_base64url(token.substr(0, first));
  auto claims = decode_base64url(token.substr(first + 1, second - first - 1));
  auto signature = decode_base64url(token.substr(second + 1));
  if (!header || !claims || !signature) return unparsable();

  const auto header_json = db::JsonDocument::parse(*header);
  const auto claims_json = db::JsonDocument::parse(*claims);
  if (!header_json.ok() || !claims_json.ok()) return unparsable();
  const db::JsonNode head = header_json.value().root();
  const db::JsonNode body = claims_json.value().root();
  if (!head.is_object() || !body.is_object()) return unparsable();
  const auto algorithm = head.field("alg");
  if (!algorithm || !algorithm->string()) return unparsable();
  std::optional<std::string> key_id;
  if (const auto kid = head.field("kid")) {
    if (!kid->string()) return unparsable();
    key_id = *kid->string();
  }
  return Jwt{std::move(*header),
             std::move(*claims),
             std::string(*algorithm->string()),
             std::move(key_id),
             head.field("crit").has_value(),
             !names_are_unique(head) || !names_are_unique(body),
             std::move(*signature)};
}

}  // namespace hearth::net
