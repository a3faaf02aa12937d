// The issuers whose tokens are believed: the file of `hearth serve --auth-config`, as values.
// tools/manual/who-may-connect.md has examples.
//
//   file   := {"issuers": [issuer…]}                                      JSON; comments are allowed
//   issuer := {
//     "shape":      "plain" | "firebase" | "supabase" | "auth0" | "keycloak"      without it: plain
//     "project":    of firebase, required; "url": of supabase, "domain": of auth0, likewise
//     "issuer":     the tokens' `iss`: of plain and keycloak, required; the others follow from the above
//     "audience":   text, or a list of them: the tokens' `aud` has one. Required where keys are published ones
//     "secret_file" or "secret", "jwks_file" or "jwks_url": where the keys are; files as seen from this one
//     "namespaces": a list; without it the tokens are good for all
//     "skew":       seconds that clocks may differ, 60
//     "claims":     {"uid": claim, "provider": claim}     claim := its name | the names on the way to it, a list
//     "keys_file" or "keys":  {key: "anon" | "service_role"}; keys are texts that begin with "sb_"; of supabase alone
//     "service_role": "admin"     who has this role is an admin; of supabase alone, and without "namespaces"
//     "name":       for people and `hearth token`; without it, `iss`
//   }
//
// Values. Thread: any.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "net/auth/key_set.h"

namespace hearth::net {

inline constexpr size_t kIssuersMax = 64;
inline constexpr size_t kProjectKeysMax = 100;  // of one issuer
inline constexpr std::chrono::seconds kSkew{60};
inline constexpr std::chrono::seconds kSkewMax{600};

enum class Shape : uint8_t { Plain, Firebase, Supabase, Auth0, Keycloak };

using ClaimPath = std::vector<std::string>;  // names of members, outermost first; empty: no claim

// What the bearer of a Supabase project's key or token may be, as its claim `role` says it.
inline constexpr std::string_view kAnonRole = "anon";                    // nobody
inline constexpr std::string_view kAuthenticatedRole = "authenticated";  // a user
inline constexpr std::string_view kServiceRole = "service_role";         // the app's own backend

// A key of a Supabase project that is no token: "sb_publishable_…", "sb_secret_…". Only its SHA-256 is kept.
struct ProjectKey {
  std::array<uint8_t, 32> digest;
  std::string_view role;  // kAnonRole or kServiceRole
};
inline constexpr std::string_view kProjectKeyStart = "sb_";

struct Issuer {
  std::string name;
  Shape shape = Shape::Plain;
  std::string issuer;
  std::vector<std::string> audiences;  // empty: not looked at
  std::optional<Key> secret;
  std::string keys_at;                  // a file or a URL of a key set; "": only the secret
  std::vector<std::string> namespaces;  // in lower case; empty: all
  std::chrono::seconds skew = kSkew;
  ClaimPath uid;
  ClaimPath provider;
  std::vector<ProjectKey> project_keys{};
  bool service_is_admin = false;
};

struct AuthConfig {
  std::vector<Issuer> issuers;
};

bool is_url(std::string_view keys_at);

// The text of a file; relative paths are the config's, which `read` knows. Errors: any.
using ReadFile = std::function<db::Result<std::string>(const std::string& path)>;

// Errors: InvalidData "LINE:COLUMN: what\n"; the first mistake.
db::Result<AuthConfig> parse_auth_config(std::string_view text, const ReadFile& read);

// From the disk. `path` is the config's; so are the paths in it, from its folder. Errors: InvalidData
// "PATH:LINE:COLUMN: what"; Io.
db::Result<AuthConfig> load_auth_config(const std::string& path);

}  // namespace hearth::net
