// Long polling over real connections and several threads, and the change to a WebSocket.
#include "net/wire/long_poll.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <thread>

#include "db/base/text.h"
#include "net/wire/acceptor.h"
#include "tests/net/http/http_fixture.h"
#include "tests/net/wire/base64.h"
#include "tests/net/wire/client.h"

using namespace hearth::net::wire;
using hearth::net::wire::test::base64;
using hearth::net::wire::test::Client;
using hearth::net::wire::test::Server;
using hearth::test::HttpClient;
using hearth::test::HttpFixture;

namespace {

struct Fixture {
  // `budget`: of what is not whole; null: none.
  explicit Fixture(std::shared_ptr<hearth::net::http::HalfReceived> budget = nullptr,
                   const hearth::net::http::Limits& limits = {}) {
    http = std::make_unique<HttpFixture>(
        [this](std::shared_ptr<hearth::net::http::Exchange> exchange) { acceptor->handle(exchange); },
        hearth::net::http::Limits{}, 4);
    acceptor = std::make_unique<Acceptor>(server.guard(), server.verifier(), http->io, http->workers, nullptr, Limits{},
                                          false, std::move(budget), limits);
  }
  ~Fixture() {
    http->listener.reset();
    http->io.stop();
    http->io.join();
    acceptor->close();
  }

  Server server{};
  std::unique_ptr<Acceptor> acceptor{};
  std::unique_ptr<HttpFixture> http{};
};

// A client that polls, on a new connection for each request, as a browser may.
struct Poller {
  explicit Poller(Fixture& of, const std::string& more = "") : fixture(of), port(of.http->port()) {
    HttpClient client(port);
    client.ask("/.lp?start=t&ser=1&cb=1&v=5&ns=demo" + more);
    start = client.reply().body;
    id = between("pLPCommand('start','", "'");
    password = between("'" + id + "','", "'");
  }

  std::string between(const std::string& before, const std::string& after) const {
    const size_t at = start.find(before) + before.size();
    return start.substr(at, start.find(after, at) - at);
  }
  std::string target(const std::string& more = "") const {
    return "/.lp?id=" + id + "&pw=" + password + "&ns=demo" + more;
  }

  std::unique_ptr<HttpClient> send(const std::string& more = "") {
    auto client = std::make_unique<HttpClient>(port);
    client->ask(target("&ser=" + std::to_string(++serial) + more));
    return client;
  }
  // The same, and it has arrived before anything that is sent after it.
  std::unique_ptr<HttpClient> send_first(const std::string& more = "") {
    const uint64_t before = fixture.http->listener->stats().requests;
    auto client = send(more);
    hearth::test::eventually([&] { return fixture.http->listener->stats().requests > before; });
    return client;
  }
  std::string say(const std::string& message) {
    const std::string number = std::to_string(segment++);
    return "&seg0=" + number + "&ts0=1&d0=" + base64(message);
  }
  std::string request(const std::string& action, const std::string& body) {
    return say(R"({"t":"d","d":{"r":)" + std::to_string(++last) + R"(,"a":")" + action + R"(","b":)" + body + "}}");
  }

  Fixture& fixture;
  uint16_t port;
  std::string start, id, password;
  int serial = 0, segment = 0, last = 0;
};

std::string data(int number, const std::string& messages) {
  return "pRTLPCB(" + std::to_string(number) + ",[" + messages + "]);";
}
std::string ok(int number, const std::string& answer = R"("")") {
  return R"({"t":"d","d":)" + Client::ok(number, answer) + "}";
}
std::string push(const std::string& path, const std::string& value) {
  return R"({"t":"d","d":)" + Client::pushed(path, value) + "}";
}

constexpr std::string_view kNoMore = R"({"t":"c","d":{"t":"n","d":{}}})";
constexpr const char* kClose = "pLPCommand('close');";

}  // namespace

TEST_CASE("LongPoll: it starts with a hello, and polls are answered in order of their numbers", "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  CHECK_THAT(poller.start, Catch::EndsWith("]);") && Catch::Contains(R"(pRTLPCB(0,[{"t":"c","d":{"t":"h")"));
  CHECK_THAT(poller.start, Catch::Contains(R"("s":")" + poller.id + R"(")"));

  const auto idle = poller.send_first();
  const auto asking = poller.send(poller.request("q", R"({"p":"/a","h":""})"));
  CHECK(idle->reply().body == data(1, ""));  // two wait: the older one is let go
  CHECK(asking->reply().body == data(2, ok(1, "{}")));
  const auto listening = poller.send();
  Client writer(fixture.server);
  CHECK(writer.answer("p", R"({"p":"/a","d":"</script>"})") == Client::done());
  CHECK(listening->reply().body == data(3, push("a", R"("<\/script>")")));
}

TEST_CASE("LongPoll: pieces that overtake each other on the way are put in order", "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  std::vector<std::string> pieces;
  for (int i = 0; i < 20; ++i) pieces.push_back(poller.request("p", R"({"p":"/n","d":)" + std::to_string(i) + "}"));
  std::vector<std::unique_ptr<HttpClient>> polls;
  for (size_t i = pieces.size(); i-- > 0;) polls.push_back(poller.send(pieces[i]));
  std::map<int, std::string> answers;  // by number: that is their order, whoever got them
  const auto take = [&](const std::string& body) {
    answers[std::atoi(body.c_str() + std::string_view("pRTLPCB(").size())] = body;
    return body;
  };
  for (const auto& poll : polls) take(poll->reply().body);
  const auto all = [&] {
    std::string text;
    for (const auto& [number, body] : answers) text += body;
    return text;
  };
  for (int i = 0; all().find("\"r\":20,") == std::string::npos && i < 20; ++i) take(poller.send()->reply().body);
  const std::string heard = all();
  CHECK(answers.begin()->first == 1);
  CHECK(answers.rbegin()->first == static_cast<int>(answers.size()));
  size_t at = 0;
  for (int i = 1; i <= 20; ++i) {
    INFO(i << " in " << heard);
    CHECK((at = heard.find("\"r\":" + std::to_string(i) + ",", at)) != std::string::npos);
  }
  Client reader(fixture.server);
  CHECK(reader.answer("g", R"({"p":"/n","q":{}})") == Client::done("19"));
}

TEST_CASE("LongPoll: who does not know the password, or comes too late, is told to begin anew", "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  const auto ask = [&](const std::string& target) {
    HttpClient client(poller.port);
    client.ask(target);
    return client.reply();
  };
  CHECK(ask("/.lp?id=" + poller.id + "&pw=wrong&ser=1").body == kClose);
  CHECK(ask("/.lp?id=" + poller.id + "&pw=" + std::string(poller.password.size(), 'x') + "&disconn=t").body == kClose);
  CHECK(ask("/.lp?id=nobody&pw=x&ser=1").body == kClose);
  CHECK(ask("/.lp?id=x").status == 400);
  const auto still = poller.send(poller.request("s", "{}"));
  CHECK(still->reply().body == data(1, ok(1)));
  const auto broken = poller.send("&seg0=1&ts0=0&d0=x");
  CHECK(broken->reply().body == kClose);
  CHECK(poller.send()->reply().body == kClose);
}

TEST_CASE("LongPoll: what a client left is written once: when it says goodbye, hangs up, or is replaced", "[wire]") {
  Fixture fixture;
  Client watcher(fixture.server);
  CHECK(watcher.answer("q", R"({"p":"/ends","h":""})") == Client::done("{}"));
  int ends = 0;
  for (const std::string how : {"goodbye", "hang up", "replaced"}) {
    INFO(how);
    Poller poller(fixture);
    const auto queued = poller.send(poller.request("o", R"({"p":"/ends","d":{".sv":{"increment":1}}})"));
    CHECK(queued->reply().body == data(1, ok(1)));
    auto waiting = poller.send_first();
    HttpClient other(poller.port);
    if (how == "goodbye") {
      other.ask(poller.target("&dframe=t"));
      CHECK_THAT(other.reply().body, Catch::Contains("disconn=t"));
      other.ask(poller.target("&disconn=t"), "", "", "POST");  // a beacon
      CHECK(other.reply().status == 200);
      CHECK(waiting->reply().body == kClose);
    } else if (how == "hang up") {
      waiting->close();
    } else {
      Poller next(fixture, "&ls=" + poller.id);
      CHECK(waiting->reply().body == kClose);
    }
    CHECK(watcher.hear() == Client::pushed("ends", std::to_string(++ends)));
    CHECK(poller.send()->reply().body == kClose);
  }
  CHECK(watcher.hear_all().empty());
}

TEST_CASE("LongPoll: a namespace that is not there is refused for good", "[wire]") {
  Fixture fixture;
  HttpClient client(fixture.http->port());
  client.ask("/.lp?start=t&cb=1&ns=no%20name");
  CHECK_THAT(client.reply().body, Catch::Contains(R"(pRTLPCB(0,[{"t":"c","d":{"t":"s","d":")"));
}

TEST_CASE("LongPoll: the client changes over to a WebSocket, and nothing is lost or out of order", "[wire]") {  // §10.4
  Fixture fixture;
  Poller poller(fixture);
  const auto first = poller.send(poller.request("q", R"({"p":"/a","h":""})"));
  CHECK(first->reply().body == data(1, ok(1, "{}")));
  HttpClient socket(poller.port);
  CHECK(socket.upgrade("/.ws?v=5&s=" + poller.id + "&ns=demo").status == 101);
  CHECK(socket.take_frame().payload == R"({"t":"c","d":{"t":"a","d":null}})");
  for (int i = 0; i < 2; ++i) {
    socket.send_text(R"({"t":"c","d":{"t":"p","d":{}}})");
    CHECK(socket.take_frame().payload == R"({"t":"c","d":{"t":"o","d":{}}})");
  }
  // What it says there comes before what it still says here, and waits.
  socket.send_text(R"({"t":"c","d":{"t":"a","d":{}}})");
  socket.send_text(R"({"t":"d","d":{"r":4,"a":"p","b":{"p":"/a","d":"by socket"}}})");
  const auto waiting = poller.send_first();
  const std::string before = poller.request("p", R"({"p":"/a","d":"by poll"})");
  const std::string end = poller.say(std::string(kNoMore));
  const auto last = poller.send(end);  // overtakes
  const auto earlier = poller.send(before);
  std::map<int, std::string> answers;
  const auto take = [&](const std::string& body) {
    answers[std::atoi(body.c_str() + std::string_view("pRTLPCB(").size())] = body;
    return body.find(R"("t":"n")") != std::string::npos;
  };
  bool has_ended = false;
  for (const auto* poll : {&waiting, &last, &earlier}) has_ended |= take((*poll)->reply().body);
  for (int i = 0; !has_ended && i < 5; ++i) has_ended = take(poller.send()->reply().body);
  std::string heard;
  for (const auto& [number, body] : answers) heard += body;
  INFO(heard);
  CHECK(heard.find(R"({"t":"c","d":{"t":"n","d":null}}]);)") != std::string::npos);
  // From here on all of it comes by the socket.
  std::string all = heard;
  while (all.find(ok(4)) == std::string::npos) {
    const std::string frame = socket.take_frame().payload;
    REQUIRE_FALSE(frame.empty());
    all += frame;
  }
  const size_t polled = all.find(push("a", R"("by poll")")), answered = all.find(ok(2)),
               by_socket = all.find(push("a", R"("by socket")"));
  CHECK(polled < answered);
  CHECK(answered < by_socket);
  CHECK(by_socket < all.find(ok(4)));
  CHECK_THAT(poller.send()->reply().body, Catch::StartsWith("pLPCommand('close',"));

  // Its end is now the socket's; that of the long poll is none.
  socket.send_text(R"({"t":"d","d":{"r":5,"a":"o","b":{"p":"/ends","d":{".sv":{"increment":1}}}}})");
  CHECK(socket.take_frame().payload == ok(5));
  HttpClient other(poller.port);
  other.ask(poller.target("&disconn=t"), "", "", "POST");
  CHECK(other.reply().status == 200);
  socket.send_text(R"({"t":"d","d":{"r":6,"a":"g","b":{"p":"/ends","q":{}}}})");
  CHECK(socket.take_frame().payload == ok(6, "null"));
  Client watcher(fixture.server);
  CHECK(watcher.answer("q", R"({"p":"/ends","h":""})") == Client::done("{}"));
  socket.close();
  CHECK(watcher.hear() == Client::pushed("ends", "1"));
}

TEST_CASE("LongPoll: a WebSocket of nobody's session, or of another namespace, or a second one, is sent back",
          "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  HttpClient taken(poller.port);
  taken.upgrade("/.ws?s=" + poller.id + "&ns=demo");
  CHECK(taken.take_frame().payload == R"({"t":"c","d":{"t":"a","d":null}})");
  for (const std::string target : {"/.ws?ns=demo&s=nobody", "/.ws?ns=other&s=ID", "/.ws?ns=demo&s=ID"}) {
    INFO(target);
    HttpClient socket(poller.port);
    socket.upgrade(target.ends_with("ID") ? target.substr(0, target.size() - 2) + poller.id : target);
    CHECK(socket.take_frame().payload == R"({"t":"c","d":{"t":"r","d":"test"}})");
  }
}

TEST_CASE("LongPoll: when the WebSocket is lost before the change, polling goes on; after the client's word, all ends",
          "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  Client watcher(fixture.server);
  CHECK(watcher.answer("q", R"({"p":"/ends","h":""})") == Client::done("{}"));
  const std::string wish = poller.request("o", R"({"p":"/ends","d":1})");
  CHECK(poller.send(wish)->reply().body == data(1, ok(1)));
  for (int i = 0; i < 2; ++i) {
    HttpClient socket(poller.port);
    socket.upgrade("/.ws?s=" + poller.id + "&ns=demo");
    std::string said = socket.take_frame().payload;
    // The last one may not have been missed yet.
    for (int tries = 0; said.find(R"("t":"r")") != std::string::npos && tries < 1000; ++tries) {
      HttpClient again(poller.port);
      again.upgrade("/.ws?s=" + poller.id + "&ns=demo");
      said = again.take_frame().payload;
    }
    CHECK(said == R"({"t":"c","d":{"t":"a","d":null}})");
  }
  const auto poll = poller.send(poller.request("s", "{}"));
  CHECK(poll->reply().body == data(2, ok(2)));
  hearth::test::eventually([&] {
    HttpClient probe(poller.port);
    probe.upgrade("/.ws?s=" + poller.id + "&ns=demo");
    return probe.take_frame().payload.find(R"("t":"a")") != std::string::npos;
  });
  const auto end = poller.send(poller.say(std::string(kNoMore)));
  CHECK_THAT(end->reply().body, Catch::Contains("close") || Catch::Contains(R"("t":"n")"));
  CHECK(watcher.hear() == Client::pushed("ends", "1"));
}

TEST_CASE("LongPoll: when the server leaves, polls are answered at once", "[wire]") {
  Fixture fixture;
  Poller poller(fixture);
  const auto older = poller.send_first();
  const auto idle = poller.send_first();
  CHECK(older->reply().body == data(1, ""));
  fixture.http->listener->drain(std::chrono::seconds(20));
  CHECK(idle->reply().body == kClose);
}

TEST_CASE("LongPoll: there are at most so many, and then places again", "[wire]") {
  Fixture fixture;
  HttpClient client(fixture.http->port());
  std::string first;
  for (size_t i = 0; i < kLongPollsMax; ++i) {
    client.ask("/.lp?start=t&cb=1&ns=demo");
    const auto reply = client.reply();
    if (reply.status != 200 || reply.body.find("'start'") == std::string::npos) FAIL(i << ": " << reply.body);
    if (i == 0) first = reply.body;
  }
  client.ask("/.lp?start=t&cb=1&ns=demo");
  CHECK(client.reply().status == 503);
  const size_t at = first.find("'start','") + 9;
  const size_t end = first.find("'", at);
  client.ask("/.lp?disconn=t&id=" + first.substr(at, end - at) + "&pw=" + first.substr(end + 3, 32));
  CHECK(client.reply().status == 200);
  CHECK(hearth::test::eventually([&] {
    client.ask("/.lp?start=t&cb=1&ns=demo");
    return client.reply().status == 200;
  }));
}

TEST_CASE("LongPoll: segments of a message that does not end count, for their address, and are given up past the limit",
          "[wire][limits]") {
  using hearth::net::http::HalfReceived;
  const auto budget = std::make_shared<HalfReceived>(1'000'000, 60'000);
  Fixture fixture(budget);
  Poller greedy(fixture);
  // A message of a thousand pieces; each request brings one, and the poll before it is answered.
  std::vector<std::unique_ptr<HttpClient>> polls;
  const auto send = [&](int piece) {
    polls.push_back(greedy.send_first("&seg0=" + std::to_string(piece) + "&ts0=1000&d0=" + std::string(1'800, 'A')));
  };
  int sent = 0;
  for (; sent < 60 && budget->refused(HalfReceived::Refusal::AddressFull) == 0; ++sent) send(sent);
  CHECK(hearth::test::eventually([&] { return budget->refused(HalfReceived::Refusal::AddressFull) == 1; }));
  CHECK(sent >= 15);  // what is held may have twice the room
  CHECK(sent <= 36);
  CHECK(hearth::test::eventually([&] { return budget->bytes() == 0; }));
  CHECK(greedy.send()->reply().body == kClose);
  const std::string last = polls[static_cast<size_t>(sent - 1)]->reply().body;
  CHECK_THAT(last, Catch::Contains("from your address") || Catch::Equals(kClose));
  // Others go on, and so does this one, anew.
  Poller other(fixture);
  const auto answered = other.send(other.request("p", R"({"p":"/a","d":1})"));
  CHECK(answered->reply().body == data(1, ok(1)));
}

TEST_CASE("LongPoll: a message below the pace is given up although its client goes on polling", "[wire][limits]") {
  using hearth::net::http::HalfReceived;
  const auto budget = std::make_shared<HalfReceived>(1'000'000, 1'000'000);
  hearth::net::http::Limits limits;
  limits.body_stall_max = std::chrono::milliseconds(150);
  Fixture fixture(budget, limits);
  Poller slow(fixture), whole(fixture);
  const auto begun = slow.send_first("&seg0=0&ts0=3&d0=" + std::string(1'800, 'A'));
  CHECK(whole.send_first(whole.request("p", R"({"p":"/a","d":1})"))->reply().body == data(1, ok(1)));
  std::vector<std::unique_ptr<HttpClient>> polls;
  for (int i = 0; i < 200 && budget->refused(HalfReceived::Refusal::TooSlow) == 0; ++i) {
    polls.push_back(slow.send());  // empty polls are none of it
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(budget->refused(HalfReceived::Refusal::TooSlow) == 1);
  CHECK(slow.send()->reply().body == kClose);
  CHECK(whole.send(whole.request("p", R"({"p":"/a","d":2})"))->reply().body == data(2, ok(2)));
}
