// A token taken apart. Nothing here is believed yet. Whatever is odd in form is one error without
// details: a token is a secret, and the error may be shown to whoever sent it.
#include "net/auth/jwt.h"

#include <algorithm>
#include <set>

#include "db/base/text.h"
#include "db/model/json.h"

namespace hearth::net {

namespace {

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

bool looks_like_jwt(std::string_view text) { return std::count(text.begin(), text.end(), '.') == 2; }

db::Result<Jwt> decode_jwt(std::string_view token) {
  if (token.size() > kTokenBytesMax || !looks_like_jwt(token)) return unparsable();
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  auto header = db::decode_base64url(token.substr(0, first));
  auto claims = db::decode_base64url(token.substr(first + 1, second - first - 1));
  auto signature = db::decode_base64url(token.substr(second + 1));
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
  return Jwt{.header = std::move(*header),
             .claims = std::move(*claims),
             .algorithm = std::string(*algorithm->string()),
             .key_id = std::move(key_id),
             .has_critical = head.field("crit").has_value(),
             .is_ambiguous = !names_are_unique(head) || !names_are_unique(body),
             .signature = std::move(*signature)};
}

}  // namespace hearth::net
