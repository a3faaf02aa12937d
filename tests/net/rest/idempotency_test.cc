// Requests with an Idempotency-Key: which keys there are, what they are scoped to, and whose answer is told to whom.
#include "net/rest/idempotency.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/net/rest/fixture.h"

using namespace hearth::test;
namespace db = hearth::db;
namespace rest = hearth::net::rest;

namespace {

HttpReply send(const RestServer& server, const std::string& method, const std::string& target, const std::string& body,
               const std::string& key, const std::string& headers = "") {
  return server.ask(
      {.method = method, .target = target, .headers = "Idempotency-Key: " + key + "\r\n" + headers, .body = body});
}

std::string as(const std::string& uid) { return "auth=owner&auth_variable_override={\"uid\":\"" + uid + "\"}"; }

void set_rules(const RestServer& server, const std::string& rules) {
  REQUIRE(server.put("/.settings/rules.json?auth=owner", R"({"rules":)" + rules + "}").status == 200);
}

}  // namespace

TEST_CASE("Idempotency-Key: what is one", "[net][rest][idempotency]") {
  const auto key = [](std::vector<std::string> values) -> std::string {
    hearth::net::http::Headers headers;
    for (std::string& value : values) headers.emplace_back("idempotency-KEY", std::move(value));
    const auto read = rest::idempotency_key_of(headers);
    if (!read.ok()) return "refused";
    return read.value() ? "key " + *read.value() : "none";
  };
  CHECK(key({}) == "none");
  CHECK(key({"a"}) == "key a");
  CHECK(key({"a b~!"}) == "key a b~!");
  CHECK(key({R"("8e03978e-40d5")"}) == "key 8e03978e-40d5");
  CHECK(key({R"("a\"b\\c")"}) == R"(key a"b\c)");
  CHECK(key({R"(a"b)"}) == R"(key a"b)");
  CHECK(key({std::string(255, 'k')}) == "key " + std::string(255, 'k'));
  for (const std::string& bad :
       {std::string(), std::string(256, 'k'), std::string(R"("")"), std::string(R"("a)"), std::string(R"("a"b)"),
        std::string(R"("a\n")"), std::string(R"("a\)"), std::string("\""), std::string("é"), std::string("a\tb")}) {
    INFO(bad);
    CHECK(key({bad}) == "refused");
  }
  CHECK(key({"a", "a"}) == "refused");
}

TEST_CASE("Idempotency-Key: who has it holds it, and another one waits", "[net][rest][idempotency]") {
  auto keys = std::make_unique<rest::KeysUnderWay>();
  auto first = keys->take("k");
  CHECK(first != nullptr);
  CHECK(keys->take("k") == nullptr);
  CHECK(keys->take("other") != nullptr);
  first.reset();
  first = keys->take("k");
  CHECK(first != nullptr);
  keys.reset();  // what is held may outlive it
  first.reset();
}

TEST_CASE("Idempotency-Key: another one that asks, another place and another namespace are another write",
          "[net][rest][idempotency]") {
  const RestServer server;
  const std::vector<std::pair<std::string, std::string>> all = {
      {"POST", "/a.json"},
      {"POST", "/a.json?" + as("ada")},
      {"POST", "/a.json?" + as("bob")},
      {"POST", "/a.json?auth=owner"},
      {"POST", "/b.json"},
      {"POST", "/a.json?print=pretty"},
      {"POST", "/a.json?ns=other"},
      {"PUT", "/a/x.json"},
      {"PATCH", "/a/x.json"},
  };
  for (int time = 0; time < 2; ++time) {
    for (const auto& [method, target] : all) {
      INFO(time << ": " << method << " " << target);
      const HttpReply reply = send(server, method, target, R"({"n":{".sv":{"increment":1}}})", "k");
      CHECK(reply.status == 200);
      CHECK(reply.header("Idempotency-Replayed") == (time == 0 ? "" : "true"));
    }
  }
  // A retry may bring another proof of who asks.
  const HttpReply reply = server.ask({.method = "POST",
                                      .target = "/a.json",
                                      .headers = "Idempotency-Key: k\r\nAuthorization: Bearer owner\r\n",
                                      .body = R"({"n":{".sv":{"increment":1}}})"});
  CHECK(reply.header("Idempotency-Replayed") == "true");
  CHECK(server.get("/a/x.json").body == R"({"n":2})");
}

TEST_CASE("Idempotency-Key: the right to write is judged anew before an answer is told again",
          "[net][rest][idempotency]") {
  const RestServer server;
  const std::string to_ada = "/notes.json?" + as("ada");
  const auto retry = [&] { return send(server, "POST", to_ada, R"({"text":"a"})", "k"); };
  // Things may be made and not be changed, by members, and only with a text.
  const std::string rule = "!data.exists() && newData.hasChild('text') && root.child('members/' + auth.uid).exists()";
  const std::string rules =
      R"r({".read":true,"notes":{"$note":{".write":")r" + rule + R"r(",".validate":"!data.exists()"}}})r";
  REQUIRE(server.put("/members/ada.json?auth=owner", "true").status == 200);
  set_rules(server, rules);
  const HttpReply first = retry();
  REQUIRE(first.status == 200);
  const HttpReply again = retry();
  CHECK(again.status == 200);
  CHECK(again.body == first.body);
  CHECK(again.header("Idempotency-Replayed") == "true");

  SECTION("when a member has left") {
    REQUIRE(server.ask({.method = "DELETE", .target = "/members/ada.json?auth=owner"}).status == 200);
    CHECK(retry().status == 401);
    REQUIRE(server.put("/members/ada.json?auth=owner", "true").status == 200);
    CHECK(retry().body == first.body);
  }
  SECTION("when the rules are others") {
    set_rules(server, R"({".read":true,".write":false})");
    CHECK(retry().status == 401);
    set_rules(server,
              R"({".read":true,".write":true,"notes":{".validate":false}})");  // judges data, of which none comes
    CHECK(retry().body == first.body);
  }
  SECTION("where what was made is what takes the right") {
    set_rules(server, R"r({"claim":{".write":"!data.exists()"}})r");
    CHECK(send(server, "PUT", "/claim.json", "1", "c").status == 200);
    CHECK(send(server, "PUT", "/claim.json", "1", "c").header("Idempotency-Replayed") == "true");
    CHECK(send(server, "PUT", "/claim.json", "1", "other").status == 401);
    CHECK(send(server, "POST", "/claim.json", "1", "p").status == 401);
  }
  SECTION("where only what stands there gives it") {
    set_rules(server, R"r({"owned":{".write":"data.child('owner').val() === auth.uid"}})r");
    REQUIRE(server.put("/owned.json?auth=owner", R"({"owner":"ada"})").status == 200);
    const std::string owned = "/owned.json?" + as("ada");
    CHECK(send(server, "PATCH", owned, R"({"x":1})", "o").status == 200);
    CHECK(send(server, "PATCH", owned, R"({"x":1})", "o").header("Idempotency-Replayed") == "true");
    REQUIRE(server.put("/owned/owner.json?auth=owner", R"("bob")").status == 200);
    CHECK(send(server, "PATCH", owned, R"({"x":1})", "o").status == 401);
  }
  CHECK(server.get("/notes.json?auth=owner&shallow=true").body.size() ==
        std::string(R"({"-AAAAAAAAAAAAAAAAAAA":true})").size());
}

TEST_CASE("Idempotency-Key: a sum is told again to those who may read it", "[net][rest][idempotency]") {
  const RestServer server;
  set_rules(server, R"({"n":{".read":"root.child('open').val() === true",".write":true}})");
  REQUIRE(server.put("/open.json?auth=owner", "true").status == 200);
  const std::string plus = R"({".sv":{"increment":1}})";
  CHECK(send(server, "PUT", "/n.json", plus, "k").body == "1");
  CHECK(send(server, "PUT", "/n.json", plus, "k").body == "1");
  REQUIRE(server.put("/open.json?auth=owner", "false").status == 200);
  CHECK(send(server, "PUT", "/n.json", plus, "k").body == plus);
}

TEST_CASE("Idempotency-Key: a DELETE by a query is for those who may read there", "[net][rest][idempotency]") {
  const RestServer server;
  REQUIRE(server.put("/list.json?auth=owner", R"({"a":1,"b":2,"c":3})").status == 200);
  set_rules(server, R"({"list":{".read":"root.child('open').val() === true",".write":true,".indexOn":".value"}})");
  REQUIRE(server.put("/open.json?auth=owner", "true").status == 200);
  const std::string target = R"(/list.json?orderBy="$value"&limitToFirst=1)";
  CHECK(send(server, "DELETE", target, "", "k").status == 200);
  CHECK(send(server, "DELETE", target, "", "k").header("Idempotency-Replayed") == "true");
  CHECK(server.get("/list.json").body == R"({"b":2,"c":3})");
  REQUIRE(server.put("/open.json?auth=owner", "false").status == 200);
  CHECK(send(server, "DELETE", target, "", "k").status == 401);
}

TEST_CASE("Idempotency-Key: while the first is under way another one is told to come again",
          "[net][rest][idempotency]") {
  const RestServer server;
  // A large body is parsed by a worker: there is time to come in between, in one of some tries.
  const std::string body = R"({"text":")" + std::string(8u << 20, 'x') + "\"}";
  int conflicts = 0, done = 0;
  std::string name;
  for (int round = 0; round < 20 && conflicts == 0; ++round) {
    const std::string key = "k" + std::to_string(round);
    std::vector<HttpReply> replies(4);
    std::vector<std::thread> threads;
    for (HttpReply& reply : replies)
      threads.emplace_back([&] { reply = send(server, "POST", "/large.json", body, key); });
    for (std::thread& thread : threads) thread.join();
    ++done;
    name.clear();
    for (const HttpReply& reply : replies) {
      if (reply.status == 409) {
        CHECK(reply.header("Retry-After") == "1");
        ++conflicts;
        continue;
      }
      CHECK(reply.status == 200);
      if (name.empty()) name = reply.body;
      CHECK(reply.body == name);
    }
    CHECK_FALSE(name.empty());
    CHECK(send(server, "POST", "/large.json", body, key).body == name);  // not under way any more
  }
  CHECK(conflicts > 0);
  const std::string keys = server.get("/large.json?shallow=true").body;
  CHECK(static_cast<int>(std::count(keys.begin(), keys.end(), ':')) == done);
}
