// Chooses the credential that counts, and has it verified by the one Verifier. What development believes beyond that is
// said to the verifier by the Asker, so that there is one place that judges.
#include "net/supabase/credentials.h"

#include "db/model/json.h"
#include "net/auth/jwt.h"
#include "net/error_reply.h"
#include "net/http/origin.h"

namespace hearth::net::supabase {
namespace {

using db::Error;
using db::ErrorCode;

// This machine asks itself: the connection is from here, no proxy stands before it, and no page of another machine
// had a browser send it.
bool is_from_here(const http::Request& request) {
  return request.peer_is_loopback && !request.is_forwarded && !request.is_behind_stranger &&
         http::whence_of(request) == http::Whence::Here;
}

void append_member(std::string_view name, std::string_view text, std::string& to) {
  to += to.size() > 1 ? "," : "";
  db::append_json_string(name, to);
  to += ':';
  db::append_json_string(text, to);
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && !text.starts_with(kProjectKeyStart); }

Credentials Credentials::with_token(std::string_view text) const {
  Credentials changed = *this;
  changed.token = is_token(text) && text != key ? std::string(text) : std::string();
  return changed;
}

Credentials credentials_of(const http::Request& request, const http::Target& target) {
  Credentials found;
  for (const auto key : {request.header("apikey"), request.header("x-api-key"), target.parameter("apikey")}) {
    if (key && found.key.empty()) found.key = *key;
  }
  if (const auto bearer = http::bearer_token(request.headers)) {
    if (is_token(*bearer) && looks_like_jwt(*bearer)) {
      if (*bearer != found.key) found.token = *bearer;
    } else if (found.key.empty()) {
      found.key = *bearer;
    }
  }
  found.asker = Asker(request.peer, request.is_behind_stranger);
  found.asker.dev_roles = is_from_here(request) ? DevRoles::Believed : DevRoles::Lowered;
  return found;
}

void prove(const Verifier& verifier, const Credentials& credentials, const std::string& space, Proven done) {
  const bool by_key = credentials.token.empty();
  const std::string& credential = by_key ? credentials.key : credentials.token;
  if (credential.empty()) {
    if (verifier.is_dev()) return done(rules::Auth());
    return done(Error{ErrorCode::InvalidToken, "No key: send one as the header or the parameter apikey."});
  }
  Asker asker = credentials.asker;
  asker.any_key = by_key;
  if (auto verdict = verifier.verify(credential, space, asker)) return done(std::move(*verdict));
  verifier.verify_late(credential, space, std::move(asker), std::move(done));
}

namespace {

// PostgREST's documentation, "Errors".
std::string_view code_of(ErrorCode code) {
  if (code == ErrorCode::InvalidToken) return "PGRST301";  // the token could not be verified
  if (code == ErrorCode::ExpiredToken) return "PGRST303";  // its claims do not hold
  if (code == ErrorCode::NotFound || code == ErrorCode::InvalidArgument || code == ErrorCode::InvalidPath)
    return "PGRST125";  // a wrong path: the namespace
  return "PGRST000";    // the server can't do it now
}

}  // namespace

http::Response refusal(const db::Error& error, Service service, bool is_guessing) {
  http::Response response = http::error_response(is_guessing ? 429 : error_reply(error.code).http_status, "");
  if (is_guessing) response.headers.emplace_back("Retry-After", "60");
  std::string body = "{";
  if (service == Service::Realtime) {
    append_member("error", error.message, body);
  } else {
    append_member("code", code_of(error.code), body);
    append_member("message", error.message, body);
    body += R"(,"details":null,"hint":null)";
  }
  response.body = body + "}";
  return response;
}

}  // namespace hearth::net::supabase
