#include "net/auth/jwt.h"

#include <catch2/catch.hpp>

#include "db/base/text.h"

using namespace hearth;
using namespace hearth::net;

TEST_CASE("Jwt: base64url with and without padding", "[auth]") {  // RFC 4648 §10, §5
  struct Case {
    std::string text;
    std::optional<std::string> bytes;
  };
  const std::vector<Case> cases = {
      {"", ""},
      {"Zg", "f"},
      {"Zg==", "f"},
      {"Zm8", "fo"},
      {"Zm9v", "foo"},
      {"Zm9vYmFy", "foobar"},
      {"-_-_", "\xfb\xff\xbf"},
      {"Z", std::nullopt},
      {"Zg+", std::nullopt},
      {"Z/A", std::nullopt},
      {"Zm 9", std::nullopt},
      {"Zm=v", std::nullopt},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    CHECK(hearth::db::decode_base64url(c.text) == c.bytes);
  }
}

TEST_CASE("Jwt: a token that the JavaScript SDK makes for tests is unsigned", "[auth]") {  // SDK: util/src/emulator.ts
  const std::string token =
      "eyJhbGciOiJub25lIiwidHlwZSI6IkpXVCJ9."
      "eyJpYXQiOjAsImV4cCI6MzYwMCwic3ViIjoiYWRhIiwidXNlcl9pZCI6ImFkYSJ9.";
  const auto jwt = decode_jwt(token);
  REQUIRE(jwt.ok());
  CHECK(jwt.value().is_unsigned());
  CHECK(jwt.value().header == R"({"alg":"none","type":"JWT"})");
  CHECK(jwt.value().claims == R"({"iat":0,"exp":3600,"sub":"ada","user_id":"ada"})");
}

TEST_CASE("Jwt: what is no token says so and quotes nothing", "[auth]") {
  const std::vector<std::string> broken = {
      "",
      "owner",
      ".",
      "..",
      "a.b",
      "a.b.c.d",
      "!.e30.",
      "e30.e30.",                  // a header without alg
      "eyJhbGciOiJub25lIn0.W10.",  // claims that are an array
      "eyJhbGciOiJub25lIn0.eyJ.",  // claims cut short
      "eyJhbGciOjF9.e30.",         // alg is a number
      "bnVsbA.e30.",               // a header that is null
      std::string(kTokenBytesMax, 'a') + ".e30.",
  };
  for (const std::string& token : broken) {
    INFO(token.substr(0, 80));
    const auto jwt = decode_jwt(token);
    REQUIRE_FALSE(jwt.ok());
    CHECK(jwt.error() == db::Error{db::ErrorCode::InvalidToken, "Could not parse auth token."});
  }
}

TEST_CASE("Jwt: what its header says of its key, of extensions, and twice", "[auth]") {
  struct Case {
    std::string header, claims;
    std::optional<std::string> key_id;
    bool has_critical, is_ambiguous;
  };
  const std::vector<Case> cases = {
      {R"({"alg":"RS256"})", "{}", std::nullopt, false, false},
      {R"({"alg":"RS256","kid":"k"})", R"({"a":1,"b":{"a":1}})", "k", false, false},
      {R"({"alg":"RS256","crit":[]})", "{}", std::nullopt, true, false},
      {R"({"alg":"RS256","alg":"HS256"})", "{}", std::nullopt, false, true},
      {R"({"alg":"RS256"})", R"({"a":1,"b":2,"a":1})", std::nullopt, false, true},
      {R"({"alg":"RS256"})", R"({"a":1,"\u0061":1})", std::nullopt, false, true},
  };
  for (const Case& c : cases) {
    INFO(c.header << c.claims);
    const auto jwt =
        decode_jwt(hearth::db::encode_base64url(c.header) + "." + hearth::db::encode_base64url(c.claims) + ".");
    REQUIRE(jwt.ok());
    CHECK(jwt.value().key_id == c.key_id);
    CHECK(jwt.value().has_critical == c.has_critical);
    CHECK(jwt.value().is_ambiguous == c.is_ambiguous);
  }
  CHECK_FALSE(decode_jwt(hearth::db::encode_base64url(R"({"alg":"RS256","kid":1})") + ".e30.").ok());
}

TEST_CASE("Jwt: an unsecured header with a signature is not unsigned", "[auth]") {
  const auto jwt = decode_jwt("eyJhbGciOiJub25lIn0.e30.AAAA");
  REQUIRE(jwt.ok());
  CHECK_FALSE(jwt.value().is_unsigned());
  CHECK(jwt.value().signature == std::string(3, '\0'));
}
