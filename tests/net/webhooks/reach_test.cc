#include "net/webhooks/reach.h"

#include <catch2/catch.hpp>

namespace hearth::net::webhooks {

TEST_CASE("Reach: the hosts that the operator names, at the ports that he names, and no others", "[net][webhooks]") {
  const Reach reach =
      Reach::parse({"Hooks.example.com", "inner.example.com:8443", "10.0.0.7:8080", "[::1]:9000", "2001:db8::5"}, true)
          .value();
  for (const char* url :
       {"https://hooks.example.com/a?b=c", "https://HOOKS.example.com:443/", "http://hooks.example.com/",
        "https://hooks.example.com./", "https://inner.example.com:8443/x", "http://10.0.0.7:8080/",
        "http://0x0a.0.0.7:8080/", "http://[::1]:9000/", "http://[0:0::1]:9000/", "https://[2001:db8::5]/"}) {
    INFO(url);
    const auto allowed = reach.check(url);
    INFO((allowed.ok() ? "" : allowed.error().message));
    CHECK(allowed.ok());
  }
  for (const char* url :
       {"https://example.com/", "https://a.hooks.example.com/", "https://hooks.example.com:8443/",
        "https://inner.example.com/", "http://10.0.0.7/", "http://10.0.0.8:8080/",
        "https://hooks.example.com@evil.example/", "https://evil.example/hooks.example.com", "ftp://hooks.example.com/",
        "file:///etc/passwd", "hooks.example.com", "", "https://", "https://hooks.example.com/#a",
        "https://u:p@hooks.example.com/", "https://hooks.example.com /", "https://hooks.example.com/\n"}) {
    INFO(url);
    CHECK_FALSE(reach.check(url).ok());
  }
  CHECK_FALSE(reach.check("https://hooks.example.com/" + std::string(3'000, 'a')).ok());
}

TEST_CASE("Reach: without leave for private addresses there is TLS and no private address", "[net][webhooks]") {
  const Reach open = Reach::parse({"hooks.example.com"}, false).value();
  CHECK(open.check("https://hooks.example.com/").ok());
  CHECK_FALSE(open.check("http://hooks.example.com/").ok());
  const auto address = [](const char* text) { return *http::IpAddress::parse(text); };
  CHECK(open.may_connect(address("93.184.216.34"), true).ok());
  for (const char* text : {"127.0.0.1", "10.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254"}) {
    INFO(text);
    CHECK(open.may_connect(address(text), true).error().code == db::ErrorCode::PermissionDenied);
  }
  const Reach all = Reach::parse({"hooks.example.com"}, true).value();
  CHECK(all.may_connect(address("127.0.0.1"), false).ok());
  CHECK(all.may_connect(address("93.184.216.34"), true).ok());
  CHECK_FALSE(all.may_connect(address("93.184.216.34"), false).ok());
  CHECK(Reach::parse({}, true).value().is_off());
}

TEST_CASE("Reach: what is no host is refused by name", "[net][webhooks]") {
  for (const char* text : {"", "example.com:", "example.com:0", "example.com:99999", "example.com:80x", "[::1",
                           "https://example.com", "example.com/a", "a@b", "ex ample.com"}) {
    INFO(text);
    const auto parsed = Reach::parse({text}, false);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().message.starts_with(text));
  }
}

}  // namespace hearth::net::webhooks
