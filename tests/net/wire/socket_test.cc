#include "net/wire/socket.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "db/model/precondition.h"
#include "net/io/half_received.h"
#include "net/websocket/frame.h"
#include "tests/net/wire/client.h"

using namespace hearth;
using namespace hearth::net;
using namespace hearth::net::wire;
using Lines = std::vector<std::string>;
using test::Client;
using test::Server;

namespace {

// The other end of a WireSocket, without a network: keeps what is sent, and hands in frames, on the home thread.
class FakeSocket final : public http::WebSocket {
 public:
  void send(http::SharedBytes frames) override { send(std::string_view(*frames)); }
  void send(std::string_view frames) override {
    const std::lock_guard lock(mutex_);
    bytes_ += frames;
    changed_.notify_all();
  }
  void send_text(std::string_view payload) override { send(std::string_view(http::frame_text(payload))); }
  void send_binary(std::string_view) override {}
  void close(http::CloseCode code, std::string_view) override {
    const std::lock_guard lock(mutex_);
    closed_ = code;
    changed_.notify_all();
  }
  void pause() override {
    paused_ = true;
    ++pauses_;
  }
  void resume() override {
    paused_ = false;
    deliver();
  }
  void hold(size_t bytes) override { held_ = bytes; }
  bool is_deflated() const override { return false; }
  bool is_closed() const override { return false; }
  size_t backlog_bytes() const override { return backlog_; }

  // Home thread.
  void receive(std::string frame) {
    received_.push_back(std::move(frame));
    deliver();
  }
  void deliver() {
    while (!paused_ && !received_.empty()) {
      std::string frame = std::move(received_.front());
      received_.pop_front();
      handler->on_message(std::move(frame), http::MessageKind::Text);
    }
  }

  // Any thread. The next message, put together; "" when it is closed, or nothing comes in time.
  std::string hear() {
    for (;;) {
      std::unique_lock lock(mutex_);
      const bool came =
          changed_.wait_for(lock, std::chrono::seconds(10), [&] { return bytes_.size() > at_ || closed_; });
      if (!came) return "nothing heard";
      if (bytes_.size() == at_) return "";
      if (auto message = reader_.on_frame(next_frame())) return message->text;
    }
  }

  std::optional<http::CloseCode> wait_closed() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [&] { return closed_.has_value(); });
    return closed_;
  }

  std::shared_ptr<http::WebSocketHandler> handler{};
  size_t backlog_ = 0;
  int pauses_ = 0;
  std::atomic<size_t> held_ = 0;  // of a message that is not whole

 private:
  // Under mutex_. Frames come whole.
  std::string next_frame() {
    size_t length = static_cast<unsigned char>(bytes_[at_ + 1]);
    size_t head = 2;
    if (length >= 126) {
      head = length == 126 ? 4 : 10;
      length = 0;
      for (size_t i = 2; i < head; ++i) length = length << 8 | static_cast<unsigned char>(bytes_[at_ + i]);
    }
    std::string payload = bytes_.substr(at_ + head, length);
    at_ += head + length;
    if (at_ == bytes_.size()) {
      bytes_.clear();
      at_ = 0;
    }
    return payload;
  }

  bool paused_ = false;
  std::deque<std::string> received_{};
  std::mutex mutex_{};  // Guards all below.
  std::condition_variable changed_{};
  std::string bytes_{};
  size_t at_ = 0;
  MessageReader reader_{};
  std::optional<http::CloseCode> closed_{};
};

class Threads {
 public:
  explicit Threads(Server& server, std::shared_ptr<http::HalfReceived> half_received = {})
      : with{.guard = server.guard(),
             .verifier = server.verifier(),
             .clock = clock,
             .io = io,
             .workers = workers,
             .half_received = std::move(half_received)} {
    io.start();
  }
  ~Threads() { io.stop(); }

  // On the home thread, to its end. What the task has asked is with its shard then: the second letter is passed on at the
  // end of the turn, behind that.
  void run(const std::function<void()>& task) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    io.post(0, [&] {
      task();
      io.post(0, [&] {
        const std::lock_guard lock(mutex);
        done = true;
        changed.notify_one();
      });
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }

  db::ManualClock clock{db::Timestamp(1795342798354)};
  http::IoPool io{1};
  db::ThreadPool workers{2};
  const Surroundings with;
  Polls polls{with};
};

class Peer {
 public:
  Peer(Threads& threads, const std::string& target) : threads_(threads) {
    auto upgrade = parse_upgrade(target, "127.0.0.1:9000");
    threads_.run([&] {
      const auto wire = std::make_shared<WireSocket>(threads_.with, threads_.polls, 0, *upgrade);
      socket->handler = wire;
      wire->start(socket);
    });
  }
  ~Peer() { leave(); }

  void leave() {
    threads_.run([&] {
      if (socket->handler) socket->handler->on_close(http::CloseCode::Normal);
      socket->handler.reset();
    });
  }

  void send(std::string frame) {
    threads_.run([&] { socket->receive(std::move(frame)); });
  }
  // In pieces as SDKs do.
  void say(const std::string& message) {
    threads_.run([&] {
      const Pieces split = split_message(message);
      if (!split.header.empty()) socket->receive(split.header);
      for (const auto piece : split.pieces) socket->receive(std::string(piece));
    });
  }
  static std::string request(int number, const std::string& action, const std::string& body) {
    return R"({"t":"d","d":{"r":)" + std::to_string(number) + R"(,"a":")" + action + R"(","b":)" + body + "}}";
  }
  void ask(int number, const std::string& action, const std::string& body) { say(request(number, action, body)); }
  std::string hear() { return socket->hear(); }

  std::shared_ptr<FakeSocket> socket = std::make_shared<FakeSocket>();

 private:
  Threads& threads_;
};

std::string ok(int number, const std::string& data = R"("")") {
  return R"({"t":"d","d":)" + Client::ok(number, data) + "}";
}

const rules::Guard::Options kClosed = {.dev = false, .admin_secret = "secret", .default_namespace = "demo"};

}  // namespace

TEST_CASE("WireSocket: hello comes first, unasked", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?v=5&ns=demo");
  const std::string hello = peer.hear();
  CHECK(hello.starts_with(R"({"t":"c","d":{"t":"h","d":{"ts":1795342798354,"v":"5","h":"127.0.0.1:9000","s":")"));
}

TEST_CASE("WireSocket: keepalives get no answer, requests do", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  peer.send("0");
  peer.ask(1, "q", R"({"p":"/a","h":""})");
  CHECK(peer.hear() == ok(1, "{}"));
  peer.send("0");
  peer.ask(2, "p", R"({"p":"/a","d":1})");
  CHECK(peer.hear() == R"({"t":"d","d":)" + Client::pushed("a", "1") + "}");
  CHECK(peer.hear() == ok(2));
}

TEST_CASE("WireSocket: a message of several frames is held, as long as it is not whole", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  const std::string message = Peer::request(1, "p", R"({"p":"/a","d":")" + std::string(100'000, 'x') + "\"}");
  const Pieces split = split_message(message);
  peer.send(split.header);
  CHECK(peer.socket->held_ > 0);
  for (size_t i = 0; i + 1 < split.pieces.size(); ++i) {
    peer.send(std::string(split.pieces[i]));
    CHECK(peer.socket->held_ >= (i + 1) * 16'384);
  }
  peer.send(std::string(split.pieces.back()));
  CHECK(peer.socket->held_ == 0);
  CHECK(peer.hear() == ok(1));
}

TEST_CASE("WireSocket: order is kept past messages that workers decode and serialise", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  Lines expected;
  int number = 0;
  for (int round = 0; round < 5; ++round) {
    const std::string large = '"' + std::string(300'000, static_cast<char>('a' + round)) + '"';
    peer.ask(++number, "p", R"({"p":"/x","d":)" + large + "}");
    expected.push_back(ok(number));
    peer.ask(++number, "g", R"({"p":"/x","q":{}})");
    expected.push_back(ok(number, large));
    peer.ask(++number, "p", R"({"p":"/x","d":)" + std::to_string(round) + "}");
    expected.push_back(ok(number));
    peer.ask(++number, "g", R"({"p":"/x","q":{}})");
    expected.push_back(ok(number, std::to_string(round)));
  }
  for (const std::string& line : expected) {
    INFO(line.substr(0, 60));
    CHECK(peer.hear() == line);
  }
  CHECK(peer.socket->pauses_ > 0);
}

TEST_CASE("WireSocket: a message above the limit is refused, and the connection goes on", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  peer.ask(1, "p", R"({"p":"/x","d":")" + std::string(kMessageBytesMax, 'x') + R"("})");
  CHECK(
      peer.hear() ==
      R"({"t":"d","d":{"r":1,"b":{"s":"too_big","d":"Data to write exceeds the maximum size that can be modified with a single request."}}})");
  peer.ask(2, "g", R"({"p":"/x","q":{}})");
  CHECK(peer.hear() == ok(2, "null"));
}

TEST_CASE("WireSocket: what was asked counts until it is answered, and past the budget it is refused",
          "[wire][limits]") {
  // Keeps the shard's thread until it is let go.
  struct Hold final : db::Precondition {
    db::Result<void> check(const db::Moment&) const override {
      entered.set_value();
      let_go.get_future().wait();
      return {};
    }
    mutable std::promise<void> entered{}, let_go{};
  };
  constexpr size_t kBudget = 1'000'000, kLarge = 300'000;
  Server server;
  const auto budget = std::make_shared<http::HalfReceived>(kBudget, kBudget);
  Threads threads(server, budget);
  const auto hold = std::make_shared<Hold>();
  db::Write held;
  held.base = db::Path::parse("held").value();
  held.overwrites.push_back({held.base, db::Slot::Value, db::Value::integer(1)});
  held.access = hold;
  std::promise<void> written;
  server.database().write("demo", std::move(held), [&](const db::Answer&) { written.set_value(); });
  hold->entered.get_future().wait();

  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(std::make_unique<Peer>(threads, "/.ws?ns=demo"));
    peers.back()->hear();
    peers.back()->ask(1, "p", R"({"p":"/x","d":")" + std::string(kLarge, 'x') + R"("})");
    CHECK(budget->bytes() >= std::min(3, i + 1) * kLarge);
    CHECK(budget->bytes() <= kBudget);
  }
  peers.back()->ask(2, "p", R"({"p":"/y","d":1})");  // a small one is always taken
  CHECK(budget->refused(http::HalfReceived::Refusal::AllFull) == 2);
  hold->let_go.set_value();
  written.get_future().wait();
  for (int i = 0; i < 5; ++i) {
    CHECK(
        peers[static_cast<size_t>(i)]->hear() ==
        (i < 3
             ? ok(1)
             : R"({"t":"d","d":{"r":1,"b":{"s":"unavailable","d":"Too much waits to be done for clients at this moment; try again."}}})"));
  }
  CHECK(peers.back()->hear() == ok(2));
  for (int tries = 0; budget->bytes() > 0 && tries < 5'000; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(budget->bytes() == 0);
  peers.front()->ask(2, "p", R"({"p":"/x","d":")" + std::string(kLarge, 'y') + R"("})");
  CHECK(peers.front()->hear() == ok(2));
}

TEST_CASE("WireSocket: a client that asks faster than it is answered is held back, and loses nothing", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  const int count = static_cast<int>(kUnansweredMax) * 2;
  threads.run([&] {  // one turn of the loop: nothing is answered meanwhile
    for (int i = 1; i <= count; ++i) peer.socket->receive(Peer::request(i, "p", R"({"p":"/a","d":1})"));
  });
  CHECK(peer.socket->pauses_ > 0);
  for (int i = 1; i <= count; ++i) {
    const std::string heard = peer.hear();
    if (heard != ok(i)) FAIL(heard << " instead of " << ok(i));
  }
}

TEST_CASE("WireSocket: nothing more is taken for a client whose socket is full, until it drains", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  threads.run([&] { peer.socket->backlog_ = threads.with.backlog_bytes_pause + 1; });
  peer.ask(1, "p", R"({"p":"/a","d":1})");
  Client other(server);
  CHECK(other.answer("g", R"({"p":"/a","q":{}})") == Client::done("1"));  // it was written
  threads.run([&] {
    peer.socket->backlog_ = 0;
    peer.socket->send_text("drained");
    peer.socket->handler->on_drained();
  });
  CHECK(peer.hear() == "drained");
  CHECK(peer.hear() == ok(1));
}

TEST_CASE("WireSocket: a namespace that is not there is refused for good, and leaves no trace", "[wire]") {
  Server server(kClosed);
  Threads threads(server);
  for (const char* target : {"/.ws?v=5&ns=nowhere", "/.ws?v=5", "/.ws?v=5&ns=no%20name"}) {
    INFO(target);
    Peer peer(threads, target);
    CHECK(peer.hear().starts_with(R"({"t":"c","d":{"t":"s","d":")"));
    CHECK(peer.socket->wait_closed() == http::CloseCode::Policy);
    peer.ask(1, "s", "{}");  // falls on deaf ears
  }
  CHECK(server.guard().namespaces(rules::Auth::admin()).value().empty());
}

TEST_CASE("WireSocket: a second transport of a session that did not begin by polling is sent back to the first",
          "[wire]") {  // §10.4
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?v=5&ns=demo&s=abc");
  CHECK(peer.hear() == R"({"t":"c","d":{"t":"r","d":"127.0.0.1:9000"}})");
  CHECK(peer.socket->wait_closed() == http::CloseCode::Normal);
}

TEST_CASE("WireSocket: binary messages are not of this protocol", "[wire]") {
  Server server;
  Threads threads(server);
  Peer peer(threads, "/.ws?ns=demo");
  peer.hear();
  threads.run([&] { peer.socket->handler->on_message("{}", http::MessageKind::Binary); });
  CHECK(peer.socket->wait_closed() == http::CloseCode::Unsupported);
}

TEST_CASE("WireSocket: when the client goes, what it left is written", "[wire]") {
  Server server;
  Threads threads(server);
  Client watcher(server);
  CHECK(watcher.answer("q", R"({"p":"/online","h":""})") == Client::done("{}"));
  {
    Peer peer(threads, "/.ws?ns=demo");
    peer.hear();
    peer.ask(1, "o", R"({"p":"/online","d":false})");
    CHECK(peer.hear() == ok(1));
    peer.ask(2, "p", R"({"p":"/other","d":1})");  // its answer finds nobody
  }
  CHECK(watcher.hear() == Client::pushed("online", "false"));
}

TEST_CASE("WireSocket: a reconnect takes the session over, and the old connection is closed", "[wire]") {
  Server server;
  Threads threads(server);
  Peer old(threads, "/.ws?ns=demo");
  const std::string hello = old.hear();
  const size_t at = hello.find(R"("s":")") + 5;
  const std::string session = hello.substr(at, hello.find('"', at) - at);
  old.ask(1, "o", R"({"p":"/online","d":false})");
  CHECK(old.hear() == ok(1));
  Peer back(threads, "/.ws?ns=demo&ls=" + session);
  back.hear();
  back.ask(1, "g", R"({"p":"/online","q":{}})");
  CHECK(back.hear() == ok(1, "false"));
  CHECK(old.socket->wait_closed() == http::CloseCode::GoingAway);
}
