#include "net/auth/key_set.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"
#include "tests/support/signer.h"

using namespace hearth;
using namespace hearth::net;
using test::Signer;

namespace {

constexpr std::string_view kClaims = R"({"sub":"ada"})";
const std::string kSecret = "0123456789abcdef0123456789abcdef";

}  // namespace

TEST_CASE("KeySet: a published key verifies what its private half signed, and nothing else", "[auth]") {
  for (const Signer& signer : {Signer::rsa("k"), Signer::ec("k")}) {
    const auto set = KeySet::parse(test::key_set_of({signer.jwk()}));
    REQUIRE(set.ok());
    const Key* key = set.value().find("k");
    REQUIRE(key != nullptr);
    const std::string token = signer.sign(kClaims);
    INFO(token);
    CHECK(key->verifies(token));
    // Each character of the signature but the last, which has bits that mean nothing.
    for (size_t at = token.rfind('.') + 1; at + 1 < token.size(); at += 13) {
      std::string other = token;
      other[at] = other[at] == 'A' ? 'B' : 'A';
      CHECK_FALSE(key->verifies(other));
    }
    CHECK_FALSE(key->verifies(token.substr(0, token.rfind('.') + 1)));
    CHECK_FALSE(key->verifies(Signer::rsa("k").sign(kClaims)));
    CHECK_FALSE(key->verifies(Signer::ec("k").sign(kClaims)));
    CHECK_FALSE(key->verifies(Signer::secret(signer.pem()).sign(kClaims)));
  }
}

TEST_CASE("KeySet: a secret signs and verifies", "[auth]") {  // RFC 7515, appendix A.1
  const auto key = Key::secret(kSecret);
  REQUIRE(key.ok());
  const std::string token = key.value().sign(kClaims);
  CHECK(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
  CHECK(key.value().verifies(token));
  CHECK_FALSE(Key::secret(kSecret + "x").value().verifies(token));
  const std::string of_the_rfc =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb"
      "S9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const std::string secret = *hearth::db::decode_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  CHECK(Key::secret(secret).value().verifies(of_the_rfc));
}

TEST_CASE("KeySet: secrets are 32 to 4096 bytes, and no public keys", "[auth]") {
  CHECK(Key::secret(std::string(kSecretBytesMin, 's')).ok());
  CHECK_FALSE(Key::secret(std::string(kSecretBytesMin - 1, 's')).ok());
  CHECK(Key::secret(std::string(kSecretBytesMax, 's')).ok());
  CHECK_FALSE(Key::secret(std::string(kSecretBytesMax + 1, 's')).ok());
  const auto pem = Key::secret(Signer::rsa("k").pem());
  REQUIRE_FALSE(pem.ok());
  CHECK(pem.error().message == "that is a key in PEM form, no secret; public keys belong into a jwks_file");
}

TEST_CASE("KeySet: keys that are not for RS256 or ES256 are left out", "[auth]") {
  const std::string good = Signer::ec("good").jwk();
  struct Case {
    std::string what, jwk;
    size_t keys;
  };
  const Signer rsa = Signer::rsa("other");
  const std::vector<Case> cases = {
      {"RSA as it is", rsa.jwk(), 2},
      {"for signing", rsa.jwk(R"(,"use":"sig","alg":"RS256","key_ops":["verify"])"), 2},
      {"for encrypting", rsa.jwk(R"(,"use":"enc")"), 1},
      {"for RSA-OAEP", rsa.jwk(R"(,"alg":"RSA-OAEP")"), 1},
      {"for RS512", rsa.jwk(R"(,"alg":"RS512")"), 1},
      {"an RSA key for HS256", rsa.jwk(R"(,"alg":"HS256")"), 1},
      {"other operations", rsa.jwk(R"(,"key_ops":["encrypt"])"), 1},
      {"too short", Signer::rsa("other", 1024).jwk(), 1},
      {"another curve", Signer::ec("other", "P-384").jwk(), 1},
      {"a secret", R"({"kty":"oct","kid":"other","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"})", 1},
      {"EdDSA", R"({"kty":"OKP","kid":"other","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})", 1},
      {"not on the curve", R"({"kty":"EC","kid":"other","crv":"P-256","x":"AAAA","y":"AAAA"})", 1},
      {"no object", "5", 1},
      {"nothing", "{}", 1},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    const auto set = KeySet::parse(test::key_set_of({good, c.jwk}));
    REQUIRE(set.ok());
    CHECK(set.value().keys().size() == c.keys);
    CHECK((set.value().find("other") != nullptr) == (c.keys == 2));
  }
}

TEST_CASE("KeySet: which key is meant", "[auth]") {
  const std::string a = Signer::ec("a").jwk(), b = Signer::ec("b").jwk(), nameless = Signer::ec("").jwk();
  const KeySet one = KeySet::parse(test::key_set_of({a})).value();
  const KeySet two = KeySet::parse(test::key_set_of({a, b})).value();
  const KeySet without = KeySet::parse(test::key_set_of({nameless})).value();
  CHECK(one.find("a") != nullptr);
  CHECK(one.find("b") == nullptr);
  CHECK(one.find(std::nullopt) != nullptr);
  CHECK(two.find("b")->id() == "b");
  CHECK(two.find(std::nullopt) == nullptr);
  CHECK(without.find(std::nullopt) != nullptr);
  CHECK(without.find("a") == nullptr);
}

TEST_CASE("KeySet: what is no key set says so", "[auth]") {
  const std::string key = Signer::ec("k").jwk();
  std::vector<std::string> most(kKeysMax, "{}");
  most.back() = key;
  CHECK(KeySet::parse(test::key_set_of(most)).ok());
  most.push_back("{}");
  struct Case {
    std::string text, told;
  };
  const std::string no_set = R"(that is no key set: expected {"keys":[…]})";
  const std::vector<Case> cases = {
      {"", no_set},
      {"<html>", no_set},
      {"[]", no_set},
      {"{}", no_set},
      {R"({"keys":{}})", no_set},
      {R"({"keys":[]})", "the key set has no key for RS256 (RSA, 2048 bits or more) or ES256 (EC, P-256)"},
      {test::key_set_of({key, key}), "two keys of the set have the same kid"},
      {test::key_set_of(most), "a key set has at most 100 keys"},
      {test::key_set_of({key}) + std::string(kKeySetBytesMax, ' '), "a key set has at most 262144 bytes"},
      {std::string(100'000, '['), no_set},
  };
  for (const Case& c : cases) {
    INFO(c.text.substr(0, 80));
    const auto set = KeySet::parse(c.text);
    REQUIRE_FALSE(set.ok());
    CHECK(set.error() == db::Error{db::ErrorCode::InvalidData, c.told});
  }
}
