#include "net/supabase/credentials.h"

#include <catch2/catch.hpp>
#include <functional>
#include <future>

#include "tests/support/auth_door.h"
#include "tests/support/key_server.h"
#include "tests/support/signer.h"

using namespace hearth;
using namespace hearth::net;
using namespace hearth::net::supabase;
using db::ErrorCode;
using rules::Auth;
using test::Door;
using test::kTokenSecret;
using test::Signer;

namespace {

const std::string kSecretKey = "sb_secret_0123456789abcdef0123456789abcdef";
const std::string kProject =
    R"({"shape": "supabase", "url": "https://p.example", "secret_file": "s", "name": "shop",
        "keys": {"sb_publishable_abc": "anon", ")" +
    kSecretKey + R"(": "service_role"}})";

Signer project() { return Signer::secret(kTokenSecret); }
std::string legacy(std::string_view role, std::string_view more = R"(,"exp":4000000000)") {
  return project().sign(R"({"iss":"supabase","ref":"p","role":")" + std::string(role) + R"(","iat":1600000000)" +
                        std::string(more) + "}");
}
std::string user_token(const std::string& uid, std::string_view exp = "4000000000") {
  return project().sign(R"({"iss":"https://p.example/auth/v1","aud":"authenticated","role":"authenticated","sub":")" +
                        uid + R"(","exp":)" + std::string(exp) + "}");
}
std::string unsigned_token(std::string_view claims) { return test::token_of(R"({"alg":"none"})", claims); }

struct Sent {
  std::string target = "/rest/v1/todos";
  http::Headers headers{};
  std::string peer = "127.0.0.1";
  bool loopback = true;
};

http::Request request_of(const Sent& sent) {
  http::Request request;
  request.method = "GET";
  request.target = sent.target;
  request.headers = sent.headers;
  request.headers.emplace_back("Host", "127.0.0.1:9000");
  request.host_is_here = true;
  request.peer = sent.peer;
  request.peer_is_loopback = sent.loopback;
  return request;
}

Credentials credentials(const Sent& sent) {
  const http::Request request = request_of(sent);
  return credentials_of(request, http::parse_target(request.target).value());
}

db::Result<Auth> proven(const Door& door, const Credentials& credentials, const std::string& space = "demo") {
  const auto verdict = std::make_shared<std::promise<db::Result<Auth>>>();
  prove(door.verifier(), credentials, space, [verdict](db::Result<Auth> auth) { verdict->set_value(std::move(auth)); });
  return verdict->get_future().get();
}

// "nobody", "admin NAME", "user VARIABLE", or the error.
std::string told(const db::Result<Auth>& auth) {
  if (!auth.ok()) return auth.error().message;
  switch (auth.value().kind) {
    case Auth::Kind::None:
      return "nobody";
    case Auth::Kind::User:
      return "user " + auth.value().variable;
    case Auth::Kind::Admin:
      return "admin " + auth.value().name;
  }
  return "";
}
std::string told(const Door& door, const std::string& key, const std::string& bearer = "",
                 const std::string& space = "demo") {
  Sent sent;
  if (!key.empty()) sent.headers.emplace_back("apikey", key);
  if (!bearer.empty()) sent.headers.emplace_back("Authorization", "Bearer " + bearer);
  return told(proven(door, credentials(sent), space));
}

constexpr std::string_view kService = R"(user {"provider":"custom","token":{"role":"service_role"}})";

}  // namespace

TEST_CASE("Credentials: where a key is sent, and what counts as a token", "[net][supabase]") {
  const std::string jwt = unsigned_token(R"({"sub":"ada"})");
  const auto bearer = [](const std::string& text) {
    return std::pair<std::string, std::string>("authorization", "Bearer " + text);
  };
  const struct {
    Sent sent;
    std::string key, token;
  } cases[] = {
      {{}, "", ""},
      {{.headers = {{"ApiKey", "k"}}}, "k", ""},
      {{.headers = {{"x-api-key", "k"}}}, "k", ""},
      {{.target = "/realtime/v1/websocket?apikey=k%20&vsn=1", .headers = {}}, "k ", ""},
      {{.target = "/rest/v1/t?apikey=c", .headers = {{"x-api-key", "b"}, {"apikey", "a"}}}, "a", ""},
      {{.headers = {{"apikey", ""}, {"x-api-key", "b"}}}, "b", ""},
      {{.headers = {{"apikey", "k"}, bearer(jwt)}}, "k", jwt},
      {{.headers = {{"apikey", jwt}, bearer(jwt)}}, jwt, ""},
      {{.headers = {{"apikey", "sb_publishable_a"}, bearer("sb_publishable_a")}}, "sb_publishable_a", ""},
      {{.headers = {{"apikey", "k"}, bearer("sb_secret.a.b")}}, "k", ""},
      {{.headers = {{"apikey", "k"}, bearer("none")}}, "k", ""},
      {{.headers = {bearer("sb_secret_a")}}, "sb_secret_a", ""},
      {{.headers = {bearer(jwt)}}, "", jwt},
  };
  for (const auto& one : cases) {
    INFO(one.key << " " << one.token);
    const Credentials found = credentials(one.sent);
    CHECK(found.key == one.key);
    CHECK(found.token == one.token);
  }
  const Credentials socket = credentials({.target = "/realtime/v1/websocket?apikey=" + jwt, .headers = {}});
  CHECK(socket.with_token("x.y.z").token == "x.y.z");
  CHECK(socket.with_token(jwt).token.empty());
  CHECK(socket.with_token("sb_publishable_a").token.empty());
  CHECK(socket.with_token("x.y.z").with_token("").token.empty());
  CHECK(socket.with_token("x.y.z").key == jwt);
}

TEST_CASE("Credentials: the roles of a project's keys and tokens", "[net][supabase]") {
  const Door door(Door::Mode::Closed, test::issuers({kProject}));
  CHECK(told(door, legacy("anon")) == "nobody");
  CHECK(told(door, "sb_publishable_abc") == "nobody");
  CHECK(told(door, "sb_publishable_abc", "sb_publishable_abc") == "nobody");
  CHECK(told(door, kSecretKey) == kService);
  CHECK(told(door, legacy("service_role")) ==
        R"(user {"provider":"custom","token":{"iss":"supabase","ref":"p","role":"service_role","iat":1600000000,)"
        R"("exp":4000000000}})");
  const std::string ada =
      R"(user {"uid":"ada","provider":"custom","token":{"iss":"https://p.example/auth/v1","aud":"authenticated",)"
      R"("role":"authenticated","sub":"ada","exp":4000000000}})";
  // The token wins over the key, whatever that is.
  for (const std::string& key : {legacy("anon"), std::string("sb_publishable_abc"), kSecretKey, std::string("x")}) {
    INFO(key);
    CHECK(told(door, key, user_token("ada")) == ada);
  }
  CHECK(told(door, user_token("ada")) == ada);  // as a key it is what it says, too
  // What is remembered of a token is its time; a user can be signed out, a key cannot.
  const auto anon = proven(door, credentials({.headers = {{"apikey", legacy("anon")}}}));
  CHECK(anon.value().expires == std::chrono::seconds(4'000'000'060));
  CHECK_FALSE(proven(door, credentials({.headers = {{"apikey", kSecretKey}}})).value().expires);
  CHECK(proven(door, credentials({.headers = {{"apikey", user_token("ada")}}})).value().name == "ada");
}

TEST_CASE("Credentials: what proves nothing is refused, and is nobody in no case", "[net][supabase]") {
  const Door door(Door::Mode::Closed, test::issuers({kProject}));
  const Signer stranger = Signer::secret("another secret that has enough bytes of its own");
  CHECK(told(door, "") == "No key: send one as the header or the parameter apikey.");
  CHECK(told(door, "x") == "Could not parse auth token.");
  CHECK(told(door, "owner") == "Could not parse auth token.");
  CHECK(told(door, "sb_publishable_abd") == "This key (apikey) is not known here.");
  CHECK(told(door, "sb_") == "This key (apikey) is not known here.");
  CHECK(told(door, kSecretKey.substr(0, kSecretKey.size() - 1)) == "This key (apikey) is not known here.");
  CHECK(told(door, stranger.sign(R"({"iss":"supabase","role":"anon","exp":4000000000})")) ==
        "Auth token has a wrong signature.");
  CHECK(told(door, unsigned_token(R"({"iss":"supabase","role":"service_role"})")) ==
        "Unsigned auth tokens are accepted in development only.");
  CHECK(told(door, legacy("anon", R"(,"exp":1600000001)")) == "Auth token is expired.");
  CHECK(told(door, legacy("anon", "")) == "Auth token never expires: it has no exp.");
  CHECK(told(door, legacy("authenticated")) == "Auth token names no user.");
  CHECK(told(door, legacy("other")) == "Auth token names no user.");
  // A token that is not right does not fall back to the key.
  CHECK(told(door, "sb_publishable_abc", user_token("ada", "1600000000")) == "Auth token is expired.");
  CHECK(told(door, "sb_publishable_abc", "x.y.z") == "Could not parse auth token.");
  // A user's token is still for its audience, and a legacy key is of no other algorithm.
  CHECK(told(door, project().sign(
                       R"({"iss":"https://p.example/auth/v1","role":"authenticated","sub":"a","exp":4000000000})")) ==
        "Auth token is for another audience (aud).");
  CHECK(told(door, project().sign(R"({"iss":"supabase","aud":"x","role":"anon","exp":4000000000})")) ==
        "Auth token is for another audience (aud).");
  CHECK(told(door, Signer::ec("k").sign(R"({"iss":"supabase","role":"service_role","exp":4000000000})")) ==
        "A key of a Supabase project must be signed with HS256, by its secret.");
}

TEST_CASE("Credentials: an issuer of another shape knows no roles, and no project's keys", "[net][supabase]") {
  const Door door(Door::Mode::Closed, test::issuers({R"({"issuer": "own", "secret_file": "s"})"}));
  CHECK(told(door, legacy("service_role")) == "Auth token has a wrong signature.");
  CHECK(
      told(door, project().sign(R"({"iss":"own","sub":"ada","role":"service_role","exp":4000000000})")) ==
      R"(user {"uid":"ada","provider":"custom","token":{"iss":"own","sub":"ada","role":"service_role","exp":4000000000}})");
  CHECK(told(door, project().sign(R"({"iss":"own","role":"anon","exp":4000000000})")) == "Auth token names no user.");
}

TEST_CASE("Credentials: service_role is an admin only where its issuer says so", "[net][supabase]") {
  std::string text = kProject;
  text.insert(1, R"("service_role": "admin", )");
  const Door door(Door::Mode::Closed, test::issuers({text}));
  CHECK(told(door, legacy("service_role")) == "admin service_role of shop");
  CHECK(told(door, kSecretKey) == "admin service_role of shop");
  CHECK(told(door, legacy("anon")) == "nobody");
  CHECK(told(door, "sb_publishable_abc") == "nobody");
  CHECK(told(door, user_token("ada")).starts_with("user {\"uid\":\"ada\""));
}

TEST_CASE("Credentials: the keys of an issuer of some namespaces are good there alone", "[net][supabase]") {
  const std::string second =
      R"({"shape": "supabase", "url": "https://q.example", "secret_file": "s", "namespaces": ["two"],
          "keys": {"sb_publishable_two": "anon"}})";
  std::string first = kProject;
  first.insert(1, R"("namespaces": ["one"], )");
  const Door door(Door::Mode::Closed, test::issuers({first, second}));
  const std::string not_there = "Auth token is of an issuer that is not believed in this namespace.";
  // One secret, two projects.
  CHECK(told(door, legacy("anon"), "", "one") == "nobody");
  CHECK(told(door, legacy("anon"), "", "two") == "nobody");
  CHECK(told(door, legacy("anon"), "", "three") == not_there);
  CHECK(told(door, "sb_publishable_abc", "", "one") == "nobody");
  CHECK(told(door, "sb_publishable_abc", "", "two") == not_there);
  CHECK(told(door, "sb_publishable_two", "", "two") == "nobody");
  CHECK(told(door, kSecretKey, "", "two") == not_there);
}

TEST_CASE("Credentials: in development any key is anon's, and tokens are as they are elsewhere", "[net][supabase]") {
  for (const bool with_issuer : {false, true}) {
    INFO(with_issuer);
    const Door door(Door::Mode::Dev, with_issuer ? test::issuers({kProject}) : Verifier::Options());
    for (const std::string& key :
         {std::string(), std::string("x"), std::string("owner"), std::string("sb_x"), std::string("a.b.c"),
          unsigned_token(R"({"role":"anon"})"), unsigned_token("{}"), legacy("anon")}) {
      INFO(key);
      CHECK(told(door, key) == "nobody");
    }
    CHECK(door.refused(Reason::Malformed) == 0);  // and no guess
    CHECK(told(door, "x", unsigned_token(R"({"sub":"ada","role":"authenticated"})")) ==
          R"(user {"uid":"ada","provider":"custom","token":{"sub":"ada","role":"authenticated"}})");
    CHECK(told(door, "x", "a.b.c") == "Could not parse auth token.");
    CHECK(told(door, "x", unsigned_token(R"({"role":"authenticated"})")) ==
          "Auth token names no user: it has neither user_id nor sub.");
  }
  const Door door(Door::Mode::Dev, test::issuers({kProject}));
  CHECK(told(door, kSecretKey) == kService);
  CHECK(told(door, user_token("ada")).starts_with("user {\"uid\":\"ada\""));
  CHECK(told(door, user_token("ada", "1600000000")) == "Auth token is expired.");
}

TEST_CASE("Credentials: an unsigned service_role counts from this machine alone", "[net][supabase]") {
  const Door door(Door::Mode::Dev);
  const std::string service = unsigned_token(R"({"role":"service_role"})");
  const std::string disguised = unsigned_token(R"({"role":"service_role","sub":"ada"})");
  const std::string unverified = legacy("service_role");
  const auto told_from = [&](const std::string& key, const std::function<void(http::Request&)>& change) {
    http::Request request = request_of({.headers = {{"apikey", key}}});
    change(request);
    const std::string by_key = told(proven(door, credentials_of(request, {})));
    request.headers.front() = {"Authorization", "Bearer " + key};
    CHECK(told(proven(door, credentials_of(request, {}))) == by_key);
    return by_key;
  };
  CHECK(told_from(service, [](auto&) {}) == kService);
  CHECK(told_from(disguised, [](auto&) {}).find("uid") == std::string::npos);
  CHECK(told_from(unverified, [](auto&) {}).starts_with("user {"));
  const std::vector<std::function<void(http::Request&)>> elsewhere = {
      [](auto& request) {
        request.peer = "10.0.0.7";
        request.peer_is_loopback = false;
      },
      [](auto& request) { request.is_behind_stranger = true; },
      [](auto& request) { request.is_forwarded = true; },
      [](auto& request) { request.headers.emplace_back("Origin", "https://example.com"); },
      [](auto& request) { request.host_is_here = false; },
  };
  for (const auto& change : elsewhere) {
    for (const std::string& key : {service, disguised, unverified}) CHECK(told_from(key, change) == "nobody");
  }
  // A Firebase client's door takes no notice of roles, as before.
  CHECK(told(door.verify(disguised)) ==
        R"(user {"uid":"ada","provider":"custom","token":{"role":"service_role","sub":"ada"}})");
  CHECK_FALSE(door.verify(service).ok());
}

TEST_CASE("Credentials: a token whose key is to be fetched is proven later", "[net][supabase]") {
  const Signer idp = Signer::ec("one");
  test::KeyServer keys(test::key_set_of({idp.jwk()}));
  Verifier::Options options =
      test::issuers({R"({"shape": "supabase", "url": "https://p.example", "jwks_url": ")" + keys.url() + R"("})"});
  options.fetch_url = test::fetch_keys;
  const Door door(Door::Mode::Closed, std::move(options));
  const auto token = [&](const Signer& by) {
    return by.sign(
        R"({"iss":"https://p.example/auth/v1","aud":"authenticated","role":"authenticated","sub":"ada","exp":4000000000})");
  };
  CHECK(told(door, "x", token(idp)).starts_with("user {\"uid\":\"ada\""));
  CHECK(told(door, "x", token(Signer::ec("two"))) ==
        "Auth token is signed by a key (kid) that its issuer does not have.");
}

TEST_CASE("Credentials: an address that guesses keys hears so, and the right key is right", "[net][supabase]") {
  Verifier::Options options = test::issuers({kProject});
  options.failed_logins_per_minute = 5;
  const Door door(Door::Mode::Closed, std::move(options));
  for (int i = 0; i < 5; ++i)
    CHECK(told(door, "sb_secret_" + std::to_string(i)) == "This key (apikey) is not known here.");
  CHECK(told(door, "sb_secret_6") == "Too many wrong credentials came from this address; try again in a minute.");
  CHECK(door.verifier().is_guessing("127.0.0.1"));
  CHECK(told(door, kSecretKey) == kService);
}

TEST_CASE("Credentials: a user who was signed out is refused, by token and by key", "[net][supabase]") {
  Door door(Door::Mode::Dev, test::issuers({kProject}));
  const std::string old = project().sign(
      R"({"iss":"https://p.example/auth/v1","aud":"authenticated","role":"authenticated","sub":"ada","iat":1600000000,"exp":4000000000})");
  std::promise<void> kicked;
  door.guard().kick("demo", Auth::admin(), "ada", [&](const db::Answer&) { kicked.set_value(); });
  kicked.get_future().get();
  for (const auto& [key, bearer] : {std::pair(old, std::string()), std::pair(std::string("x"), old)}) {
    CHECK(told(door, key, bearer) == "Auth token was revoked: its user has been signed out since.");
  }
}

TEST_CASE("Credentials: refusals are JSON, in the words of each service", "[net][supabase]") {
  const db::Error bad{ErrorCode::InvalidToken, "no \"key\""};
  const http::Response realtime = refusal(bad, Service::Realtime), rest = refusal(bad, Service::Rest);
  CHECK(realtime.status == 401);
  CHECK(realtime.body == R"({"error":"no \"key\""})");
  CHECK(rest.status == 401);
  CHECK(rest.body == R"({"code":"PGRST301","message":"no \"key\"","details":null,"hint":null})");
  CHECK(refusal({ErrorCode::ExpiredToken, "old"}, Service::Rest).body ==
        R"({"code":"PGRST303","message":"old","details":null,"hint":null})");
  CHECK(refusal({ErrorCode::NotFound, "none"}, Service::Realtime).status == 404);
  CHECK(refusal({ErrorCode::Unavailable, "later"}, Service::Rest).status == 503);
  const http::Response guessing = refusal({ErrorCode::Unavailable, "too often"}, Service::Realtime, true);
  CHECK(guessing.status == 429);
  CHECK(http::find_header(guessing.headers, "Retry-After") == "60");
  CHECK(http::find_header(rest.headers, "Content-Type")->starts_with("application/json"));
}
