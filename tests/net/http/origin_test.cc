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
  for (const char* local : {"", "http://localhost", "https://localhost:5000", "http://127.0.0.1:9000", "http://127.1.2.3", "http://[::1]:80", "http://app.localhost:3000"}) {
    INFO(local);
    CHECK(is_local_origin(local));
  }
  for (const char* other : {"null", "https://example.com", "http://localhost.example.com", "http://127.0.0.1.example.com", "http://10.0.0.1", "http://127.evil.com"}) {
    INFO(other);
    CHECK_FALSE(is_local_origin(other));
  }
}

TEST_CASE("OriginList: who is on it, who is not, and who is not asked", "[net][http]") {
  const auto parsed = OriginList::parse({"https://app.example.com", "http://dev.test:8080", "https://*.apps.example.com"});
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

TEST_CASE("OriginList: what is no origin is refused, and named", "[net][http]") {
  for (const char* bad : {"", "app.example.com", "https://", "https://app.example.com/", "https://app.example.com/path", "://x", "*", "https://*", "https://a.*.com", "https://user@a.com"}) {
    INFO(bad);
    const auto parsed = OriginList::parse({bad});
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.starts_with(bad));
  }
}
