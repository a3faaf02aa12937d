// Who may connect, as an operator meets it: the real program with its --auth-config, `hearth token` and `hearth kick`.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/scripts/program.h"

using hearth::test::contents;
using hearth::test::Folder;
using hearth::test::run;
using hearth::test::Server;
using hearth::test::Told;

namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

std::string config_of(const std::string& issuer) {
  return R"({"issuers": [{"issuer": ")" + issuer + R"(", "secret_file": "token.secret"}]})";
}

// A folder with a config, its secret, and rules by which everyone has a place.
struct Place {
  Folder folder;
  std::string config = folder / "auth.json", secret = folder / "token.secret", data = folder / "data",
              rules = folder / "rules.json";
  Place() {
    write(secret, kSecret + "\n");
    write(config, config_of("backend"));
    write(rules, R"({"rules": {"$uid": {".read": "auth.uid == $uid", ".write": "auth.uid == $uid"}}})");
  }
  std::vector<std::string> flags() const {
    return {"--data", data, "--namespace", "chat", "--auth-config", config, "--rules", rules, "--log-level", "info"};
  }
  std::string token(const std::string& uid, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"token", "--auth-config", config, "--issuer", "backend", "--uid", uid};
    words.insert(words.end(), more.begin(), more.end());
    const Told told = run(words);
    INFO(told.errors);
    REQUIRE(told.status == 0);
    REQUIRE(told.output.ends_with("\n"));
    return told.output.substr(0, told.output.size() - 1);
  }
};

int status_of(const Server& server, const std::string& uid, const std::string& token) {
  return server.ask({.target = "/" + uid + ".json?auth=" + token}).status;
}

}  // namespace

TEST_CASE("identity: hearth token makes what serve --auth-config believes", "[scripts]") {
  const Place place;
  Server server(place.flags());
  INFO("stderr: " << server.program().errors());
  REQUIRE(server.port() != 0);
  const std::string ada = place.token("ada", {"--claims", R"({"editor":true})", "--expires", "10m"});
  CHECK(status_of(server, "ada", ada) == 200);
  CHECK(status_of(server, "bob", ada) == 401);
  const Told by_file = run({"token", "--secret-file", place.secret, "--issuer", "backend", "--uid", "bob"});
  CHECK(status_of(server, "bob", by_file.output.substr(0, by_file.output.size() - 1)) == 200);
  const Told stranger = run({"token", "--secret-file", place.secret, "--issuer", "other", "--uid", "bob"});
  CHECK(status_of(server, "bob", stranger.output.substr(0, stranger.output.size() - 1)) == 401);
  CHECK(status_of(server, "ada", "owner") == 401);
  const std::string errors = server.program().errors();
  CHECK(errors.find(ada) == std::string::npos);
  CHECK(errors.find(kSecret) == std::string::npos);
}

TEST_CASE("identity: hearth token --role makes keys of a Supabase project, and its users' tokens", "[scripts]") {
  const Place place;
  write(place.config,
        R"({"issuers": [{"shape": "supabase", "url": "http://127.0.0.1:9000", "secret_file": "token.secret"},
                                      {"issuer": "backend", "secret_file": "token.secret"}]})");
  write(place.rules, R"x({"rules": {"nobody": {".read": "auth == null"}, "ada": {".read": "auth.uid == 'ada'"},
      "backend": {".read": "auth != null && auth.uid == null && auth.token.role == 'service_role'"}}})x");
  Server server(place.flags());
  INFO("stderr: " << server.program().errors());
  REQUIRE(server.port() != 0);
  const auto made = [](std::vector<std::string> words) {
    words.insert(words.begin(), "token");
    const Told told = run(words);
    INFO(told.errors);
    REQUIRE(told.status == 0);
    return told.output.substr(0, told.output.size() - 1);
  };
  struct Case {
    std::vector<std::string> who;
    std::string may_read;
  };
  const std::vector<Case> cases = {{{"--role", "anon"}, "nobody"},
                                   {{"--role", "service_role"}, "backend"},
                                   {{"--role", "authenticated", "--uid", "ada"}, "ada"}};
  for (const Case& c : cases) {
    INFO(c.may_read);
    std::vector<std::string> by_config = {"--auth-config", place.config}, by_secret = {"--secret-file", place.secret};
    for (auto* words : {&by_config, &by_secret}) words->insert(words->end(), c.who.begin(), c.who.end());
    if (c.may_read == "ada") by_secret.insert(by_secret.end(), {"--issuer", "http://127.0.0.1:9000/auth/v1"});
    for (const std::string& token : {made(by_config), made(by_secret)}) {
      for (const std::string path : {"nobody", "backend", "ada"})
        CHECK(status_of(server, path, token) == (path == c.may_read ? 200 : 401));
    }
  }
}

TEST_CASE("identity: hearth token says in one line what is wrong", "[scripts]") {
  const Place place;
  struct Case {
    std::vector<std::string> words;
    std::string told;
  };
  const std::vector<Case> cases = {
      {{"--uid", "ada"}, "give --secret-file or --auth-config"},
      {{"--auth-config", place.config, "--issuer", "backend"}, "--uid is missing (or --role)"},
      {{"--auth-config", place.config, "--issuer", "backend", "--role", "anon"},
       "roles are for issuers of shape supabase"},
      {{"--secret-file", place.secret, "--role", "anon", "--uid", "ada"}, "who has a key of anon is no user: no uid"},
      {{"--uid", "ada", "--secret-file", place.secret},
       "--issuer is missing: the `iss` that the server's --auth-config has for this secret"},
      {{"--uid", "ada", "--auth-config", place.config},
       "--issuer: " + place.config + R"( has a secret for: "backend")"},
      {{"--uid", "ada", "--auth-config", place.config, "--issuer", "backend", "--claims", "[]"},
       R"(claims are an object of JSON, like {"admin":true})"},
      {{"--uid", "ada", "--secret-file", place.rules, "--issuer", "b", "--claims", R"({"exp":5})"},
       R"("exp" is not a claim to be given)"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> words = {"token"};
    words.insert(words.end(), c.words.begin(), c.words.end());
    const Told told = run(words);
    CHECK(told.status == 1);
    CHECK(told.output.empty());
    CHECK(told.errors == "hearth: " + c.told + "\n");
  }
}

TEST_CASE("identity: a config with a mistake keeps the server from starting, and names the place", "[scripts]") {
  const Place place;
  write(place.config, "{\n  \"issuers\": [{\"isuer\": \"backend\"}]\n}");
  Server server(place.flags());
  CHECK(server.port() == 0);
  CHECK(server.program().wait() == 1);
  CHECK_THAT(server.program().errors(),
             Catch::StartsWith("hearth: " + place.config + R"(:2:16: unknown member "isuer"; )"));
}

TEST_CASE("identity: SIGHUP has the config read again; one with a mistake changes nothing", "[scripts]") {
  const Place place;
  Server server(place.flags());
  REQUIRE(server.port() != 0);
  const std::string ada = place.token("ada");
  REQUIRE(status_of(server, "ada", ada) == 200);
  const auto reload = [&](const std::string& config, const std::string& told) {
    const size_t before = server.program().errors().size();
    write(place.config, config);
    server.program().signal(SIGHUP);
    for (int i = 0; i < 5000; ++i) {
      if (server.program().errors().find(told, before) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  };
  CHECK(reload("{", "all stays as it was"));
  CHECK(status_of(server, "ada", ada) == 200);
  CHECK(reload(config_of("other"), "issuers reloaded"));
  CHECK(status_of(server, "ada", ada) == 401);
  CHECK(reload(config_of("backend"), "issuers reloaded"));
  CHECK(status_of(server, "ada", ada) == 200);
  CHECK(server.stop(SIGTERM) == 0);
}

TEST_CASE("identity: hearth kick signs a user out, for good also behind a restart", "[scripts]") {
  const Place place;
  std::string ada;
  {
    Server server(place.flags());
    REQUIRE(server.port() != 0);
    ada = place.token("ada");
    const std::string bob = place.token("bob");
    const std::string url = fmt::format("http://127.0.0.1:{}", server.port());
    REQUIRE(status_of(server, "ada", ada) == 200);
    const Told stranger = run({"kick", "--uid", "ada", "--url", url, "--token", bob});
    CHECK(stranger.status == 1);
    CHECK(stranger.errors ==
          "hearth: " + url +
              " answers 401: Permission denied; give a --token of somebody who may, for example HEARTH_TOKEN=$(cat "
              "hearth-data/admin-secret)\n");
    CHECK(status_of(server, "ada", ada) == 200);
    const Told kicked = run({"kick", "--uid", "ada", "--ns", "chat", "--url", url, "--data", place.data});
    CHECK(kicked.status == 0);
    CHECK(kicked.output == "ada was signed out, on 0 connections\n");
    CHECK(status_of(server, "ada", ada) == 401);
    CHECK(status_of(server, "bob", bob) == 200);
    CHECK_THAT(server.program().errors(), Catch::Contains("user signed out ns=chat uid=ada connections="));
    CHECK(server.stop(SIGTERM) == 0);
  }
  Server server(place.flags());
  REQUIRE(server.port() != 0);
  CHECK(status_of(server, "ada", ada) == 401);
}
