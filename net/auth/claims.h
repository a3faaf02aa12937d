// Judges the claims of a token: who the bearer is, or why they prove nothing. The signature has been verified before.
//
// Times are seconds since the epoch (RFC 7519 §2, NumericDate). Pure. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "db/base/clock.h"
#include "db/base/error.h"
#include "db/model/json.h"
#include "net/auth/auth_config.h"
#include "rules/auth.h"

namespace hearth::net {

inline constexpr size_t kUidBytesMax = 256;           // Firebase: 128 characters
inline constexpr std::chrono::hours kLegacyLife{24};  // of a legacy token without `exp`

// Why a credential was refused. For metrics: few, and stable.
enum class Reason : uint8_t {
  Malformed,  // no token at all, or none that makes sense
  Unsigned,   // where signatures are needed
  Issuer,     // the issuer is not known here
  Key,        // signed by a key that its issuer does not have
  Algorithm,  // the key is for another one
  Signature,  // not made by that key
  Expired,
  NotYet,       // valid only later, or made in the future
  Audience,     // made for somebody else
  Namespace,    // its issuer is not believed here
  Claims,       // names no user, or lacks what it must have
  Revoked,      // its user has been signed out since
  Unavailable,  // the keys can't be had
  Blocked,      // a guess from an address that has made too many
  Busy,         // the address has used up its time for verifying
};
inline constexpr size_t kReasons = 15;
std::string_view name_of(Reason reason);  // in lower case, for metrics

struct Accepted {
  rules::Auth auth;
  std::string uid{};                             // "": of an admin, or of a legacy token that has none
  std::optional<std::chrono::seconds> issued{};  // `iat`
};
struct Refused {
  Reason reason;
  db::Error error;
};
using Verdict = std::variant<Accepted, Refused>;

// A refusal with an error of InvalidToken.
Refused refuse(Reason reason, std::string text);

// A token that `issuer` signed, used in that namespace. Where the issuer is a Supabase project, the claim `role` says who
// the bearer is (auth_config.h).
Verdict judge_claims(const Issuer& issuer, const db::JsonNode& claims, std::string_view space, db::Timestamp now);

// Whether it is a token as Firebase's first SDKs made them: {v: 0, d: auth, admin}.
bool is_legacy(const db::JsonNode& claims);

// Whether a key of a Supabase project has that issuer: before a project had issuers of its own, all keys had one
// name, and neither `sub` nor `aud`. Whose key it is, the secret says that verifies it.
inline constexpr std::string_view kProjectKeyIssuer = "supabase";
bool is_of_project_key(std::string_view issuer);

// Who has a key of that role, which is no token.
Verdict bearer_of(const Issuer& issuer, const ProjectKey& key, std::string_view space);

// What the claim `role` of a token that nobody verified is worth, in development.
enum class DevRoles : uint8_t {
  Unread,   // nothing: at the doors of clients to which a role means nothing
  Lowered,  // kServiceRole makes nobody
  Believed,
};

// In development: the user that the token names, whoever signed it, and whatever its times.
Verdict believe_claims(const db::JsonNode& claims, DevRoles roles = DevRoles::Unread);

}  // namespace hearth::net
