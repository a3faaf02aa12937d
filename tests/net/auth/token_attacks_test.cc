// Tokens that somebody made up. Each is refused, for the reason that it should be, and counted.
#include <catch2/catch.hpp>

#include "tests/support/auth_door.h"
#include "tests/support/key_server.h"
#include "tests/support/signer.h"

using namespace hearth;
using namespace hearth::net;
using db::ErrorCode;
using test::Door;
using test::Signer;
using test::token_of;

namespace {

// Two issuers with published keys, one with a secret.
struct World {
  Signer rsa = Signer::rsa("rsa-1");
  Signer ec = Signer::ec("ec-1");
  Signer lone = Signer::ec("lone");
  Signer secret = Signer::secret(test::kTokenSecret);
  std::string keys = test::key_set_of({rsa.jwk(), ec.jwk()});
  test::KeyServer two{keys};
  test::KeyServer one{test::key_set_of({lone.jwk()})};
  test::KeyServer elsewhere;  // an attacker's
  Door door{Door::Mode::Closed, options()};

  Verifier::Options options() {
    Verifier::Options all = test::issuers({R"({"issuer": "idp", "audience": "chat", "jwks_url": ")" + two.url() + "\"}",
                                           R"({"issuer": "one", "audience": "chat", "jwks_url": ")" + one.url() + "\"}",
                                           R"({"issuer": "ours", "secret_file": "s", "audience": "chat"})",
                                           R"({"issuer": "games", "secret_file": "s", "namespaces": ["games"]})"});
    all.fetch_url = test::fetch_keys;
    all.times = test::quick_times();
    all.times.demand_interval = std::chrono::hours(1);
    return all;
  }
};

std::string claims(const std::string& iss, const std::string& more = "", const std::string& exp = "1700000100") {
  return R"({"iss":")" + iss + R"(","aud":"chat","sub":"ada","exp":)" + exp + more + "}";
}

// With the part between its dots at `part` replaced.
std::string with_part(const std::string& token, int part, const std::string& by) {
  const size_t first = token.find('.'), second = token.rfind('.');
  const std::string parts[] = {token.substr(0, first), token.substr(first + 1, second - first - 1),
                               token.substr(second + 1)};
  std::string made;
  for (int i = 0; i < 3; ++i) made += (i > 0 ? "." : "") + (i == part ? by : parts[i]);
  return made;
}

std::string flipped(std::string token, size_t at) {
  token[at] = token[at] == 'A' ? 'B' : 'A';
  return token;
}

}  // namespace

TEST_CASE("Tokens: what is made up is refused, and why is counted", "[auth][net]") {
  World w;
  const std::string good = w.rsa.sign(claims("idp"));
  const std::string head = good.substr(0, good.find('.'));
  // To begin with, what is well made is taken.
  REQUIRE(test::Late(w.door, good).wait().ok());
  REQUIRE(test::Late(w.door, w.lone.sign(claims("one"))).wait().ok());
  REQUIRE(w.door.verify(w.ec.sign(claims("idp"))).ok());
  REQUIRE(w.door.verify(w.lone.without_kid().sign(claims("one"))).ok());
  REQUIRE(w.door.verify(w.secret.sign(claims("ours"))).ok());
  REQUIRE(w.door.verify(w.secret.with_kid("any").sign(claims("ours"))).ok());
  REQUIRE(w.door.verify(w.secret.sign(claims("games")), "games").ok());
  const uint64_t accepted = w.door.verifier().counts().accepted;
  CHECK(accepted == 7);

  std::string deep = R"({"iss":"idp","aud":"chat","sub":"ada","exp":1700000100,"deep":)";
  deep += std::string(2000, '[') + std::string(2000, ']') + "}";
  const std::string evil = w.elsewhere.url();
  const Signer mallory = Signer::rsa("rsa-1"), stranger = Signer::rsa("other");
  struct Case {
    std::string what, token;
    Reason reason;
  };
  const std::vector<Case> cases = {
      {"alg none", token_of(R"({"alg":"none"})", claims("idp")), Reason::Unsigned},
      {"alg none with a signature", token_of(R"({"alg":"none"})", claims("idp"), "x"), Reason::Unsigned},
      {"alg None", token_of(R"({"alg":"None","kid":"rsa-1"})", claims("idp")), Reason::Algorithm},
      {"alg nOnE", token_of(R"({"alg":"nOnE","kid":"rsa-1"})", claims("idp")), Reason::Algorithm},
      {"alg NONE of a secret", token_of(R"({"alg":"NONE"})", claims("ours")), Reason::Algorithm},
      {"alg none of the signed one",
       with_part(with_part(good, 0, test::base64url(R"({"alg":"none","kid":"rsa-1"})")), 2, ""), Reason::Unsigned},
      {"no alg", token_of("{}", claims("idp")), Reason::Malformed},
      {"alg twice", token_of(R"({"alg":"RS256","kid":"rsa-1","alg":"HS256"})", claims("idp"), "x"), Reason::Malformed},
      {"alg empty", token_of(R"({"alg":"","kid":"rsa-1"})", claims("idp")), Reason::Algorithm},
      {"the public key's PEM as a secret", Signer::secret(w.rsa.pem()).with_kid("rsa-1").sign(claims("idp")),
       Reason::Algorithm},
      {"the public key's JWK as a secret", Signer::secret(w.rsa.jwk()).with_kid("rsa-1").sign(claims("idp")),
       Reason::Algorithm},
      {"the key set as a secret", Signer::secret(w.keys).with_kid("rsa-1").sign(claims("idp")), Reason::Algorithm},
      {"an EC token named as of the RSA key", w.ec.with_kid("rsa-1").sign(claims("idp")), Reason::Algorithm},
      {"an RSA token named as of the EC key", w.rsa.with_kid("ec-1").sign(claims("idp")), Reason::Algorithm},
      {"RS256 where there is a secret", w.rsa.sign(claims("ours")), Reason::Algorithm},
      {"RS512", token_of(R"({"alg":"RS512","kid":"rsa-1"})", claims("idp"), "x"), Reason::Algorithm},
      {"another's key under the same kid", mallory.sign(claims("idp")), Reason::Signature},
      {"another's key", stranger.sign(claims("idp")), Reason::Key},
      {"a key of another issuer", w.lone.sign(claims("idp")), Reason::Key},
      {"no kid with several keys", w.rsa.without_kid().sign(claims("idp")), Reason::Key},
      {"kid that is no text", token_of(R"({"alg":"RS256","kid":1})", claims("idp"), "x"), Reason::Malformed},
      {"kid that is a path", w.rsa.with_kid("../../../../dev/null").sign(claims("idp")), Reason::Key},
      {"its own key, as jwk", stranger.with_kid("rsa-1").sign(claims("idp"), {{"jwk", stranger.jwk()}}),
       Reason::Signature},
      {"its own keys, as jku", stranger.sign(claims("idp"), {{"jku", "\"" + evil + "\""}}), Reason::Key},
      {"its own keys, as x5u", stranger.sign(claims("idp"), {{"x5u", "\"" + evil + "\""}}), Reason::Key},
      {"crit", w.rsa.sign(claims("idp"), {{"crit", R"(["exp"])"}}), Reason::Malformed},
      {"crit, empty", w.rsa.sign(claims("idp"), {{"crit", "[]"}}), Reason::Malformed},
      {"b64 false", w.rsa.sign(claims("idp"), {{"b64", "false"}, {"crit", R"(["b64"])"}}), Reason::Malformed},
      {"expired", w.rsa.sign(claims("idp", "", "1699999000")), Reason::Expired},
      {"never expires", w.rsa.sign(R"({"iss":"idp","aud":"chat","sub":"ada"})"), Reason::Claims},
      {"not yet valid", w.rsa.sign(claims("idp", R"(,"nbf":1700000090)")), Reason::NotYet},
      {"made in the future", w.rsa.sign(claims("idp", R"(,"iat":1700000090)")), Reason::NotYet},
      {"another audience", w.rsa.sign(R"({"iss":"idp","aud":"mail","sub":"ada","exp":1700000100})"), Reason::Audience},
      {"no audience", w.rsa.sign(R"({"iss":"idp","sub":"ada","exp":1700000100})"), Reason::Audience},
      {"no audience, by secret", w.secret.sign(R"({"iss":"ours","sub":"ada","exp":1700000100})"), Reason::Audience},
      {"another issuer", w.rsa.sign(claims("idp2")), Reason::Issuer},
      {"another issuer of ours", w.rsa.sign(claims("one")), Reason::Key},
      {"no issuer", w.rsa.sign(R"({"aud":"chat","sub":"ada","exp":1700000100})"), Reason::Issuer},
      {"issuer that is no text", w.rsa.sign(R"({"iss":["idp"],"aud":"chat","sub":"ada","exp":1700000100})"),
       Reason::Issuer},
      {"another namespace", w.secret.sign(claims("games")), Reason::Namespace},
      {"nobody", w.rsa.sign(R"({"iss":"idp","aud":"chat","exp":1700000100})"), Reason::Claims},
      {"a legacy token by a published key", w.rsa.sign(R"({"v":0,"admin":true,"d":{},"iat":1700000000})"),
       Reason::Algorithm},
      {"a legacy token by a public key as a secret",
       Signer::secret(w.rsa.pem()).sign(R"({"v":0,"admin":true,"iat":1700000000})"), Reason::Signature},
      {"truncated", good.substr(0, good.size() / 2), Reason::Malformed},
      {"truncated in the signature", good.substr(0, good.size() - 10), Reason::Signature},
      {"no signature", good.substr(0, good.rfind('.')), Reason::Malformed},
      {"an empty signature", good.substr(0, good.rfind('.') + 1), Reason::Signature},
      {"an empty signature, by EC", with_part(w.ec.sign(claims("idp")), 2, ""), Reason::Signature},
      {"a signature of zeros, by EC", with_part(w.ec.sign(claims("idp")), 2, test::base64url(std::string(64, '\0'))),
       Reason::Signature},
      {"an empty signature, by secret", with_part(w.secret.sign(claims("ours")), 2, ""), Reason::Signature},
      {"a shorter signature, by secret", with_part(w.secret.sign(claims("ours")), 2, "AAAA"), Reason::Signature},
      {"a flipped bit in the signature", flipped(good, good.size() - 20), Reason::Signature},
      {"other claims", with_part(good, 1, test::base64url(claims("idp", R"(,"admin":true)"))), Reason::Signature},
      {"another header", with_part(good, 0, test::base64url(R"({"alg":"RS256","kid":"rsa-1","x":1})")),
       Reason::Signature},
      {"encrypted, five parts", head + ".a.b.c.d", Reason::Malformed},
      {"claims twice", w.rsa.sign(R"({"iss":"idp","aud":"chat","sub":"ada","exp":1700000100,"sub":"eve"})"),
       Reason::Malformed},
      {"claims that are no object", w.rsa.sign("[]"), Reason::Malformed},
      {"claims that are no JSON", w.rsa.sign("{"), Reason::Malformed},
      {"deep claims", w.rsa.sign(deep), Reason::Malformed},
      {"a deep header",
       token_of(R"({"alg":"RS256","x":)" + std::string(2000, '[') + std::string(2000, ']') + "}", claims("idp"), "x"),
       Reason::Malformed},
      {"over the limit", w.rsa.sign(claims("idp", R"(,"x":")" + std::string(kTokenBytesMax, 'x') + "\"")),
       Reason::Malformed},
      {"not base64url", good + "!", Reason::Malformed},
      {"a blank behind it", good + " ", Reason::Malformed},
      {"a null behind it", good + std::string(1, '\0'), Reason::Malformed},
      {"`owner`", "owner", Reason::Malformed},
      {"nothing", "", Reason::Malformed},
  };
  for (const Case& c : cases) {
    INFO(c.what << ": " << c.token.substr(0, 200));
    const uint64_t before = w.door.refused(c.reason);
    const auto auth = test::Late(w.door, c.token).wait();
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error().code == (c.reason == Reason::Expired ? ErrorCode::ExpiredToken : ErrorCode::InvalidToken));
    CHECK((c.token.empty() || auth.error().message.find(c.token) == std::string::npos));
    CHECK(w.door.refused(c.reason) == before + 1);
  }
  CHECK(w.door.verifier().counts().accepted == accepted);
  CHECK(w.elsewhere.asked() == 0);
  CHECK(w.one.asked() == 1);
  CHECK(w.two.asked() == 1);
}

TEST_CASE("Tokens: no bit of a signed token can be changed", "[auth][net]") {
  World w;
  const std::string good = w.secret.sign(claims("ours"));
  REQUIRE(w.door.verify(good).ok());
  for (size_t at = 0; at + 1 < good.size(); ++at) {  // the last character has bits that mean nothing
    for (const int bit : {1, 4, 32}) {
      std::string other = good;
      other[at] = static_cast<char>(other[at] ^ bit);
      INFO(at << " " << bit);
      CHECK_FALSE(test::Late(w.door, other).wait().ok());
    }
  }
}

TEST_CASE("Tokens: up to the limit", "[auth]") {
  const Door door(Door::Mode::Closed, test::issuers({R"({"issuer": "ours", "secret_file": "s"})"}));
  const Signer secret = Signer::secret(test::kTokenSecret);
  const auto sized = [&](size_t more) {
    return secret.sign(claims("ours", R"(,"x":")" + std::string(more, 'x') + "\""));
  };
  size_t more = kTokenBytesMax / 4 * 3 - 300;
  while (sized(more + 1).size() <= kTokenBytesMax) ++more;
  CHECK(door.verify(sized(more)).ok());
  CHECK_FALSE(door.verify(sized(more + 1)).ok());
}
