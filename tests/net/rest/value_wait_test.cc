#include "net/rest/value_wait.h"

#include <catch2/catch.hpp>
#include <thread>

#include "tests/net/rest/fixture.h"

using namespace hearth::test;
namespace db = hearth::db;
namespace rules = hearth::rules;

namespace {

std::string tag_of(const HttpReply& reply) { return reply.header("ETag"); }

// A request that is on its way.
struct Asked {
  Asked(const RestServer& server, const std::string& target, const std::string& tag) : client(server.port()) {
    client.send(text_of({.target = target, .headers = "If-None-Match: " + tag + "\r\n"}));
  }
  HttpReply reply() { return client.read_reply(TcpClient::Body::Expected); }
  TcpClient client;
};

}  // namespace

TEST_CASE("A GET that waits is answered at once when the value is another one, or when it has no ETag to wait with",
          "[net][rest]") {
  RestServer server;
  server.put("/a.json", "1");
  const auto first = server.get("/a.json?wait=15min");
  CHECK(first.status == 200);
  CHECK(first.body == "1");
  const std::string tag = tag_of(first);
  server.put("/a.json", "2");
  Asked asked(server, "/a.json?wait=15min", tag);
  const auto reply = asked.reply();
  CHECK(reply.status == 200);
  CHECK(reply.body == "2");
  CHECK(tag_of(reply) != tag);
}

TEST_CASE("A GET that waits is answered by the write that changes its value, and by no other", "[net][rest]") {
  RestServer server;
  server.put("/a.json", R"({"x":1,"y":{"z":1}})");
  for (const std::string target :
       {"/a.json?wait=15min", "/a/y.json?wait=15min", R"(/a.json?orderBy="$key"&equalTo="y"&wait=15min)",
        "/a.json?select=z&wait=15min", "/a.json?shallow=true&wait=15min"}) {
    INFO(target);
    const auto before = server.get(target);
    Asked asked(server, target, tag_of(before));
    server.put("/b.json", "1");
    server.put("/a/y/z.json", "1");
    const int now = std::atoi(server.get("/a/y/z.json").body.c_str());
    server.put("/a/y/z.json", std::to_string(now));  // the same
    server.put("/a/y/z.json", "7" + std::to_string(now));
    const auto reply = asked.reply();
    CHECK(reply.status == 200);
    CHECK(reply.body == server.get(target).body);
    CHECK(tag_of(reply) == tag_of(server.get(target)));
    server.put("/a/y/z.json", "1");
  }
}

TEST_CASE("A GET that waits for a part hears nothing of what happens beside it", "[net][rest]") {
  RestServer server;
  server.put("/a.json", R"({"x":{"n":1,"m":1},"y":{"n":2,"m":1}})");
  for (const std::string target :
       {R"(/a.json?orderBy="$key"&equalTo="y"&wait=15min)", R"(/a.json?orderBy="$key"&startAt="y"&wait=15min)",
        R"(/a.json?orderBy="$key"&limitToLast=1&wait=15min)"}) {
    INFO(target);
    const std::string tag = tag_of(server.get(target));
    Asked asked(server, target, tag);
    server.put("/a/x/m.json", "2");
    server.put("/a/x.json", R"({"n":0})");
    CHECK(tag_of(server.get(target)) == tag);
    server.put("/a/y/m.json", "2");
    const auto reply = asked.reply();
    CHECK(reply.status == 200);
    CHECK(reply.body == R"({"y":{"m":2,"n":2}})");
    CHECK(tag_of(reply) != tag);
    server.put("/a.json", R"({"x":{"n":1,"m":1},"y":{"n":2,"m":1}})");
  }
}

TEST_CASE("A GET that waits long enough hears that nothing is new", "[net][rest]") {
  RestServer server;
  server.put("/a.json", "1");
  const std::string tag = tag_of(server.get("/a.json?wait=1s"));
  Asked asked(server, "/a.json?wait=1ms", tag);
  const HttpReply reply = asked.client.read_reply(TcpClient::Body::None);
  CHECK(reply.status == 304);
  CHECK(tag_of(reply) == tag);
  CHECK(server.get("/nothing.json?wait=1ms", "If-None-Match: null_etag\r\n").status == 304);
}

TEST_CASE("A GET that waits is refused when it may not read, and when it may no longer", "[net][rest]") {
  RestServer server;
  const auto set_rules = [&](const std::string& text) {
    const auto reply = server.put("/.settings/rules.json", text, "Authorization: Bearer owner\r\n");
    CHECK(reply.status == 200);
  };
  server.put("/a.json", "1");
  const std::string tag = tag_of(server.get("/a.json?wait=1s"));
  Asked asked(server, "/a.json?wait=15min", tag);
  Asked other(server, "/a.json?wait=1ms", tag);
  CHECK(other.client.read_reply(TcpClient::Body::None).status == 304);  // so the first one waits
  set_rules(R"({"rules":{".read":false,".write":true}})");
  CHECK(asked.reply().status == 401);
  CHECK(server.get("/a.json?wait=15min", "If-None-Match: " + tag + "\r\n").status == 401);
}

TEST_CASE("A GET that waits takes no nonsense, and lets a server go", "[net][rest]") {
  RestServer server;
  for (const std::string bad : {"wait=", "wait=5", "wait=-1s", "wait=16min", "wait=1s&count=true"}) {
    INFO(bad);
    CHECK(server.get("/a.json?" + bad).status == 400);
  }
  CHECK(server.get("/a/.priority.json?wait=1s").status == 400);
  server.put("/a.json", "1");
  const std::string tag = tag_of(server.get("/a.json?wait=1s"));
  Asked asked(server, "/a.json?wait=15min", tag);
  Asked gone(server, "/a.json?wait=15min", tag);
  gone.client.close();
  Asked other(server, "/a.json?wait=1ms", tag);
  CHECK(other.client.read_reply(TcpClient::Body::None).status == 304);
  server.stop();
  CHECK(asked.client.read_reply(TcpClient::Body::None).status == 304);
}

TEST_CASE("A GET that waits tells integers apart that are one double", "[net][rest]") {
  RestServer server;
  server.put("/a.json", "9007199254740992");
  const std::string tag = tag_of(server.get("/a.json?wait=15min"));
  for (const std::string target : {"/a.json?wait=15min", "/.json?wait=15min"}) {
    INFO(target);
    server.put("/a.json", "9007199254740992");
    Asked asked(server, target, tag_of(server.get(target)));
    server.put("/a.json", "9007199254740993");
    CHECK_THAT(asked.reply().body, Catch::Contains("9007199254740993"));
  }
  // Who comes with the old tag does not wait at all.
  CHECK(Asked(server, "/a.json?wait=15min", tag).reply().body == "9007199254740993");
}
