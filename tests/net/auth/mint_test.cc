#include "net/auth/mint.h"

#include <catch2/catch.hpp>

#include "net/auth/claims.h"
#include "net/auth/jwt.h"

using namespace hearth;
using namespace hearth::net;

namespace {

constexpr std::chrono::seconds kNow{1'700'000'000};

Issuer issuer_of(const std::string& text) {
  return parse_auth_config(
             R"({"issuers": [)" + text + "]}",
             [](const std::string&) -> db::Result<std::string> { return std::string(kSecretBytesMin, 's'); })
      .value()
      .issuers.front();
}

}  // namespace

TEST_CASE("mint: a token is one that its issuer's claims make good", "[auth]") {
  struct Case {
    std::string issuer, claims, made;
  };
  const std::vector<Case> cases = {
      {R"({"issuer": "b", "secret_file": "s", "audience": ["c", "d"]})", R"({"editor":true})",
       R"({"iss":"b","aud":"c","sub":"ada","iat":1700000000,"exp":1700003600,"uid":"ada","claims":{"editor":true}})"},
      {R"({"shape": "supabase", "url": "https://a.supabase.co", "secret_file": "s"})", R"({"role":"authenticated"})",
       R"({"iss":"https://a.supabase.co/auth/v1","aud":"authenticated","sub":"ada","iat":1700000000,"exp":1700003600,)"
       R"("role":"authenticated"})"},
      {R"({"issuer": "b", "secret_file": "s", "claims": {"uid": "mail"}})", "{}",
       R"({"iss":"b","sub":"ada","iat":1700000000,"exp":1700003600,"mail":"ada"})"},
  };
  for (const Case& c : cases) {
    INFO(c.issuer);
    const Issuer issuer = issuer_of(c.issuer);
    const auto token = mint_token(issuer, {"ada", c.claims, std::chrono::hours(1)}, kNow);
    REQUIRE(token.ok());
    CHECK(issuer.secret->verifies(token.value()));
    const auto jwt = decode_jwt(token.value());
    REQUIRE(jwt.ok());
    CHECK(jwt.value().claims == c.made);
    const auto document = db::JsonDocument::parse(jwt.value().claims);
    const Verdict verdict = judge_claims(issuer, document.value().root(), "any", kNow);
    REQUIRE(std::holds_alternative<Accepted>(verdict));
    CHECK(std::get<Accepted>(verdict).uid == "ada");
  }
}

TEST_CASE("mint: keys of a Supabase project, and its users' tokens", "[auth]") {
  const Issuer issuer = issuer_of(
      R"({"shape": "supabase", "url": "https://a.supabase.co", "secret_file": "s", "claims": {"uid": "mail"}})");
  struct Case {
    Minting what;
    std::string made;
    rules::Auth::Kind kind;
  };
  using Kind = rules::Auth::Kind;
  const std::vector<Case> cases = {
      {{"", "{}", std::chrono::hours(1), "anon"},
       R"({"iss":"supabase","role":"anon","iat":1700000000,"exp":1700003600})",
       Kind::None},
      {{"", R"({"ref":"shop"})", std::chrono::hours(1), "service_role"},
       R"({"iss":"supabase","role":"service_role","iat":1700000000,"exp":1700003600,"ref":"shop"})",
       Kind::User},
      {{"ada", "{}", std::chrono::hours(1), "authenticated"},
       R"({"iss":"https://a.supabase.co/auth/v1","aud":"authenticated","sub":"ada","role":"authenticated",)"
       R"("iat":1700000000,"exp":1700003600,"mail":"ada"})",
       Kind::User},
  };
  for (const Case& c : cases) {
    INFO(c.made);
    const auto token = mint_token(issuer, c.what, kNow);
    REQUIRE(token.ok());
    CHECK(issuer.secret->verifies(token.value()));
    const std::string claims = decode_jwt(token.value()).value().claims;
    CHECK(claims == c.made);
    const auto document = db::JsonDocument::parse(claims);
    const Verdict verdict = judge_claims(issuer, document.value().root(), "any", kNow);
    REQUIRE(std::holds_alternative<Accepted>(verdict));
    CHECK(std::get<Accepted>(verdict).auth.kind == c.kind);
    CHECK(std::get<Accepted>(verdict).uid == c.what.uid);
  }
  const auto refused = [&](const Minting& what) { return mint_token(issuer, what, kNow).error().message; };
  CHECK(refused({"ada", "{}", std::chrono::hours(1), "anon"}) == "who has a key of anon is no user: no uid");
  CHECK(refused({"", "{}", std::chrono::hours(1), "authenticated"}) == "a uid has 1 to 256 bytes");
  CHECK(refused({"", "{}", std::chrono::hours(1), "postgres"}) == "a role is anon, authenticated or service_role");
  CHECK(refused({"", R"({"role":"anon"})", std::chrono::hours(1), "anon"}) == R"("role" is not a claim to be given)");
  const Issuer plain = issuer_of(R"({"issuer": "b", "secret_file": "s"})");
  CHECK(mint_token(plain, {"", "{}", std::chrono::hours(1), "anon"}, kNow).error().message ==
        "roles are for issuers of shape supabase");
}

TEST_CASE("mint: what can't be said is refused", "[auth]") {
  const Issuer issuer = issuer_of(R"({"issuer": "b", "secret_file": "s"})");
  const Issuer published = issuer_of(R"({"issuer": "b", "audience": "c", "jwks_url": "https://k/"})");
  const Issuer nested = issuer_of(R"({"issuer": "b", "secret_file": "s", "claims": {"uid": ["user", "id"]}})");
  CHECK(mint_token(published, {"ada"}, kNow).error().message == R"(the issuer "b" has no secret to sign with)");
  CHECK(mint_token(issuer, {""}, kNow).error().message == "a uid has 1 to 256 bytes");
  CHECK(mint_token(issuer, {std::string(kUidBytesMax + 1, 'a')}, kNow).error().message == "a uid has 1 to 256 bytes");
  CHECK(mint_token(issuer, {"ada", "[]"}, kNow).error().message ==
        R"(claims are an object of JSON, like {"admin":true})");
  CHECK(mint_token(issuer, {"ada", "{"}, kNow).error().message ==
        R"(claims are an object of JSON, like {"admin":true})");
  CHECK(mint_token(issuer, {"ada", R"({"exp":1})"}, kNow).error().message == R"("exp" is not a claim to be given)");
  CHECK_FALSE(mint_token(nested, {"ada"}, kNow).ok());
}
