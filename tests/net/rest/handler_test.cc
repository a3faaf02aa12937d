// What scripts can't say: many at once, large bodies, compression, and a server that ends.
#include "net/rest/handler.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "net/http/gzip.h"
#include "tests/net/rest/fixture.h"
#include "tests/support/auth_door.h"
#include "tests/support/key_server.h"
#include "tests/support/signer.h"

namespace db = hearth::db;
namespace http = hearth::net::http;
using namespace hearth::test;

TEST_CASE("REST: 25 writers that compare and set count to 25", "[net][rest]") {  // net/rest/http-api.md §8
  const RestServer server;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 25; ++i) {
    threads.emplace_back([&] {
      HttpReply current = server.get("/count.json", "X-Firebase-ETag: true\r\n");
      for (;;) {
        const int next = current.body == "null" ? 1 : std::atoi(current.body.c_str()) + 1;
        const std::string condition = "if-match: " + current.header("ETag") + "\r\n";
        current = server.put("/count.json", std::to_string(next), condition);
        if (current.status == 200) return;
        if (current.status != 412) {
          ++failures;
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(server.get("/count.json").body == "25");
}

TEST_CASE("REST: requests on one connection take effect in order, also behind large ones", "[net][rest]") {
  const RestServer server;
  TcpClient client(server.port());
  const std::string large = "\"" + std::string(300'000, 'a') + "\"";
  std::string all;
  for (int i = 0; i < 20; ++i) {
    all += text_of({.method = "PUT", .target = "/a.json?print=silent", .body = large});
    all += text_of({.method = "PUT", .target = "/a.json?print=silent", .body = std::to_string(i)});
    all += text_of({.target = "/a.json"});
  }
  std::thread sender([&] { client.try_send(all); });
  for (int i = 0; i < 20; ++i) {
    INFO(i);
    CHECK(client.read_reply().status == 204);
    CHECK(client.read_reply().status == 204);
    CHECK(client.read_reply().body == std::to_string(i));
  }
  sender.join();
}

TEST_CASE("REST: bodies may be compressed, both ways", "[net][rest]") {
  const RestServer server;
  const std::string body = "\"" + std::string(50'000, 'z') + "\"";
  std::string packed;
  http::GzipWriter().add(body, http::GzipWriter::End::Yes, packed);
  REQUIRE(packed.size() < 1000);
  CHECK(server.put("/z.json?print=silent", packed, "Content-Encoding: gzip\r\n").status == 204);
  CHECK((server.get("/z.json").body == body));

  const HttpReply reply = server.get("/z.json", "Accept-Encoding: gzip\r\n");
  CHECK(reply.header("Content-Encoding") == "gzip");
  CHECK((http::inflate_body(reply.body, "gzip", 1 << 20).value() == body));
  CHECK(server.get("/z.json", "Accept-Encoding: identity;q=1,chunked;q=0.1,*;q=0\r\n")
            .header("Content-Encoding")
            .empty());
  CHECK(server.put("/z.json", "not gzip", "Content-Encoding: gzip\r\n").status == 400);
  CHECK((server.get("/z.json").body == body));
}

TEST_CASE("REST: a large import comes out as it went in, and its updates too", "[net][rest]") {
  const RestServer server;
  std::string body = "{";
  const std::string text(100, 't');
  for (int i = 10'000; i < 25'000; ++i) {
    body += "\"k" + std::to_string(i) + "\":{\"n\":" + std::to_string(i) + ",\"t\":\"" + text + "\"},";
  }
  body.back() = '}';
  const HttpReply put = server.put("/big.json", body);
  CHECK(put.status == 200);
  CHECK((put.body == body));
  CHECK((server.get("/big.json").body == body));
  const HttpReply patch = server.ask({.method = "PATCH", .target = "/copy.json", .body = body});
  CHECK(patch.status == 200);
  CHECK((patch.body == body));
  CHECK((server.get("/copy.json").body == body));
  CHECK(server.get("/big/k10000/n.json").body == "10000");

  // The current value of a write that came too late may be large as well.
  const HttpReply stale = server.put("/big.json", "1", "if-match: null_etag\r\n");
  CHECK(stale.status == 412);
  CHECK((stale.body == body));
}

TEST_CASE("REST: a read that takes longer than it may is given up", "[net][rest]") {
  const RestServer server;
  std::string body = "{";
  for (int i = 0; i < 200'000; ++i) body += "\"k" + std::to_string(i) + "\":1,";
  body.back() = '}';
  REQUIRE(server.put("/big.json?print=silent", body).status == 204);
  const HttpReply reply = server.get("/big.json?timeout=1ms");
  CHECK(reply.status == 400);
  CHECK(reply.body == "{\n  \"error\" : \"Request timed out.\"\n}\n");
  CHECK(server.get("/big/k1.json?timeout=1min").body == "1");
}

TEST_CASE("REST: a query removes what it selects, once it has an index", "[net][rest]") {
  const RestServer server;
  server.put("/list.json", R"({"a":{"n":1},"b":{"n":2},"c":{"n":3}})");
  const HttpReply refused = server.ask({.method = "DELETE", .target = "/list.json?orderBy=%22n%22&endAt=2"});
  CHECK(refused.status == 400);
  CHECK_THAT(refused.body, Catch::Contains("Index not defined"));
  CHECK(server.get("/list.json?count=true").body == "3");
  CHECK(server
            .put("/.settings/rules.json", R"({"rules":{".read":true,".write":true,"list":{".indexOn":"n"}}})",
                 "Authorization: Bearer owner\r\n")
            .status == 200);
  const HttpReply removed = server.ask({.method = "DELETE", .target = "/list.json?orderBy=%22n%22&endAt=2"});
  CHECK(removed.status == 200);
  CHECK(removed.body == "null");
  CHECK(server.get("/list.json").body == R"({"c":{"n":3}})");
  CHECK(server.get("/list.json?orderBy=%22n%22&startAt=1&count=true").body == "1");
}

TEST_CASE("REST: a range is removed only if each of it may be written", "[net][rest]") {
  const RestServer server;
  server.put("/list.json", R"({"a":{"n":1},"b":{"n":2,"locked":true},"c":{"n":3}})");
  CHECK(
      server
          .put("/.settings/rules.json",
               R"x({"rules":{"list":{".read":true,".indexOn":"n","$k":{".write":"!data.child('locked').exists()"}}}})x",
               "Authorization: Bearer owner\r\n")
          .status == 200);
  CHECK(server.ask({.method = "DELETE", .target = "/list.json?orderBy=%22n%22&endAt=2"}).status == 401);
  CHECK(server.get("/list.json?count=true").body == "3");
  CHECK(server.get("/other.json?count=true").status == 401);  // a count says no more than a read
  CHECK(server.ask({.method = "DELETE", .target = "/list.json?orderBy=%22n%22&endAt=1"}).status == 200);
  CHECK(server.get("/list.json?count=true").body == "2");
}

namespace {

// Users of one issuer, whose keys are at that server.
hearth::net::Verifier::Options keys_at(const KeyServer& keys) {
  auto options = issuers({R"({"issuer": "idp", "audience": "a", "jwks_url": ")" + keys.url() + "\"}"});
  options.fetch_url = fetch_keys;
  options.times = quick_times();
  return options;
}

std::string token_for(const Signer& idp, const std::string& uid, const std::string& more = "") {
  return idp.sign(R"({"iss":"idp","aud":"a","sub":")" + uid + R"(","exp":4000000000)" + more + "}");
}

constexpr std::string_view kOwnOnly =
    R"({"rules": {"$uid": {".read": "auth.uid == $uid", ".write": "auth.uid == $uid"}}})";

}  // namespace

TEST_CASE("REST: a request whose key is still to be fetched waits for it; others do not", "[net][rest]") {
  const Signer one = Signer::ec("one"), two = Signer::rsa("two");
  KeyServer keys(key_set_of({one.jwk()}));
  keys.hang();
  RestServer server(RestServer::Mode::Closed, std::chrono::seconds(30), keys_at(keys));
  const std::string secret = "Authorization: Bearer " + std::string(kSecret) + "\r\n";
  REQUIRE(server.put("/.settings/rules.json", std::string(kOwnOnly), secret).status == 200);
  TcpClient first(server.port()), second(server.port());
  first.send(text_of({.method = "PUT", .target = "/ada.json?auth=" + token_for(one, "ada"), .body = "1"}));
  second.send(text_of({.target = "/bob.json", .headers = "Authorization: Bearer " + token_for(one, "bob") + "\r\n"}));
  CHECK(server.get("/ada.json", secret).body == "null");
  keys.release();
  CHECK(first.read_reply().status == 200);
  CHECK(second.read_reply().body == "null");
  CHECK(server.get("/ada.json?auth=" + token_for(one, "ada")).body == "1");
  CHECK(server.get("/ada.json?access_token=" + token_for(one, "bob")).status ==
        401);  // a user is one wherever it stands
  keys.publish("", 500);
  const HttpReply refused = server.get("/ada.json?auth=" + token_for(two, "ada"));
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK_THAT(refused.body, Catch::Contains("can't be had now"));
  CHECK(server.get("/ada.json?auth=" + token_for(one, "ada")).status == 200);
  keys.publish(key_set_of({two.jwk()}));
  CHECK(server.get("/ada.json?auth=" + token_for(two, "ada")).status == 200);
  const HttpReply gone = server.get("/ada.json?auth=" + token_for(one, "ada"));
  CHECK(gone.status == 401);
  CHECK_THAT(gone.body, Catch::Contains("a key (kid) that its issuer does not have"));
}

TEST_CASE("REST: the server may go while a request waits for a key", "[net][rest]") {
  const Signer one = Signer::ec("one");
  KeyServer keys(key_set_of({one.jwk()}));
  keys.hang();
  auto server = std::make_unique<RestServer>(RestServer::Mode::Closed, std::chrono::seconds(30), keys_at(keys));
  TcpClient client(server->port());
  client.send(text_of({.target = "/ada.json?auth=" + token_for(one, "ada")}));
  REQUIRE(eventually([&] { return keys.asked() == 1; }));
  server.reset();
  keys.release();
}

TEST_CASE("REST: outside development too, an admin may be judged as another; who is none may not", "[net][rest]") {
  const Signer one = Signer::ec("one");
  KeyServer keys(key_set_of({one.jwk()}));
  RestServer server(RestServer::Mode::Closed, std::chrono::seconds(30), keys_at(keys));
  const std::string secret = "auth=" + std::string(kSecret);
  REQUIRE(server.put("/.settings/rules.json?" + secret, std::string(kOwnOnly)).status == 200);
  const std::string as_ada = "&auth_variable_override=%7B%22uid%22:%22ada%22%7D";
  CHECK(server.put("/ada.json?" + secret + as_ada, "1").status == 200);
  CHECK(server.put("/bob.json?" + secret + as_ada, "1").status == 401);
  CHECK(server.put("/bob.json?" + secret + "&auth_variable_override=null", "1").status == 401);
  CHECK(server.put("/bob.json?" + secret, "1").status == 200);
  const std::string bob = "auth=" + token_for(one, "bob");
  CHECK(server.get("/bob.json?" + bob + as_ada).status == 200);
  CHECK(server.get("/ada.json?" + bob + as_ada).status == 401);
}

TEST_CASE("REST: `owner` is an admin to programs and to pages of this machine, to other pages it is nothing",
          "[net][rest]") {
  RestServer server;
  const std::string owner = "Authorization: Bearer owner\r\n";
  for (const std::string page : {"", "Origin: http://localhost:5000\r\n", "Origin: http://127.0.0.1\r\n"}) {
    INFO(page);
    CHECK(server.get("/.settings/rules.json", owner + page).status == 200);
  }
  for (const std::string page :
       {"Origin: https://example.com\r\n", "Origin: null\r\n", "Referer: https://example.com/\r\n"}) {
    INFO(page);
    CHECK(server.get("/.settings/rules.json", owner + page).status == 401);
    CHECK(server.get("/.settings/rules.json?auth=owner", page).status == 401);
    CHECK(server.get("/a.json", page).status == 200);  // as anybody
  }
}

TEST_CASE("REST: /.settings/realtime.json is checked, kept as it was set, and for admins", "[net][rest]") {
  RestServer server;
  const std::string owner = "Authorization: Bearer owner\r\n", at = "/.settings/realtime.json";
  CHECK(server.get(at, owner).body == R"({"public": true})");
  const std::string text = "{\"channels\": \"/c\"} // private ones alone";
  const HttpReply set = server.put(at, text, owner);
  CHECK(set.status == 200);
  CHECK(set.body == R"({"status":"ok"})");
  CHECK(server.get(at, owner).body == text);
  CHECK(server.get(at + "?ns=other", owner).body == R"({"public": true})");
  const HttpReply wrong = server.put(at, R"({"chanels": "/c"})", owner);
  CHECK(wrong.status == 400);
  CHECK_THAT(wrong.body, Catch::Contains(R"(1:2: unknown member \"chanels\"; there are \"public\" and \"channels\")"));
  CHECK(server.put(at, "", owner).status == 400);
  CHECK(server.get(at, owner).body == text);
  CHECK(server.get(at).status == 401);
  CHECK(server.put(at, "{}").status == 401);
  CHECK(server.ask({.method = "DELETE", .target = at, .headers = owner}).status == 405);
  CHECK(server.get("/.settings/own_indexes.json", owner).status == 501);
  CHECK(server.get(at, owner + "Accept: text/event-stream\r\n").status == 400);
  CHECK(server.put(at, "null", owner).status == 200);
  CHECK(server.get(at, owner).body == R"({"public": true})");
}

TEST_CASE("REST: kick is for admins, and ends what a user has", "[net][rest]") {
  const Signer one = Signer::ec("one");
  KeyServer keys(key_set_of({one.jwk()}));
  RestServer server(RestServer::Mode::Closed, std::chrono::seconds(30), keys_at(keys));
  const std::string secret = "Authorization: Bearer " + std::string(kSecret) + "\r\n";
  REQUIRE(server.put("/.settings/rules.json", std::string(kOwnOnly), secret).status == 200);
  const std::string old = token_for(one, "ada", R"(,"iat":1700000000)"), nameless = token_for(one, "ada");
  CHECK(server.get("/ada.json?auth=" + old).status == 200);
  const auto kick = [&](const std::string& body, const std::string& headers) {
    return server.ask({.method = "POST", .target = "/.settings/kick.json", .headers = headers, .body = body});
  };
  CHECK(kick(R"({"uid":"ada"})", "").status == 401);
  CHECK(kick(R"({"uid":"ada"})", "Authorization: Bearer " + old + "\r\n").status == 401);
  for (const char* body : {"", "5", "{}", R"({"uid":5})", R"({"uid":""})"}) {
    INFO(body);
    CHECK(kick(body, secret).status == 400);
  }
  const HttpReply kicked = kick(R"({"uid":"ada"})", secret);
  CHECK(kicked.status == 200);
  CHECK(kicked.body == R"({"kicked":0})");
  for (const std::string& token : {old, nameless}) {
    const HttpReply refused = server.get("/ada.json?auth=" + token);
    CHECK(refused.status == 401);
    CHECK_THAT(refused.body, Catch::Contains("its user has been signed out since"));
  }
  // A token of later is good; clocks may differ by the skew, so this one is from the future.
  const auto soon = std::chrono::duration_cast<std::chrono::seconds>(db::SystemClock().now()).count() + 30;
  CHECK(server.get("/ada.json?auth=" + token_for(one, "ada", R"(,"iat":)" + std::to_string(soon))).status == 200);
  CHECK(server.get("/bob.json?auth=" + token_for(one, "bob")).status == 200);
}

TEST_CASE("REST: the handler may go while the database still answers", "[net][rest]") {
  for (int round = 0; round < 5; ++round) {
    RestServer server;
    std::vector<std::unique_ptr<TcpClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<TcpClient>(server.port()));
      clients.back()->send(text_of({.method = "PUT", .target = "/a.json", .body = "1"}) +
                           text_of({.target = "/a.json"}));
    }
    server.stop();  // what the database has left to say goes nowhere
  }
}
