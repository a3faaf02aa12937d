// What has come of bodies and messages and is not whole: what it counts, and who is refused, or given up, for it.
#include "net/io/half_received.h"

#include <catch2/catch.hpp>
#include <thread>

#include "net/http/gzip.h"
#include "net/websocket/frame.h"
#include "tests/net/http/http_fixture.h"

using namespace hearth::test;
using namespace std::chrono_literals;
using http::Exchange;
using http::HalfReceived;
using http::LeastPace;
using http::Limit;
using http::Limits;
using Refusal = http::HalfReceived::Refusal;

namespace {

HalfReceived::Owner of(const char* address) { return HalfReceived::owner_of(std::string_view(address)); }

// A message is echoed; "hold N" says that the handler holds N bytes of one that is not whole.
struct Guest final : http::WebSocketHandler {
  void on_message(std::string&& message, http::MessageKind) override {
    if (message.starts_with("hold ")) return websocket->hold(std::stoul(message.substr(5)));
    websocket->send_text(std::to_string(message.size()));
  }
  void on_close(http::CloseCode) override { websocket.reset(); }
  std::shared_ptr<http::WebSocket> websocket;
};

struct Fixture : HttpFixture {
  explicit Fixture(Limits limits, http::WebSocketOptions options = {}, http::Listener::Options more = {})
      : HttpFixture(
            Wire::Plain,
            [options](std::shared_ptr<Exchange> exchange) {
              if (!exchange->wants_websocket()) {
                http::Response reply;
                reply.body = std::to_string(exchange->request().body.size());
                return exchange->respond(std::move(reply));
              }
              const auto guest = std::make_shared<Guest>();
              guest->websocket = exchange->accept_websocket(guest, options);
            },
            limits, 2, std::move(more)) {}

  size_t held() const { return listener->stats().half_received_bytes; }
  uint64_t reached(Limit limit) const { return listener->stats().limits_reached[static_cast<size_t>(limit)]; }
};

std::string begin_of_body(size_t announced, size_t sent) {
  return "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(announced) + "\r\n\r\n" +
         std::string(sent, 'x');
}

// Compressed, a thousandth of it.
std::string zipped_zeros(size_t bytes) {
  std::string zipped;
  http::GzipWriter writer;
  writer.add(std::string(bytes, '0'), http::GzipWriter::End::Yes, zipped);
  return zipped;
}

}  // namespace

TEST_CASE("HalfReceived: at the limits there is room, past them there is none, and refusals hold nothing",
          "[net][http][limits]") {
  const auto budget = std::make_shared<HalfReceived>(100'000, 60'000);
  HalfReceived::Share first(budget, of("10.0.0.1"));
  HalfReceived::Share second(budget, of("10.0.0.1"));
  HalfReceived::Share other(budget, of("10.0.0.2"));
  CHECK_FALSE(first.hold(http::kUncountedBytes));
  CHECK(budget->bytes() == 0);
  CHECK_FALSE(first.hold(50'000));
  CHECK_FALSE(second.hold(10'000));
  CHECK(second.hold(10'001) == Refusal::AddressFull);
  CHECK(budget->bytes() == 60'000);
  CHECK_FALSE(other.hold(40'000));
  CHECK(other.hold(40'001) == Refusal::AllFull);
  CHECK(budget->bytes() == 100'000);
  CHECK(budget->refused(Refusal::AddressFull) == 1);
  CHECK(budget->refused(Refusal::AllFull) == 1);
  first.let_go();
  CHECK_FALSE(other.hold(60'000));
  CHECK(other.hold(60'001) == Refusal::AddressFull);
  CHECK(budget->accounts() == 2);
  other.give_to(of("10.0.0.3"));
  CHECK(budget->bytes() == 10'000);
  CHECK(budget->accounts() == 2 - 1);
}

TEST_CASE("HalfReceived: an IPv6 network of 64 bits is one address, and who is nobody has no share",
          "[net][http][limits]") {
  const auto budget = std::make_shared<HalfReceived>(100'000, 50'000);
  HalfReceived::Share one(budget, of("2001:db8::1")), same(budget, of("2001:db8::2")),
      other(budget, of("2001:db8:0:1::1"));
  CHECK_FALSE(one.hold(40'000));
  CHECK(same.hold(20'000) == Refusal::AddressFull);
  CHECK_FALSE(other.hold(20'000));
  HalfReceived::Share nobody(budget, of("no address"));
  CHECK(nobody.hold(60'000) == Refusal::AllFull);
  one.let_go();
  CHECK_FALSE(nobody.hold(60'000));
}

TEST_CASE("LeastPace: silence ends it, and so does too little, however fast it was before", "[net][http][limits]") {
  const LeastPace::Time start{};
  LeastPace pace(30s, 1'000);
  pace.begin(start);
  CHECK_FALSE(pace.is_over(start + 29s));
  CHECK(pace.is_over(start + 30s));
  CHECK(pace.is_silent(start + 30s));
  // A thousand bytes are a second more.
  pace.came(10'000, start + 20s);
  CHECK(pace.left(start + 20s) == 20s);
  CHECK(pace.is_over(start + 40s));
  CHECK_FALSE(pace.is_silent(start + 40s));
  // What came fast is no credit for more than the grace.
  pace.came(16'000'000, start + 30s);
  CHECK(pace.left(start + 30s) == 30s);
  // 999 bytes a second are too few, 1,000 are not.
  for (const size_t rate : {999, 1'000}) {
    LeastPace at(30s, rate == 999 ? 1'000 : 999);
    at.begin(start);
    int second = 0;
    for (; second < 100'000 && !at.is_over(start + std::chrono::seconds(second)); ++second) {
      at.came(rate, start + std::chrono::seconds(second));
    }
    CHECK((second == 100'000) == (rate == 1'000));
  }
  LeastPace any(30s, 0);
  any.begin(start);
  any.came(1, start + 29s);
  CHECK(any.left(start + 29s) == 30s);
}

TEST_CASE("Bodies count as they come: what is announced takes no room from others", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = limits.pending_bytes_per_address_max = 100'000;
  Fixture server(limits);
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<HttpClient>(server.port()));
    slow.back()->send(begin_of_body(90'000, 10'000));
  }
  REQUIRE(eventually([&] { return server.held() >= 40'000; }));
  CHECK(server.held() < 45'000);
  HttpClient other(server.port());
  other.ask("/", "", std::string(20'000, 'x'));
  CHECK(other.reply().body == "20000");
  slow[0]->send(std::string(70'000, 'x'));  // the rest of it is too much
  const auto refused = slow[0]->reply();
  CHECK(refused.status == 503);
  CHECK(refused.has("\r\nretry-after: "));
  CHECK_THAT(refused.body, Catch::Contains("Too much is being sent"));
  CHECK(server.reached(Limit::PendingSize) + server.reached(Limit::PendingSizePerAddress) == 1);
  slow.clear();
  CHECK(eventually([&] { return server.held() == 0; }));
}

TEST_CASE("A body that could never be held is refused when it is announced", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = 200'000;
  limits.pending_bytes_per_address_max = 100'000;
  Fixture server(limits);
  HttpClient fits(server.port()), does_not(server.port());
  fits.send(begin_of_body(90'000, 90'000));
  CHECK(fits.reply().body == "90000");
  does_not.send(begin_of_body(100'001, 0));
  CHECK(does_not.reply().status == 503);
}

TEST_CASE("One address cannot use up what all may send", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = 200'000;
  limits.pending_bytes_per_address_max = 100'000;
  Fixture server(limits);
  std::vector<std::unique_ptr<HttpClient>> greedy;
  for (int i = 0; i < 3; ++i) {
    greedy.push_back(std::make_unique<HttpClient>(from_address("127.0.0.2", server.port())));
    greedy.back()->send(begin_of_body(50'000, 30'000));
    REQUIRE(eventually([&] { return server.held() >= 30'000u * (i + 1); }));
  }
  HttpClient more(from_address("127.0.0.2", server.port()));
  more.ask("/", "", std::string(30'000, 'x'));
  const auto refused = more.reply();
  CHECK(refused.status == 503);
  CHECK_THAT(refused.body, Catch::Contains("from your address"));
  CHECK(server.reached(Limit::PendingSizePerAddress) == 1);
  HttpClient other(server.port());
  other.ask("/", "", std::string(90'000, 'x'));
  CHECK(other.reply().body == "90000");
}

TEST_CASE("What clients of a proxy send is counted for them, not for the proxy", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = 200'000;
  limits.pending_bytes_per_address_max = 50'000;
  http::Listener::Options options;
  options.trusted_proxies = {"127.0.0.1"};
  Fixture server(limits, {}, options);
  const auto body = [](const char* client, size_t announced, size_t sent) {
    std::string text = begin_of_body(announced, sent);
    return text.insert(text.find("Content"), std::string("X-Forwarded-For: ") + client + "\r\n");
  };
  HttpClient holds(server.port()), same(server.port()), other(server.port());
  holds.send(body("203.0.113.1", 45'000, 40'000));
  REQUIRE(eventually([&] { return server.held() >= 40'000; }));
  same.send(body("203.0.113.1", 20'000, 20'000));
  CHECK(same.reply().status == 503);
  other.send(body("203.0.113.2", 45'000, 45'000));
  CHECK(other.reply().body == "45000");
}

TEST_CASE("A body below the pace is given up although bytes keep coming", "[net][http][limits]") {
  Limits limits;
  limits.body_stall_max = 100ms;
  limits.receive_pace_min = 1'000'000;
  Fixture server(limits);
  HttpClient slow(server.port());
  slow.send(begin_of_body(1'000'000, 10));
  std::atomic<bool> is_over = false;
  std::thread dribbling([&] {
    while (!is_over) {
      slow.send("x");
      std::this_thread::sleep_for(5ms);
    }
  });
  const auto reply = slow.reply();
  is_over = true;
  dribbling.join();
  CHECK(reply.status == 408);
  CHECK_THAT(reply.body, Catch::Contains("too slowly"));
  CHECK(server.reached(Limit::ReceivePace) == 1);
  CHECK(server.reached(Limit::BodyTime) == 0);
  // Without a pace, any is fine.
  limits.receive_pace_min = 0;
  Fixture patient(limits);
  HttpClient steady(patient.port());
  steady.send(begin_of_body(50, 10));
  for (int i = 0; i < 40; ++i) {
    steady.send("x");
    std::this_thread::sleep_for(5ms);
  }
  CHECK(steady.reply().body == "50");
}

TEST_CASE("A compressed body counts with what comes out of it", "[net][http][limits]") {
  Limits limits;
  limits.pending_bytes_max = limits.pending_bytes_per_address_max = 4'000'000;
  Fixture server(limits);
  const auto ask = [&](size_t bytes) {
    HttpClient client(server.port());
    client.ask("/", "Content-Encoding: gzip\r\n", zipped_zeros(bytes));
    return client.reply();
  };
  CHECK(ask(1'000'000).body == "1000000");
  CHECK(ask(20'000'000).status == 503);
  CHECK(server.reached(Limit::PendingSize) + server.reached(Limit::PendingSizePerAddress) == 1);
  CHECK(eventually([&] { return server.held() == 0; }));
}

TEST_CASE("WebSocket messages that do not end count, for their address, and say why they are given up",
          "[net][http][limits][websocket]") {
  Limits limits;
  limits.pending_bytes_max = 1'000'000;
  limits.pending_bytes_per_address_max = 400'000;
  Fixture server(limits);
  std::vector<std::unique_ptr<HttpClient>> greedy;
  // Half a frame each, by frames that begin a message and by such that go on with it.
  const std::string begun = HttpClient::frame(1, std::string(40'000, 'x'), HttpClient::Fin::No);
  const std::string half = HttpClient::frame(1, std::string(100'000, 'x')).substr(0, 40'000);
  size_t refused = 0;
  for (int i = 0; i < 12; ++i) {
    greedy.push_back(std::make_unique<HttpClient>(from_address("127.0.0.2", server.port())));
    REQUIRE(greedy.back()->upgrade().status == 101);
    greedy.back()->send(i % 2 == 0 ? begun : half);
    const bool came = eventually([&] {
      refused = server.reached(Limit::PendingSizePerAddress);
      return refused > 0 || server.held() >= 39'000u * (i + 1);
    });
    REQUIRE(came);
    if (refused > 0) break;
  }
  CHECK(greedy.size() >= 5);
  CHECK(refused == 1);
  CHECK(server.held() <= 400'000);
  const auto goodbye = greedy.back()->take_frame();
  CHECK(goodbye.opcode == 8);
  CHECK(goodbye.close_code() == 1013);
  CHECK_THAT(goodbye.payload, Catch::Contains("from your address"));
  HttpClient other(server.port());
  REQUIRE(other.upgrade().status == 101);
  other.send_text(std::string(150'000, 'x'));
  CHECK(other.take_frame().payload == "150000");
  greedy.clear();
  CHECK(eventually([&] { return server.held() == 0; }));
}

TEST_CASE("A WebSocket message that has begun is given up when nothing of it comes, pings or not",
          "[net][http][limits][websocket]") {
  Limits limits;
  limits.body_stall_max = 150ms;
  Fixture server(limits);
  struct Case {
    const char* what;
    std::string begun;
  };
  const std::vector<Case> cases = {
      {"a frame that is not the last", HttpClient::frame(1, std::string(10'000, 'x'), HttpClient::Fin::No)},
      {"an empty one", HttpClient::frame(1, "", HttpClient::Fin::No)},
      {"half a frame", HttpClient::frame(1, std::string(10'000, 'x')).substr(0, 5'000)},
      {"half a head", HttpClient::frame(1, "hello").substr(0, 1)},
      {"a message of the handler's", HttpClient::frame(1, "hold 10000")},
  };
  for (const Case& now : cases) {
    INFO(now.what);
    HttpClient client(server.port());
    REQUIRE(client.upgrade().status == 101);
    client.send(now.begun);
    for (int i = 0; i < 5 && now.begun.size() > 100; ++i) {  // a head that has begun lets nothing in between
      if (now.begun.size() == 5'000) break;
      client.send(HttpClient::frame(9, "here"));
      CHECK(client.take_frame().opcode == 10);
    }
    const auto goodbye = client.take_frame();
    CHECK(goodbye.opcode == 8);
    CHECK(goodbye.close_code() == 1008);
    CHECK_THAT(goodbye.payload, Catch::Contains("too slowly"));
  }
  CHECK(server.reached(Limit::ReceivePace) == cases.size());
  // Whoever has begun nothing stays, and so does whoever has said all of it.
  HttpClient idle(server.port());
  REQUIRE(idle.upgrade().status == 101);
  idle.send_text("hello");
  CHECK(idle.take_frame().payload == "5");
  idle.send_text("hold 10000");
  idle.send_text("hold 0");
  CHECK(idle.is_silent_for(300ms));
}

TEST_CASE("What a handler holds of a message of several frames counts with the socket's own",
          "[net][http][limits][websocket]") {
  Limits limits;
  limits.pending_bytes_max = limits.pending_bytes_per_address_max = 100'000;
  Fixture server(limits);
  HttpClient client(server.port());
  REQUIRE(client.upgrade().status == 101);
  client.send_text("hold 100000");
  REQUIRE(eventually([&] { return server.held() == 100'000; }));
  client.send_text("hold 100001");
  const auto goodbye = client.take_frame();
  CHECK(goodbye.close_code() == 1013);
  CHECK(eventually([&] { return server.held() == 0; }));
}

TEST_CASE("FrameReader: messages that are dropped are read to their end and forgotten", "[net][http][websocket]") {
  http::FrameReader reader(1u << 20);
  const std::string sent = HttpClient::frame(1, std::string(100'000, 'x'), HttpClient::Fin::No) +
                           HttpClient::frame(0, "end") + HttpClient::frame(9, "ping");
  std::string_view bytes = sent;
  bytes = bytes.substr(0, 50'000);
  CHECK(reader.next(bytes) == http::FrameReader::Found::Nothing);
  CHECK(reader.is_within());
  CHECK(reader.held_bytes() >= 49'000);
  reader.drop_messages();
  CHECK(reader.held_bytes() == 0);
  bytes = std::string_view(sent).substr(50'000);
  CHECK(reader.next(bytes) == http::FrameReader::Found::Ping);
  CHECK(reader.control() == "ping");
  CHECK(reader.held_bytes() == 0);
  CHECK_FALSE(reader.is_within());
}
