// Who asks, as a Supabase client says it: a key that every request has, and a user's token, which is the stronger one.
//
//   key    := the header apikey, else x-api-key, else the parameter apikey, else a bearer token that is no JWT
//   token  := a bearer token that is a JWT and not the key; on a socket, what a join or `access_token` brings
//
//   role of the bearer    who that is
//   anon                  nobody: `auth` is null in the rules
//   authenticated         a user, whose uid is `sub`
//   service_role          a user without uid (`auth.token.role == 'service_role'`), or an admin where its issuer says so
//
// A key is a JWT, or a text that begins with "sb_" (net/auth/auth_config.h). In development any key is anon's, also one that
// nobody knows, and there need be none. A token is judged as it would be elsewhere: a client that has one believes to
// be somebody. What an unverified token says of service_role counts in development only if it comes from this machine.
//
// Thread: any; nothing here waits.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/auth/verifier.h"
#include "net/http/request.h"
#include "net/http/target.h"
#include "net/supabase/project.h"

namespace hearth::net::supabase {

struct Credentials {
  std::string key{};
  std::string token{};
  Asker asker{};

  // The same client with another token, as a message of its socket brings it. What is none (is_token) takes the token
  // away: then the key says who it is.
  Credentials with_token(std::string_view text) const;
};

Credentials credentials_of(const http::Request& request, const http::Target& target);

// Whether a text counts as a user's token: "" and keys that begin with "sb_" do not.
bool is_token(std::string_view text);

// Calls `done` once, at once where that can be said, else on any thread when keys have been fetched. `space`: as
// Guard::resolve gave it. Whoever begins a session with a late verdict asks Verifier::still_good once more. Errors:
// InvalidToken, ExpiredToken, Unavailable.
using Proven = std::function<void(db::Result<rules::Auth>)>;
void prove(const Verifier& verifier, const Credentials& credentials, const std::string& space, Proven done);

// The answer to a request whose bearer proved nothing, or whose namespace is not there: 401, 404, 429 or 503. Of Rest in
// PostgREST's shape: {"code", "message", "details", "hint"}; of Realtime {"error"}.
http::Response refusal(const db::Error& error, Service service, bool is_guessing = false);

}  // namespace hearth::net::supabase
