// Who asks, when proxies stand in between.
#include "net/http/forwarded.h"

#include <catch2/catch.hpp>

#include "tests/net/http/http_fixture.h"

using namespace hearth::net::http;

namespace {

IpNetworks networks(std::initializer_list<const char*> texts) {
  IpNetworks all;
  for (const char* text : texts) all.push_back(IpNetwork::parse(text).value());
  return all;
}

Request received(const std::string& peer, const IpNetworks& trusted, Headers headers) {
  Request request;
  request.headers = std::move(headers);
  const IpAddress address = IpAddress::parse(peer).value();
  set_origin(request, {address, true, address.is_loopback(), contains(trusted, address)}, trusted);
  return request;
}

}  // namespace

TEST_CASE("X-Forwarded-For is walked from the right, as far as trusted proxies vouch for it", "[net][http][proxy]") {
  const IpNetworks trusted = networks({"127.0.0.1", "10.0.0.0/8", "fd00::/8"});
  struct Case {
    const char* what;
    const char* peer;  // of the socket
    std::vector<const char*> forwarded;
    const char* client;
    bool is_here = false;
  };
  for (const Case& now : std::vector<Case>{
           {"one proxy", "127.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
           {"a client that made up an address", "127.0.0.1", {"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
           {"a client that made up a header", "127.0.0.1", {"127.0.0.1", "203.0.113.9"}, "203.0.113.9"},
           {"two proxies", "127.0.0.1", {"198.51.100.7, 203.0.113.9,10.1.2.3"}, "203.0.113.9"},
           {"a proxy that is not trusted", "127.0.0.1", {"198.51.100.7, 192.168.0.1"}, "192.168.0.1"},
           {"IPv6", "10.0.0.1", {"2001:DB8::1 , fd00::1"}, "2001:db8::1"},
           {"ports", "10.0.0.1", {"203.0.113.9:1234, [fd00::1]:80"}, "203.0.113.9"},
           {"brackets", "10.0.0.1", {"[2001:db8::1]"}, "2001:db8::1"},
           {"holes in the list", "10.0.0.1", {" , 203.0.113.9,, ,10.0.0.2 , "}, "203.0.113.9"},
           {"nobody", "127.0.0.1", {}, "127.0.0.1"},
           {"nobody in an empty list", "127.0.0.1", {"", " , "}, "127.0.0.1"},
           {"nobody we know", "127.0.0.1", {"127.0.0.1, unknown"}, "127.0.0.1"},
           {"nobody we know behind a hop", "127.0.0.1", {"_hidden, 10.0.0.9"}, "10.0.0.9"},
           {"half a bracket", "127.0.0.1", {"[::1"}, "127.0.0.1"},
           {"a neighbour, by a proxy here", "127.0.0.1", {"127.0.0.1"}, "127.0.0.1", true},
           {"a neighbour of another machine's proxy", "10.0.0.1", {"127.0.0.1"}, "127.0.0.1"},
           {"a neighbour of a proxy in between", "127.0.0.1", {"127.0.0.1, 10.0.0.1"}, "127.0.0.1"},
           {"a proxy that is not trusted itself", "192.168.0.1", {"10.0.0.1"}, "192.168.0.1"},
       }) {
    INFO(now.what);
    Headers headers;
    for (const char* list : now.forwarded) headers.emplace_back("x-forwarded-for", list);
    const Request request = received(now.peer, trusted, std::move(headers));
    CHECK(request.peer == now.client);
    CHECK(request.peer_is_loopback == now.is_here);
  }
}

TEST_CASE("A proxy on this machine that nobody told us of makes its clients strangers", "[net][http][proxy]") {
  for (const char* name :
       {"X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO", "Forwarded", "X-Real-IP", "Via"}) {
    INFO(name);
    const Request request = received("127.0.0.1", {}, {{"Host", "localhost"}, {name, "127.0.0.1"}});
    CHECK(request.peer == "127.0.0.1");
    CHECK_FALSE(request.peer_is_loopback);
    CHECK_FALSE(request.is_secure);
  }
  CHECK(
      received("127.0.0.1", {}, {{"Host", "localhost"}, {"X-Forward", "1"}, {"Forwarded-For", "1"}}).peer_is_loopback);
  CHECK(received("::1", networks({"127.0.0.1"}), {}).peer_is_loopback);
}

TEST_CASE("Whom a PROXY header names is the peer, and local only when the proxy is too", "[net][http][proxy]") {
  const IpNetworks trusted = networks({"127.0.0.1", "10.0.0.0/8"});
  struct Case {
    const char* proxy;
    const char* source;  // "": none
    const char* peer;
    bool is_here = false;
    bool is_trusted = false;
  };
  for (const Case& now : {Case{"127.0.0.1", "203.0.113.9", "203.0.113.9"},
                          Case{"127.0.0.1", "127.0.0.2", "127.0.0.2", true}, Case{"10.0.0.1", "127.0.0.2", "127.0.0.2"},
                          Case{"10.0.0.1", "10.0.0.2", "10.0.0.2", false, true}, Case{"127.0.0.1", "", "127.0.0.1"}}) {
    INFO(now.proxy << " names " << now.source);
    const IpAddress address = IpAddress::parse(now.proxy).value();
    const Peer peer = peer_behind({address, true, address.is_loopback(), true}, IpAddress::parse(now.source), trusted);
    CHECK(peer.text() == now.peer);
    CHECK(peer.address == IpAddress::parse(now.peer));
    CHECK(peer.is_loopback == now.is_here);
    CHECK(peer.is_trusted == now.is_trusted);
  }
}

TEST_CASE("Host and scheme are the client's, where a trusted proxy says them", "[net][http][proxy]") {
  const IpNetworks trusted = networks({"10.0.0.1"});
  struct Case {
    const char* peer;
    Headers headers;
    const char* host;
    bool is_secure = false;
  };
  for (const Case& now : std::vector<Case>{
           {"10.0.0.1", {{"Host", "inner:9000"}, {"X-Forwarded-Host", "chat.example.com"}}, "chat.example.com"},
           {"10.0.0.1", {{"X-Forwarded-Host", " a.example.com:8443 , b"}, {"Host", "inner"}}, "a.example.com:8443"},
           {"10.0.0.1", {{"Host", "inner:9000"}, {"X-Forwarded-Host", ""}}, "inner:9000"},
           {"10.0.0.1", {{"Host", "inner:9000"}}, "inner:9000"},
           {"10.0.0.1", {}, ""},
           {"10.0.0.2", {{"Host", "inner:9000"}, {"X-Forwarded-Host", "evil.example.com"}}, "inner:9000"},
           {"10.0.0.1", {{"X-Forwarded-Proto", "https"}}, "", true},
           {"10.0.0.1", {{"X-Forwarded-Proto", "HTTPS, http"}}, "", true},
           {"10.0.0.1", {{"X-Forwarded-Proto", "http"}}, ""},
           {"10.0.0.2", {{"X-Forwarded-Proto", "https"}}, ""},
       }) {
    const Request request = received(now.peer, trusted, now.headers);
    INFO(now.peer << " says " << (now.headers.empty() ? "nothing" : now.headers.back().second));
    CHECK(request.host() == now.host);
    CHECK(request.is_secure == now.is_secure);
  }
}

TEST_CASE("Trusted proxies are those that were named, and each request is judged by itself", "[net][http][proxy]") {
  using namespace hearth::test;
  const bool is_trusted = GENERATE(false, true);
  http::Listener::Options options;
  options.trusted_proxies = {is_trusted ? "127.0.0.0/8" : "10.0.0.0/8"};
  HttpFixture server(
      Wire::Plain,
      [](std::shared_ptr<http::Exchange> exchange) {
        const http::Request& request = exchange->request();
        exchange->respond(text_response(request.peer + (request.peer_is_loopback ? " here " : " there ") +
                                        std::string(request.host())));
      },
      {}, 1, options);
  HttpClient client(server.port());
  client.ask("/", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Host: out\r\n");
  CHECK(client.reply().body == (is_trusted ? "203.0.113.9 there out" : "127.0.0.1 there test"));
  client.ask("/", "X-Forwarded-For: 203.0.113.10\r\n");
  CHECK(client.reply().body == (is_trusted ? "203.0.113.10 there test" : "127.0.0.1 there test"));
  client.ask("/");
  CHECK(client.reply().body == (is_trusted ? "127.0.0.1 there test" : "127.0.0.1 here test"));
}
