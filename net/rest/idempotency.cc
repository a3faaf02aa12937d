// What makes a request "the same": the key, who asks, the namespace, the method, and the target as it was taken apart.
// All of it becomes one digest (once_of), which is the name under which the answer is kept. What the request asks for
// (its body, and If-Match) is a second digest (digest_of_asked): the same name with another one is a key that was used
// twice, and is refused.
//
//   scope    key ─ asker ─ namespace ─ method ─ segments ─ parameters        each behind its length
//            without: auth, access_token, auth_variable_override, ns       what they come to is in the scope by itself
//
// Who asks is the user and not the token, because a client that tries again may have got a fresh token in between.
// Credentials never come into the scope, so nothing that is kept tells of one.
//
// KeysUnderWay is about two requests at the same time. The second is answered 409 while the first is under way, for
// there is no answer yet to repeat. A key is given back by the destructor of what take() returns, so it is given back
// however a request ends.
#include "net/rest/idempotency.h"

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "db/base/bytes.h"
#include "db/model/hash.h"
#include "net/http/target.h"
#include "net/rest/reply.h"

namespace hearth::net::rest {
namespace {

constexpr std::string_view kHeader = "Idempotency-Key";

db::Error bad_key() {
  return {db::ErrorCode::InvalidArgument,
          "Idempotency-Key must be one key of 1 to 255 printable ASCII characters, with or without quotes around it."};
}

// The text of a quoted string; nothing where it is none: in it, `"` and `\` have a `\` before them, and no other has.
std::optional<std::string> unquoted(std::string_view text) {
  std::string plain;
  for (size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') return i + 1 == text.size() ? std::optional(std::move(plain)) : std::nullopt;
    if (c == '\\') {
      if (++i == text.size() || (text[i] != '"' && text[i] != '\\')) return {};
      c = text[i];
    }
    plain += c;
  }
  return {};
}

// Who asks, as far as it outlives a token: a user by the uid, for a retry may come with a fresh token. All admins are one.
std::string asker(const rules::Auth& auth) {
  switch (auth.kind) {
    case rules::Auth::Kind::None:
      return "nobody";
    case rules::Auth::Kind::Admin:
      return "admin";
    case rules::Auth::Kind::User:
      return auth.name.empty() ? "as " + auth.variable : "user " + auth.name;
  }
  return {};
}

// Those that say who asks, or in which namespace: what they come to is in the scope by itself.
bool is_of_asker(std::string_view parameter) {
  return parameter == "auth" || parameter == "access_token" || parameter == "auth_variable_override" ||
         parameter == "ns";
}

}  // namespace

db::Result<std::optional<std::string>> idempotency_key_of(const http::Headers& headers) {
  std::optional<std::string> key;
  for (const auto& [name, value] : headers) {
    if (!http::equals_ignoring_case(name, kHeader)) continue;
    if (key) return bad_key();
    key = value.starts_with('"') ? unquoted(value) : value;
    const bool is_key = key && !key->empty() && key->size() <= kIdempotencyKeyMax &&
                        std::all_of(key->begin(), key->end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!is_key) return bad_key();
  }
  return key;
}

// Each part behind its length, so that no two scopes have the same text.
std::shared_ptr<db::Once> once_of(const RestRequest& request, const http::Request& from, const std::string& space,
                                  const rules::Auth& auth) {
  std::string scope;
  db::append_bytes(*request.idempotency_key, scope);
  db::append_bytes(asker(auth), scope);
  db::append_bytes(space, scope);
  db::append_bytes(name_of(request.method), scope);
  const auto target = http::parse_target(from.target);
  db::append_varint(target.ok() ? target.value().segments.size() : 0, scope);
  if (target.ok()) {
    for (const std::string& segment : target.value().segments) db::append_bytes(segment, scope);
    for (const auto& [name, value] : target.value().parameters) {
      if (is_of_asker(name)) continue;
      db::append_bytes(name, scope);
      db::append_bytes(value, scope);
    }
  }
  auto once = std::make_shared<db::Once>();
  once->key = db::text_digest(scope);
  return once;
}

http::Response under_way_reply() {
  http::Response reply =
      refusal_reply({.status = 409, .text = "A request with this Idempotency-Key is under way; ask again soon."});
  reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

std::string digest_of_asked(const RestRequest& request, std::string_view body) {
  std::string asked = db::text_digest(body);
  if (request.if_match) asked += *request.if_match;
  return request.if_match ? db::text_digest(asked) : asked;
}

struct KeysUnderWay::State {
  std::mutex mutex;  // Guards keys.
  std::unordered_set<std::string> keys;
};

KeysUnderWay::KeysUnderWay() : state_(std::make_shared<State>()) {}

std::shared_ptr<const void> KeysUnderWay::take(const std::string& key) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->keys.insert(key).second) return nullptr;
  return {static_cast<const void*>(state_.get()), [state = state_, key](const void*) {
            const std::lock_guard leaving(state->mutex);
            state->keys.erase(key);
          }};
}

}  // namespace hearth::net::rest
