#include "net/wire/session.h"

#include <future>
#include <thread>

#include "net/wire/frame.h"
#include "rules/ruleset.h"
#include "tests/net/wire/client.h"
#include "tests/support/auth_door.h"
#include "tests/support/key_server.h"
#include "tests/support/signer.h"

using namespace hearth;
using namespace hearth::net::wire;
using Lines = std::vector<std::string>;
using hearth::net::wire::test::Client;
using hearth::net::wire::test::Server;

namespace {

const rules::Guard::Options kClosed = {.dev = false, .admin_secret = "the-admin-secret", .default_namespace = "demo"};

}  // namespace

TEST_CASE("Session: says hello with its time, host and an unguessable name", "[wire]") {
  Server server;
  Client a(server), b(server);
  CHECK(a.session().hello(db::Timestamp(1795342798354), "127.0.0.1:9000") ==
        R"({"t":"c","d":{"t":"h","d":{"ts":1795342798354,"v":"5","h":"127.0.0.1:9000","s":")" + a.id() + R"("}}})");
  CHECK(a.id().size() >= 20);
  CHECK(a.id().find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") ==
        std::string::npos);
  CHECK_FALSE(a.id().starts_with("s-"));
  CHECK(a.id() != b.id());
}

TEST_CASE("Session: a control ping gets a pong", "[wire]") {
  Server server;
  Client client(server);
  client.say(R"({"t":"c","d":{"t":"p","d":{}}})");
  CHECK(client.hear() == R"({"t":"c","d":{"t":"o","d":{}}})");
}

TEST_CASE("Session: a put is acknowledged and read back", "[wire]") {
  Server server;
  Client client(server);
  CHECK(client.answer("s", R"({"c":{"sdk.node.13-2-0":1}})") == Client::done());
  CHECK(client.answer("p", R"({"p":"/rooms/r1","d":{"n":5,"name":"Lobby"}})") == Client::done());
  CHECK(client.answer("g", R"({"p":"/rooms/r1","q":{}})") == Client::done(R"({"n":5,"name":"Lobby"})"));
  CHECK(client.answer("g", R"({"p":"/nowhere","q":{}})") == Client::done("null"));
  CHECK(client.answer("p", R"({"p":"/rooms/r1/.priority","d":"hi"})") == Client::done());
  CHECK(client.answer("m", R"({"p":"/rooms","d":{"r1/n":6,"r2":[1,2]}})") == Client::done());
  CHECK(client.answer("g", R"({"p":"/rooms","q":{}})") ==
        Client::done(R"({"r1":{".priority":"hi","n":6,"name":"Lobby"},"r2":{"0":1,"1":2}})"));
}

TEST_CASE("Session: pushes come before the acknowledgement of the write that caused them", "[wire]") {  // §6.3
  Server server;
  Client writer(server), reader(server);
  reader.ask("q", R"({"p":"/a","h":""})");
  CHECK(reader.hear() == reader.ok("{}"));
  writer.ask("q", R"({"p":"/a/b","h":""})");
  CHECK(writer.hear() == writer.ok("{}"));

  writer.ask("p", R"({"p":"/a/b","d":1})");
  CHECK(writer.hear(2) == Lines{Client::pushed("a/b", "1"), writer.ok()});
  CHECK(reader.hear() == Client::pushed("a/b", "1"));

  writer.ask("m", R"({"p":"/a","d":{"b":2,"c/d":{".value":3,".priority":4}}})");
  CHECK(writer.hear(2) == Lines{Client::pushed("a/b", "2"), writer.ok()});
  CHECK(reader.hear() == Client::merged("a", R"({"b":2,"c/d":{".value":3,".priority":4}})"));

  writer.ask("p", R"({"p":"/","d":null})");
  CHECK(writer.hear(2) == Lines{Client::pushed("a/b", "null"), writer.ok()});
  CHECK(reader.hear() == Client::pushed("a", "null"));
}

TEST_CASE("Session: a listen gets the value, then ok", "[wire]") {  // §6.2, §7.1
  Server server;
  Client client(server);
  CHECK(client.answer("p", R"({"p":"/cnt2","d":41})") == Client::done());
  client.ask("q", R"({"p":"/cnt2","h":""})");
  CHECK(client.hear(2) == Lines{Client::pushed("cnt2", "41"), client.ok("{}")});
  client.ask("n", R"({"p":"/cnt2"})");
  CHECK(client.hear() == client.ok());
  CHECK(client.answer("p", R"({"p":"/cnt2","d":42})") == Client::done());

  INFO("the hash of what is there: nothing to tell");
  client.ask("q", R"({"p":"cnt2","h":"bQ5XV5L9riGZgerGMb/8Z87RxeI="})");
  CHECK(client.hear() == client.ok("{}"));
  client.ask("p", R"({"p":"/cnt2","d":43})");
  CHECK(client.hear(2) == Lines{Client::pushed("cnt2", "43"), client.ok()});
}

TEST_CASE("Session: who asks twice for a location hears its changes once", "[wire]") {
  Server server;
  Client client(server);
  CHECK(client.answer("p", R"({"p":"/a","d":1})") == Client::done());
  for (int i = 0; i < 2; ++i) {
    client.ask("q", R"({"p":"/a","h":""})");
    CHECK(client.hear(2) == Lines{Client::pushed("a", "1"), client.ok("{}")});
  }
  client.ask("q", R"({"p":"/","h":""})");
  CHECK(client.hear(2) == Lines{Client::pushed("", R"({"a":1})"), client.ok("{}")});
  INFO("one listener at it, one above it: the same push");
  client.ask("p", R"({"p":"/a/b","d":2})");
  const Lines heard = client.hear(2);
  CHECK(heard == Lines{Client::pushed("a/b", "2"), client.ok()});
}

TEST_CASE("Session: an unlisten ends it, also of what was never asked for", "[wire]") {  // §6.5
  Server server;
  Client client(server);
  CHECK(client.answer("q", R"({"p":"/a","h":""})") == Client::done("{}"));
  CHECK(client.answer("n", R"({"p":"/b"})") == Client::done());
  CHECK(client.answer("n", R"({"p":"/a","q":{"l":1,"vf":"l"},"t":1})") == Client::done());
  client.ask("p", R"({"p":"/a","d":1})");
  CHECK(client.hear(2) == Lines{Client::pushed("a", "1"), client.ok()});
  CHECK(client.answer("n", R"({"p":"/a"})") == Client::done());
  CHECK(client.answer("n", R"({"p":"/a"})") == Client::done());
  CHECK(client.answer("p", R"({"p":"/a","d":2})") == Client::done());
}

TEST_CASE("Session: who stops listening above still hears what changes below", "[wire]") {
  Server server;
  Client writer(server), reader(server);
  for (const char* path : {"/a", "/a/b"}) {
    reader.ask("q", std::string(R"({"p":")") + path + R"(","h":""})");
    CHECK(reader.hear() == reader.ok("{}"));
  }
  // The commit is durable and both listeners' events wait, which share a body, when the outer listener is ended.
  CHECK(writer.answer("p", R"({"p":"/a/b/c","d":1})") == Client::done());
  reader.ask("n", R"({"p":"/a"})");
  CHECK(reader.hear(2) == Lines{Client::pushed("a/b/c", "1"), reader.ok()});
}

TEST_CASE("Session: a transaction that lost has heard the newer value before datastale", "[wire]") {  // §7.1
  Server server;
  Client client(server), other(server);
  CHECK(other.answer("p", R"({"p":"/cnt2","d":41})") == Client::done());

  const int64_t listen = client.ask("q", R"({"p":"/cnt2","h":""})");
  client.ask("p", R"({"p":"/cnt2","d":1,"h":""})");  // sent before the data arrived
  CHECK(client.hear(3) == Lines{Client::pushed("cnt2", "41"), Client::ok(listen, "{}"),
                                client.refused("datastale", "Transaction hash does not match")});
  client.ask("p", R"({"p":"/cnt2","d":42,"h":"FKQEQrg9eSmOibuEATBfMSlup8g="})");
  CHECK(client.hear(2) == Lines{Client::pushed("cnt2", "42"), client.ok()});
  CHECK(client.answer("m", R"({"p":"/cnt2","d":{"a":1},"h":"FKQEQrg9eSmOibuEATBfMSlup8g="})") ==
        Client::refusal("datastale", "Transaction hash does not match"));
}

TEST_CASE("Session: two transactions of one state: one wins", "[wire]") {
  Server server;
  Client a(server), b(server);
  for (Client* client : {&a, &b}) CHECK(client->answer("q", R"({"p":"/n","h":""})") == Client::done("{}"));
  a.ask("p", R"({"p":"/n","d":1,"h":""})");
  CHECK(a.hear(2) == Lines{Client::pushed("n", "1"), a.ok()});
  b.ask("p", R"({"p":"/n","d":1,"h":""})");
  CHECK(b.hear(2) == Lines{Client::pushed("n", "1"), b.refused("datastale", "Transaction hash does not match")});
}

TEST_CASE("Session: server values are settled once, for the writer too", "[wire]") {
  Server server;
  Client client(server), other(server);
  for (Client* each : {&client, &other}) CHECK(each->answer("q", R"({"p":"/m","h":""})") == Client::done("{}"));
  client.ask("p", R"({"p":"/m/n","d":{".sv":{"increment":2}}})");
  CHECK(client.hear(2) == Lines{Client::pushed("m/n", "2"), client.ok()});
  client.ask("p", R"({"p":"/m/n","d":{".sv":{"increment":2}}})");
  CHECK(client.hear(2) == Lines{Client::pushed("m/n", "4"), client.ok()});
  CHECK(other.hear(2) == Lines{Client::pushed("m/n", "2"), Client::pushed("m/n", "4")});

  client.ask("p", R"({"p":"/m/t","d":{".sv":"timestamp"}})");
  const std::string told = client.hear();
  CHECK(told.starts_with(R"({"a":"d","b":{"p":"m/t","d":1)"));
  CHECK(client.hear() == client.ok());
  CHECK(other.hear() == told);
}

TEST_CASE("Session: requests are answered in the order they came, each once", "[wire]") {
  Server server;
  Client client(server);
  Lines expected;
  for (int i = 0; i < 300; ++i) {
    const std::string n = std::to_string(i);
    expected.push_back(Client::ok(client.ask("p", R"({"p":"/a","d":)" + n + "}")));
    expected.push_back(Client::ok(client.ask("g", R"({"p":"/a","q":{}})"), n));
    if (i % 50 == 0) expected.push_back(Client::ok(client.ask("s", "{}")));
    if (i % 70 == 0) {
      client.ask("zz", "{}");
      expected.push_back(client.refused("failure", "Unknown action: zz"));
    }
  }
  CHECK(client.session().unanswered() > 0);
  CHECK(client.hear(expected.size()) == expected);
  CHECK(client.session().unanswered() == 0);
}

TEST_CASE("Session: no number of a request is special", "[wire]") {  // Android starts at 0
  Server server;
  Client client(server);
  for (const std::string number : {"0", "-1", "2147483647", "9007199254740993", "0"}) {
    client.say(R"({"t":"d","d":{"r":)" + number + R"(,"a":"p","b":{"p":"/a","d":1}}})");
    CHECK(client.hear() == R"({"r":)" + number + R"(,"b":{"s":"ok","d":""}})");
  }
}

TEST_CASE("Session: onDisconnect writes are written when the session ends, and only then", "[wire]") {  // §8
  Server server;
  Client watcher(server);
  CHECK(watcher.answer("q", R"({"p":"/st","h":""})") == Client::done("{}"));
  auto client = std::make_unique<Client>(server);
  CHECK(client->answer("o", R"({"p":"/st/a","d":{"online":false}})") == Client::done());
  CHECK(client->answer("om", R"({"p":"/st/b","d":{"x":1,"y/z":2}})") == Client::done());
  CHECK(client->answer("o", R"({"p":"/st/c","d":true})") == Client::done());
  CHECK(client->answer("oc", R"({"p":"/st/c","d":null})") == Client::done());
  CHECK(client->answer("oc", R"({"p":"/st/b/y","d":null})") == Client::done());
  CHECK(watcher.hear_all().empty());
  client.reset();
  std::string heard = watcher.hear();  // one commit for all
  for (const std::string& line : watcher.hear_all()) heard += line;
  INFO(heard);
  CHECK(heard.find(R"("online":false)") != std::string::npos);
  CHECK(watcher.answer("g", R"({"p":"/st","q":{}})") == Client::done(R"({"a":{"online":false},"b":{"x":1}})"));
}

TEST_CASE("Session: a client that comes back ends its old session first", "[wire]") {  // §8.3
  Server server;
  Client old(server);
  CHECK(old.answer("o", R"({"p":"/online","d":false})") == Client::done());
  Client back(server, "demo", old.id());
  CHECK(back.answer("p", R"({"p":"/online","d":true})") == Client::done());
  CHECK(back.answer("g", R"({"p":"/online","q":{}})") == Client::done("true"));
  CHECK(old.hear().empty());  // over
  old.session().end();
  CHECK(back.answer("g", R"({"p":"/online","q":{}})") == Client::done("true"));
}

TEST_CASE("Session: another namespace's session is not taken over", "[wire]") {
  Server server;
  Client old(server);
  CHECK(old.answer("o", R"({"p":"/online","d":false})") == Client::done());
  Client other(server, "elsewhere", old.id());
  CHECK(other.answer("g", R"({"p":"/online","q":{}})") == Client::done("null"));
  CHECK(old.answer("g", R"({"p":"/online","q":{}})") == Client::done("null"));
}

TEST_CASE("Session: closed to all but the admin", "[wire]") {
  Server server(kClosed);
  REQUIRE(server.database().create("demo").ok());
  Client client(server);
  const std::string denied = "permission_denied";
  for (const auto& [action, body] : std::vector<std::pair<std::string, std::string>>{
           {"p", R"({"p":"/a","d":1})"},
           {"m", R"({"p":"/a","d":{"b":1}})"},
           {"q", R"({"p":"/a","h":""})"},
           {"g", R"({"p":"/a","q":{}})"},
           {"o", R"({"p":"/a","d":1})"},
           {"om", R"({"p":"/a","d":{"b":1}})"},
           {"p", R"({"p":"/a","d":1,"h":"wrong"})"},
       }) {
    INFO(action);
    client.ask(action, body);
    CHECK(client.hear() == client.refused(denied, "Permission denied"));
  }
  CHECK(client.answer("gauth", R"({"cred":"owner"})") ==
        Client::refusal("invalid_token", "Could not parse auth token."));
  CHECK(client.answer("gauth", R"({"cred":"the-admin-secret"})") == Client::done(R"({"auth":null})"));
  CHECK(client.answer("p", R"({"p":"/a","d":1})") == Client::done());
  client.ask("q", R"({"p":"/a","h":""})");
  CHECK(client.hear(2) == Lines{Client::pushed("a", "1"), client.ok("{}")});

  INFO("the right goes, and with it the listener");
  const int64_t unauth = client.ask("unauth", "{}");
  const int64_t put = client.ask("p", R"({"p":"/a","d":2})");
  const std::string refusal = client.refused(denied, "Permission denied");
  Lines heard = client.hear(3);
  CHECK(std::find(heard.begin(), heard.end(), R"({"a":"c","b":{"p":"a"}})") != heard.end());
  CHECK(std::find(heard.begin(), heard.end(), Client::ok(unauth)) != heard.end());
  CHECK(heard.back() == refusal);
  (void)put;

  INFO("JavaScript does not wait for the answer to auth");
  const int64_t auth = client.ask("auth", R"({"cred":"the-admin-secret"})");
  client.ask("g", R"({"p":"/a","q":{}})");
  CHECK(client.hear(2) == Lines{Client::ok(auth, R"({"auth":null})"), client.ok("1")});
  CHECK(client.answer("auth", R"({"cred":"the-admin-secret","noauth":true})") == Client::done(R"({"auth":null})"));
  CHECK(client.answer("g", R"({"p":"/a","q":{}})") == Client::refusal(denied, "Permission denied"));
}

TEST_CASE("Session: in development the emulator's credentials are good", "[wire]") {  // §9.1
  Server server;
  Client client(server);
  CHECK(client.answer("gauth", R"({"cred":"owner"})") == Client::done(R"({"auth":null})"));
  CHECK(client.answer("gauth", R"({"cred":"owner","authvar":{"uid":"svc","admin":false}})") ==
        Client::done(R"({"auth":{"uid":"svc","admin":false}})"));
  CHECK(client.answer("gauth", R"({"cred":"owner","authvar":5})") ==
        Client::refusal("failure", "An auth variable must be an object or null."));
  CHECK(client.answer("auth", R"({"cred":"eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiYWRhIn0."})") ==
        Client::done(R"({"auth":{"uid":"ada","provider":"custom","token":{"user_id":"ada"}}})"));
  CHECK(client.answer("auth", R"({"cred":"gibberish"})") ==
        Client::refusal("invalid_token", "Could not parse auth token."));
}

TEST_CASE("Session: what comes behind a credential waits until it is verified", "[wire]") {  // §9.3
  const hearth::test::Signer idp = hearth::test::Signer::ec("one");
  hearth::test::KeyServer keys(hearth::test::key_set_of({idp.jwk()}));
  keys.hang();
  net::Verifier::Options auth =
      hearth::test::issuers({R"({"issuer": "idp", "audience": "a", "jwks_url": ")" + keys.url() + "\"}"});
  auth.fetch_url = hearth::test::fetch_keys;
  auth.times = hearth::test::quick_times();
  rules::Guard::Options options = kClosed;
  options.rules = rules::Ruleset::compile(R"({"rules": {".read": true, ".write": "auth.uid == 'ada'"}})").value();
  Server server(options, std::move(auth));
  REQUIRE(server.database().create("demo").ok());
  const auto credential = [&](const std::string& uid) {
    return R"({"cred":")" + idp.sign(R"({"iss":"idp","aud":"a","sub":")" + uid + R"(","exp":4000000000})") + "\"}";
  };
  Client client(server), other(server);
  client.ask("p", R"({"p":"/a","d":0})");
  CHECK(client.hear() == client.refused("permission_denied", "Permission denied"));
  const int64_t first = client.ask("auth", credential("ada"));
  const int64_t put = client.ask("p", R"({"p":"/a","d":1})");
  const int64_t second = client.ask("auth", credential("bob"));  // by a key that will be known by then
  const int64_t denied = client.ask("p", R"({"p":"/a","d":2})");
  client.say(R"({"t":"c","d":{"t":"p","d":{}}})");
  CHECK(client.session().unanswered() == 4);  // all but the first, which is not counted until it is known
  // Others go on.
  CHECK(other.answer("g", R"({"p":"/a","q":{}})") == Client::done("null"));
  keys.release();
  Lines heard = client.hear(5);
  CHECK(heard[0] == R"({"t":"c","d":{"t":"o","d":{}}})");  // a pong is no answer to a request
  CHECK(heard[1].starts_with(R"({"r":)" + std::to_string(first) + R"(,"b":{"s":"ok","d":{"auth":{"uid":"ada")"));
  CHECK(heard[2] == Client::ok(put));
  CHECK(heard[3].starts_with(R"({"r":)" + std::to_string(second) + R"(,"b":{"s":"ok","d":{"auth":{"uid":"bob")"));
  CHECK(heard[4] == R"({"r":)" + std::to_string(denied) + R"(,"b":)" +
                        Client::refusal("permission_denied", "Permission denied") + "}");
  CHECK(client.session().unanswered() == 0);
  CHECK(client.session().expires() == std::chrono::seconds(4'000'000'060));
}

TEST_CASE("Session: a transport is told to read no further while much is held", "[wire]") {
  const hearth::test::Signer idp = hearth::test::Signer::ec("one");
  hearth::test::KeyServer keys;
  keys.hang();
  net::Verifier::Options auth =
      hearth::test::issuers({R"({"issuer": "idp", "audience": "a", "jwks_url": ")" + keys.url() + "\"}"});
  auth.fetch_url = hearth::test::fetch_keys;
  auth.times = hearth::test::quick_times();
  Server server({.dev = true, .admin_secret = "", .default_namespace = "demo"}, std::move(auth));
  const std::string token = idp.sign(R"({"iss":"idp","aud":"a","sub":"ada","exp":4000000000})");
  Client many(server), large(server);
  const int64_t number = many.ask("auth", R"({"cred":")" + token + "\"}");
  for (size_t i = 0; i < kUnansweredMax; ++i) many.ask("s", "{}");
  CHECK_FALSE(many.session().is_behind());
  many.ask("s", "{}");
  CHECK(many.session().is_behind());
  large.ask("auth", R"({"cred":")" + token + "\"}");
  for (int i = 0; i < 4; ++i) large.ask("p", R"({"p":"/a","d":")" + std::string(9 << 20, 'x') + "\"}");
  CHECK(large.session().is_behind());
  keys.publish("", 500);
  keys.release();
  CHECK(many.hear() ==
        R"({"r":)" + std::to_string(number) + R"(,"b":)" +
            Client::refusal("unavailable",
                            "The keys that this auth token could be verified by can't be had now; try again soon.") +
            "}");
  for (size_t i = 0; i <= kUnansweredMax; ++i) many.hear();
  CHECK_FALSE(many.session().is_behind());
}

TEST_CASE("Session: a client may go while its credential is verified", "[wire]") {
  const hearth::test::Signer idp = hearth::test::Signer::ec("one");
  hearth::test::KeyServer keys(hearth::test::key_set_of({idp.jwk()}));
  keys.hang();
  net::Verifier::Options auth =
      hearth::test::issuers({R"({"issuer": "idp", "audience": "a", "jwks_url": ")" + keys.url() + "\"}"});
  auth.fetch_url = hearth::test::fetch_keys;
  auth.times = hearth::test::quick_times();
  Server server({.dev = true, .admin_secret = "", .default_namespace = "demo"}, std::move(auth));
  {
    Client client(server);
    client.ask("auth", R"({"cred":")" + idp.sign(R"({"iss":"idp","aud":"a","sub":"ada","exp":4000000000})") + "\"}");
    client.ask("p", R"({"p":"/a","d":1})");
  }
  keys.release();
  Client after(server);
  CHECK(after.answer("g", R"({"p":"/a","q":{}})") == Client::done("null"));  // it had said nothing yet
}

TEST_CASE("Session: who is signed out between the verdict and its use is nobody", "[wire]") {
  const hearth::test::Signer idp = hearth::test::Signer::ec("one");
  hearth::test::KeyServer keys(hearth::test::key_set_of({idp.jwk()}));
  keys.hang();
  net::Verifier::Options auth =
      hearth::test::issuers({R"({"issuer": "idp", "audience": "a", "jwks_url": ")" + keys.url() + "\"}"});
  auth.fetch_url = hearth::test::fetch_keys;
  auth.times = hearth::test::quick_times();
  rules::Guard::Options options = kClosed;
  options.rules = rules::Ruleset::compile(R"({"rules": {".read": true, ".write": "auth.uid == 'ada'"}})").value();
  Server server(options, std::move(auth));
  REQUIRE(server.database().create("demo").ok());
  Client ada(server);
  const int64_t first =
      ada.ask("auth", R"({"cred":")" +
                          idp.sign(R"({"iss":"idp","aud":"a","sub":"ada","iat":1000000000,"exp":4000000000})") + "\"}");
  const int64_t put = ada.ask("p", R"({"p":"/a","d":1})");
  keys.release();
  // The verdict is there, and nobody has taken it.
  for (int i = 0; i < 10'000 && server.verifier().counts().accepted.load() == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  REQUIRE(server.verifier().counts().accepted.load() == 1);
  std::promise<db::Answer> kicked;
  server.guard().kick("demo", rules::Auth::admin(), "ada",
                      [&](db::Answer answer) { kicked.set_value(std::move(answer)); });
  CHECK(kicked.get_future().get().value == db::Value::integer(0));  // no session was ada's yet
  const Lines heard = ada.hear(2);
  CHECK(heard[0] ==
        R"({"r":)" + std::to_string(first) + R"(,"b":)" +
            Client::refusal("invalid_token", "Auth token was revoked: its user has been signed out since.") + "}");
  CHECK(heard[1] == R"({"r":)" + std::to_string(put) + R"(,"b":)" +
                        Client::refusal("permission_denied", "Permission denied") + "}");
}

TEST_CASE("Session: a user who is signed out hears that the token is no good, and that is the end", "[wire]") {  // §9.4
  Server server;
  Client ada(server), bob(server);
  ada.ask("auth", R"({"cred":"eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiYWRhIn0."})");
  CHECK(ada.hear() == ada.ok(R"({"auth":{"uid":"ada","provider":"custom","token":{"user_id":"ada"}}})"));
  ada.ask("q", R"({"p":"/a","h":""})");
  CHECK(ada.hear() == ada.ok("{}"));
  std::promise<db::Answer> kicked;
  server.guard().kick("demo", rules::Auth::admin(), "ada",
                      [&](db::Answer answer) { kicked.set_value(std::move(answer)); });
  CHECK(kicked.get_future().get().value == db::Value::integer(1));
  CHECK(bob.answer("p", R"({"p":"/a","d":1})") == Client::done());
  CHECK(
      ada.hear() ==
      R"({"a":"ac","b":{"s":"invalid_token","d":"Auth token was revoked: an administrator has signed its user out."}})");
  CHECK(ada.hear() == "");
  Client again(server);
  CHECK(again.answer("auth", R"({"cred":"eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoiYWRhIn0."})") ==
        Client::refusal("invalid_token", "Auth token was revoked: its user has been signed out since."));
}

TEST_CASE("Session: bad requests are refused, change nothing and leave the connection alive", "[wire]") {
  Server server;
  Client client(server);
  CHECK(client.answer("p", R"({"p":"/a","d":{"x":1}})") == Client::done());
  std::string deep = "1";
  for (int i = 0; i < 33; ++i) deep = R"({"k":)" + deep + "}";
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"p", R"({"p":"/a.b","d":1})"},
      {"p", R"({"p":"/a","d":{"b$":1}})"},
      {"p", R"({"p":"/a","d":)" + deep + "}"},
      {"p", R"({"p":"/)" + std::string(769, 'k') + R"(","d":1})"},
      {"p", R"({"p":"/a","d":")" + std::string(db::kStringBytesMax + 1, 's') + R"("})"},
      {"p", R"({"p":"/a","d":{".sv":"x"}})"},
      {"p", R"({"p":"/a","d":{".value":1,"x":2}})"},
      {"p", R"({"p":"/.info/connected","d":true})"},
      {"p", R"({"p":"/a"})"},
      {"p", R"({"p":"/a","d":tru})"},
      {"p", R"({"p":"/a","d":")"
            "\xff"
            R"("})"},
      {"m", R"({"p":"/","d":{"a":1,"a/b":2}})"},
      {"m", R"({"p":"/","d":[1]})"},
      {"om", R"({"p":"/","d":{"a":1,"a/b":2}})"},
      {"q", R"({"p":"/a","q":{"l":2,"vf":"l"},"h":""})"},
      {"g", R"({"p":"/a","q":{"l":-2,"vf":"l"}})"},
      {"zz", "{}"},
      {"p", "[]"},
  };
  for (const auto& [action, body] : bad) {
    INFO(action << " " << body.substr(0, 100));
    client.ask(action, body);
    const std::string expected = client.refused("failure", "");
    CHECK(client.hear().substr(0, expected.size() - 4) == expected.substr(0, expected.size() - 4));
  }
  for (const char* message : {"", "{", "null", R"({"t":"d","d":{"a":"p"}})", R"({"t":"x","d":{}})", "\xff"}) {
    INFO(message);
    client.say(message);
    CHECK(client.hear().starts_with(R"({"t":"c","d":{"t":"e","d":")"));
  }
  client.say(parse_message({.text = R"({"t":"d","d":{"r":99,"a":"p","b":{"p":"/a)", .too_large = true, .tail = ""}));
  CHECK(
      client.hear() ==
      R"({"r":99,"b":{"s":"too_big","d":"Data to write exceeds the maximum size that can be modified with a single request."}})");
  CHECK(client.answer("g", R"({"p":"/","q":{}})") == Client::done(R"({"a":{"x":1}})"));
}

TEST_CASE("Session: a connection has so many listeners and no more", "[wire]") {
  Server server;
  Client client(server);
  for (size_t i = 0; i < kListenersMax; ++i) client.ask("q", R"({"p":"/l)" + std::to_string(i) + R"(","h":""})");
  for (size_t i = 0; i < kListenersMax; ++i) client.hear();
  CHECK(client.answer("q", R"({"p":"/more","h":""})") ==
        Client::refusal("failure", "Too many listeners on one connection (at most 20000)."));
  CHECK(client.answer("n", R"({"p":"/l0"})") == Client::done());
  CHECK(client.answer("q", R"({"p":"/more","h":""})") == Client::done("{}"));
}

TEST_CASE("Session: large values are told whole, and framed in pieces", "[wire]") {
  Server server;
  Client client(server);
  const std::string megabyte(1 << 20, 'x');
  CHECK(client.answer("p", R"({"p":"/big","d":")" + megabyte + R"("})") == Client::done());
  CHECK(client.answer("g", R"({"p":"/big","q":{}})") == Client::done('"' + megabyte + '"'));
  client.ask("q", R"({"p":"/","h":""})");
  CHECK(client.hear() == Client::pushed("", R"({"big":")" + megabyte + R"("})"));

  const auto body = db::Body::put({}, db::Slot::Value, db::Value::string(megabyte));
  for (const Outgoing& message :
       std::vector<Outgoing>{Push{body}, ValueReply{1, body->value()}, Text{ok_text(1, '"' + megabyte + '"')}}) {
    CHECK(size_of(message) >= megabyte.size());
    CHECK(*frames_of(message) == frame_message(text_of(message)));
  }
}

TEST_CASE("Session: a credential past its time is said to be, and then what it allowed is revoked", "[wire]") {  // §9.4
  Server server(kClosed);
  REQUIRE(server.database().create("demo").ok());
  std::promise<db::Answer> set;
  server.guard().set_rules("demo", rules::Auth::admin(),
                           R"({"rules":{"mine":{".read":"auth.uid == 'ada'"},"all":{".read":true}}})",
                           rules::Install::Yes, [&](db::Answer answer) { set.set_value(std::move(answer)); });
  REQUIRE(set.get_future().get().status.ok());
  rules::Auth ada;
  ada.kind = rules::Auth::Kind::User;
  ada.variable = R"({"uid":"ada"})";
  ada.expires = std::chrono::seconds(4'000'000'000);
  Client client(server, "demo", "", ada);
  CHECK(client.session().expires() == ada.expires);
  client.ask("q", R"({"p":"/mine","h":""})");
  CHECK(client.hear() == client.ok("{}"));
  client.ask("q", R"({"p":"/all","h":""})");
  CHECK(client.hear() == client.ok("{}"));
  std::vector<Outgoing> said;
  client.session().expire(said);
  REQUIRE(said.size() == 1);
  CHECK(text_of(said.front()) == R"({"t":"d","d":{"a":"ac","b":{"s":"expired_token","d":"Auth token is expired."}}})");
  CHECK_FALSE(client.session().expires());
  CHECK(client.hear() == R"({"a":"c","b":{"p":"mine"}})");
  CHECK(client.answer("g", R"({"p":"/mine","q":{}})").find("permission_denied") != std::string::npos);
  CHECK(client.answer("g", R"({"p":"/all","q":{}})") == Client::done("null"));
}

TEST_CASE(
    "Session: what is committed once its credential is past its time it does not hear, however late that is noticed",
    "[wire]") {
  db::ManualClock clock(std::chrono::seconds(1'000'000));
  Server server(kClosed, {}, &clock);
  REQUIRE(server.database().create("demo").ok());
  std::promise<db::Answer> set;
  server.guard().set_rules("demo", rules::Auth::admin(),
                           R"({"rules":{"mine":{".read":"auth.uid == 'ada'"},"all":{".read":true}}})",
                           rules::Install::Yes, [&](db::Answer answer) { set.set_value(std::move(answer)); });
  REQUIRE(set.get_future().get().status.ok());
  const rules::Auth ada{rules::Auth::Kind::User, R"({"uid":"ada"})", std::chrono::seconds(1'003'600)};
  Client client(server, "demo", "", ada), admin(server, "demo", "", rules::Auth::admin());
  client.ask("q", R"({"p":"/mine","h":""})");
  CHECK(client.hear() == client.ok("{}"));
  client.ask("q", R"({"p":"/all","h":""})");
  CHECK(client.hear() == client.ok("{}"));
  clock.set(*ada.expires - std::chrono::milliseconds(1));
  CHECK(admin.answer("p", R"({"p":"/mine/a","d":1})") == Client::done());
  clock.set(*ada.expires);
  CHECK(admin.answer("m", R"({"p":"/","d":{"mine/a":2,"all/a":1}})") == Client::done());
  // What anyone may hear goes on; the rest ends, behind the reason.
  Lines heard = client.hear(4);
  const std::string expired = R"({"a":"ac","b":{"s":"expired_token","d":"Auth token is expired."}})";
  CHECK(std::count(heard.begin(), heard.end(), Client::pushed("all/a", "1")) == 1);
  std::erase(heard, Client::pushed("all/a", "1"));
  CHECK(heard == Lines{Client::pushed("mine/a", "1"), expired, R"({"a":"c","b":{"p":"mine"}})"});
  CHECK_FALSE(client.session().expires());
  CHECK(admin.answer("m", R"({"p":"/","d":{"mine/a":3,"all/a":2}})") == Client::done());
  CHECK(client.hear() == Client::pushed("all/a", "2"));
}

TEST_CASE("Session: `owner` is an admin in development, but not from another machine's page", "[wire]") {
  Server server;
  Client local(server), foreign(server, "demo", "", {}, hearth::net::http::Whence::OtherPage);
  CHECK(local.answer("gauth", R"({"cred":"owner"})") == Client::done(R"({"auth":null})"));
  CHECK_THAT(foreign.answer("gauth", R"({"cred":"owner"})"), Catch::Contains("invalid_token"));
  Client renamed(server, "demo", "", {}, hearth::net::http::Whence::OtherHost);
  CHECK_THAT(renamed.answer("gauth", R"({"cred":"owner"})"),
             Catch::Contains("invalid_token") && Catch::Contains("--dev-host"));
  CHECK(foreign.answer("p", R"({"p":"/a","d":1})") == Client::done());  // as anybody
}
