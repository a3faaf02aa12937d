#include "net/rest/request.h"

#include <catch2/catch.hpp>

namespace http = hearth::net::http;
namespace db = hearth::db;
using namespace hearth::net::rest;

namespace {

http::Request ask(std::string method, std::string target, http::Headers headers = {}) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers = std::move(headers);
  return request;
}

RestRequest accepted(const http::Request& from) {
  auto parsed = parse_request(from);
  if (const auto* refusal = std::get_if<Refusal>(&parsed)) FAIL(from.target << ": " << refusal->text);
  return std::get<RestRequest>(std::move(parsed));
}

Refusal refused(const http::Request& from) {
  auto parsed = parse_request(from);
  if (std::holds_alternative<RestRequest>(parsed)) FAIL(from.target << " is accepted");
  return std::get<Refusal>(std::move(parsed));
}

}  // namespace

TEST_CASE("Request: which method is meant", "[net][rest]") {
  struct Case {
    std::string method, target;
    http::Headers headers;
    std::optional<Method> meant;
  };
  const std::vector<Case> cases = {
      {"GET", "/a.json", {}, Method::Get},
      {"HEAD", "/a.json", {}, Method::Get},
      {"PUT", "/a.json", {}, Method::Put},
      {"POST", "/a.json", {}, Method::Post},
      {"PATCH", "/a.json", {}, Method::Patch},
      {"DELETE", "/a.json", {}, Method::Delete},
      {"TRACE", "/a.json", {}, {}},
      {"POST", "/a.json", {{"x-http-method-override", "put"}}, Method::Put},
      {"POST", "/a.json?X-HTTP-METHOD-OVERRIDE=Delete", {}, Method::Delete},
      {"POST", "/a.json?x-http-method-override=PUT", {{"X-HTTP-Method-Override", "PATCH"}}, Method::Patch},
      {"POST", "/a.json", {{"X-HTTP-Method-Override", "HEAD"}}, {}},
      // Only a POST is in disguise.
      {"GET", "/a.json", {{"X-HTTP-Method-Override", "DELETE"}}, Method::Get},
      {"PUT", "/a.json?x-http-method-override=DELETE", {}, Method::Put},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    if (c.meant) {
      CHECK(accepted(ask(c.method, c.target, c.headers)).method == *c.meant);
    } else {
      CHECK(refused(ask(c.method, c.target, c.headers)).status == 405);
    }
  }
}

TEST_CASE("Request: where it goes", "[net][rest]") {
  struct Case {
    std::string method, target;
    Endpoint endpoint;
    std::string path;
    db::Slot slot = db::Slot::Value;
  };
  const std::vector<Case> cases = {
      {"GET", "/.json", Endpoint::Data, ""},
      {"GET", "/a/b.json", Endpoint::Data, "a/b"},
      {"GET", "/a/b/.json", Endpoint::Data, "a/b"},
      {"GET", "/a//b.json/", Endpoint::Data, "a/b"},
      {"GET", "/.priority.json", Endpoint::Data, "", db::Slot::Priority},
      {"PUT", "/a/.priority.json", Endpoint::Data, "a", db::Slot::Priority},
      {"GET", "/.health", Endpoint::Health, ""},
      {"GET", "/.inspect/databases.json", Endpoint::Databases, ""},
      {"PUT", "/.settings/rules.json", Endpoint::Rules, ""},
      {"POST", "/.inspect/explain.json", Endpoint::Explain, ""},
      {"POST", "/.settings/kick.json", Endpoint::Kick, ""},
      {"GET", "/.inspect/coverage", Endpoint::Coverage, ""},
      {"GET", "/.inspect/coverage.json", Endpoint::Coverage, ""},
      {"GET", "/.info.json", Endpoint::Info, ""},
      {"GET", "/.info/connected.json", Endpoint::Info, "connected"},
      {"POST", "/.upload", Endpoint::Upload, ""},
      {"POST", "/a/b/.upload?ns=x", Endpoint::Upload, "a/b"},
      {"OPTIONS", "/anything%zz", Endpoint::Preflight, ""},
      {"OPTIONS", "*", Endpoint::Preflight, ""},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    const RestRequest request = accepted(ask(c.method, c.target));
    CHECK(request.endpoint == c.endpoint);
    CHECK(request.path.text() == c.path);
    CHECK(request.slot == c.slot);
  }
}

TEST_CASE("Request: what goes nowhere", "[net][rest]") {
  struct Case {
    std::string method, target;
    int status;
  };
  const std::vector<Case> cases = {
      {"GET", "/", 404},
      {"GET", "/a", 404},
      {"PUT", "/a", 405},
      {"GET", "/a.json.json", 400},
      {"GET", "/.inspect/nothing", 404},
      {"GET", "/.inspect/explain.json", 405},
      {"POST", "/.inspect/coverage", 405},
      {"GET", "/.settings/functionTriggers.json", 501},
      {"GET", "/.settings.json", 400},
      {"DELETE", "/.settings/rules.json", 405},
      {"PATCH", "/.info/connected.json", 400},
      {"GET", "/a/.upload", 405},
      {"PATCH", "/a/.priority.json", 400},
      {"GET", "/.priority/a.json", 400},
      {"GET", "/.ws.json", 400},
      {"GET", "/.lp?start=t", 404},
  };
  for (const Case& c : cases) {
    INFO(c.method << " " << c.target);
    CHECK(refused(ask(c.method, c.target)).status == c.status);
  }
}

TEST_CASE("Request: which namespace is meant", "[net][rest]") {
  struct Case {
    std::string target, host, space;
  };
  const std::vector<Case> cases = {
      {"/.json?ns=Chat", "localhost:9000", "Chat"},
      {"/.json?ns=chat", "other.firebaseio.com", "chat"},
      {"/.json", "chat.firebaseio.com", "chat"},
      {"/.json", "chat.europe-west1.firebasedatabase.app:443", "chat"},
      {"/.json?ns=", "chat.firebaseio.com", "chat"},
      {"/.json", "localhost", ""},
      {"/.json", "example.org:9000", ""},
      {"/.json", "127.0.0.1:9000", ""},
      {"/.json", "[::1]:9000", ""},
      {"/.json", "", ""},
  };
  for (const Case& c : cases) {
    INFO(c.target << " at " << c.host);
    CHECK(accepted(ask("GET", c.target, {{"Host", c.host}})).space == c.space);
  }
}

TEST_CASE("Request: whose credential counts", "[net][rest]") {
  struct Case {
    std::string target;
    http::Headers headers;
    std::optional<std::string> credential;
  };
  const std::vector<Case> cases = {
      {"/.json", {}, {}},
      {"/.json?auth=a", {}, "a"},
      {"/.json?access_token=b", {}, "b"},
      {"/.json?auth=a&access_token=b", {}, "b"},
      {"/.json?auth=a&access_token=b", {{"authorization", "bearer c"}}, "c"},
      {"/.json", {{"Authorization", "Bearer   d"}}, "d"},
      {"/.json?auth=a", {{"Authorization", "Basic eHg="}}, "a"},
      {"/.json?auth=a", {{"Authorization", "Bearer "}}, "a"},
      {"/.json?auth=&access_token=", {}, {}},
      {"/.json?ac=x", {}, {}},
  };
  for (const Case& c : cases) {
    INFO(c.target);
    CHECK(accepted(ask("GET", c.target, c.headers)).credential == c.credential);
  }
}

TEST_CASE("Request: what the reply is to look like", "[net][rest]") {
  CHECK(accepted(ask("GET", "/.json?print=pretty")).print == Print::Pretty);
  CHECK(accepted(ask("PUT", "/.json?print=silent")).print == Print::Silent);
  CHECK(accepted(ask("PUT", "/.json?print=loud")).print == Print::Compact);
  CHECK(accepted(ask("GET", "/.json?format=export")).style == db::JsonStyle::Export);
  CHECK(accepted(ask("GET", "/.json?format=json")).style == db::JsonStyle::Plain);
  CHECK(accepted(ask("GET", "/.json?shallow=true")).shallow);
  CHECK_FALSE(accepted(ask("GET", "/.json?shallow=true")).query);
  CHECK(accepted(ask("GET", "/.json?shallow=true", {{"Accept", "text/event-stream"}})).query->keys_only);
  CHECK(!accepted(ask("GET", "/.json?shallow=false")).shallow);
  CHECK(!accepted(ask("PUT", "/.json?shallow=true")).shallow);
  CHECK(accepted(ask("GET", "/.json?download=a%22b%5C/c%0D%0A.json")).download == "abc.json");
  for (const std::string name : {"f", "$", "_a.b[0]", "jQuery_1"}) {
    INFO(name);
    CHECK(accepted(ask("GET", "/.json?callback=" + name)).callback == name);
  }
  for (const std::string& name :
       {std::string("1f"), std::string("a-b"), std::string("a(b"), std::string(""), std::string(129, 'a')}) {
    INFO(name);
    CHECK(refused(ask("GET", "/.json?callback=" + name)).status == 400);
  }
  CHECK(accepted(ask("PUT", "/.json?callback=f")).callback.empty());
  CHECK(refused(ask("GET", "/a.b.json?callback=f")).callback == "f");
}

TEST_CASE("Request: conditions, the matrix", "[net][rest]") {  // net/rest/http-api.md §8
  const http::Headers etag = {{"X-Firebase-ETag", "true"}};
  const http::Headers match = {{"If-Match", "abc="}};
  for (const std::string method : {"GET", "PUT", "POST", "DELETE"}) {
    INFO(method);
    CHECK(accepted(ask(method, "/a.json", etag)).wants_etag);
    CHECK(!accepted(ask(method, "/a.json", {{"X-Firebase-ETag", "false"}})).wants_etag);
  }
  CHECK(refused(ask("PATCH", "/a.json", etag)).status == 400);
  for (const std::string method : {"PUT", "DELETE"}) {
    INFO(method);
    CHECK(accepted(ask(method, "/a.json", match)).if_match == "abc=");
    CHECK(accepted(ask(method, "/a.json", {{"if-match", "null_etag"}})).if_match == "");
    CHECK(refused(ask(method, "/a.json", {{"if-match", "*"}})).status == 400);
    CHECK(refused(ask(method, "/a.json", {{"if-match", ""}})).status == 400);
    CHECK(refused(ask(method, "/a/.priority.json", match)).status == 400);
  }
  for (const std::string method : {"GET", "POST", "PATCH"}) {
    INFO(method);
    CHECK(refused(ask(method, "/a.json", match)).status == 400);
  }
  CHECK(accepted(ask("GET", "/a.json", {{"if-none-match", "abc="}})).if_none_match == "abc=");
  CHECK(accepted(ask("GET", "/a.json", {{"if-none-match", "null_etag"}})).if_none_match == "");
  CHECK(!accepted(ask("GET", "/a.json", {{"if-none-match", ""}})).if_none_match);
  CHECK(!accepted(ask("PUT", "/a.json", {{"if-none-match", "abc="}})).if_none_match);
}

TEST_CASE("Request: ETags are hashes, and a word for none", "[net][rest]") {
  CHECK(etag_of("") == "null_etag");
  CHECK(etag_of("abc=") == "abc=");
  CHECK(hash_of("null_etag").empty());
  CHECK(hash_of("abc=") == "abc=");
}

TEST_CASE("Request: how long and how much", "[net][rest]") {
  using std::chrono::milliseconds;
  struct Case {
    std::string text;
    std::optional<milliseconds> timeout;
  };
  const std::vector<Case> cases = {
      {"1ms", milliseconds(1)},
      {"500ms", milliseconds(500)},
      {"3s", milliseconds(3000)},
      {"15min", milliseconds(900'000)},
      {"900s", milliseconds(900'000)},
      {"901s", {}},
      {"16min", {}},
      {"0ms", {}},
      {"-1s", {}},
      {"5", {}},
      {"s", {}},
      {"", {}},
      {"1h", {}},
      {"1.5s", {}},
      {"99999999999s", {}},
      {"4294967295min", {}},
      {" 1s", {}},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    if (c.timeout) {
      CHECK(accepted(ask("GET", "/.json?timeout=" + c.text)).timeout == c.timeout);
    } else {
      CHECK(refused(ask("GET", "/.json?timeout=" + c.text)).status == 400);
    }
    CHECK(!accepted(ask("PUT", "/.json?timeout=" + c.text)).timeout);
  }
  CHECK(accepted(ask("PUT", "/.json")).write_bytes_max == SIZE_MAX);
  CHECK(accepted(ask("PUT", "/.json?writeSizeLimit=tiny")).write_bytes_max == size_t{1} << 20);
  CHECK(accepted(ask("DELETE", "/.json?writeSizeLimit=%22small%22")).write_bytes_max == size_t{16} << 20);
  CHECK(accepted(ask("PATCH", "/.json?writeSizeLimit=unlimited")).write_bytes_max == SIZE_MAX);
  CHECK(refused(ask("PUT", "/.json?writeSizeLimit=Tiny")).status == 400);
}

TEST_CASE("Request: which are streams", "[net][rest]") {
  const http::Headers accept = {{"Accept", "text/html, Text/Event-Stream;q=0.9"}};
  CHECK(accepted(ask("GET", "/a.json", accept)).streams);
  CHECK(!accepted(ask("GET", "/a.json", accept)).event_ids);
  CHECK(!accepted(ask("HEAD", "/a.json", accept)).streams);
  CHECK(!accepted(ask("PUT", "/a.json", accept)).streams);
  CHECK(!accepted(ask("GET", "/a.json", {{"Accept", "application/json"}})).streams);
  CHECK(!accepted(ask("GET", "/.health", accept)).streams);
  for (const std::string target :
       {"/a/.priority.json", "/.settings/rules.json", "/.info.json", "/a.json?orderBy=key"}) {
    INFO(target);
    CHECK(refused(ask("GET", target, accept)).status == 400);
  }
  for (const std::string target : {"/a.json?eventIds=true", "/a.json?resume=true"}) {
    INFO(target);
    const RestRequest request = accepted(ask("GET", target, accept));
    CHECK(request.event_ids);
    CHECK(!request.last_event_id);
  }
  http::Headers again = accept;
  again.emplace_back("Last-Event-ID", "life:17");
  CHECK(accepted(ask("GET", "/a.json", again)).event_ids);
  CHECK(accepted(ask("GET", "/a.json", again)).last_event_id == "life:17");
  CHECK(accepted(ask("GET", "/a.json?lastEventId=life:9", again)).last_event_id == "life:17");
  CHECK(accepted(ask("GET", "/a.json?lastEventId=life:9", accept)).last_event_id == "life:9");
  CHECK(accepted(ask("GET", "/a.json?lastEventId=", accept)).event_ids);
  CHECK(!accepted(ask("GET", "/a.json?lastEventId=", accept)).last_event_id);
}

TEST_CASE("Request: queries are for reading and for removing", "[net][rest]") {
  for (const std::string method : {"PUT", "POST", "PATCH"}) {
    const Refusal refusal = refused(ask(method, "/a.json?orderBy=\"n\"&endAt=5"));
    CHECK(refusal.status == 400);
    CHECK_THAT(refusal.text, Catch::Contains(method));
  }
  CHECK(accepted(ask("DELETE", "/a.json?orderBy=\"n\"&endAt=5")).query);
  CHECK(refused(ask("DELETE", "/a.json?orderBy=\"n\"")).text == "DELETE with orderBy takes a bound or a limit too.");
  CHECK(refused(ask("DELETE", "/a.json?count=true")).text == "count is for GET requests, without shallow.");
  CHECK(refused(ask("GET", "/a.json?count=true&shallow=true")).status == 400);
  CHECK(refused(ask("GET", "/a.json?count=true", {{"If-None-Match", "x"}})).text ==
        "ETags are not supported for counts.");
  CHECK(refused(ask("DELETE", "/a.json?orderBy=\"n\"&endAt=5", {{"X-Firebase-ETag", "true"}})).text ==
        "X-Firebase-ETag is not supported for DELETE with a query.");
  CHECK(refused(ask("DELETE", "/a.json?orderBy=\"n\"&endAt=5", {{"if-match", "x"}})).text ==
        "if-match is not supported with a query: ETags of queries are those of what they select.");
  CHECK(accepted(ask("GET", "/a.json?count=true")).query->counts);
  CHECK(refused(ask("GET", "/a.json?count=true&limitToFirst=1")).text ==
        "orderBy must be defined when other query parameters are defined");
  CHECK_FALSE(accepted(ask("GET", "/a.json?count=false")).query);
  CHECK(accepted(ask("GET", "/a.json?orderBy=\"n\"&endAt=5")).query);
  CHECK(refused(ask("GET", "/a/.priority.json?orderBy=\"n\"")).status == 400);
  CHECK(refused(ask("GET", "/a.json?limitToFirst=1")).text ==
        "orderBy must be defined when other query parameters are defined");
}

TEST_CASE("Request: what the change feed is asked", "[net][rest]") {
  const RestRequest lines = accepted(ask("GET", "/.changes?since=0&path=/a/b&wait=25s&ns=shop"));
  CHECK(lines.endpoint == Endpoint::Changes);
  CHECK(lines.since == "0");
  CHECK(lines.path.text() == "a/b");
  CHECK(lines.wait == std::chrono::seconds(25));
  CHECK_FALSE(lines.streams);
  const RestRequest stream =
      accepted(ask("GET", "/.changes?since=old:1", {{"Accept", "text/event-stream"}, {"Last-Event-ID", "new:2"}}));
  CHECK(stream.streams);
  CHECK(stream.since == "new:2");
  // A header that lines have nothing to do with.
  CHECK(accepted(ask("GET", "/.changes?since=old:1", {{"Last-Event-ID", "new:2"}})).since == "old:1");
  CHECK(refused(ask("GET", "/.changes")).text ==
        "since is missing: 0 for all that the log has, or the id of the last change that was seen.");
  CHECK(refused(ask("GET", "/.changes?since=0&since=1")).text == "since is there twice.");
  CHECK(refused(ask("GET", "/.changes?since=0&path=/a.b")).status == 400);
  CHECK(refused(ask("GET", "/.changes?since=0&wait=never")).status == 400);
  CHECK_FALSE(lines.before);
  CHECK(accepted(ask("GET", "/.changes?since=0&before=true")).before);
  CHECK(refused(ask("GET", "/.changes?since=0&before=perhaps")).status == 400);
  CHECK(refused(ask("POST", "/.changes?since=0")).status == 405);
}

TEST_CASE("Request: moments of the past", "[net][rest]") {
  const RestRequest at = accepted(ask("GET", "/a.json?at=755d81a1b36c7d6e:12"));
  REQUIRE(at.at);
  CHECK(at.at->id->sequence == 12);
  CHECK(accepted(ask("GET", "/a.json?at=2026-11-30T16:22:06Z")).at->time.count() == 1'796'055'726'000);
  CHECK(accepted(ask("GET", "/a.json?history=true")).past_values == 100);
  CHECK(accepted(ask("GET", "/a.json?history=true&values=7")).past_values == 7);
  CHECK(accepted(ask("GET", "/a.json?values=7")).past_values == 0);
  for (const char* target : {"/a.json?at=yesterday", "/a.json?at=0&wait=5s", "/a.json?history=true&at=0",
                             "/a.json?history=true&shallow=true", "/a.json?history=true&values=0",
                             "/a.json?history=true&values=1001", "/a.json?history=true&values=x"}) {
    INFO(target);
    CHECK(refused(ask("GET", target)).status == 400);
  }
  CHECK(refused(ask("GET", "/a.json?at=0", {{"Accept", "text/event-stream"}})).status == 400);
  // A write that names a moment is one that does not do what it says.
  CHECK(refused(ask("PUT", "/a.json?at=0")).status == 400);
}
