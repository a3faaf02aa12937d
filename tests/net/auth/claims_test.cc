#include "net/auth/claims.h"

#include <catch2/catch.hpp>
#include <set>

using namespace hearth;
using namespace hearth::net;
using db::ErrorCode;
using std::chrono::seconds;

namespace {

constexpr seconds kNow{1'700'000'000};

Issuer issuer_of(const std::string& text) {
  return parse_auth_config(
             R"({"issuers": [)" + text + "]}",
             [](const std::string&) -> db::Result<std::string> { return std::string(kSecretBytesMin, 's'); })
      .value()
      .issuers.front();
}

Verdict judge(const Issuer& issuer, const std::string& claims, std::string_view space = "chat",
              db::Timestamp now = kNow) {
  const auto document = db::JsonDocument::parse(claims);
  REQUIRE(document.ok());
  return judge_claims(issuer, document.value().root(), space, now);
}

std::string variable_of(const Verdict& verdict) {
  const auto* accepted = std::get_if<Accepted>(&verdict);
  return accepted != nullptr ? accepted->auth.variable : std::get<Refused>(verdict).error.message;
}

}  // namespace

TEST_CASE("Claims: who the bearer is, by the shape of the issuer", "[auth]") {
  struct Case {
    std::string issuer, claims, auth;
  };
  const std::vector<Case> cases = {
      {R"({"shape": "firebase", "project": "p"})",
       R"({"iss":"https://securetoken.google.com/p","aud":"p","sub":"ada","user_id":"ada","exp":1700000100,"admin":true,)"
       R"("firebase":{"sign_in_provider":"password"}})",
       R"({"uid":"ada","provider":"password","token":{"iss":"https://securetoken.google.com/p","aud":"p","sub":"ada",)"
       R"("user_id":"ada","exp":1700000100,"admin":true,"firebase":{"sign_in_provider":"password"}}})"},
      {R"({"shape": "supabase", "url": "https://a.supabase.co"})",
       R"({"aud":"authenticated","sub":"5e0b","role":"authenticated","exp":1700000100,"app_metadata":{"provider":"email"}})",
       R"({"uid":"5e0b","provider":"email","token":{"aud":"authenticated","sub":"5e0b","role":"authenticated",)"
       R"("exp":1700000100,"app_metadata":{"provider":"email"}}})"},
      {R"({"shape": "auth0", "domain": "a.auth0.com", "audience": "chat"})",
       R"({"aud":["chat","https://a.auth0.com/userinfo"],"sub":"google-oauth2|17","exp":1700000100})",
       R"({"uid":"google-oauth2|17","provider":"google-oauth2","token":{"aud":["chat","https://a.auth0.com/userinfo"],)"
       R"("sub":"google-oauth2|17","exp":1700000100}})"},
      {R"({"shape": "keycloak", "issuer": "https://sso/realms/r", "audience": "web"})",
       R"({"aud":"account","azp":"web","sub":"f1","exp":1700000100,"realm_access":{"roles":["admin"]}})",
       R"({"uid":"f1","provider":"custom","token":{"aud":"account","azp":"web","sub":"f1","exp":1700000100,)"
       R"("realm_access":{"roles":["admin"]}}})"},
      {R"({"issuer": "b", "secret_file": "s"})", R"({"sub":"ada","exp":1700000100})",
       R"({"uid":"ada","provider":"custom","token":{"sub":"ada","exp":1700000100}})"},
      {R"({"issuer": "b", "secret_file": "s", "claims": {"uid": ["user","mail"], "provider": "via"}})",
       R"({"sub":"ada","user":{"mail":"a@b.c"},"via":"saml","uid":"x","exp":1700000100})",
       R"({"uid":"a@b.c","provider":"saml","token":{"sub":"ada","user":{"mail":"a@b.c"},"via":"saml","uid":"x","exp":1700000100}})"},
      // A custom token (Firebase docs, "Create custom tokens").
      {R"({"issuer": "b", "secret_file": "s"})",
       R"({"iss":"b","sub":"robot@b","uid":"ada","iat":1700000000,"exp":1700000100,"claims":{"editor":true,"sub":"eve"}})",
       R"({"uid":"ada","provider":"custom","token":{"sub":"ada","user_id":"ada","firebase":{"sign_in_provider":"custom"},)"
       R"("iss":"b","iat":1700000000,"exp":1700000100,"editor":true}})"},
      // The same claims mean less where the keys are published ones.
      {R"({"issuer": "b", "audience": "c", "jwks_url": "https://k/"})",
       R"({"aud":"c","sub":"robot","uid":"ada","exp":1700000100,"v":0,"d":{"uid":"eve"},"admin":true})",
       R"({"uid":"robot","provider":"custom","token":{"aud":"c","sub":"robot","uid":"ada","exp":1700000100,"v":0,)"
       R"("d":{"uid":"eve"},"admin":true}})"},
      {R"({"issuer": "b", "secret_file": "s"})", R"({"v":0,"iat":1700000000,"d":{"uid":"x","role":1}})",
       R"({"uid":"x","role":1})"},
  };
  for (const Case& c : cases) {
    INFO(c.claims);
    CHECK(variable_of(judge(issuer_of(c.issuer), c.claims)) == c.auth);
  }
}

TEST_CASE("Claims: a legacy token of a secret makes an admin, where its issuer is one for all", "[auth]") {
  const std::string claims = R"({"v":0,"iat":1700000000,"admin":true,"d":{}})";
  const Verdict verdict = judge(issuer_of(R"({"issuer": "b", "secret_file": "s"})"), claims);
  REQUIRE(std::holds_alternative<Accepted>(verdict));
  CHECK(std::get<Accepted>(verdict).auth.kind == rules::Auth::Kind::Admin);
  CHECK(std::get<Accepted>(verdict).auth.expires == kNow + kLegacyLife + kSkew);
  const Verdict limited = judge(issuer_of(R"({"issuer": "b", "secret_file": "s", "namespaces": ["chat"]})"), claims);
  REQUIRE(std::holds_alternative<Refused>(limited));
  CHECK(std::get<Refused>(limited).reason == Reason::Namespace);
}

TEST_CASE("Claims: times, to the second, with the skew on both sides", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s", "skew": 60})");
  struct Case {
    std::string times;
    std::optional<Reason> refused;
  };
  const std::vector<Case> cases = {
      {R"("exp":1699999941)", {}},  // 59 s ago
      {R"("exp":1699999940)", Reason::Expired},
      {R"("exp":1)", Reason::Expired},
      {R"("exp":1700000100,"nbf":1700000060)", {}},
      {R"("exp":1700000100,"nbf":1700000061)", Reason::NotYet},
      {R"("exp":1700000100,"iat":1700000060)", {}},
      {R"("exp":1700000100,"iat":1700000061)", Reason::NotYet},
      {R"("exp":1700000100.75,"iat":1699999999.5)", {}},  // a NumericDate may have a fraction
      {R"("exp":1e12)", {}},
      {R"("exp":1e13)", Reason::Claims},
      {R"("exp":1e300)", Reason::Claims},
      {R"("exp":-1)", Reason::Claims},
      {R"("exp":"1700000100")", Reason::Claims},
      {R"("exp":null)", Reason::Claims},
      {R"("iat":1700000000)", Reason::Claims},  // no exp
      {R"("exp":1700000100,"nbf":"now")", Reason::Claims},
      {R"("exp":1700000100,"iat":[])", Reason::Claims},
  };
  for (const Case& c : cases) {
    INFO(c.times);
    const Verdict verdict = judge(issuer, R"({"sub":"ada",)" + c.times + "}");
    REQUIRE(std::holds_alternative<Accepted>(verdict) == !c.refused);
    if (!c.refused) continue;
    const auto& refused = std::get<Refused>(verdict);
    CHECK(refused.reason == *c.refused);
    CHECK(refused.error.code == (*c.refused == Reason::Expired ? ErrorCode::ExpiredToken : ErrorCode::InvalidToken));
  }
  // It stops being good at the millisecond at which it stops being taken.
  const Verdict last = judge(issuer, R"({"sub":"ada","exp":1699999940})", "chat", kNow - db::Timestamp(1));
  REQUIRE(std::holds_alternative<Accepted>(last));
  CHECK(std::get<Accepted>(last).auth.expires == kNow);
}

TEST_CASE("Claims: legacy tokens without exp are good for a day", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s", "skew": 0})");
  const std::string claims = R"({"v":0,"iat":1700000000,"d":{"uid":"x"}})";
  CHECK(std::holds_alternative<Accepted>(judge(issuer, claims, "chat", kNow + kLegacyLife - seconds(1))));
  CHECK(std::holds_alternative<Refused>(judge(issuer, claims, "chat", kNow + kLegacyLife)));
  CHECK(std::holds_alternative<Refused>(judge(issuer, R"({"v":0,"d":{"uid":"x"}})")));
}

TEST_CASE("Claims: audiences", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s", "audience": ["chat", "games"]})");
  for (const auto& [aud, is_ours] : std::vector<std::pair<std::string, bool>>{{R"("aud":"chat",)", true},
                                                                              {R"("aud":["x","games"],)", true},
                                                                              {R"("aud":"x",)", false},
                                                                              {R"("aud":"cha",)", false},
                                                                              {R"("aud":["x"],)", false},
                                                                              {R"("aud":[],)", false},
                                                                              {R"("aud":5,)", false},
                                                                              {R"("aud":[["chat"]],)", false},
                                                                              {R"("azp":"chat",)", false},
                                                                              {"", false}}) {
    INFO(aud);
    const Verdict verdict = judge(issuer, "{" + aud + R"("sub":"ada","exp":1700000100})");
    CHECK(std::holds_alternative<Accepted>(verdict) == is_ours);
    if (!is_ours) CHECK(std::get<Refused>(verdict).reason == Reason::Audience);
  }
}

TEST_CASE("Claims: namespaces", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s", "namespaces": ["chat"]})");
  const std::string claims = R"({"sub":"ada","exp":1700000100})";
  CHECK(std::holds_alternative<Accepted>(judge(issuer, claims, "chat")));
  for (const std::string_view space : {"games", "cha", ""}) {
    const Verdict verdict = judge(issuer, claims, space);
    REQUIRE(std::holds_alternative<Refused>(verdict));
    CHECK(std::get<Refused>(verdict).reason == Reason::Namespace);
  }
}

TEST_CASE("Claims: a user has a name, of bounded length", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s"})");
  const auto accepts = [&](const std::string& sub) {
    return std::holds_alternative<Accepted>(judge(issuer, "{" + sub + R"("exp":1700000100})"));
  };
  CHECK(accepts(R"("sub":")" + std::string(kUidBytesMax, 'a') + "\","));
  CHECK_FALSE(accepts(R"("sub":")" + std::string(kUidBytesMax + 1, 'a') + "\","));
  CHECK_FALSE(accepts(""));
  CHECK_FALSE(accepts(R"("sub":"",)"));
  CHECK_FALSE(accepts(R"("sub":5,)"));
}

TEST_CASE("Claims: each reason has a name of its own", "[auth]") {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kReasons; ++i) names.insert(name_of(static_cast<Reason>(i)));
  CHECK(names.size() == kReasons);
  CHECK_FALSE(names.contains(""));
}
