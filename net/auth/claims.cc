// From verified claims to a user, or to the reason why they prove nothing.
//
//   namespace ─▶ times ─▶ audience ─▶ who: legacy {v, d, admin}, custom {uid, claims}, or the claim issuer.uid
//
// The signature is right when we come here; what is asked is whether the token was made for us, for now, and for
// whom. A token without `exp` is refused: it could never be withdrawn. Clocks may differ by the issuer's `skew`, in
// both directions. Published keys sign tokens for all customers of a provider, which is why the audience counts
// (auth_config.cc demands one then).
//
// Tokens of a Supabase project say their bearer's role, which comes before all else: `anon` is nobody, so that
// `auth != null` in a rule keeps its meaning; `service_role` is a user without uid, or an admin where the issuer says so.
//
// What rules see as `auth` is {uid, provider, token: all claims}, as in Firebase. A custom token is what Firebase
// turns into an ID token, so its claims are moved to where they would be there.
#include "net/auth/claims.h"

#include <algorithm>
#include <cmath>

#include "db/base/invariant.h"

namespace hearth::net {

namespace {

using db::Error;
using db::ErrorCode;
using db::JsonNode;
using std::chrono::seconds;

// The text that a claim holds, at a path of names; "" when there is none, or it is no text.
std::string_view text_at(const JsonNode& claims, const ClaimPath& path) {
  std::optional<JsonNode> at = claims;
  for (const std::string& name : path) {
    if (!at || !at->is_object()) return {};
    at = at->field(name);
  }
  return !path.empty() && at && at->string() ? *at->string() : std::string_view();
}

// A NumericDate, which may have a fraction. `at` is nothing when the claim is there and no possible time: that is
// refused, and not taken for a missing claim.
constexpr double kLatest = 1e12;  // the year 33658; adding to it overflows nothing
struct Date {
  bool is_there = false;
  std::optional<seconds> at{};
};
Date date_of(const JsonNode& claims, std::string_view name) {
  const auto field = claims.field(name);
  if (!field) return {};
  const auto number = field->number();
  if (!number || !std::isfinite(*number) || *number < 0 || *number > kLatest) return {true, std::nullopt};
  return {true, seconds(static_cast<int64_t>(std::floor(*number)))};
}

bool has_audience(const JsonNode& claims, const Issuer& issuer) {
  const auto is_ours = [&](const JsonNode& one) {
    return one.string() &&
           std::find(issuer.audiences.begin(), issuer.audiences.end(), *one.string()) != issuer.audiences.end();
  };
  // Keycloak's access tokens are for "account"; the client that they were made for is the authorized party.
  const auto party = claims.field("azp");
  if (issuer.shape == Shape::Keycloak && party && is_ours(*party)) return true;
  const auto audience = claims.field("aud");
  if (!audience) return false;
  if (audience->kind() != JsonNode::Kind::Array) return is_ours(*audience);
  const std::vector<JsonNode> all = audience->elements();
  return std::any_of(all.begin(), all.end(), is_ours);
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

// A custom token is what an ID token is made from: its claims become claims of the token (Firebase docs, "Create custom
// tokens"). Names that tokens have anyway stay what they are.
std::string claims_of_custom(const JsonNode& claims, std::string_view uid) {
  const auto custom = claims.field("claims");
  std::string to = "{";
  const auto add = [&](std::string_view name, const std::string& json) {
    if (to.size() > 1) to += ',';
    db::append_json_string(name, to);
    to += ':';
    to += json;
  };
  std::string quoted;
  db::append_json_string(uid, quoted);
  add("sub", quoted);
  add("user_id", quoted);
  add("firebase", R"({"sign_in_provider":"custom"})");
  for (const std::string_view name : {"iss", "aud", "iat", "exp", "nbf"}) {
    if (const auto value = claims.field(name)) add(name, value->to_text());
  }
  if (!custom) return to + '}';
  for (const auto& [name, value] : custom->fields()) {
    static constexpr std::string_view kTaken[] = {"sub", "user_id", "firebase", "iss", "aud", "iat", "exp", "nbf"};
    if (std::find(std::begin(kTaken), std::end(kTaken), name) == std::end(kTaken)) add(name, value.to_text());
  }
  to += '}';
  return to;
}

// {uid, claims}: its `sub` is the account that made it.
bool is_custom(const JsonNode& claims) {
  const auto custom = claims.field("claims");
  return !claims.text("uid").empty() && (!custom || custom->is_object());
}

// The name by which the log calls an admin.
std::string admin_name(const JsonNode& claims) {
  const auto data = claims.field("d");
  std::string_view uid = data && data->is_object() ? data->text("uid") : "";
  if (uid.empty()) uid = claims.text("sub");
  return uid.empty() ? "an admin's token" : std::string(uid);
}

// `issuer` null: in development, where nothing limits it to namespaces.
Verdict legacy_user(const JsonNode& claims, const Issuer* issuer) {
  if (const auto admin = claims.field("admin"); admin && admin->boolean() == true) {
    if (issuer != nullptr && !issuer->namespaces.empty()) {
      return refuse(Reason::Namespace, "Auth token makes an admin, and its issuer is not one for all namespaces.");
    }
    return Accepted{rules::Auth::admin(admin_name(claims))};
  }
  const auto data = claims.field("d");
  if (!data || !data->is_object()) return refuse(Reason::Claims, "Auth token names no user: `d` is no object.");
  return Accepted{rules::Auth{rules::Auth::Kind::User, data->to_text(), {}}, std::string(data->text("uid"))};
}

// Docs of Supabase, "Understanding API keys": the app's backend. Rules see {provider, token}, and no uid.
Accepted service_user(const std::string& claims) {
  std::string variable = R"({"provider":"custom","token":)";
  variable += claims;
  variable += "}";
  return Accepted{rules::Auth{rules::Auth::Kind::User, std::move(variable), {}}};
}

// Who has that role of a project. Nothing: a user, whom the claims name.
std::optional<Accepted> bearer_of(const Issuer& issuer, std::string_view role, const std::string& claims) {
  if (role == kAnonRole) return Accepted{rules::Auth{}};
  if (role != kServiceRole) return std::nullopt;
  if (issuer.service_is_admin && issuer.namespaces.empty())
    return Accepted{rules::Auth::admin("service_role of " + issuer.name)};
  return service_user(claims);
}

bool is_believed_in(const Issuer& issuer, std::string_view space) {
  return issuer.namespaces.empty() ||
         std::find(issuer.namespaces.begin(), issuer.namespaces.end(), space) != issuer.namespaces.end();
}

Refused not_believed_there() {
  return refuse(Reason::Namespace, "Auth token is of an issuer that is not believed in this namespace.");
}

Verdict user_of(const Issuer& issuer, const JsonNode& claims) {
  if (issuer.shape == Shape::Supabase) {
    if (auto bearer = bearer_of(issuer, claims.text("role"), claims.to_text())) return std::move(*bearer);
  }
  std::string_view uid = text_at(claims, issuer.uid);
  std::string_view provider = text_at(claims, issuer.provider);
  std::string token;
  const bool may_be_custom = issuer.shape == Shape::Plain && issuer.secret && issuer.uid == ClaimPath{"sub"};
  if (may_be_custom && is_custom(claims)) {
    uid = claims.text("uid");
    provider = "custom";
    token = claims_of_custom(claims, uid);
  } else {
    token = claims.to_text();
  }
  // Auth0 docs, "User profile structure": connection "|" id.
  if (issuer.shape == Shape::Auth0 && provider.empty() && uid.find('|') != std::string_view::npos) {
    provider = uid.substr(0, uid.find('|'));
  }
  if (provider.empty()) provider = "custom";
  if (uid.empty() || uid.size() > kUidBytesMax) {
    return refuse(Reason::Claims,
                  uid.empty() ? "Auth token names no user." : "Auth token names a user by too long a name.");
  }
  return Accepted{rules::Auth{rules::Auth::Kind::User, auth_variable(uid, provider, token), {}}, std::string(uid)};
}

}  // namespace

Refused refuse(Reason reason, std::string text) { return {reason, {ErrorCode::InvalidToken, std::move(text)}}; }

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::Malformed:
      return "malformed";
    case Reason::Unsigned:
      return "unsigned";
    case Reason::Issuer:
      return "issuer";
    case Reason::Key:
      return "key";
    case Reason::Algorithm:
      return "algorithm";
    case Reason::Signature:
      return "signature";
    case Reason::Expired:
      return "expired";
    case Reason::NotYet:
      return "not_yet";
    case Reason::Audience:
      return "audience";
    case Reason::Namespace:
      return "namespace";
    case Reason::Claims:
      return "claims";
    case Reason::Revoked:
      return "revoked";
    case Reason::Unavailable:
      return "unavailable";
    case Reason::Blocked:
      return "blocked";
    case Reason::Busy:
      return "busy";
  }
  return "";
}

// A custom claim named `admin` in an ID token makes nobody an admin: legacy tokens carry a version.
bool is_legacy(const JsonNode& claims) {
  const auto version = claims.field("v");
  return version && version->integer() == 0;
}

Verdict judge_claims(const Issuer& issuer, const JsonNode& claims, std::string_view space, db::Timestamp now) {
  const bool is_old = is_legacy(claims) && issuer.shape == Shape::Plain && issuer.secret;
  const bool is_key =
      issuer.shape == Shape::Supabase && issuer.secret && is_of_project_key(claims.text("iss")) && !claims.field("aud");
  if (!is_believed_in(issuer, space)) return not_believed_there();
  const Date issued = date_of(claims, "iat");
  const Date from = date_of(claims, "nbf");
  Date until = date_of(claims, "exp");
  if (is_old && !until.is_there && issued.at) until = {true, *issued.at + kLegacyLife};
  for (const Date& date : {issued, from, until}) {
    if (date.is_there && !date.at)
      return refuse(Reason::Claims, "Auth token has a time (iat, nbf or exp) that is none.");
  }
  if (!until.is_there) return refuse(Reason::Claims, "Auth token never expires: it has no exp.");
  const seconds expires = *until.at + issuer.skew;
  if (now >= expires) return Refused{Reason::Expired, {ErrorCode::ExpiredToken, "Auth token is expired."}};
  const db::Timestamp latest = now + issuer.skew;
  if (from.at && *from.at > latest) return refuse(Reason::NotYet, "Auth token is not valid yet (nbf).");
  if (issued.at && *issued.at > latest)
    return refuse(Reason::NotYet, "Auth token was made in the future (iat); are the clocks right?");
  if (!is_old && !is_key && !issuer.audiences.empty() && !has_audience(claims, issuer)) {
    return refuse(Reason::Audience, "Auth token is for another audience (aud).");
  }
  Verdict verdict = is_old ? legacy_user(claims, &issuer) : user_of(issuer, claims);
  if (auto* accepted = std::get_if<Accepted>(&verdict)) {
    accepted->auth.expires = expires;
    accepted->issued = issued.at;
  }
  return verdict;
}

bool is_of_project_key(std::string_view issuer) {
  return issuer == kProjectKeyIssuer || issuer == "supabase-demo";  // the latter: of a project on a developer's machine
}

Verdict bearer_of(const Issuer& issuer, const ProjectKey& key, std::string_view space) {
  if (!is_believed_in(issuer, space)) return not_believed_there();
  auto bearer = bearer_of(issuer, key.role, R"({"role":"service_role"})");
  db::invariant(bearer.has_value(), "a key is of one of two roles");
  return std::move(*bearer);
}

Verdict believe_claims(const JsonNode& claims, DevRoles roles) {
  if (roles != DevRoles::Unread) {
    const std::string_view role = claims.text("role");
    if (role == kAnonRole || (role == kServiceRole && roles == DevRoles::Lowered)) return Accepted{rules::Auth{}};
    if (role == kServiceRole) return service_user(claims.to_text());
  }
  if (is_legacy(claims)) return legacy_user(claims, nullptr);
  // An ID token that has a claim named `uid` names its user in `user_id`.
  if (is_custom(claims) && !claims.field("user_id")) {
    const std::string_view uid = claims.text("uid");
    return Accepted{
        rules::Auth{rules::Auth::Kind::User, auth_variable(uid, "custom", claims_of_custom(claims, uid)), {}},
        std::string(uid)};
  }
  std::string_view uid = claims.text("user_id");
  if (uid.empty()) uid = claims.text("sub");
  if (uid.empty()) return refuse(Reason::Claims, "Auth token names no user: it has neither user_id nor sub.");
  std::string_view provider = text_at(claims, {"firebase", "sign_in_provider"});
  if (provider.empty()) provider = claims.text("provider_id");
  if (provider.empty()) provider = "custom";
  return Accepted{rules::Auth{rules::Auth::Kind::User, auth_variable(uid, provider, claims.to_text()), {}},
                  std::string(uid)};
}

}  // namespace hearth::net
