#include "net/auth/verifier.h"

#include <string>

#include "db/model/json.h"
#include "net/auth/jwt.h"
#include "rules/guard.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;

std::string_view text_of(const db::JsonNode& object, std::string_view name) {
  const auto field = object.field(name);
  return field && field->string() ? *field->string() : std::string_view();
}

// Docs, "auth": {uid, provider, token: all claims}.
std::string auth_variable(std::string_view uid, std::string_view provider, const std::string& claims) {
  std::string to = R"({"uid":)";
  db::append_json_string(uid, to);
  to += R"(,"provider":)";
  db::append_json_string(provider, to);
  to += R"(,"token":)";
  to += claims;
  to += "}";
  return to;
}

// For the log: whose token it is.
std::string name_of(const db::JsonNode& claims) {
  const auto data = claims.field("d");
  std::string_view uid = data && data->is_object() ? text_of(*data, "uid") : "";
  if (uid.empty()) uid = text_of(claims, "sub");
  return uid.empty() ? "an admin's token" : std::string(uid);
}

db::Result<rules::Auth> user_of(const Jwt& token) {
  ASSIGN_OR_RETURN(const auto document, db::JsonDocument::parse(token.claims));
  const db::JsonNode claims = document.root();

  // Legacy tokens carry a version; a custom claim named `admin` in an ID token makes nobody an admin.
  if (const auto version = claims.field("v"); version && version->integer() == 0) {
    if (const auto admin = claims.field("admin"); admin && admin->boolean() == true)
      return rules::Auth::admin(name_of(claims));
    const auto data = claims.field("d");
    if (data && data->is_object()) return rules::Auth{rules::Auth::Kind::User, data->to_text(), {}};
  }

  std::string_view uid = text_of(claims, "user_id");
  if (uid.empty()) uid = text_of(claims, "sub");
  if (uid.empty()) return Error{ErrorCode::InvalidToken, "Auth token names no user: it has neither user_id nor sub."};
  const auto firebase = claims.field("firebase");
  std::string_view provider = firebase && firebase->is_object() ? text_of(*firebase, "sign_in_provider") : "";
  if (provider.empty()) provider = text_of(claims, "provider_id");
  if (provider.empty()) provider = "custom";
  return rules::Auth{rules::Auth::Kind::User, auth_variable(uid, provider, claims.to_text()), {}};
}

}  // namespace

db::Result<rules::Auth> Verifier::verify(std::string_view credential) const {
  if (guard_.dev() && credential == "owner") return rules::Auth::admin("owner");
  if (!credential.empty() && guard_.is_admin_secret(credential)) return rules::Auth::admin("the admin secret");

  ASSIGN_OR_RETURN(const Jwt token, decode_jwt(credential));
  if (!guard_.dev()) {
    return Error{ErrorCode::InvalidToken,
                 token.algorithm == "none" ? "Unsigned auth tokens are accepted in development only."
                                           : "This server can't verify signed auth tokens yet; use the admin secret."};
  }
  if (token.algorithm == "none" && !token.is_unsigned()) {
    return Error{ErrorCode::InvalidToken, "Auth token says that it is unsigned and carries a signature."};
  }
  return user_of(token);
}

db::Result<rules::Auth> act_as(rules::Auth proven, std::string_view variable) {
  const auto document = db::JsonDocument::parse(variable);
  const bool usable = document.ok() && (document.value().root().is_null() || document.value().root().is_object());
  if (!usable) return Error{ErrorCode::InvalidArgument, "An auth variable must be an object or null."};
  if (proven.kind != rules::Auth::Kind::Admin) return proven;
  if (document.value().root().is_null()) return rules::Auth{};
  return rules::Auth{rules::Auth::Kind::User, document.value().root().to_text(), {}};
}

}  // namespace hearth::net
