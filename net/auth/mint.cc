// Makes tokens that judge_claims() accepts: the claims of a shape are written where claims.cc will look for them.
// Claims that tokens have anyway cannot be given, so `--claims` cannot make a token of another user or another life.
// The text is built by hand; every string of a user goes through append_json_string().
#include "net/auth/mint.h"

#include <fmt/format.h>

#include "db/model/json.h"
#include "net/auth/claims.h"

namespace hearth::net {

db::Result<std::string> mint_token(const Issuer& issuer, const Minting& what, db::Timestamp now) {
  using db::Error;
  using db::ErrorCode;
  if (!issuer.secret) {
    return Error{ErrorCode::InvalidArgument, fmt::format(R"(the issuer "{}" has no secret to sign with)", issuer.name)};
  }
  const bool is_key = what.role == kAnonRole || what.role == kServiceRole;
  if (!what.role.empty()) {
    if (issuer.shape != Shape::Supabase)
      return Error{ErrorCode::InvalidArgument, "roles are for issuers of shape supabase"};
    if (!is_key && what.role != kAuthenticatedRole)
      return Error{ErrorCode::InvalidArgument, "a role is anon, authenticated or service_role"};
    if (is_key && !what.uid.empty())
      return Error{ErrorCode::InvalidArgument, fmt::format("who has a key of {} is no user: no uid", what.role)};
  }
  if (!is_key && (what.uid.empty() || what.uid.size() > kUidBytesMax)) {
    return Error{ErrorCode::InvalidArgument, fmt::format("a uid has 1 to {} bytes", kUidBytesMax)};
  }
  const auto document = db::JsonDocument::parse(what.claims);
  if (!document.ok() || !document.value().root().is_object()) {
    return Error{ErrorCode::InvalidArgument, R"(claims are an object of JSON, like {"admin":true})"};
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  std::string to = R"({"iss":)";
  db::append_json_string(is_key ? kProjectKeyIssuer : std::string_view(issuer.issuer), to);
  if (!is_key && !issuer.audiences.empty()) {
    to += R"(,"aud":)";
    db::append_json_string(issuer.audiences.front(), to);
  }
  if (!is_key) {
    to += R"(,"sub":)";
    db::append_json_string(what.uid, to);
  }
  if (!what.role.empty()) {
    to += R"(,"role":)";
    db::append_json_string(what.role, to);
  }
  to += fmt::format(R"(,"iat":{},"exp":{})", seconds, seconds + what.life.count());
  // A custom token names its user in `uid`; other tokens in the claim that the issuer is configured to read.
  const bool is_custom = issuer.shape == Shape::Plain && issuer.uid == ClaimPath{"sub"};
  if (is_custom || (!is_key && issuer.uid != ClaimPath{"sub"})) {
    const std::string name = is_custom ? "uid" : issuer.uid.front();
    if (issuer.uid.size() > 1) {
      return Error{
          ErrorCode::InvalidArgument,
          fmt::format(R"(the issuer "{}" has its uid within another claim; sign its tokens where they are made)",
                      issuer.name)};
    }
    to += ',';
    db::append_json_string(name, to);
    to += ':';
    db::append_json_string(what.uid, to);
  }
  if (is_custom) {
    to += R"(,"claims":)" + document.value().root().to_text();
  }
  for (const auto& [name, value] : document.value().root().fields()) {
    for (const std::string_view taken : {"iss", "aud", "sub", "iat", "exp", "nbf", "uid", "user_id", "firebase"}) {
      if (name == taken || (name == "role" && !what.role.empty()))
        return Error{ErrorCode::InvalidArgument, fmt::format(R"("{}" is not a claim to be given)", name)};
    }
    if (is_custom) continue;
    to += ',';
    db::append_json_string(name, to);
    to += ':' + value.to_text();
  }
  to += '}';
  return issuer.secret->sign(to);
}

}  // namespace hearth::net
