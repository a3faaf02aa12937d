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
      // A custom token, as createCustomToken() of an admin SDK makes it: `sub` is the account that did.
      {token(R"({"iss":"robot@p","sub":"robot@p","aud":"a","iat":1,"exp":2,"uid":"ada","claims":{"editor":true}})",
             kSigned, "s"),
       user(
           R"({"uid":"ada","provider":"custom","token":{"sub":"ada","user_id":"ada","firebase":{"sign_in_provider":"custom"},)"
           R"("iss":"robot@p","aud":"a","iat":1,"exp":2,"editor":true}})")},
      {token(R"({"sub":"robot@p","uid":"ada"})"),
       user(
           R"({"uid":"ada","provider":"custom","token":{"sub":"ada","user_id":"ada","firebase":{"sign_in_provider":"custom"}}})")},
      {token(R"({"sub":"ada","user_id":"ada","uid":"eve"})"),  // an ID token that has a claim of that name
       user(R"({"uid":"ada","provider":"custom","token":{"sub":"ada","user_id":"ada","uid":"eve"}})")},
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

TEST_CASE("Verifier: an address that guesses too often hears so; who is right always gets in", "[auth]") {
  std::vector<std::string> slowed;
  Verifier::Options options;
  options.on_slowed = [&](Verifier::Slowed what, const std::string& address) {
    CHECK(what == Verifier::Slowed::Guessing);
    slowed.push_back(address);
  };
  Door door(Door::Mode::Closed, std::move(options));
  const auto verdict = [&](std::string_view credential, std::string_view peer) {
    return std::move(*door.verifier().verify(credential, "demo", peer));
  };
  for (size_t i = 0; i < kFailedLoginsPerMinute; ++i)
    CHECK(verdict("a guess", "10.0.0.1").error().code == ErrorCode::InvalidToken);
  CHECK_FALSE(door.verifier().is_guessing("10.0.0.2"));
  for (const char* guess : {"a guess", "owner", "", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."}) {
    CHECK(verdict(guess, "10.0.0.1").error().code == ErrorCode::Unavailable);
  }
  CHECK(door.verifier().is_guessing("10.0.0.1"));
  CHECK(verdict(kAdminSecret, "10.0.0.1").ok());
  CHECK(verdict("a guess", "10.0.0.2").error().code == ErrorCode::InvalidToken);
  CHECK(door.refused(Reason::Blocked) == 4);
  CHECK(slowed == std::vector<std::string>(4, "10.0.0.1"));
  door.clock.advance(std::chrono::seconds(1));
  CHECK(verdict("a guess", "10.0.0.1").error().code == ErrorCode::InvalidToken);
}

TEST_CASE("Verifier: in development `owner` is an admin however many wrong credentials came before", "[auth]") {
  Door door(Door::Mode::Dev);
  for (size_t i = 0; i < 3 * kFailedLoginsPerMinute; ++i) (void)door.verifier().verify("wrong", "demo", "10.0.0.1");
  CHECK(door.verifier().verify("owner", "demo", "10.0.0.1")->ok());
}

namespace {

// A millisecond from one call to the next.
std::chrono::nanoseconds a_millisecond_each() {
  static std::atomic<int> calls = 0;
  return std::chrono::milliseconds(++calls);
}

struct Tokens {
  Signer good = Signer::secret(test::kTokenSecret);
  Signer bad = Signer::secret("another secret, as long as the right one is");
  static std::string claims(int number) {
    return R"({"iss":"ours","sub":"user)" + std::to_string(number) + R"(","exp":1700009999})";
  }
};

}  // namespace

TEST_CASE("Verifier: wrong signatures lock nobody out; verifying them has a time for each address", "[auth]") {
  Tokens tokens;
  Verifier::Options options = test::issuers({R"({"issuer": "ours", "secret_file": "s"})"});
  options.verify_time_max =
      std::chrono::milliseconds(10);  // of a second: so many new tokens, and ten times as many at once
  options.thread_time = a_millisecond_each;
  size_t slowed = 0;
  options.on_slowed = [&](Verifier::Slowed what, const std::string&) {
    slowed += what == Verifier::Slowed::Verifying ? 1 : 0;
  };
  Door door(Door::Mode::Closed, std::move(options));
  const auto verdict = [&](const std::string& token, const char* from = "10.0.0.1") {
    return std::move(*door.verifier().verify(token, "demo", from));
  };
  const std::string known = tokens.good.sign(Tokens::claims(0));
  CHECK(verdict(known).ok());
  for (int i = 1; i < 100; ++i)
    CHECK(verdict(tokens.bad.sign(Tokens::claims(i))).error().code == ErrorCode::InvalidToken);
  CHECK(door.verifier().counts().signatures.load() == 100);
  // From here on its time is used up: nothing new is looked at, right or wrong.
  CHECK(verdict(tokens.bad.sign(Tokens::claims(100))).error().code == ErrorCode::Unavailable);
  const std::string late = tokens.good.sign(Tokens::claims(101));
  CHECK(verdict(late).error().code == ErrorCode::Unavailable);
  CHECK(slowed == 2);
  CHECK(door.refused(Reason::Busy) == 2);
  CHECK(door.verifier().counts().signatures.load() == 100);
  // Who was verified before is not kept waiting, nor is the admin, nor anybody else.
  CHECK(verdict(known).ok());
  CHECK(verdict(kAdminSecret).ok());
  CHECK(verdict(late, "10.0.0.2").ok());
  CHECK(verdict(late).ok());  // as it is known now
  CHECK_FALSE(door.verifier().is_guessing("10.0.0.1"));
  // A second brings back ten.
  door.clock.advance(std::chrono::seconds(1));
  size_t looked_at = 0;
  for (int i = 200; i < 220; ++i) {
    looked_at += verdict(tokens.bad.sign(Tokens::claims(i))).error().code == ErrorCode::InvalidToken ? 1 : 0;
  }
  CHECK(looked_at == 10);
}

TEST_CASE("Verifier: a token that was verified before is still judged by what it says", "[auth]") {
  Tokens tokens;
  Door door(Door::Mode::Closed,
            test::issuers({R"({"issuer": "ours", "secret_file": "s", "namespaces": ["demo"], "skew": 0})"}));
  const std::string token = tokens.good.sign(Tokens::claims(1));
  CHECK(door.verify(token).ok());
  CHECK(door.verify(token).ok());
  CHECK(door.verifier().counts().known_good.load() == 1);
  CHECK(door.verify(token, "other").error().code == ErrorCode::InvalidToken);
  door.clock.advance(std::chrono::seconds(9'999));
  CHECK(door.verify(token).error().code == ErrorCode::ExpiredToken);
  // A changed one is another.
  std::string changed = token;
  changed[changed.size() - 5] = changed[changed.size() - 5] == 'A' ? 'B' : 'A';
  CHECK(door.verify(changed).error().code == ErrorCode::InvalidToken);
}

TEST_CASE("Verifier: a key that is replaced takes what it verified with it", "[auth]") {
  Tokens tokens;
  Door door(Door::Mode::Closed, test::issuers({R"({"issuer": "ours", "secret_file": "s"})"}));
  const std::string token = tokens.good.sign(Tokens::claims(1));
  CHECK(door.verify(token).ok());
  door.verifier().replace(net::parse_auth_config(R"({"issuers": [{"issuer": "ours", "secret_file": "s"}]})",
                                                 [](const std::string&) -> db::Result<std::string> {
                                                   return std::string("another secret, as long as the right one is");
                                                 })
                              .value());
  CHECK(door.verify(token).error().code == ErrorCode::InvalidToken);
}

TEST_CASE("Verifier: a proxy that nobody named is told of once, when many of its clients are refused", "[auth]") {
  std::vector<std::string> told;
  Verifier::Options options;
  options.on_unnamed_proxy = [&](const std::string& address) { told.push_back(address); };
  Door door(Door::Mode::Closed, std::move(options));
  for (size_t i = 0; i < 3 * kProxyFailuresMin; ++i) (void)door.verifier().verify("wrong", "demo", Asker("10.0.0.2"));
  for (size_t i = 0; i + 1 < kProxyFailuresMin; ++i)
    (void)door.verifier().verify("wrong", "demo", Asker("10.0.0.1", true));
  CHECK(told.empty());
  for (size_t i = 0; i < 3 * kProxyFailuresMin; ++i)
    (void)door.verifier().verify("wrong", "demo", Asker("10.0.0.1", true));
  CHECK(told == std::vector<std::string>{"10.0.0.1"});
}

TEST_CASE("Verifier: who is signed out between the verdict and its use is told so", "[auth]") {
  Tokens tokens;
  Door door(Door::Mode::Closed, test::issuers({R"({"issuer": "ours", "secret_file": "s"})"}));
  const auto auth = door.verify(tokens.good.sign(R"({"iss":"ours","sub":"ada","iat":1699999990,"exp":1700009999})"));
  REQUIRE(auth.ok());
  CHECK(door.verifier().still_good(auth.value(), "demo").ok());
  door.guard().kick("demo", Auth::admin(), "ada", [](const db::Answer&) {});
  CHECK(door.verifier().still_good(auth.value(), "demo").error().code == ErrorCode::InvalidToken);
  CHECK(door.verifier().still_good(auth.value(), "other").ok());
  CHECK(door.verifier().still_good(Auth::admin(), "demo").ok());
  CHECK(door.refused(Reason::Revoked) == 1);
}
