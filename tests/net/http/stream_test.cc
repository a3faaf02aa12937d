// Answers without an end.
#include "net/http/stream.h"

#include <catch2/catch.hpp>
#include <map>

#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::Limits;
using http::Stream;

namespace {

// Streams by target; they are opened, fed and closed on their home threads.
class Streams {
 public:
  void open(const std::shared_ptr<Exchange>& exchange) {
    auto stream = exchange->open_stream(200, {{"Content-Type", "text/event-stream"}});
    const std::string target = exchange->request().target;
    stream->set_on_closed([this, target] {
      const std::lock_guard lock(mutex_);
      streams_.erase(target);
      ++closed_;
    });
    const std::lock_guard lock(mutex_);
    streams_[target] = {stream, exchange->thread()};
  }
  template <typename Do>
  void with(http::IoPool& io, const std::string& target, Do what) {
    std::pair<std::shared_ptr<Stream>, size_t> found;
    {
      const std::lock_guard lock(mutex_);
      const auto at = streams_.find(target);
      if (at == streams_.end()) return;
      found = at->second;
    }
    io.post(found.second, [stream = found.first, what] { what(*stream); });
  }
  size_t open() const {
    const std::lock_guard lock(mutex_);
    return streams_.size();
  }
  size_t closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  mutable std::mutex mutex_;  // Guards streams_ and closed_.
  std::map<std::string, std::pair<std::shared_ptr<Stream>, size_t>> streams_;
  size_t closed_ = 0;
};

const std::string kEvent = "event: put\ndata: {\"path\":\"/\",\"data\":1}\n\n";

// What a stream said, with or without chunks around it.
std::string events(const HttpClient::Reply& head, HttpClient& client, size_t count) {
  std::string all;
  const bool chunked = head.has("transfer-encoding: chunked");
  for (size_t i = 0; i < count; ++i) {
    if (!chunked) {
      all += client.take(kEvent.size());
      continue;
    }
    const size_t size = std::strtoull(client.take_until("\r\n").c_str(), nullptr, 16);
    const std::string chunk = client.take(size + 2);
    all += chunk.substr(0, chunk.size() - std::min<size_t>(2, chunk.size()));
  }
  return all;
}

}  // namespace

TEST_CASE("A stream sends as events happen, the same bytes to many", "[net][http][stream]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); });
  std::vector<std::unique_ptr<HttpClient>> clients;
  std::vector<HttpClient::Reply> heads;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server.at()));
    clients.back()->ask("/" + std::to_string(i), "Accept-Encoding: gzip\r\n");
    heads.push_back(clients.back()->reply(HttpClient::Body::None));
    CHECK(heads.back().status == 200);
    CHECK(heads.back().has("content-type: text/event-stream"));
    CHECK_FALSE(heads.back().has("content-length"));
    CHECK_FALSE(heads.back().has("content-encoding"));
  }
  REQUIRE(eventually([&] { return streams.open() == 10; }));
  const auto bytes = std::make_shared<const std::string>(kEvent);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i)
      streams.with(server.io, "/" + std::to_string(i), [bytes](Stream& stream) { stream.send(bytes); });
    for (size_t i = 0; i < 10; ++i) CHECK(events(heads[i], *clients[i], 1) == kEvent);
  }
  CHECK(server.listener->stats().streams == 10);
}

TEST_CASE("A stream that the client leaves says so once", "[net][http][stream]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); });
  {
    HttpClient client(server.at());
    client.ask("/a");
    CHECK(client.reply(HttpClient::Body::None).status == 200);
    REQUIRE(eventually([&] { return streams.open() == 1; }));
  }
  CHECK(eventually([&] { return streams.closed() == 1; }));
  std::this_thread::sleep_for(30ms);
  CHECK(streams.closed() == 1);
}

TEST_CASE("A stream that the server closes has said all before it ends", "[net][http][stream]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); });
  HttpClient client(server.at());
  client.ask("/a", "Connection: close\r\n");
  const auto head = client.reply(HttpClient::Body::None);
  REQUIRE(eventually([&] { return streams.open() == 1; }));
  streams.with(server.io, "/a", [](Stream& stream) {
    stream.send(kEvent);
    stream.send(kEvent);
    stream.close();
    stream.send(std::string_view("after the end"));
  });
  CHECK(events(head, client, 2) == kEvent + kEvent);
  CHECK(client.take_all().find("after") == std::string::npos);
  CHECK(client.is_closed());
  client.close();
  CHECK(eventually([&] { return streams.closed() == 1; }));
}

TEST_CASE("A stream may be opened later than the request was handed out", "[net][http][stream]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  HttpFixture server(wire, [&](std::shared_ptr<Exchange> exchange) {
    server.workers.run([&, exchange] {
      std::this_thread::sleep_for(20ms);
      server.io.post(exchange->thread(), [&, exchange] { streams.open(exchange); });
    });
  });
  HttpClient client(server.at());
  client.ask("/a");
  const auto head = client.reply(HttpClient::Body::None);
  CHECK(head.status == 200);
  REQUIRE(eventually([&] { return streams.open() == 1; }));
  streams.with(server.io, "/a", [](Stream& stream) { stream.send(kEvent); });
  CHECK(events(head, client, 1) == kEvent);

  HttpClient gone(server.at());
  gone.ask("/gone");
  gone.close();
  CHECK(eventually([&] { return streams.closed() >= 1; }));
}

TEST_CASE("A reader that takes nothing is disconnected and counted, and its neighbours hear everything",
          "[net][http][stream][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  Limits limits;
  limits.send_stall_max = 200ms;
  HttpFixture server(
      wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); }, limits, 1);
  HttpClient deaf(server.at(), "127.0.0.1", 4096);
  HttpClient reader(server.at());
  deaf.ask("/deaf");
  reader.ask("/reader");
  CHECK(deaf.reply(HttpClient::Body::None).status == 200);
  const auto head = reader.reply(HttpClient::Body::None);
  REQUIRE(eventually([&] { return streams.open() == 2; }));
  // Far more than the kernel buffers, far less than backlog_bytes_max.
  const auto large = std::make_shared<const std::string>(16u << 20, 'x');
  streams.with(server.io, "/deaf", [large](Stream& stream) { stream.send(large); });
  for (int round = 0; round < 20; ++round) {
    streams.with(server.io, "/reader", [](Stream& stream) { stream.send(kEvent); });
    CHECK(events(head, reader, 1) == kEvent);
    std::this_thread::sleep_for(5ms);
  }
  CHECK(eventually([&] { return server.listener->stats().slow_readers == 1; }));
  CHECK(eventually([&] { return streams.closed() == 1; }));
  CHECK(streams.open() == 1);
  streams.with(server.io, "/reader", [](Stream& stream) { stream.send(kEvent); });
  CHECK(events(head, reader, 1) == kEvent);
}

TEST_CASE("A reader that is slow with one large value is waited for as long as it makes progress",
          "[net][http][stream][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  Limits limits;
  limits.send_stall_max = 300ms;
  limits.backlog_bytes_max = 1u << 20;
  HttpFixture server(
      wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); }, limits, 1);
  HttpClient slow(server.at(), "127.0.0.1", 256 << 10);
  slow.ask("/slow", "Connection: close\r\n");
  CHECK(slow.reply(HttpClient::Body::None).status == 200);
  REQUIRE(eventually([&] { return streams.open() == 1; }));
  const auto large = std::make_shared<const std::string>(24u << 20, 'x');
  streams.with(server.io, "/slow", [large](Stream& stream) { stream.send(large); });
  size_t taken = 0;
  for (int i = 0; i < 24; ++i) {  // some 25 ms for each MB: twice as long as a stall may be
    taken += slow.take(1u << 20).size();
    std::this_thread::sleep_for(25ms);
    streams.with(server.io, "/slow", [](Stream& stream) { stream.send(kEvent); });
  }
  CHECK(taken == 24u << 20);
  CHECK(server.listener->stats().slow_readers == 0);
  CHECK(streams.open() == 1);
}

TEST_CASE("When too much waits in all, who does not read goes first, and who does stays",
          "[net][http][stream][limits]") {
  const bool is_crowded = GENERATE(true, false);
  Streams streams;
  Limits limits;
  limits.outbound_bytes_max = is_crowded ? 8u << 20 : 1024u << 20;
  HttpFixture server([&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); }, limits, 1);
  HttpClient deaf(server.at(), "127.0.0.1", 4096);
  HttpClient reader(server.at());
  deaf.ask("/deaf");
  reader.ask("/reader");
  CHECK(deaf.reply(HttpClient::Body::None).status == 200);
  const auto head = reader.reply(HttpClient::Body::None);
  REQUIRE(eventually([&] { return streams.open() == 2; }));
  const auto large = std::make_shared<const std::string>(1u << 20, 'x');
  const auto reached = [&] {
    return server.listener->stats().limits_reached[static_cast<size_t>(http::Limit::Outbound)];
  };
  for (int i = 0; i < 30; ++i) {
    streams.with(server.io, "/deaf", [large](Stream& stream) { stream.send(large); });
    streams.with(server.io, "/reader", [](Stream& stream) { stream.send(kEvent); });
    CHECK(events(head, reader, 1) == kEvent);
  }
  CHECK(reached() == (is_crowded ? 1 : 0));
  CHECK(streams.open() == (is_crowded ? 1 : 2));
  CHECK(server.listener->stats().outbox_bytes < (is_crowded ? 1u << 20 : 40u << 20));
}

TEST_CASE("A reader that falls behind by more than may wait is disconnected", "[net][http][stream][limits]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  Limits limits;
  limits.backlog_bytes_max = 4u << 20;
  HttpFixture server(
      wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); }, limits, 1);
  HttpClient deaf(server.at(), "127.0.0.1", 4096);
  deaf.ask("/deaf");
  CHECK(deaf.reply(HttpClient::Body::None).status == 200);
  REQUIRE(eventually([&] { return streams.open() == 1; }));
  const auto bytes = std::make_shared<const std::string>(100'000, 'x');
  CHECK(eventually([&] {
    streams.with(server.io, "/deaf", [bytes](Stream& stream) { stream.send(bytes); });
    return server.listener->stats().slow_readers == 1;
  }));
  CHECK(eventually([&] { return streams.closed() == 1; }));
}

TEST_CASE("What is sent in one turn leaves in one call", "[net][http][stream]") {
  const Wire wire = GENERATE(Wire::Plain, Wire::Tls);
  Streams streams;
  HttpFixture server(
      wire, [&](std::shared_ptr<Exchange> exchange) { streams.open(exchange); }, {}, 1);
  HttpClient client(server.at());
  client.ask("/a");
  const auto head = client.reply(HttpClient::Body::None);
  REQUIRE(eventually([&] { return streams.open() == 1; }));
  const auto before = server.listener->stats();
  streams.with(server.io, "/a", [](Stream& stream) {
    const auto bytes = std::make_shared<const std::string>(kEvent);
    for (int i = 0; i < 1'000; ++i) stream.send(bytes);
  });
  CHECK(events(head, client, 1'000).size() == 1'000 * kEvent.size());
  const auto sent = [&] { return server.listener->stats().bytes_out - before.bytes_out; };
  CHECK(eventually([&] { return sent() >= 1'000 * kEvent.size(); }));
  CHECK(server.listener->stats().sends - before.sends <= 2);
}
