// Makes tokens, for `hearth token`: for backends that have a secret, and for people who try something out.
//
//   plain issuers:  {iss, aud, sub, uid, iat, exp, claims: {…}}     a custom token, as Firebase's admin SDKs make them
//   other shapes:   {iss, aud, sub, iat, exp, …}                    as that provider's, the claims beside the rest
//   supabase, a key:           {iss: "supabase", role, iat, exp, …}                `role` anon or service_role
//   supabase, a user's token:  {iss, aud, sub, role: "authenticated", iat, exp, …}  where that role is asked for
//
// Pure. Thread: any.
#pragma once

#include <chrono>
#include <string>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "net/auth/auth_config.h"

namespace hearth::net {

struct Minting {
  std::string uid;            // "" with a role of a key
  std::string claims = "{}";  // JSON of an object
  std::chrono::seconds life{3600};
  std::string role{};  // of Supabase's; "": none was named
};

// Errors: InvalidArgument: the issuer has no secret; a role, where it means nothing or fits no uid; claims that are no object, or that tokens have anyway; no uid, or
// one that is too long.
db::Result<std::string> mint_token(const Issuer& issuer, const Minting& what, db::Timestamp now);

}  // namespace hearth::net
