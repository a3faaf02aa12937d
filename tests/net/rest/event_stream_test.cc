#include "net/rest/event_stream.h"

#include <catch2/catch.hpp>

#include "tests/net/rest/fixture.h"
#include "tests/support/auth_door.h"
#include "tests/support/signer.h"

using namespace hearth::test;
namespace db = hearth::db;

namespace {

// One stream as its client sees it.
class Listening {
 public:
  Listening(const RestServer& server, const std::string& target, const std::string& headers = "")
      : Listening(server.port(), target, headers) {}
  Listening(uint16_t port, const std::string& target, const std::string& headers = "") : client_(port) {
    client_.send(text_of({.target = target, .headers = "Accept: text/event-stream\r\n" + headers}));
    head_ = client_.read_until("\r\n\r\n");
  }
  const std::string& head() const { return head_; }

  // The next event, up to its empty line.
  std::string next() {
    while (events_.find("\n\n") == std::string::npos) {
      const size_t size = std::stoul(client_.read_until("\r\n"), nullptr, 16);
      events_ += client_.read(size);
      client_.read(2);
      if (size == 0) return "end";
    }
    const size_t end = events_.find("\n\n") + 2;
    std::string event = events_.substr(0, end);
    events_.erase(0, end);
    return event;
  }

 private:
  TcpClient client_;
  std::string head_;
  std::string events_;
};

std::string put_event(const std::string& path, const std::string& data) {
  return "event: put\ndata: {\"path\":\"" + path + "\",\"data\":" + data + "}\n\n";
}
std::string patch_event(const std::string& path, const std::string& data) {
  return "event: patch\ndata: {\"path\":\"" + path + "\",\"data\":" + data + "}\n\n";
}

// What stands behind `id: ` in an event; "" when nothing does.
std::string id_of(const std::string& event) {
  const size_t at = event.find("\nid: ");
  return at == std::string::npos ? "" : event.substr(at + 5, event.find('\n', at + 5) - at - 5);
}
std::string without_id(const std::string& event) {
  const size_t at = event.find("\nid: ");
  return at == std::string::npos ? event : event.substr(0, at) + event.substr(event.find('\n', at + 5));
}

}  // namespace

TEST_CASE("stream: the first event is the value, then comes what changes, by the table", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":{"x":1},"n":[1,2]})").status == 200);
  Listening stream(server, "/s.json");
  CHECK_THAT(stream.head(), Catch::StartsWith("HTTP/1.1 200") &&
                                Catch::Contains("Content-Type: text/event-stream; charset=utf-8\r\n") &&
                                Catch::Contains("Cache-Control: no-cache\r\n") &&
                                Catch::Contains("Access-Control-Allow-Origin: *\r\n") &&
                                !Catch::Contains("Content-Length"));
  CHECK(stream.next() == put_event("/", R"({"a":{"x":1},"n":[1,2]})"));

  struct Case {
    std::string method, target, body, event;
  };
  const std::vector<Case> cases = {
      // net/rest/http-api.md §10, "Which event for which write"
      {"PUT", "/s/a/x.json", "2", put_event("/a/x", "2")},
      {"PUT", "/s.json", R"({"a":1})", put_event("/", R"({"a":1})")},
      {"PATCH", "/s.json", R"({"b":1,"c/d":[2]})", patch_event("/", R"({"b":1,"c/d":[2]})")},
      {"PATCH", "/s/c.json", R"({"d":null,"e":true})", patch_event("/c", R"({"d":null,"e":true})")},
      {"DELETE", "/s/c.json", "", put_event("/c", "null")},
      {"PUT", "/s/a.json?print=silent", R"({"sv":{".sv":{"increment":3}}})", put_event("/a", R"({"sv":3})")},
      {"PUT", "/.json", R"({"s":{"new":1},"other":2})", put_event("/", R"({"new":1})")},
      {"PATCH", "/.json", R"({"s/deep":1,"other":3})", put_event("/deep", "1")},
      {"DELETE", "/.json", "", put_event("/", "null")},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target << " " << c.body);
    CHECK(server.ask({.method = c.method, .target = c.target, .body = c.body}).status < 300);
    CHECK(stream.next() == c.event);
  }
}

TEST_CASE("stream: what does not touch it, or changes nothing, is not told", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", "1").status == 200);
  Listening stream(server, "/s.json");
  CHECK(stream.next() == put_event("/", "1"));
  CHECK(server.put("/other.json", "1").status == 200);
  CHECK(server.put("/s.json", "1").status == 200);
  CHECK(server.put("/.json", R"({"s":1,"t":2})").status == 200);
  CHECK(server.ask({.method = "PATCH", .target = "/.json", .body = R"({"t":3})"}).status == 200);
  CHECK(server.put("/s/.priority.json", "5").status == 200);  // plain values have none
  CHECK(server.put("/s.json", "2").status == 200);
  CHECK(stream.next() == put_event("/", "2"));
}

TEST_CASE("stream: a count and a projection are told when they change, and as they are", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":{"n":1,"x":1},"b":{"n":2}})").status == 200);
  Listening count(server, "/s.json?count=true");
  Listening some(server, "/s.json?select=n");
  CHECK(count.next() == put_event("/", "2"));
  CHECK(some.next() == put_event("/", R"({"a":{"n":1},"b":{"n":2}})"));
  CHECK(server.put("/s/a/x.json", "5").status == 200);  // concerns neither
  CHECK(server.put("/s/c.json", R"({"n":3,"x":3})").status == 200);
  CHECK(count.next() == put_event("/", "3"));
  CHECK(some.next() == put_event("/c", R"({"n":3})"));
  CHECK(server.ask({.method = "PATCH", .target = "/s.json", .body = R"({"a":null,"b/x":7,"b/n":8})"}).status == 200);
  CHECK(count.next() == put_event("/", "2"));
  CHECK(some.next() == patch_event("/", R"({"a":null,"b/n":8})"));
}

TEST_CASE("stream: a shallow one tells which children there are", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":{"n":1},"b":2})").status == 200);
  Listening all(server, "/s.json?shallow=true");
  Listening last(server, "/s.json?shallow=true&orderBy=%22$key%22&limitToLast=1");
  CHECK(all.next() == put_event("/", R"({"a":true,"b":true})"));
  CHECK(last.next() == put_event("/", R"({"b":true})"));
  CHECK(server.put("/s/a/n.json", "5").status == 200);  // which they are is the same
  CHECK(server.put("/s/c/deep.json", "3").status == 200);
  CHECK(all.next() == put_event("/c", "true"));
  CHECK(last.next() == patch_event("/", R"({"b":null,"c":true})"));
  CHECK(server.ask({.method = "PATCH", .target = "/s.json", .body = R"({"a":null,"c/deep":null,"d":1})"}).status ==
        200);
  CHECK(all.next() == patch_event("/", R"({"a":null,"c":null,"d":true})"));
  CHECK(last.next() == patch_event("/", R"({"c":null,"d":true})"));
  CHECK(server.put("/s.json", R"({".value":7,".priority":2})").status == 200);
  CHECK(all.next() == put_event("/", "7"));
  CHECK(last.next() == put_event("/", "null"));
  CHECK(server.put("/s/.priority.json", "5").status == 200);
  CHECK(server.put("/s.json", R"(["x","y",{".value":"z",".priority":1}])").status == 200);
  CHECK(all.next() == put_event("/", R"({"0":true,"1":true,"2":true})"));
  CHECK(server.put("/s/1/.priority.json", "5").status == 200);
  CHECK(server.put("/s/.priority.json", "5").status == 200);
  CHECK(server.put("/s/3.json", "1").status == 200);
  CHECK(all.next() == put_event("/3", "true"));
}

TEST_CASE("stream: format=export shows priorities", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":[1],".priority":1})").status == 200);
  Listening stream(server, "/s.json?format=export&print=pretty");
  CHECK(stream.next() == put_event("/", R"({".priority":1,"a":{"0":1}})"));
  CHECK(server.put("/s/.priority.json", "\"p\"").status == 200);
  CHECK(stream.next() == put_event("/.priority", "\"p\""));
  CHECK(server.put("/s/a/.priority.json", "2").status == 200);
  CHECK(stream.next() == put_event("/a/.priority", "2"));
}

TEST_CASE("stream: an absent value is null", "[net][rest]") {
  const RestServer server;
  Listening stream(server, "/none.json?ns=nowhere");
  CHECK(stream.next() == put_event("/", "null"));
}

TEST_CASE("stream: it says regularly that it lives", "[net][rest]") {
  const RestServer server(RestServer::Mode::Dev, std::chrono::milliseconds(20));
  Listening stream(server, "/s.json");
  CHECK(stream.next() == put_event("/", "null"));
  CHECK(stream.next() == "event: keep-alive\ndata: null\n\n");
  CHECK(stream.next() == "event: keep-alive\ndata: null\n\n");
}

TEST_CASE("stream: large values come whole, and what follows behind them", "[net][rest]") {
  const RestServer server;
  const std::string large = "\"" + std::string(3'000'000, 'a') + "\"";
  REQUIRE(server.put("/s.json?print=silent", "{\"a\":" + large + "}").status == 204);
  Listening one(server, "/s.json"), two(server, "/.json");
  REQUIRE(server.put("/s/b.json?print=silent", large).status == 204);
  REQUIRE(server.put("/s/c.json", "1").status == 200);
  CHECK((one.next() == put_event("/", "{\"a\":" + large + "}")));
  CHECK((one.next() == put_event("/b", large)));
  CHECK(one.next() == put_event("/c", "1"));
  CHECK((two.next() == put_event("/", "{\"s\":{\"a\":" + large + "}}")));
  CHECK((two.next() == put_event("/s/b", large)));
  CHECK(two.next() == put_event("/s/c", "1"));
}

TEST_CASE("stream: ids for those who ask, none for others", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":1})").status == 200);
  Listening plain(server, "/s.json"), named(server, "/s.json?eventIds=true"), spec(server, "/s.json?resume=true");
  CHECK(plain.next() == put_event("/", R"({"a":1})"));
  const std::string first = named.next();
  CHECK(without_id(first) == put_event("/", R"({"a":1})"));
  CHECK(!id_of(first).empty());
  CHECK(spec.next() == first);
  CHECK(server.put("/s/a.json", "2").status == 200);
  CHECK(plain.next() == put_event("/a", "2"));
  const std::string second = named.next();
  CHECK(without_id(second) == put_event("/a", "2"));
  CHECK(id_of(second) != id_of(first));
}

TEST_CASE("stream: who comes back is told the net change it missed", "[net][rest]") {
  const RestServer server;
  REQUIRE(server.put("/s.json", R"({"a":1,"b":{"x":1},"c":1})").status == 200);
  std::string id;
  {
    Listening stream(server, "/s.json?eventIds=true");
    id = id_of(stream.next());
    REQUIRE(!id.empty());
  }
  const std::string came_back = "Last-Event-ID: " + id + "\r\n";
  CHECK(server.put("/elsewhere.json", "1").status == 200);
  {
    // Nothing was missed: nothing is told until something happens.
    Listening stream(server, "/s.json", came_back);
    CHECK(server.put("/s/d.json", "0").status == 200);
    const std::string event = stream.next();
    CHECK(without_id(event) == put_event("/d", "0"));
    CHECK(!id_of(event).empty());
  }
  CHECK(server.put("/s/a.json", "2").status == 200);
  CHECK(server.put("/s/a.json", "3").status == 200);
  CHECK(server.put("/s/b/x.json", "null").status == 200);
  CHECK(server.put("/s/d.json", "null").status == 200);
  {
    // Values of now, none in between.
    Listening stream(server, "/s.json", came_back);
    const std::string event = stream.next();
    CHECK(without_id(event) == patch_event("/", R"({"a":3,"b/x":null,"d":null})"));
    Listening again(server, "/s.json", "Last-Event-ID: " + id_of(event) + "\r\n");
    CHECK(server.put("/s/e.json", "1").status == 200);
    CHECK(without_id(again.next()) == put_event("/e", "1"));
  }
  for (const std::string& foreign : std::vector<std::string>{"other-life:1", "nonsense", ":", "1", id + "0000000"}) {
    INFO(foreign);
    Listening stream(server, "/s.json", "Last-Event-ID: " + foreign + "\r\n");
    const std::string event = stream.next();
    CHECK(without_id(event) == put_event("/", R"({"a":3,"c":1,"e":1})"));
    CHECK(!id_of(event).empty());
  }
}

TEST_CASE("stream: a refused read is an error like any other", "[net][rest]") {
  const RestServer server(RestServer::Mode::Closed);
  const HttpReply refused = server.get("/s.json", "Accept: text/event-stream\r\n");
  CHECK(refused.status == 401);
  CHECK(refused.body == "{\n  \"error\" : \"Permission denied\"\n}\n");
  Listening stream(server, "/s.json?auth=" + std::string(kSecret));
  CHECK(stream.next() == put_event("/", "null"));
}

TEST_CASE("stream: one whose credential expires is told so, and ends", "[net][rest]") {
  namespace http = hearth::net::http;
  namespace rest = hearth::net::rest;
  RestServer server;  // for its database; the streams here are opened as whom the test says
  const db::SystemClock clock;
  http::PendingAnswers waiting;
  http::IoPool io(1);
  db::ThreadPool workers(1);
  const rest::Surroundings with{.guard = *server.guard,
                                .io = io,
                                .workers = workers,
                                .clock = clock,
                                .waiting = waiting,
                                .keep_alive = std::chrono::seconds(30)};
  hearth::rules::Auth auth{hearth::rules::Auth::Kind::User, R"({"uid":"ada"})", {}};
  auth.expires = std::chrono::duration_cast<std::chrono::seconds>(clock.now()) + std::chrono::seconds(1);
  io.start();
  auto listener = http::serve(io, workers, {}, [&](std::shared_ptr<http::Exchange> exchange) {
                    auto request = std::get<rest::RestRequest>(rest::parse_request(exchange->request()));
                    rest::EventStream::start(with, std::move(exchange), std::move(request), "default", auth);
                  }).value();
  Listening stream(listener->port(), "/s.json");
  CHECK(stream.next() == put_event("/", "null"));
  CHECK(stream.next() == "event: auth_revoked\ndata: credential is no longer valid\n\n");
  CHECK(stream.next() == "end");
  listener.reset();
  io.stop();
  io.join();
}

TEST_CASE("stream: what is committed once its credential is past its time it does not hear, however late the timer is",
          "[net][rest]") {
  namespace http = hearth::net::http;
  namespace rest = hearth::net::rest;
  db::ManualClock clock(std::chrono::seconds(1'000'000));  // the timer waits for an hour
  RestServer server(RestServer::Mode::Dev, std::chrono::seconds(30), {}, &clock);
  http::PendingAnswers waiting;
  http::IoPool io(1);
  db::ThreadPool workers(1);
  const rest::Surroundings with{.guard = *server.guard,
                                .io = io,
                                .workers = workers,
                                .clock = clock,
                                .waiting = waiting,
                                .keep_alive = std::chrono::seconds(30)};
  hearth::rules::Auth auth{hearth::rules::Auth::Kind::User, R"({"uid":"ada"})", std::chrono::seconds(1'003'600)};
  io.start();
  auto listener = http::serve(io, workers, {}, [&](std::shared_ptr<http::Exchange> exchange) {
                    auto request = std::get<rest::RestRequest>(rest::parse_request(exchange->request()));
                    rest::EventStream::start(with, std::move(exchange), std::move(request), "default", auth);
                  }).value();
  const std::string limited = "/s.json?orderBy=%22$key%22&limitToLast=5";
  Listening plain(listener->port(), "/s.json"), filtered(listener->port(), limited), lasting(server, "/s.json");
  for (Listening* one : {&plain, &filtered, &lasting}) CHECK(one->next() == put_event("/", "null"));
  clock.set(*auth.expires - std::chrono::milliseconds(1));
  CHECK(server.put("/s/a.json", "1").status == 200);
  clock.set(*auth.expires);
  CHECK(server.put("/s/a.json", "2").status == 200);
  for (Listening* one : {&plain, &filtered}) {
    CHECK(one->next() == put_event("/a", "1"));
    CHECK(one->next() == "event: auth_revoked\ndata: credential is no longer valid\n\n");
    CHECK(one->next() == "end");
  }
  CHECK(lasting.next() == put_event("/a", "1"));
  CHECK(lasting.next() == put_event("/a", "2"));
  Listening late(listener->port(), "/s.json");
  CHECK(late.head().find(" 401 ") != std::string::npos);
  // Set back: the token is good again, for as long as the clock says.
  clock.set(*auth.expires - std::chrono::seconds(3'600));
  Listening again(listener->port(), "/s.json");
  CHECK(again.next() == put_event("/", R"({"a":2})"));
  listener.reset();
  io.stop();
  io.join();
}

TEST_CASE("stream: a signed token's is told when it expires, and when its user is signed out", "[net][rest]") {
  const Signer signer = Signer::secret(kTokenSecret);
  RestServer server(RestServer::Mode::Dev, std::chrono::seconds(30),
                    issuers({R"({"issuer": "b", "secret_file": "s", "skew": 0})"}));
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(db::SystemClock().now()).count();
  const auto token = [&](const std::string& uid, int64_t exp) {
    return "?auth=" + signer.sign(R"({"iss":"b","sub":")" + uid + R"(","exp":)" + std::to_string(exp) + "}");
  };
  const std::string revoked = "event: auth_revoked\ndata: credential is no longer valid\n\n";
  Listening brief(server, "/s.json" + token("ada", now + 4)), bob(server, "/s.json" + token("bob", now + 3000));
  Listening eve(server, "/s.json" + token("eve", now + 3000));
  CHECK(brief.next() == put_event("/", "null"));
  CHECK(brief.next() == revoked);
  CHECK(brief.next() == "end");
  CHECK(bob.next() == put_event("/", "null"));
  CHECK(eve.next() == put_event("/", "null"));
  const HttpReply kicked = server.ask({.method = "POST",
                                       .target = "/.settings/kick.json",
                                       .headers = "Authorization: Bearer owner\r\n",
                                       .body = R"({"uid":"bob"})"});
  CHECK(kicked.body == R"({"kicked":1})");
  CHECK(bob.next() == revoked);
  CHECK(bob.next() == "end");
  CHECK(server.put("/s.json", "1").status == 200);
  CHECK(eve.next() == put_event("/", "1"));
  CHECK(server.get("/s.json" + token("ada", now - 1)).status == 401);
}

TEST_CASE("stream: it ends when the server does", "[net][rest]") {
  RestServer server;
  Listening stream(server, "/s.json");
  CHECK(stream.next() == put_event("/", "null"));
  server.stop();
  CHECK(stream.next() == "end");
}

TEST_CASE("stream: clients that go leave nothing behind", "[net][rest]") {
  RestServer server;
  for (int i = 0; i < 50; ++i) {
    Listening stream(server, "/s.json");
    if (i % 2 == 0) stream.next();
  }
  CHECK(server.put("/s.json", "1").status == 200);
  Listening stream(server, "/s.json");
  CHECK(stream.next() == put_event("/", "1"));
}
