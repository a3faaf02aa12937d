#include "net/http/origin.h"

#include <catch2/catch.hpp>

using namespace hearth::net::http;

namespace {

Request request(Headers headers, std::string target = "/a.json") {
  Request made;
  made.method = "GET";
  made.target = std::move(target);
  made.headers = std::move(headers);
  return made;
}

}  // namespace

TEST_CASE("Origin: of the page, as far as the browser says", "[net][http]") {
  const std::vector<std::pair<Headers, std::string>> cases = {
      {{}, ""},
      {{{"Origin", "https://app.example.com"}}, "https://app.example.com"},
      {{{"Origin", "https://App.Example.com:443"}}, "https://app.example.com"},
      {{{"Origin", "http://a:80"}}, "http://a"},
      {{{"Origin", "http://a:8080"}, {"Referer", "http://b/"}}, "http://a:8080"},
      {{{"Origin", "null"}}, "null"},
      {{{"Origin", "nonsense"}}, "null"},
      {{{"Referer", "http://a:8080/page?x=http://b"}}, "http://a:8080"},
      {{{"Referer", "about:blank"}}, "null"},
      {{{"Referer", "http://user@a/"}}, "null"},
      {{{"Sec-Fetch-Site", "cross-site"}}, "null"},
      {{{"Sec-Fetch-Site", "same-site"}}, "null"},
      {{{"Sec-Fetch-Site", "same-origin"}}, ""},
      {{{"Sec-Fetch-Site", "none"}}, ""},
  };
  for (const auto& [headers, wanted] : cases) {
    INFO(headers.size() << " " << (headers.empty() ? "" : headers[0].second));
    CHECK(origin_of(request(headers)) == wanted);
  }
}

TEST_CASE("Origin: this machine's pages", "[net][http]") {
  for (const char* local : {"", "http://localhost", "https://localhost:5000", "http://127.0.0.1:9000",
                            "http://127.1.2.3", "http://[::1]:80", "http://app.localhost:3000"}) {
    INFO(local);
    CHECK(is_local_origin(local));
  }
  for (const char* other : {"null", "https://example.com", "http://localhost.example.com",
                            "http://127.0.0.1.example.com", "http://10.0.0.1", "http://127.evil.com"}) {
    INFO(other);
    CHECK_FALSE(is_local_origin(other));
  }
}

TEST_CASE("OriginList: who is on it, who is not, and who is not asked", "[net][http]") {
  const auto parsed =
      OriginList::parse({"https://app.example.com", "http://dev.test:8080", "https://*.apps.example.com"});
  REQUIRE(parsed.ok());
  const OriginList& list = parsed.value();
  struct Case {
    Headers headers;
    std::string target;
    bool allowed;
  };
  const std::vector<Case> cases = {
      {{{"Origin", "https://app.example.com"}}, "/a.json", true},
      {{{"Origin", "https://APP.example.com:443"}}, "/a.json", true},
      {{{"Origin", "http://app.example.com"}}, "/a.json", false},
      {{{"Origin", "https://app.example.com:444"}}, "/a.json", false},
      {{{"Origin", "https://app.example.com.evil.com"}}, "/a.json", false},
      {{{"Origin", "http://dev.test:8080"}}, "/.ws?ns=x", true},
      {{{"Origin", "http://dev.test"}}, "/.ws?ns=x", false},
      {{{"Origin", "https://x.apps.example.com"}}, "/a.json", true},
      {{{"Origin", "https://x.y.apps.example.com"}}, "/a.json", true},
      {{{"Origin", "https://apps.example.com"}}, "/a.json", false},
      {{{"Origin", "https://evilapps.example.com"}}, "/a.json", false},
      {{{"Origin", "null"}}, "/a.json", false},
      {{{"Referer", "https://app.example.com/x"}}, "/.lp?start=t", true},
      {{{"Referer", "https://evil.com/?https://app.example.com"}}, "/.lp?start=t", false},
      {{{"Sec-Fetch-Site", "cross-site"}}, "/a.json", false},
      // The server's own pages.
      {{{"Origin", "http://db.test:9000"}, {"Host", "db.test:9000"}}, "/.lp?disconn=t", true},
      {{{"Origin", "https://db.test"}, {"Host", "db.test"}}, "/a.json", true},
      {{{"Origin", "http://other.test:9000"}, {"Host", "db.test:9000"}}, "/a.json", false},
      {{{"Sec-Fetch-Site", "same-origin"}}, "/.lp?disconn=t", true},
      // No browser.
      {{}, "/a.json", true},
      {{}, "/.ws?ns=x", true},
      {{}, "/.lp?start=t", false},
      {{}, "/a.json?callback=f", false},
  };
  for (const Case& c : cases) {
    INFO(c.target << " " << (c.headers.empty() ? "" : c.headers[0].second));
    CHECK(list.allows(request(c.headers, c.target)) == c.allowed);
    CHECK(OriginList().allows(request(c.headers, c.target)));
  }
}

TEST_CASE("HostNames: which names are this machine's", "[net][http]") {
  const auto parsed = HostNames::parse({"hearth", "DB.test.", "*.dev.test"});
  REQUIRE(parsed.ok());
  const HostNames& given = parsed.value();
  struct Case {
    const char* host;
    bool always, given;
  };
  const std::vector<Case> cases = {
      {"localhost", true, true},
      {"localhost:9000", true, true},
      {"LocalHost.:9000", true, true},
      {"app.localhost", true, true},
      {"a.b.localhost:1", true, true},
      {"127.0.0.1:9000", true, true},
      {"127.0.0.1.", true, true},
      {"10.0.0.7", true, true},
      {"203.0.113.9:80", true, true},
      {"[::1]", true, true},
      {"[::1]:9000", true, true},
      {"[FE80::1%25eth0]:9000", true, true},
      {"[::ffff:10.0.0.1]", true, true},
      {"hearth:9000", false, true},
      {"HEARTH.", false, true},
      {"db.test", false, true},
      {"x.dev.test:9000", false, true},
      {"x.y.dev.test", false, true},
      {"dev.test", false, false},
      {"xdev.test", false, false},
      {".dev.test", false, false},
      {"rebound.example:9000", false, false},
      {"localhost.example", false, false},
      {"127.0.0.1.example", false, false},
      {"notlocalhost", false, false},
      {".localhost", false, false},
      {"", false, false},
      {":9000", false, false},
      {"localhost:port", false, false},
      {"localhost:9000:1", false, false},
      {"::1", false, false},
      {"[]", false, false},
      {"[::1", false, false},
      {"[127.0.0.1]", false, false},
      {"[localhost]", false, false},
      {"[::1]x", false, false},
      {"evil@localhost", false, false},
      {"localhost/x", false, false},
      {"localhost, rebound.example", false, false},
      {"127.1", false, false},
      {"2130706433", false, false},
      {"127.0.0.256", false, false},
      {"hearth.example", false, false},
      {"xhearth", false, false},
      {"localhost..", false, false},
  };
  for (const Case& c : cases) {
    INFO(c.host);
    CHECK(HostNames().has(c.host) == c.always);
    CHECK(given.has(c.host) == c.given);
    Request asked = request({{"Host", c.host}});
    CHECK(given.are_of(asked) == c.given);
    // A program's or a page's own word for where it is does not help, nor does a proxy's.
    asked.headers.emplace_back("X-Forwarded-Host", "localhost");
    CHECK(given.are_of(asked) == c.given);
    asked.is_forwarded = true;
    CHECK(given.are_of(asked) == c.given);
  }
  CHECK_FALSE(given.are_of(request({})));  // HTTP/1.0 may name none
  Request forwarded = request({{"Host", "localhost"}, {"X-Forwarded-Host", "rebound.example"}});
  CHECK(given.are_of(forwarded));  // nobody's word
  forwarded.is_forwarded = true;
  CHECK_FALSE(given.are_of(forwarded));
  Request whole = request({{"Host", "localhost"}});
  whole.target_host = "rebound.example:9000";
  CHECK_FALSE(given.are_of(whole));
  whole.target_host = "127.0.0.1:9000";
  CHECK(given.are_of(whole));
}

TEST_CASE("HostNames: what is no name is refused, and named", "[net][http]") {
  for (const char* bad : {"", "*", "*.", "a b", "http://a", "a:9000", "a.*.b", "*a", "a..b", ".a"}) {
    INFO(bad);
    const auto parsed = HostNames::parse({bad});
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.starts_with(bad));
  }
}

TEST_CASE("Whence: a page of another machine, or a name that is not known", "[net][http]") {
  const auto whence = [](Headers headers, bool host_is_here) {
    Request asked = request(std::move(headers));
    asked.host_is_here = host_is_here;
    return whence_of(asked);
  };
  CHECK(whence({}, true) == Whence::Here);
  CHECK(whence({}, false) == Whence::OtherHost);
  CHECK(whence({{"Origin", "http://localhost:3000"}}, true) == Whence::Here);
  CHECK(whence({{"Origin", "http://rebound.example:9000"}}, true) == Whence::OtherPage);
  CHECK(whence({{"Origin", "http://rebound.example:9000"}}, false) == Whence::OtherPage);
}

TEST_CASE("Whence: an SDK's WebSocket is a program's, whatever Origin it sends; no other request is", "[net][http]") {
  const auto asked = [](const char* agent, bool is_websocket) {
    Request request =
        ::request({{"Origin", "http://hearth.example:9000"}, {"Host", "hearth.example:9000"}, {"User-Agent", agent}});
    if (is_websocket) request.headers.emplace_back("Upgrade", "websocket");
    return request;
  };
  const Request java = asked("Firebase/5/9.10.0/17.0.15/AdminJava", true);
  CHECK(is_program_socket(java));
  CHECK(origin_of(java).empty());
  CHECK(whence_of(java) == Whence::Here);
  CHECK(OriginList::parse({"https://app.example.com"}).value().allows(java, OriginList::Own::Here));
  for (const Request& other :
       {asked("Firebase/5/9.10.0/17.0.15/AdminJava", false), asked("Mozilla/5.0 Firebase/5", true), asked("", true)}) {
    CHECK_FALSE(is_program_socket(other));
    CHECK(whence_of(other) == Whence::OtherPage);
  }
}

TEST_CASE("HostNames: a page of a given name opens WebSockets as this machine's do", "[net][http]") {
  const HostNames given = HostNames::parse({"hearth", "*.test"}).value();
  struct Case {
    const char* origin;
    bool is_listed;
  };
  for (const auto& [origin, is_listed] : std::vector<Case>{{"http://hearth:3000", true},
                                                           {"https://Hearth", true},
                                                           {"http://web.test:3000", true},
                                                           {"http://test", false},
                                                           {"http://other:9000", false},
                                                           {"http://192.0.2.7:9000", false},
                                                           {"null", false}}) {
    INFO(origin);
    Request asked = request({{"Origin", origin}, {"Host", "hearth:9000"}});
    CHECK_FALSE(given.list_page_of(asked));
    asked.headers.emplace_back("Upgrade", "websocket");
    CHECK(given.list_page_of(asked) == is_listed);
    asked.host_is_here = true;
    asked.page_is_listed = is_listed;
    CHECK(whence_of(asked) == (is_listed ? Whence::Here : Whence::OtherPage));
  }
  CHECK_FALSE(given.list_page_of(request({{"Upgrade", "websocket"}})));
}

TEST_CASE("OriginList: in development the server's own pages are those of this machine's names", "[net][http]") {
  const OriginList list = OriginList::parse({"https://app.example.com"}).value();
  Request rebound = request({{"Origin", "http://rebound.example:9000"}, {"Host", "rebound.example:9000"}});
  CHECK(list.allows(rebound));
  CHECK_FALSE(list.allows(rebound, OriginList::Own::Here));
  rebound.host_is_here = true;
  CHECK(list.allows(rebound, OriginList::Own::Here));
}

TEST_CASE("OriginList: what is no origin is refused, and named", "[net][http]") {
  for (const char* bad : {"", "app.example.com", "https://", "https://app.example.com/", "https://app.example.com/path",
                          "://x", "*", "https://*", "https://a.*.com", "https://user@a.com"}) {
    INFO(bad);
    const auto parsed = OriginList::parse({bad});
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.starts_with(bad));
  }
}
