#include "net/wire/upgrade.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace hearth::net::wire;

TEST_CASE("Upgrade: the namespace is `ns`, or the first label of a long host name", "[wire]") {  // §1
  struct Case {
    std::string target, host, space;
  };
  const std::vector<Case> cases = {
      {"/.ws?v=5&ns=demo", "127.0.0.1:9000", "demo"},
      {"/.ws?ns=demo&v=5", "db.example.com", "demo"},
      {"/.ws?v=5&ns=127", "127.0.0.1:9000", "127"},  // so says the SDK for http://127.0.0.1:9000
      {"/.ws?v=5&ns=", "localhost:9000", ""},
      {"/.ws?v=5&ns=", "db.example.com:8443", "db"},
      {"/.ws?v=5", "db.example.com", "db"},
      {"/.ws?v=5", "p-default-rtdb.firebaseio.com", "p-default-rtdb"},
      {"/.ws?v=5", "example.com", ""},
      {"/.ws?v=5", "127.0.0.1:9000", ""},
      {"/.ws?v=5", "[::1]:9000", ""},
      {"/.ws?v=5", "", ""},
      {"/.ws", "db.example.com", "db"},
      {"/.ws?p=1:123:web:abc&ns=demo&xns=no", "h", "demo"},
      {"/.ws/?ns=demo", "h", "demo"},
  };
  for (const Case& c : cases) {
    INFO(c.target << " at " << c.host);
    const auto upgrade = parse_upgrade(c.target, c.host);
    REQUIRE(upgrade);
    CHECK(upgrade->space == c.space);
    CHECK(upgrade->host == c.host);
  }
}

TEST_CASE("Upgrade: sessions by name", "[wire]") {
  const auto upgrade = parse_upgrade("/.ws?v=5&s=abc&ls=def&ns=demo", "h");
  REQUIRE(upgrade);
  CHECK(upgrade->transport_of == "abc");
  CHECK(upgrade->last_session == "def");
  CHECK(parse_upgrade("/.ws?ns=demo", "h")->last_session.empty());
  CHECK(parse_upgrade("/.ws?ns=demo&ls=", "h")->last_session.empty());
}

TEST_CASE("Upgrade: firebase-admin-java's WebSocket does not survive a ping", "[wire]") {
  const auto answers = [](const char* agent) {
    hearth::net::http::Request request;
    request.headers = {{"User-Agent", agent}};
    return answers_pings(request);
  };
  CHECK_FALSE(answers("Firebase/5/9.10.0/17.0.15/AdminJava"));
  CHECK(answers("Firebase/5/22.0.0/34/Android"));
  CHECK(answers("Firebase/5/13.2.0/v20.1.0/AdminNode"));
  CHECK(answers("Mozilla/5.0 (AdminJava)"));
  CHECK(answers_pings({}));
}

TEST_CASE("Upgrade: other targets are other people's", "[wire]") {
  for (const char* target : {"/", "/.wsx", "/.lp?ns=demo", "/a/.ws", "/.ws.json", ""}) {
    INFO(target);
    CHECK_FALSE(parse_upgrade(target, "h"));
  }
}
