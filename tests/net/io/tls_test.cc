// TLS itself: who is let in, what is said to the others, and certificates that change. That HTTP, streams and
// WebSockets are the same over it is in their own tests, which run over both.
#include "net/io/tls.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;
using http::TlsCertificate;

namespace {

// The serial number of the certificate that the server has shown.
long serial_of(HttpClient& client) {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(client.tls()), X509_free);
  return shown ? ASN1_INTEGER_get(X509_get0_serialNumber(shown.get())) : 0;
}

// What comes to one who speaks no TLS, up to the end.
std::string raw_answer(uint16_t port, std::string_view sent) {
  HttpClient client(port);
  client.send(sent);
  return client.take_all();
}

}  // namespace

TEST_CASE("TLS 1.3 and 1.2 are spoken, nothing older, and HTTP/1.1 is what is agreed on", "[net][http][tls]") {
  const auto kind = GENERATE(TestAuthority::Key::Ec, TestAuthority::Key::Rsa);
  HttpFixture server(Wire::Tls, echo);
  const auto pair = authority().issue("localhost", "of-a-kind", kind);
  HttpFixture other(Wire::Plain, echo, {}, 1, {.tls = {pair.certificate, pair.key}});
  CHECK(other.listener->url() == "https://127.0.0.1:" + std::to_string(other.port()));
  struct Case {
    int version;
    std::string protocols;  // ALPN: each behind its length
    const char* agreed;     // nullptr: refused
  };
  for (const Case& now : std::vector<Case>{{TLS1_3_VERSION, "", ""},
                                           {TLS1_2_VERSION, "", ""},
                                           {TLS1_3_VERSION, "\x02h2\x08http/1.1", "http/1.1"},
                                           {TLS1_2_VERSION, "\x08http/1.1", "http/1.1"},
                                           {TLS1_3_VERSION, "\x02h2", nullptr},
                                           {TLS1_1_VERSION, "", nullptr}}) {
    INFO("version " << std::hex << now.version << ", protocols " << now.protocols);
    const auto context = authority().client_context();
    SSL_CTX_set_cipher_list(context.get(), "DEFAULT:@SECLEVEL=0");  // else 1.1 is not even asked for
    SSL_CTX_set_min_proto_version(context.get(), now.version);
    SSL_CTX_set_max_proto_version(context.get(), now.version);
    SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(now.protocols.data()),
                            static_cast<unsigned>(now.protocols.size()));
    HttpClient client({other.port(), context.get()});
    CHECK(client.is_connected() == (now.agreed != nullptr));
    if (!client.is_connected()) continue;
    client.ask("/a");
    CHECK(client.reply().body == "GET /a ");
    CHECK(SSL_version(client.tls()) == now.version);
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(client.tls(), &chosen, &size);
    CHECK(std::string(reinterpret_cast<const char*>(chosen), size) == now.agreed);
  }
  CHECK(other.listener->stats().bad_greetings == 2);
  CHECK(other.listener->stats().greeted == 4);
}

TEST_CASE("A plain request to a TLS port is told what to do", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, echo);
  for (const char* sent : {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS / HTTP/1.1\r\n\r\n", "g"}) {
    INFO(sent);
    const std::string answer = raw_answer(server.port(), sent);
    CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 400 Bad Request\r\n") &&
                           Catch::EndsWith("Content-Length: 36\r\nConnection: close\r\n\r\n"
                                           "This port speaks TLS: use https://\r\n"));
  }
  CHECK(server.listener->stats().bad_greetings == 3);
  CHECK(server.listener->stats().requests == 0);
}

TEST_CASE("What is no TLS is answered with an alert, and ends", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, echo);
  for (const std::string& sent :
       {std::string("\r\n\r\n"), std::string(100, '\0'), std::string("\x16\x03\x01\xff\xff"),
        "\x16\x03\x01" + std::string("\x00\x04\x01\x00\x00\x00", 6), std::string(70'000, '\x16')}) {
    INFO(sent.substr(0, 10));
    const std::string answer = raw_answer(server.port(), sent);
    CHECK(answer.size() <= 7);
    CHECK((answer.empty() || answer.starts_with('\x15')));  // RFC 8446 §5.1: alert
  }
  CHECK(server.listener->stats().bad_greetings == 5);
  HttpClient client(server.at());
  client.ask("/");
  CHECK(client.reply().status == 200);
}

TEST_CASE("A handshake that comes to no end is cut, and one that comes byte by byte is not",
          "[net][http][tls][limits]") {
  Limits limits;
  limits.greeting_time_max = 200ms;
  HttpFixture server(Wire::Tls, echo, limits);
  HttpClient silent(server.port());
  HttpClient half(server.port());
  half.send(std::string_view("\x16\x03\x01\x02", 4));
  CHECK(silent.take_all().empty());
  CHECK(silent.is_closed());
  CHECK(half.take_all().empty());
  CHECK(half.is_closed());
  CHECK(eventually([&] { return server.listener->stats().connections == 0; }));
  CHECK(server.listener->stats().bad_greetings == 2);
  CHECK(server.listener->stats().slow_readers == 0);

  Limits patient;
  HttpFixture other(Wire::Tls, echo, patient);
  HttpClient slow(other.port());
  TestTls tls(other.client_context.get(), "localhost");
  const auto say = [&] {
    for (const char byte : tls.to_send()) slow.send_raw(std::string(1, byte));
  };
  while (!tls.shake_hands()) {
    say();
    tls.came(slow.take(1));
  }
  tls.seal("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  say();
  tls.came(slow.take_all());
  CHECK_THAT(tls.opened(), Catch::EndsWith("GET /slow "));
  CHECK(tls.has_ended());
}

TEST_CASE("A client that does not trust the certificate goes, and others stay", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, echo);
  HttpClient friendly(server.at());
  const TestAuthority stranger;
  const auto context = stranger.client_context();
  CHECK_FALSE(HttpClient({server.port(), context.get()}).is_connected());
  CHECK(eventually([&] { return server.listener->stats().bad_greetings == 1; }));
  friendly.ask("/");
  CHECK(friendly.reply().status == 200);
}

TEST_CASE("The end is told by close_notify, and a cut is not", "[net][http][tls]") {
  Limits limits;
  limits.idle_time_max = 100ms;
  HttpFixture server(
      Wire::Tls,
      [](std::shared_ptr<Exchange> exchange) {
        if (exchange->request().target != "/cut") return echo(exchange);
        exchange->respond_chunked(text_response(""), [count = 0](std::string& chunk) mutable {
          chunk.assign(100'000, 'x');
          return ++count == 3 ? http::Pull::Failed : http::Pull::More;
        });
      },
      limits);
  HttpClient asks(server.at());
  asks.ask("/", "Connection: close\r\n");
  CHECK(asks.reply().whole);
  CHECK(asks.is_closed());
  CHECK(asks.has_tls_ended());

  HttpClient idle(server.at());
  idle.ask("/");
  CHECK(idle.reply().whole);
  CHECK(idle.is_closed());
  CHECK(idle.has_tls_ended());

  HttpClient cut(server.at());
  cut.ask("/cut");
  CHECK_FALSE(cut.reply().whole);
  CHECK(cut.is_closed());
  CHECK_FALSE(cut.has_tls_ended());
}

TEST_CASE("A client that ends its socket without a goodbye still gets its answer", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, [&](std::shared_ptr<Exchange> exchange) {
    server.workers.run([exchange] {
      std::this_thread::sleep_for(30ms);
      echo(exchange);
    });
  });
  HttpClient client(server.at());
  client.ask("/a");
  client.shutdown_socket();
  CHECK(client.reply().body == "GET /a ");
  CHECK(client.is_closed());
}

TEST_CASE("Bytes that are forged end the connection, and its stream is told", "[net][http][tls]") {
  Signal opened;
  Signal closed;
  HttpFixture server(Wire::Tls, [&](std::shared_ptr<Exchange> exchange) {
    const auto stream = exchange->open_stream(200, {});
    stream->set_on_closed([&closed] { closed.set(); });
    opened.set();
  });
  HttpClient client(server.at());
  client.ask("/");
  CHECK(client.reply(HttpClient::Body::None).status == 200);
  REQUIRE(opened.wait());
  client.send_raw(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
  client.take_all();
  CHECK_FALSE(client.has_tls_ended());
  client.close();
  CHECK(closed.wait());
  CHECK(server.listener->stats().bad_greetings == 0);
}

TEST_CASE("Keys may be changed on the way (1.3), handshakes not be repeated (1.2)", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, echo);
  HttpClient client(server.at());
  for (const int request : {SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    REQUIRE(SSL_key_update(client.tls(), request) == 1);
    client.ask("/a", "", std::string(100'000, 'x'));
    CHECK(client.reply().body.size() == 100'000 + 7);
  }
  SSL_CTX_set_max_proto_version(server.client_context.get(), TLS1_2_VERSION);
  HttpClient old(server.at());
  REQUIRE(SSL_renegotiate(old.tls()) == 1);
  SSL_do_handshake(old.tls());
  old.send("");
  old.set_patience(200ms);
  old.take_all();
  CHECK(SSL_renegotiate_pending(old.tls()) == 1);  // asked for, and not had
  client.ask("/b");
  CHECK(client.reply().body == "GET /b ");
}

TEST_CASE("A client that comes back with its ticket is known again", "[net][http][tls]") {
  HttpFixture server(Wire::Tls, echo);
  HttpClient first(server.at());
  first.ask("/");
  CHECK(first.reply().status == 200);
  const std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)> session(SSL_get1_session(first.tls()),
                                                                          SSL_SESSION_free);
  REQUIRE(session);
  REQUIRE(SSL_SESSION_is_resumable(session.get()) == 1);
  HttpClient again(server.at(), "127.0.0.1", 0, "", session.get());
  CHECK(again.is_connected());
  CHECK(SSL_session_reused(again.tls()) == 1);
  again.ask("/");
  CHECK(again.reply().status == 200);
}

TEST_CASE("Many small pieces are few records", "[net][http][tls]") {
  std::mutex mutex;
  std::shared_ptr<http::Stream> stream;
  HttpFixture server(
      Wire::Tls,
      [&](std::shared_ptr<Exchange> exchange) {
        const std::lock_guard lock(mutex);
        stream = exchange->open_stream(200, {});
      },
      {}, 1);
  HttpClient client(server.at());
  client.send("GET / HTTP/1.0\r\n\r\n");  // no chunks around
  CHECK(client.reply(HttpClient::Body::None).status == 200);
  for (const size_t piece_bytes : {50, 5'000}) {
    INFO(piece_bytes << " bytes each");
    uint64_t before = 0;
    const size_t bytes = 1'000 * piece_bytes;
    server.io.post(0, [&] {
      const std::lock_guard lock(mutex);
      before = server.listener->stats().bytes_out;  // here, where all that was sent has been counted
      const auto piece = std::make_shared<const std::string>(piece_bytes, 'x');
      for (size_t i = 0; i < bytes / piece_bytes; ++i) stream->send(piece);
    });
    CHECK(client.take(bytes).size() == bytes);
    const std::lock_guard lock(mutex);
    const auto sent = [&] { return server.listener->stats().bytes_out - before; };
    CHECK(eventually([&] { return sent() >= bytes; }));
    CHECK(sent() <= bytes + (bytes / http::kTlsRecordBytesMax + 2) * 22);  // RFC 8446 §5.2: head, type and tag
  }
  const std::lock_guard lock(mutex);
  stream.reset();
}

TEST_CASE("Draining does not wait for those who have not shaken hands", "[net][http][tls][drain]") {
  HttpFixture server(Wire::Tls, echo);
  HttpClient silent(server.port());
  CHECK(eventually([&] { return server.listener->stats().connections == 1; }));
  const auto began = std::chrono::steady_clock::now();
  server.listener->drain(20s);
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  CHECK(silent.is_closed());
}

TEST_CASE("A new certificate is for new connections; a bad one changes nothing", "[net][http][tls]") {
  const auto pair = authority().issue("localhost", "reloaded");
  HttpFixture server(Wire::Plain, echo, {}, 2, {.tls = {pair.certificate, pair.key}});
  const auto context = authority().client_context();
  const Endpoint at(server.port(), context.get());
  HttpClient first(at);
  const long old = serial_of(first);
  REQUIRE(old != 0);
  authority().issue("localhost", "reloaded");
  CHECK(serial_of(first) == old);
  HttpClient before(at);
  CHECK(serial_of(before) == old);
  REQUIRE(server.listener->reload_certificate().ok());
  CHECK_THAT(server.listener->certificate_validity(), Catch::StartsWith("valid until "));
  HttpClient after(at);
  const long next = serial_of(after);
  CHECK(next > old);

  const auto other = authority().issue("localhost", "other");
  std::filesystem::copy_file(other.key, pair.key, std::filesystem::copy_options::overwrite_existing);
  const auto refused = server.listener->reload_certificate();
  REQUIRE_FALSE(refused.ok());
  CHECK_THAT(refused.error().message, Catch::Contains(pair.key) && Catch::Contains("not the key of"));
  HttpClient still(at);
  CHECK(serial_of(still) == next);
  for (HttpClient* client : {&first, &before, &after, &still}) {
    client->ask("/a");
    CHECK(client->reply().body == "GET /a ");
  }
}

TEST_CASE("Files that make no certificate are refused by name, with the reason", "[net][http][tls]") {
  const auto good = authority().issue("localhost", "good");
  const auto other = authority().issue("localhost", "another");
  const auto rsa = authority().issue("localhost", "rsa", TestAuthority::Key::Rsa);
  const std::string locked = authority().locked_key("locked.key");
  const std::string folder = authority().folder();
  const std::string empty = folder + "/empty";
  std::fclose(std::fopen(empty.c_str(), "we"));
  const std::string none = folder + "/none";
  struct Case {
    std::string certificate, key;
    std::string named;
    const char* why;
  };
  for (const Case& now : std::vector<Case>{
           {good.certificate, "", good.certificate, "--tls-key"},
           {"", good.key, good.key, "--tls-cert"},
           {none, good.key, none, "No such file"},
           {good.certificate, none, none, "No such file"},
           {folder, good.key, folder, "Is a directory"},
           {empty, good.key, empty, "it is empty"},
           {good.certificate, empty, empty, "it is empty"},
           {good.key, good.key, good.key, "holds no certificate in PEM"},
           {good.certificate, good.certificate, good.certificate, "holds no private key in PEM"},
           {good.certificate, locked, locked, "password"},
           {good.certificate, other.key, other.key, "not the key of"},
           {good.certificate, rsa.key, rsa.key, "not the key of"},
       }) {
    INFO(now.certificate << " and " << now.key);
    const auto loaded = TlsCertificate::load({now.certificate, now.key});
    REQUIRE_FALSE(loaded.ok());
    CHECK_THAT(loaded.error().message, Catch::Contains(now.named) && Catch::Contains(now.why));
  }
  CHECK(TlsCertificate::load({good.certificate, good.key}).ok());
  CHECK(TlsCertificate::load({rsa.certificate, rsa.key}).ok());
}
