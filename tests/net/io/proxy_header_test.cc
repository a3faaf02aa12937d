// The PROXY protocol, by tables, and on connections.
#include "net/io/proxy_header.h"

#include <catch2/catch.hpp>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::find_proxy_header;

namespace {

const std::string kBegin("\r\n\r\n\0\r\nQUIT\n", 12);

// Version 2: command and version, family and transport, and what is behind the length.
std::string binary(char command, char family, const std::string& rest) {
  std::string bytes = kBegin + command + family;
  bytes += static_cast<char>(rest.size() >> 8);
  bytes += static_cast<char>(rest.size());
  return bytes + rest;
}

const std::string kPair4("\xcb\x00\x71\x09\x0a\x00\x00\x01\x12\x34\x01\xbb", 12);  // 203.0.113.9 to 10.0.0.1
const std::string kPair6 = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x01" + std::string(20, '\1');

}  // namespace

TEST_CASE("PROXY headers: whole ones say who asks, whatever follows, and no byte less is one", "[net][http][proxy]") {
  struct Case {
    std::string bytes;
    const char* source;  // "": none
  };
  const std::string six = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  for (const Case& now : std::vector<Case>{
           {"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n", "203.0.113.9"},
           {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n", "255.255.255.255"},
           {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"},
           {"PROXY TCP6 " + six + " " + six + " 65535 65535\r\n", six.c_str()},
           {"PROXY UNKNOWN\r\n", ""},
           {"PROXY UNKNOWN " + six + " " + six + " 65535 65535\r\n", ""},  // 107 bytes
           {binary('\x21', '\x11', kPair4), "203.0.113.9"},
           {binary('\x21', '\x11', kPair4 + std::string("\x04\x00\x02xy", 5)), "203.0.113.9"},  // an extension
           {binary('\x21', '\x11', kPair4 + std::string(2048 - 16 - 12, 'x')), "203.0.113.9"},
           {binary('\x21', '\x21', kPair6), "2001:db8::1"},
           {binary('\x20', '\x00', ""), ""},
           {binary('\x20', '\x11', kPair4), ""},  // LOCAL: its addresses mean nothing
           {binary('\x21', '\x00', "whatever"), ""},
           {binary('\x21', '\x31', std::string(216, '/')), ""},  // a Unix socket
       }) {
    INFO(now.bytes.substr(0, 60));
    for (const std::string& behind : {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), kBegin}) {
      const auto found = find_proxy_header(now.bytes + behind);
      REQUIRE(found.ok());
      REQUIRE(found.value());
      CHECK(found.value()->bytes == now.bytes.size());
      CHECK((found.value()->source ? found.value()->source->text() : "") == now.source);
    }
    for (size_t size = 0; size < now.bytes.size(); ++size) {
      INFO(size << " bytes of it");
      const auto found = find_proxy_header(std::string_view(now.bytes).substr(0, size));
      REQUIRE(found.ok());
      CHECK_FALSE(found.value());
    }
  }
}

TEST_CASE("PROXY headers: what is none is refused as soon as it is known", "[net][http][proxy]") {
  for (const std::string& bytes : std::vector<std::string>{
           "G",
           "GET / HTTP/1.1\r\n",
           "\x16\x03\x01",
           "proxy ",
           "PROXY\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 56324\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 56324 443 \r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 56324 443 x\r\n",
           "PROXY TCP4  203.0.113.9 10.0.0.1 56324 443\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 0443 443\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 -1 443\r\n",
           "PROXY TCP4 203.0.113.9 10.0.0.1 1 \r\n",
           "PROXY TCP4 ::1 ::1 1 2\r\n",
           "PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n",
           "PROXY TCP4 localhost 10.0.0.1 1 2\r\n",
           "PROXY TCP5 203.0.113.9 10.0.0.1 1 2\r\n",
           "PROXY UNKNOWNS\r\n",
           "PROXY UNKNOWN " + std::string(93, 'x'),           // 107 bytes, and no end
           "PROXY UNKNOWN " + std::string(92, 'x') + "\r\n",  // 108
           binary('\x21', '\x11', kPair4.substr(1)),
           binary('\x21', '\x21', kPair6.substr(1)),
           binary('\x22', '\x11', kPair4),
           binary('\x11', '\x11', kPair4),
           binary('\x21', '\x12', kPair4),  // UDP
           binary('\x21', '\x41', kPair4),
           binary('\x21', '\x11', kPair4 + std::string(2049 - 16 - 12, 'x')),
           kBegin + "\x11",
           std::string("\r\n\r\n\1", 5),
       }) {
    INFO(bytes.substr(0, 60));
    CHECK_FALSE(find_proxy_header(bytes).ok());
  }
}

namespace {

struct Fixture : HttpFixture {
  explicit Fixture(Wire wire, http::Limits limits = {}, std::vector<std::string> trusted = {"127.0.0.1"})
      : HttpFixture(wire,
                    [](std::shared_ptr<Exchange> exchange) {
                      const auto& request = exchange->request();
                      exchange->respond(text_response(request.peer + (request.peer_is_loopback ? " here" : " there") +
                                                      (request.is_secure ? " secure" : "")));
                    },
                    limits, 1, {.trusted_proxies = std::move(trusted), .proxy_protocol = true}) {}
};

}  // namespace

TEST_CASE("A trusted proxy's header comes before all else, and says who asks on that connection",
          "[net][http][proxy]") {
  Fixture server(Wire::Plain);
  struct Case {
    std::string header;
    std::string peer;
    std::string fields = "";
  };
  for (const Case& now : std::vector<Case>{
           {"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n", "203.0.113.9 there"},
           {binary('\x21', '\x21', kPair6), "2001:db8::1 there"},
           {"PROXY TCP4 127.0.0.2 127.0.0.1 1 2\r\n", "127.0.0.2 here"},
           {"PROXY UNKNOWN\r\n", "127.0.0.1 there"},
           {"PROXY UNKNOWN\r\n", "127.0.0.1 there", "X-Forwarded-For: 203.0.113.9\r\n"},
           {binary('\x20', '\x00', ""), "127.0.0.1 there"},
           {"PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n", "203.0.113.9 there", "X-Forwarded-For: 198.51.100.1\r\n"},
           {"PROXY TCP4 127.0.0.1 10.0.0.1 1 2\r\n", "198.51.100.1 there", "X-Forwarded-For: 198.51.100.1\r\n"},
       }) {
    INFO(now.header << now.fields);
    HttpClient client(server.port());
    client.send(now.header + "GET / HTTP/1.1\r\nHost: x\r\n" + now.fields + "\r\n");
    CHECK(client.reply().body == now.peer);
    client.ask("/", now.fields);
    CHECK(client.reply().body == now.peer);

    HttpClient slow(server.port());
    for (const char byte : now.header) slow.send(std::string(1, byte));
    slow.ask("/", now.fields);
    CHECK(slow.reply().body == now.peer);
  }
}

TEST_CASE("Without its header a trusted proxy is not heard, nor with another's", "[net][http][proxy][limits]") {
  http::Limits limits;
  limits.greeting_time_max = 100ms;
  Fixture server(Wire::Plain, limits);
  for (const std::string& sent : {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), kBegin + "\x11",
                                  "PROXY UNKNOWN " + std::string(93, 'x'), std::string("PROXY TC"), std::string()}) {
    INFO(sent);
    HttpClient client(server.port());
    client.send(sent);
    CHECK(client.take_all().empty());
    CHECK(client.is_closed());
  }
  CHECK(server.listener->stats().bad_greetings == 5);
  CHECK(server.listener->stats().requests == 0);
  CHECK(server.listener->stats().slow_readers == 0);
}

TEST_CASE("Who is no trusted proxy speaks for itself alone", "[net][http][proxy]") {
  Fixture server(Wire::Plain, {}, {"10.0.0.0/8"});
  HttpClient client(server.port());
  client.ask("/");
  CHECK(client.reply().body == "127.0.0.1 here");
  HttpClient liar(server.port());
  liar.send("PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(liar.reply().status == 400);
}

TEST_CASE("TLS begins behind the header", "[net][http][proxy][tls]") {
  Fixture server(Wire::Tls);
  HttpClient client(server.at(), "127.0.0.1", 0, "PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n");
  REQUIRE(client.is_connected());
  client.ask("/");
  CHECK(client.reply().body == "203.0.113.9 there secure");

  HttpClient plain(server.port());
  plain.send("PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\nGET / HTTP/1.1\r\n\r\n");
  CHECK(plain.reply().body == "This port speaks TLS: use https://\r\n");
}
