#include "net/auth/auth_config.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>

#include "tests/support/signer.h"
#include "tests/support/temp_folder.h"

using namespace hearth;
using namespace hearth::net;

namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";

db::Result<std::string> read_file(const std::string& path) {
  static const std::map<std::string, std::string> files = {
      {"token.secret", kSecret + " \n"},
      {"short.secret", "short\n"},
      {"keys.json", test::key_set_of({test::Signer::ec("k").jwk()})},
      {"keys.list", "{\n  // of the app\n  \"sb_publishable_a\": \"anon\",\n}"},
      {"wrong.list", "{\n \"sb_publishable_a\": \"anyone\"}"},
      {"public.pem", test::Signer::rsa("k").pem()},
  };
  const auto found = files.find(path);
  if (found == files.end()) return db::Error{db::ErrorCode::Io, "cannot read " + path};
  return found->second;
}

Issuer issuer_of(const std::string& issuer) {
  auto config = parse_auth_config(R"({"issuers": [)" + issuer + "]}", read_file);
  INFO((config.ok() ? "" : config.error().message));
  REQUIRE(config.ok());
  return config.value().issuers.front();
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("AuthConfig: what a shape fills in", "[auth]") {
  struct Case {
    std::string text, iss;
    Texts audiences;
    std::string keys_at;
    bool has_secret;
    ClaimPath uid, provider;
  };
  const std::vector<Case> cases = {
      {R"({"shape": "firebase", "project": "chat-1"})",
       "https://securetoken.google.com/chat-1",
       {"chat-1"},
       "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
       false,
       {"sub"},
       {"firebase", "sign_in_provider"}},
      {R"({"shape": "firebase", "project": "chat-1", "jwks_file": "keys.json"})",
       "https://securetoken.google.com/chat-1",
       {"chat-1"},
       "keys.json",
       false,
       {"sub"},
       {"firebase", "sign_in_provider"}},
      {R"({"shape": "supabase", "url": "https://abc.supabase.co/", "secret_file": "token.secret"})",
       "https://abc.supabase.co/auth/v1",
       {"authenticated"},
       "",
       true,
       {"sub"},
       {"app_metadata", "provider"}},
      {R"({"shape": "supabase", "url": "https://abc.supabase.co"})",
       "https://abc.supabase.co/auth/v1",
       {"authenticated"},
       "https://abc.supabase.co/auth/v1/.well-known/jwks.json",
       false,
       {"sub"},
       {"app_metadata", "provider"}},
      {R"({"shape": "supabase", "url": "https://abc.supabase.co", "secret_file": "token.secret",
           "jwks_url": "https://abc.supabase.co/auth/v1/.well-known/jwks.json"})",
       "https://abc.supabase.co/auth/v1",
       {"authenticated"},
       "https://abc.supabase.co/auth/v1/.well-known/jwks.json",
       true,
       {"sub"},
       {"app_metadata", "provider"}},
      {R"({"shape": "auth0", "domain": "acme.eu.auth0.com", "audience": "https://chat"})",
       "https://acme.eu.auth0.com/",
       {"https://chat"},
       "https://acme.eu.auth0.com/.well-known/jwks.json",
       false,
       {"sub"},
       {}},
      {R"({"shape": "keycloak", "issuer": "https://sso.acme.com/realms/chat/", "audience": ["web", "app"]})",
       "https://sso.acme.com/realms/chat",
       {"web", "app"},
       "https://sso.acme.com/realms/chat/protocol/openid-connect/certs",
       false,
       {"sub"},
       {"identity_provider"}},
      {R"({"issuer": "backend", "secret_file": "token.secret"})", "backend", {}, "", true, {"sub"}, {"provider_id"}},
      {R"({"shape": "plain", "issuer": "backend", "secret": "0123456789abcdef0123456789abcdef"})",
       "backend",
       {},
       "",
       true,
       {"sub"},
       {"provider_id"}},
      {R"({"issuer": "idp", "audience": "chat", "jwks_url": "http://localhost:8080/keys",
           "claims": {"uid": "email", "provider": ["identity", "by"]}})",
       "idp",
       {"chat"},
       "http://localhost:8080/keys",
       false,
       {"email"},
       {"identity", "by"}},
      {R"({"issuer": "idp", "audience": "chat", "jwks_url": "http://[::1]:8080/keys"})",
       "idp",
       {"chat"},
       "http://[::1]:8080/keys",
       false,
       {"sub"},
       {"provider_id"}},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const Issuer issuer = issuer_of(c.text);
    CHECK(issuer.issuer == c.iss);
    CHECK(issuer.name == c.iss);
    CHECK(issuer.audiences == c.audiences);
    CHECK(issuer.keys_at == c.keys_at);
    CHECK(issuer.secret.has_value() == c.has_secret);
    CHECK(issuer.uid == c.uid);
    CHECK(issuer.provider == c.provider);
    CHECK(issuer.namespaces.empty());
    CHECK(issuer.skew == kSkew);
  }
}

TEST_CASE("AuthConfig: limits of an issuer, and comments", "[auth]") {
  const Issuer issuer = issuer_of(R"({
    // of the backend
    "issuer": "backend", "name": "ours", "secret_file": "token.secret", "audience": "chat", "namespaces": ["Chat", "games"], "skew": 0,
  })");
  CHECK(issuer.name == "ours");
  CHECK(issuer.namespaces == Texts{"chat", "games"});
  CHECK(issuer.skew == std::chrono::seconds(0));
  CHECK(issuer.secret->verifies(Key::secret(kSecret).value().sign("{}")));  // the blanks at the file's end do not count
  CHECK(issuer_of(R"({"issuer": "a", "secret_file": "token.secret", "skew": 600})").skew == kSkewMax);
}

TEST_CASE("AuthConfig: a mistake is told with its place and what to do", "[auth]") {
  struct Case {
    std::string issuer, told;  // the place is within {"issuers": [ISSUER]}, which has 13 characters before it
  };
  const std::vector<Case> cases = {
      {"5", "1:14: an issuer is an object"},
      {"{}", R"(1:14: "issuer" is missing, which an issuer of shape plain needs)"},
      {R"({"shape": "okta"})", R"(1:24: no shape "okta"; there are plain, firebase, supabase, auth0 and keycloak)"},
      {R"({"shape": 5})", R"(1:24: "shape" must be text)"},
      {R"({"shape": "firebase"})", R"(1:14: "project" is missing, which an issuer of shape firebase needs)"},
      {R"({"isuer": "a"})",
       R"(1:15: unknown member "isuer"; an issuer of shape plain has issuer, shape, audience, secret_file, secret, jwks_file, )"
       R"(jwks_url, namespaces, skew, claims, name)"},
      {R"({"shape": "firebase", "project": "p", "issuer": "x"})",
       R"(1:52: unknown member "issuer"; an issuer of shape firebase has project, shape, audience, secret_file, secret, )"
       R"(jwks_file, jwks_url, namespaces, skew, claims, name)"},
      {R"({"issuer": "a", "issuer": "b"})", R"(1:30: "issuer" is here twice)"},
      {R"({"issuer": ""})", R"(1:25: "issuer" must be text)"},
      {R"({"issuer": "a"})", R"(1:14: where are the keys? give "secret_file", "jwks_file" or "jwks_url")"},
      {R"({"issuer": "a", "secret": "short"})",
       "1:40: a secret has 32 to 4096 bytes, this one 5; make one with: openssl rand -base64 48"},
      {R"({"issuer": "a", "secret_file": "short.secret"})",
       "1:45: a secret has 32 to 4096 bytes, this one 5; make one with: openssl rand -base64 48"},
      {R"({"issuer": "a", "secret_file": "none"})", "1:45: cannot read none"},
      {R"({"issuer": "a", "secret_file": "public.pem"})",
       "1:45: that is a key in PEM form, no secret; public keys belong into a jwks_file"},
      {R"({"issuer": "a", "secret_file": "token.secret", "secret": "x"})",
       R"(1:45: "secret_file" or "secret", not both)"},
      {R"({"issuer": "a", "audience": "b", "jwks_file": "token.secret"})",
       R"(1:60: token.secret: that is no key set: expected {"keys":[…]})"},
      {R"({"issuer": "a", "audience": "b", "jwks_file": "keys.json", "jwks_url": "https://a/"})",
       R"(1:14: "jwks_file" or "jwks_url", not both)"},
      {R"({"issuer": "a", "jwks_file": "keys.json"})",
       R"(1:14: "audience" is missing: published keys sign tokens for others too)"},
      {R"({"shape": "auth0", "domain": "x.auth0.com"})",
       R"(1:14: "audience" is missing: published keys sign tokens for others too)"},
      {R"({"issuer": "a", "audience": "b", "jwks_url": "http://example.com/keys"})",
       "1:59: http://example.com/keys: keys come from an https:// URL; http:// is for this machine alone (127.0.0.1)"},
      {R"({"issuer": "a", "audience": "b", "jwks_url": "http://localhost.example.com/"})",
       "1:59: http://localhost.example.com/: keys come from an https:// URL; http:// is for this machine alone "
       "(127.0.0.1)"},
      {R"({"issuer": "a", "audience": "b", "jwks_url": "http://localhost:80@example.com/"})",
       "1:59: http://localhost:80@example.com/: a URL with a host and without a user's name is expected"},
      {R"({"issuer": "a", "audience": "b", "jwks_url": "file:///etc/passwd"})",
       "1:59: file:///etc/passwd: keys come from an https:// URL"},
      {R"({"shape": "keycloak", "issuer": "http://sso.acme.com/realms/a", "audience": "b"})",
       "1:14: http://sso.acme.com/realms/a/protocol/openid-connect/certs: keys come from an https:// URL; http:// is "
       "for "
       "this machine alone (127.0.0.1)"},
      {R"({"shape": "firebase", "project": "p", "secret_file": "token.secret"})",
       "1:67: Firebase signs with published keys; a secret of yours is an issuer of shape plain"},
      {R"({"shape": "firebase", "project": "p", "audience": "q"})",
       R"(1:64: of shape firebase the audience is the "project")"},
      {R"({"issuer": "a", "secret_file": "token.secret", "audience": []})",
       R"(1:73: "audience" must be text or a list of texts)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "namespaces": "chat"})",
       R"(1:75: "namespaces" must be a list of texts)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "namespaces": ["chat", 5]})",
       R"(1:84: "namespaces" must be a list of texts)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "skew": 601})",
       R"(1:69: "skew" must be whole seconds, at most 600)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "skew": -1})",
       R"(1:69: "skew" must be whole seconds, at most 600)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "skew": 1.5})",
       R"(1:69: "skew" must be whole seconds, at most 600)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "skew": "60"})",
       R"(1:69: "skew" must be whole seconds, at most 600)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "claims": {"token": "x"}})",
       R"(1:72: unknown member "token"; there are "uid" and "provider"; auth.token has all claims)"},
      {R"({"issuer": "a", "secret_file": "token.secret", "service_role": "admin"})",
       R"(1:61: unknown member "service_role"; an issuer of shape plain has issuer, shape, audience, secret_file, secret, )"
       R"(jwks_file, jwks_url, namespaces, skew, claims, name)"},
      {R"({"shape": "supabase", "url": "https://a", "service_role": "user"})",
       R"(1:72: "service_role" can be "admin"; without it, it is a user without uid)"},
      {R"({"shape": "supabase", "url": "https://a", "service_role": "admin", "namespaces": ["a"]})",
       R"(1:72: "service_role" is "admin" in all namespaces; "namespaces" can't be there too)"},
      {R"({"shape": "supabase", "url": "https://a", "keys": ["sb_a"]})",
       R"(1:64: keys are an object, {"sb_…": role}, of at most 100)"},
      {R"({"shape": "supabase", "url": "https://a", "keys": {"a": "anon"}})",
       R"(1:65: a key begins with "sb_"; one that is a token is verified by the secret)"},
      {R"({"shape": "supabase", "url": "https://a", "keys": {"sb_a": "authenticated"}})",
       R"(1:73: a key's role is "anon" or "service_role")"},
      {R"({"shape": "supabase", "url": "https://a", "keys": {"sb_secret_x": "service_role"}})",
       "1:65: a key of service_role is a secret: it has 32 to 4096 bytes"},
      {R"({"shape": "supabase", "url": "https://a", "keys": {"sb_a": "anon", "sb_a": "anon"}})",
       "1:81: this key is here twice"},
      {R"({"shape": "supabase", "url": "https://a", "keys": {}, "keys_file": "keys.list"})",
       R"(1:81: "keys_file" or "keys", not both)"},
      {R"({"shape": "supabase", "url": "https://a", "keys_file": "none"})", "1:69: cannot read none"},
      {R"({"shape": "supabase", "url": "https://a", "keys_file": "wrong.list"})",
       R"(1:69: wrong.list:2:22: a key's role is "anon" or "service_role")"},
      {R"({"shape": "supabase", "url": "https://a", "keys_file": "short.secret"})",
       "1:69: short.secret:1:1: Parse error."},
      {R"({"issuer": "a", "secret_file": "token.secret", "claims": {"uid": []}})",
       R"(1:79: "uid" must be text or a list of texts)"},
  };
  for (const Case& c : cases) {
    INFO(c.issuer);
    const auto config = parse_auth_config(R"({"issuers": [)" + c.issuer + "]}", read_file);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error() == db::Error{db::ErrorCode::InvalidData, c.told + "\n"});
  }
}

TEST_CASE("AuthConfig: a Supabase project's keys are kept as digests, with their roles", "[auth]") {
  const std::string key = "sb_secret_0123456789abcdef0123456789";
  const Issuer issuer = issuer_of(R"({"shape": "supabase", "url": "https://a", "service_role": "admin", "keys": {")" +
                                  key + R"(": "service_role", "sb_publishable_a": "anon"}})");
  CHECK(issuer.service_is_admin);
  REQUIRE(issuer.project_keys.size() == 2);
  CHECK(issuer.project_keys[0].role == kServiceRole);
  CHECK(issuer.project_keys[1].role == kAnonRole);
  CHECK(issuer.project_keys[0].digest != issuer.project_keys[1].digest);
  const Issuer of_file = issuer_of(R"({"shape": "supabase", "url": "https://a", "keys_file": "keys.list"})");
  REQUIRE(of_file.project_keys.size() == 1);
  CHECK(of_file.project_keys[0].digest == issuer.project_keys[1].digest);
  CHECK_FALSE(of_file.service_is_admin);
}

TEST_CASE("AuthConfig: the file as a whole", "[auth]") {
  const std::string one = R"({"issuer": "a", "secret_file": "token.secret"})";
  const auto many = [&](size_t count) {
    std::string text = R"({"issuers": [)";
    for (size_t i = 0; i < count; ++i)
      text += fmt::format(R"({}{{"issuer": "i{}", "secret_file": "token.secret"}})", i > 0 ? ",\n" : "", i);
    return text + "]}";
  };
  CHECK(parse_auth_config(many(kIssuersMax), read_file).value().issuers.size() == kIssuersMax);
  struct Case {
    std::string text, told;
  };
  const std::vector<Case> cases = {
      {"", "1:1: Unexpected end of the document."},
      {"[]", R"(1:1: expected {"issuers": […]})"},
      {"{}", R"(1:1: "issuers" must be a list of at least one issuer)"},
      {R"({"issuers": []})", R"(1:13: "issuers" must be a list of at least one issuer)"},
      {R"({"issuer": []})", R"(1:2: unknown member "issuer"; there is "issuers")"},
      {"{\n  \"issuers\": [" + one + ",\n" + one + "]}", R"(3:1: two issuers are "a")"},
      {"{\"issuers\": [" + one + ",\n" + R"({"issuer": "b", "name": "a", "secret_file": "token.secret"}]})",
       R"(2:1: two issuers have the name "a")"},
      {many(kIssuersMax + 1), "1:13: at most 64 issuers"},
      {"{\"issuers\": [{\"shape\": \"supabase\", \"url\": \"https://a\", \"keys_file\": \"keys.list\"},\n"
       "{\"shape\": \"supabase\", \"url\": \"https://b\", \"keys\": {\"sb_publishable_a\": \"anon\"}}]}",
       "2:1: two issuers have the same key (keys)"},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    const auto config = parse_auth_config(c.text, read_file);
    REQUIRE_FALSE(config.ok());
    CHECK(config.error().message == c.told + "\n");
  }
}

TEST_CASE("AuthConfig: files are seen from the config's folder, and named in errors", "[auth]") {
  const test::TempFolder folder;
  const std::string path = folder.path() + "/auth.json";
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path() + "/" + name) << text;
  };
  CHECK(load_auth_config(path).error() == db::Error{db::ErrorCode::Io, "cannot read " + path});
  write("auth.json", R"({"issuers": [{"issuer": "a", "audience": "b", "jwks_file": "keys.json"}]})");
  CHECK(load_auth_config(path).error().message == path + ":1:60: cannot read " + folder.path() + "/keys.json");
  write("keys.json", test::key_set_of({test::Signer::ec("k").jwk()}));
  const auto config = load_auth_config(path);
  REQUIRE(config.ok());
  CHECK(config.value().issuers.front().keys_at == folder.path() + "/keys.json");
}
