#include "net/auth/verifier.h"

#include <catch2/catch.hpp>

#include "tests/support/auth_door.h"
#include "tests/support/key_server.h"
#include "tests/support/signer.h"

using namespace hearth;
using namespace hearth::net;
using db::ErrorCode;
using rules::Auth;
using test::Door;
using test::kAdminSecret;
using test::Signer;

namespace {

std::string token(std::string_view claims, std::string_view header = R"({"alg":"none","type":"JWT"})",
                  std::string_view signature = "") {
  return test::token_of(header, claims, signature);
}

constexpr std::string_view kSigned = R"({"alg":"RS256","kid":"k1","typ":"JWT"})";

Auth user(std::string variable) { return {Auth::Kind::User, std::move(variable), {}}; }

}  // namespace

TEST_CASE("Verifier: in development a token is believed", "[auth]") {
  const Door door(Door::Mode::Dev);
  struct Case {
    std::string credential;
    Auth auth;
  };
  const std::string mock =  // SDK: util/src/emulator.ts, createMockUserToken
      R"({"iss":"https://securetoken.google.com/p","aud":"p","iat":0,"exp":3600,"auth_time":0,"sub":"ada",)"
      R"("user_id":"ada","firebase":{"sign_in_provider":"custom","identities":{}},"role":"editor"})";
  const std::vector<Case> cases = {
      {"owner", Auth::admin()},
      {kAdminSecret, Auth::admin()},
      {token(mock), user(R"({"uid":"ada","provider":"custom","token":)" + mock + "}")},
      {token(R"({"sub":"bob"})"), user(R"({"uid":"bob","provider":"custom","token":{"sub":"bob"}})")},
      {token(R"({"sub":"bob","user_id":"ada"})"),
       user(R"({"uid":"ada","provider":"custom","token":{"sub":"bob","user_id":"ada"}})")},
      {token(R"({"sub":"b","firebase":{"sign_in_provider":"password"}})"),
       user(R"({"uid":"b","provider":"password","token":{"sub":"b","firebase":{"sign_in_provider":"password"}}})")},
      {token(R"({"sub":"b","provider_id":"anonymous"})"),
       user(R"({"uid":"b","provider":"anonymous","token":{"sub":"b","provider_id":"anonymous"}})")},
      {token(R"({"sub":"b","exp":1})", kSigned, "signature"),
       user(R"({"uid":"b","provider":"custom","token":{"sub":"b","exp":1}})")},
      {token(R"({"v":0,"d":{"uid":"x","role":1}})", kSigned, "s"), user(R"({"uid":"x","role":1})")},
      {token(R"({"v":0,"admin":true,"d":{"uid":"x"}})", kSigned, "s"), Auth::admin()},
      {token(R"({"sub":"b","admin":true})"),  // a custom claim
       user(R"({"uid":"b","provider":"custom","token":{"sub":"b","admin":true}})")},
  };
  for (const Case& c : cases) {
    INFO(c.auth.variable);
    const auto auth = door.verify(c.credential);
    REQUIRE(auth.ok());
    CHECK(auth.value() == c.auth);
  }
}

TEST_CASE("Verifier: otherwise only the admin secret proves anything", "[auth]") {
  const Door door(Door::Mode::Closed);
  CHECK(door.verify(kAdminSecret).value() == Auth::admin());
  struct Case {
    std::string credential, text;
  };
  const std::string cant_parse = "Could not parse auth token.";
  const std::vector<Case> cases = {
      {"", cant_parse},
      {"owner", cant_parse},
      {kAdminSecret.substr(1), cant_parse},
      {kAdminSecret + "0", cant_parse},
      {"ya29.an-oauth-token", cant_parse},
      {token(R"({"sub":"ada"})"), "Unsigned auth tokens are accepted in development only."},
      {token(R"({"v":0,"admin":true})"), "Unsigned auth tokens are accepted in development only."},
      {token(R"({"sub":"ada"})", kSigned, "signature"),
       "This server verifies no signed auth tokens: it was started without --auth-config."},
      {token(R"({"v":0,"admin":true})", R"({"alg":"HS256"})", "signature"),
       "This server verifies no signed auth tokens: it was started without --auth-config."},
  };
  for (const Case& c : cases) {
    INFO(c.credential);
    const auto auth = door.verify(c.credential);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error() == db::Error{ErrorCode::InvalidToken, c.text});
  }
}

TEST_CASE("Verifier: tokens that make no sense are refused in development too", "[auth]") {
  const Door door(Door::Mode::Dev);
  for (const std::string& credential :
       {std::string(), std::string("gibberish"), std::string("Owner"), token("[]"), token("{}"), token(R"({"sub":""})"),
        token(R"({"sub":5})"), token(R"({"sub":"ada"})", R"({"alg":"none"})", "signature"), token(R"({"v":0})")}) {
    INFO(credential);
    const auto auth = door.verify(credential);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error().code == ErrorCode::InvalidToken);
    CHECK((credential.empty() || auth.error().message.find(credential) == std::string::npos));
  }
}

namespace {

const std::string kClaims = R"({"iss":"idp","aud":"chat","sub":"ada","exp":1700000100})";

// One issuer, whose keys are at that URL.
Verifier::Options keys_at(const std::string& url) {
  Verifier::Options options;
  options.config = test::config_of(R"({"issuer": "idp", "audience": "chat", "jwks_url": ")" + url + "\"}");
  options.fetch_url = test::fetch_keys;
  options.times = test::quick_times();
  return options;
}

}  // namespace

TEST_CASE("Verifier: a signed token is its user's, until it expires", "[auth]") {
  Door door(Door::Mode::Closed, test::issuers({R"({"issuer": "b", "secret_file": "s", "skew": 0})"}));
  const Signer signer = Signer::secret(test::kTokenSecret);
  const auto auth = door.verify(signer.sign(R"({"iss":"b","sub":"ada","exp":1700000100})"));
  REQUIRE(auth.ok());
  CHECK(auth.value().variable ==
        R"({"uid":"ada","provider":"custom","token":{"iss":"b","sub":"ada","exp":1700000100}})");
  CHECK(auth.value().expires == std::chrono::seconds(1'700'000'100));
  door.clock.set(std::chrono::seconds(1'700'000'100));
  CHECK(door.verify(signer.sign(R"({"iss":"b","sub":"ada","exp":1700000100})")).error() ==
        db::Error{ErrorCode::ExpiredToken, "Auth token is expired."});
}

TEST_CASE("Verifier: each token is judged as its own issuer's", "[auth]") {
  const Door door(Door::Mode::Closed,
                  test::issuers({R"({"issuer": "a", "secret_file": "s", "namespaces": ["other"]})",
                                 R"({"issuer": "b", "secret_file": "s", "claims": {"uid": "mail"}})"}));
  const Signer signer = Signer::secret(test::kTokenSecret);
  CHECK(door.verify(signer.sign(R"({"iss":"b","sub":"x","mail":"a@b.c","exp":1700000100})"))
            .value()
            .variable.starts_with(R"({"uid":"a@b.c")"));
  CHECK(door.verify(signer.sign(R"({"iss":"a","sub":"ada","exp":1700000100})"), "other").ok());
  CHECK_FALSE(door.verify(signer.sign(R"({"iss":"a","sub":"ada","exp":1700000100})")).ok());
  CHECK_FALSE(door.verify(signer.sign(R"({"iss":"c","sub":"ada","exp":1700000100})")).ok());
}

TEST_CASE("Verifier: legacy tokens are of whose secret signed them", "[auth]") {
  const Door door(Door::Mode::Closed,
                  test::issuers({R"({"issuer": "a", "secret": "another secret of 32 bytes or more"})",
                                 R"({"issuer": "b", "secret_file": "s"})"}));
  const Signer signer = Signer::secret(test::kTokenSecret);
  CHECK(door.verify(signer.sign(R"({"v":0,"iat":1700000000,"d":{"uid":"x"}})")).value().variable == R"({"uid":"x"})");
  CHECK(door.verify(signer.sign(R"({"v":0,"iat":1700000000,"admin":true,"d":{}})")).value().kind == Auth::Kind::Admin);
  CHECK_FALSE(
      door.verify(Signer::secret("some other secret, 32 bytes long!").sign(R"({"v":0,"iat":1700000000,"admin":true})"))
          .ok());
}

TEST_CASE("Verifier: in development with a config, signed tokens are verified and the rest is as ever", "[auth]") {
  const Door door(Door::Mode::Dev, test::issuers({R"({"issuer": "b", "secret_file": "s"})"}));
  CHECK(door.verify("owner").value() == Auth::admin());
  CHECK(door.verify(token(R"({"sub":"ada","exp":1})")).ok());
  CHECK(door.verify(Signer::secret(test::kTokenSecret).sign(R"({"iss":"b","sub":"ada","exp":1700000100})")).ok());
  CHECK_FALSE(door.verify(token(R"({"iss":"b","sub":"ada","exp":1700000100})", kSigned, "signature")).ok());
  CHECK(door.verify(Signer::secret(test::kTokenSecret).sign(R"({"iss":"b","sub":"ada","exp":1})")).error().code ==
        ErrorCode::ExpiredToken);
}

TEST_CASE("Verifier: a key that is not known is waited for, one that is known is not", "[auth][net]") {
  const Signer one = Signer::rsa("one"), two = Signer::ec("two");
  test::KeyServer server(test::key_set_of({one.jwk()}));
  server.hang();
  const Door door(Door::Mode::Closed, keys_at(server.url()));
  CHECK_FALSE(door.verifier().verify(one.sign(kClaims), "demo").has_value());
  test::Late early(door, one.sign(kClaims)), other(door, one.sign(kClaims));
  CHECK_FALSE(early.has_come());
  server.release();
  CHECK(early.wait().ok());
  CHECK(other.wait().ok());
  CHECK(server.asked() == 1);
  CHECK(door.verify(one.sign(kClaims)).ok());

  // The keys are replaced while tokens of the old one are still about.
  server.publish(test::key_set_of({one.jwk(), two.jwk()}));
  CHECK_FALSE(door.verifier().verify(two.sign(kClaims), "demo").has_value());
  server.hang();
  test::Late late(door, two.sign(kClaims));
  CHECK(door.verify(one.sign(kClaims)).ok());  // meanwhile
  server.release();
  CHECK(late.wait().ok());
  CHECK(door.verify(two.sign(kClaims)).ok());
  server.publish(test::key_set_of({two.jwk()}));
  CHECK_FALSE(test::Late(door, Signer::ec("three").sign(kClaims)).wait().ok());
  CHECK_FALSE(test::Late(door, one.sign(kClaims)).wait().ok());  // it is not among them any more
}

TEST_CASE("Verifier: made-up key ids do not make it ask again and again", "[auth][net]") {
  const Signer one = Signer::ec("one");
  test::KeyServer server(test::key_set_of({one.jwk()}));
  Verifier::Options options = keys_at(server.url());
  options.times.demand_interval = std::chrono::hours(1);
  const Door door(Door::Mode::Closed, std::move(options));
  CHECK(test::Late(door, one.sign(kClaims)).wait().ok());
  for (int i = 0; i < 50; ++i) {
    const auto auth = test::Late(door, one.with_kid("k" + std::to_string(i)).sign(kClaims)).wait();
    CHECK(auth.error() ==
          db::Error{ErrorCode::InvalidToken, "Auth token is signed by a key (kid) that its issuer does not have."});
  }
  CHECK(server.asked() == 1);
  CHECK(door.refused(Reason::Key) == 50);
}

TEST_CASE("Verifier: without keys nobody is believed, and it is said whose fault that is", "[auth][net]") {
  const Signer one = Signer::ec("one");
  test::KeyServer server;
  server.publish("", 503);
  const Door door(Door::Mode::Closed, keys_at(server.url()));
  const auto auth = test::Late(door, one.sign(kClaims)).wait();
  REQUIRE_FALSE(auth.ok());
  CHECK(auth.error().code == ErrorCode::Unavailable);
  CHECK(door.refused(Reason::Unavailable) == 1);
  // A key that is known goes on to be one, whatever becomes of its server.
  server.publish(test::key_set_of({one.jwk()}));
  CHECK(test::Late(door, one.sign(kClaims)).wait().ok());
  server.publish("", 503);
  CHECK(test::Late(door, one.with_kid("x").sign(kClaims)).wait().error().code == ErrorCode::Unavailable);
  CHECK(door.verify(one.sign(kClaims)).ok());
}

TEST_CASE("Verifier: other issuers from one moment to the next, and keys stay known", "[auth][net]") {
  const Signer one = Signer::ec("one");
  test::KeyServer server(test::key_set_of({one.jwk()}));
  Door door(Door::Mode::Closed, keys_at(server.url()));
  CHECK(test::Late(door, one.sign(kClaims)).wait().ok());
  door.verifier().replace(
      test::config_of(R"({"issuer": "idp", "audience": "games", "jwks_url": ")" + server.url() + "\"}"));
  CHECK(door.verify(one.sign(kClaims)).error().message == "Auth token is for another audience (aud).");
  CHECK(door.verify(one.sign(R"({"iss":"idp","aud":"games","sub":"ada","exp":1700000100})")).ok());
  CHECK(server.asked() == 1);
  door.verifier().replace({});
  CHECK_FALSE(door.verify(one.sign(kClaims)).ok());
}

TEST_CASE("Verifier: whoever waits while it goes is refused", "[auth][net]") {
  const Signer one = Signer::ec("one");
  test::KeyServer server(test::key_set_of({one.jwk()}));
  server.hang();
  std::optional<test::Late> late;
  {
    const Door door(Door::Mode::Closed, keys_at(server.url()));
    late.emplace(door, one.sign(kClaims));
  }
  CHECK(late->wait().error().code == ErrorCode::InvalidToken);
}

TEST_CASE("act_as: an admin may be judged as another, nobody else may", "[auth]") {
  const Auth ada = user(R"({"uid":"ada"})");
  CHECK(act_as(Auth::admin(), R"({"uid":"svc"})").value() == user(R"({"uid":"svc"})"));
  CHECK(act_as(Auth::admin(), "null").value() == Auth{});
  CHECK(act_as(ada, R"({"uid":"svc"})").value() == ada);
  CHECK(act_as(ada, "null").value() == ada);
  CHECK(act_as(Auth{}, R"({"uid":"svc"})").value() == Auth{});
  Auth brief = Auth::admin();
  brief.expires = std::chrono::seconds(17);
  CHECK(act_as(brief, R"({"uid":"svc"})").value().expires == std::chrono::seconds(17));  // no longer than the admin
  for (const char* variable : {"", "5", "[]", "\"svc\"", "{"}) {
    INFO(variable);
    const auto auth = act_as(Auth::admin(), variable);
    REQUIRE_FALSE(auth.ok());
    CHECK(auth.error().code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("Verifier: an address that guesses too often is not asked for a while, right or wrong", "[auth]") {
  Door door(Door::Mode::Closed);
  const auto verdict = [&](std::string_view credential, std::string_view peer) {
    return std::move(*door.verifier().verify(credential, "demo", peer));
  };
  for (size_t i = 0; i < kFailedLoginsPerMinute; ++i) CHECK(verdict("a guess", "10.0.0.1").error().code == ErrorCode::InvalidToken);
  CHECK(verdict("a guess", "10.0.0.1").error().code == ErrorCode::Unavailable);
  CHECK(verdict(kAdminSecret, "10.0.0.1").error().code == ErrorCode::Unavailable);
  CHECK(verdict(kAdminSecret, "10.0.0.2").ok());
  CHECK(verdict(kAdminSecret, "").ok());
  CHECK(door.refused(Reason::Blocked) == 2);
}
