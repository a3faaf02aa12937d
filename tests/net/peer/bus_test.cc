#include "net/peer/bus.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <thread>

#include "tests/support/tls.h"

using namespace hearth::net::peer;
using namespace hearth::test;
using namespace std::chrono_literals;
namespace db = hearth::db;

namespace {

bool comes_true(const std::function<bool()>& is_so) {
  for (int i = 0; i < 2'000; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

struct Node {
  explicit Node(const std::string& name, PeerTls tls = {}, const std::string& secret = "secret",
                size_t queue_bytes_max = kBusQueueBytesMax) {
    PeerOptions options;
    options.address = "127.0.0.1:0";
    options.node = name;
    options.cluster = "c1";
    options.secret = secret;
    options.tls = std::move(tls);
    auto made = PeerDialer::make(options);
    INFO((made.ok() ? "" : made.error().message));
    REQUIRE(made.ok());
    dialer = std::move(made).value();
    auto opened = PeerPort::open(options, *dialer);
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    port = std::move(opened).value();
    bus = std::make_unique<PeerBus>(*port, *dialer, queue_bytes_max);
    bus->on_batch = [this](db::BusBatch batch) {
      if (is_slow) std::this_thread::sleep_for(20ms);
      const std::lock_guard lock(mutex);
      heard.push_back(std::move(batch));
    };
    bus->on_nudge = [this] { ++nudges; };
    bus->give_seed = [](uint32_t shard, const auto& take) -> db::Result<void> {
      if (shard == 9) return db::Error{db::ErrorCode::Unavailable, "it is half planted here"};
      for (int i = 0; i < 3; ++i) RETURN_IF_ERROR(take(std::string(1'000'000, static_cast<char>('a' + i))));
      return {};
    };
  }
  ~Node() {
    bus->stop();
    port->stop();
  }
  db::BusPeer peer(const std::string& name) const { return {name, port->address()}; }
  size_t count() {
    const std::lock_guard lock(mutex);
    return heard.size();
  }

  std::unique_ptr<PeerDialer> dialer;
  std::unique_ptr<PeerPort> port;
  std::mutex mutex;  // Guards heard.
  std::vector<db::BusBatch> heard;
  std::atomic<int> nudges{0};
  std::atomic<bool> is_slow{false};
  std::unique_ptr<PeerBus> bus;
};

db::BusBatch batch(uint64_t sequence, const std::string& bytes) {
  db::BusBatch made;
  made.shard = 5;
  made.at = {sequence, 3, std::string(db::kBatchIdBytes, 'i')};
  made.bytes = std::make_shared<const std::string>(bytes);
  return made;
}

void tell(Node& from, Node& to, const std::string& name) {
  from.bus->start();
  to.bus->start();
  from.bus->set_peers({to.peer(name)});
  REQUIRE(comes_true([&] { return from.bus->figures().peers[name].is_up; }));
}

}  // namespace

TEST_CASE("Bus: batches and nudges come as they were sent, in order", "[peer][bus]") {
  TestAuthority authority;
  const auto first = authority.issue("n1", "n1"), second = authority.issue("n2", "n2");
  for (const bool has_tls : {false, true}) {
    INFO(has_tls);
    Node n1("n1", has_tls ? PeerTls{first.certificate, first.key, ""} : PeerTls{});
    Node n2("n2", has_tls ? PeerTls{second.certificate, second.key, ""} : PeerTls{});
    tell(n1, n2, "n2");
    const std::string large(3'000'000, 'x');
    for (uint64_t i = 1; i <= 200; ++i) n1.bus->send(batch(i, i % 50 == 0 ? large : "bytes of " + std::to_string(i)));
    n1.bus->nudge();
    REQUIRE(comes_true([&] { return n2.count() == 200 && n2.nudges > 0; }));
    for (uint64_t i = 1; i <= 200; ++i) {
      const db::BusBatch& one = n2.heard[i - 1];
      CHECK(one.shard == 5);
      CHECK(one.at.sequence == i);
      CHECK(one.at.epoch == 3);
      CHECK(one.at.id == std::string(db::kBatchIdBytes, 'i'));
      CHECK(*one.bytes == (i % 50 == 0 ? large : "bytes of " + std::to_string(i)));
    }
  }
}

TEST_CASE("Bus: a peer that does not keep up loses the queue, and no more is held for it than its limit",
          "[peer][bus]") {
  constexpr size_t kMost = 1u << 20;
  Node n1("n1", {}, "secret", kMost);
  Node n2("n2");
  n2.is_slow = true;
  tell(n1, n2, "n2");
  uint64_t sent = 0;
  for (; sent < 400; ++sent) {
    n1.bus->send(batch(sent + 1, std::string(100'000, 'x')));
    CHECK(n1.bus->figures().peers["n2"].queued_bytes <= kMost);
  }
  CHECK(comes_true([&] { return n1.bus->figures().peers["n2"].dropped > 0; }));
  n2.is_slow = false;
  REQUIRE(comes_true([&] {
    const auto peer = n1.bus->figures().peers["n2"];
    return peer.sent + peer.dropped == sent && n2.count() == peer.sent;
  }));
  // And goes on afterwards.
  n1.bus->send(batch(sent + 1, "the next"));
  CHECK(comes_true([&] {
    const std::lock_guard lock(n2.mutex);
    return !n2.heard.empty() && *n2.heard.back().bytes == "the next";
  }));
}

TEST_CASE("Bus: a node that comes back is told again", "[peer][bus]") {
  Node n1("n1");
  auto n2 = std::make_unique<Node>("n2");
  tell(n1, *n2, "n2");
  n2.reset();
  CHECK(comes_true([&] { return !n1.bus->figures().peers["n2"].is_up; }));
  n1.bus->send(batch(1, "to nobody"));
  CHECK(n1.bus->figures().peers["n2"].dropped == 1);
  Node again("n2");
  again.bus->start();
  n1.bus->set_peers({again.peer("n2")});
  REQUIRE(comes_true([&] { return n1.bus->figures().peers["n2"].is_up; }));
  n1.bus->send(batch(2, "here you are"));
  CHECK(comes_true([&] { return again.count() == 1; }));
}

TEST_CASE("Bus: a shard is given whole, or it is said why not", "[peer][bus]") {
  Node n1("n1"), n2("n2");
  n1.bus->start();
  n2.bus->start();
  std::string all;
  const auto take = [&](std::string_view piece) {
    all += piece;
    return db::Result<void>();
  };
  REQUIRE(n1.bus->ask_seed(n2.peer("n2"), 5, take).ok());
  CHECK(all.size() == 3'000'000);
  CHECK(all.front() == 'a');
  CHECK(all.back() == 'c');
  const auto refused = n1.bus->ask_seed(n2.peer("n2"), 9, take);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "n2 says: it is half planted here");
  const auto given_up = n1.bus->ask_seed(n2.peer("n2"), 5, [](std::string_view) {
    return db::Result<void>(db::Error{db::ErrorCode::Io, "the disk is full"});
  });
  REQUIRE_FALSE(given_up.ok());
  CHECK(given_up.error().message == "the disk is full");
  CHECK_FALSE(n1.bus->ask_seed({"n7", "127.0.0.1:1"}, 5, take).ok());
}

TEST_CASE("Peer port: who does not know the secret, or is of another name, is refused; the rest of it goes on",
          "[peer][port]") {
  Node n1("n1"), n2("n2"), stranger("n3", {}, "another secret");
  n2.port->on("echo", [](PeerSocket socket, const std::string& rest) {
    (void)!write(socket.fd, rest.data(), rest.size());
    close(socket.fd);
  });
  CHECK(stranger.dialer->dial(n2.port->address(), "n2", "echo x").error().code == db::ErrorCode::PermissionDenied);
  CHECK_FALSE(n1.dialer->dial(n2.port->address(), "n9", "echo x").ok());
  CHECK_FALSE(n1.dialer->dial(n1.port->address(), "n1", "echo x").ok());  // itself
  CHECK_FALSE(n1.dialer->dial("127.0.0.1:1", "n2", "echo x").ok());
  CHECK_FALSE(n1.dialer->dial("nowhere", "n2", "echo x").ok());
  const auto echo = n1.dialer->dial(n2.port->address(), "n2", "echo hello");
  REQUIRE(echo.ok());
  char text[16] = {};
  CHECK(recv(echo.value().fd, text, sizeof text, MSG_WAITALL) == 5);
  CHECK(std::string(text) == "hello");
  close(echo.value().fd);
  // A purpose that nobody has taken.
  const auto unknown = n1.dialer->dial(n2.port->address(), "n2", "poetry");
  REQUIRE(unknown.ok());
  CHECK(recv(unknown.value().fd, text, sizeof text, 0) == 0);
  close(unknown.value().fd);
}

TEST_CASE("Peer port: a relayed connection is handed over with what was said behind the handshake", "[peer][port]") {
  TestAuthority authority;
  const auto first = authority.issue("n1", "n1"), second = authority.issue("n2", "n2");
  for (const bool has_tls : {false, true}) {
    INFO(has_tls);
    Node n1("n1", has_tls ? PeerTls{first.certificate, first.key, ""} : PeerTls{});
    Node n2("n2", has_tls ? PeerTls{second.certificate, second.key, ""} : PeerTls{});
    std::atomic<int> handed{-1};
    std::string early, from;
    n2.port->on_http([&](int fd, std::string said, std::string node) {
      early = std::move(said);
      from = std::move(node);
      handed = fd;
    });
    const auto dialed = n1.dialer->dial(n2.port->address(), "n2", "http");
    REQUIRE(dialed.ok());
    const std::string question = "GET /.json HTTP/1.1\r\n\r\n";
    REQUIRE(send(dialed.value().fd, question.data(), question.size(), 0) == static_cast<ssize_t>(question.size()));
    REQUIRE(comes_true([&] { return handed >= 0; }));
    CHECK(from == "n1");
    std::string heard = early;
    char text[256];
    while (heard.size() < question.size()) {
      const ssize_t got = recv(handed, text, sizeof text, 0);
      REQUIRE(got > 0);
      heard.append(text, static_cast<size_t>(got));
    }
    CHECK(heard == question);
    const std::string answer(200'000, 'z');
    std::thread answers([&] {
      size_t at = 0;
      while (at < answer.size()) {
        const ssize_t sent = send(handed, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<size_t>(sent);
      }
      close(handed);
    });
    std::string back;
    for (ssize_t got = 0; (got = recv(dialed.value().fd, text, sizeof text, 0)) > 0;) {
      back.append(text, static_cast<size_t>(got));
    }
    answers.join();
    CHECK(back == answer);  // all of it, and then its end
    close(dialed.value().fd);
  }
}

TEST_CASE("Peer port: with an authority only certificates that it has signed are believed", "[peer][port]") {
  TestAuthority ours, another;
  const auto first = ours.issue("n1", "n1"), second = ours.issue("n2", "n2"), foreign = another.issue("n3", "n3");
  Node n1("n1", {first.certificate, first.key, ours.file()});
  Node n2("n2", {second.certificate, second.key, ours.file()});
  Node n3("n3", {foreign.certificate, foreign.key, ""});
  n2.port->on("echo", [](PeerSocket socket, const std::string&) { close(socket.fd); });
  const auto dialed = n1.dialer->dial(n2.port->address(), "n2", "echo");
  CHECK(dialed.ok());
  if (dialed.ok()) close(dialed.value().fd);
  CHECK_FALSE(n3.dialer->dial(n2.port->address(), "n2", "echo").ok());  // its own certificate is nobody's
  CHECK_FALSE(n1.dialer->dial(n3.port->address(), "n3", "echo").ok());
}

TEST_CASE("Peer port: a key that has a password is refused, and nobody is asked for it", "[peer][port]") {
  TestAuthority authority;
  const auto files = authority.issue("localhost", "n1");
  PeerOptions options;
  options.address = "127.0.0.1:0";
  options.node = "n1";
  options.tls = {files.certificate, authority.locked_key("locked.key"), ""};
  const auto made = PeerDialer::make(options);
  REQUIRE_FALSE(made.ok());
  CHECK_THAT(made.error().message, Catch::Contains("locked.key") && Catch::Contains("it has a password"));
}

TEST_CASE("Peer port: plain text off this machine is refused, unless the network is trusted", "[peer][port]") {
  PeerOptions options;
  options.address = "0.0.0.0:0";
  options.node = "n1";
  options.cluster = "c1";
  options.secret = "secret";
  const auto dialer = PeerDialer::make(options).value();
  const auto refused = PeerPort::open(options, *dialer);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("--peer-plain") != std::string::npos);
  CHECK(dialer->dial("192.0.2.1:9100", "n2", "bus").error().code == db::ErrorCode::InvalidArgument);
  options.plain = true;
  CHECK(PeerPort::open(options, *dialer).ok());
  options.tls.certificate = "/nowhere.pem";
  CHECK_FALSE(PeerDialer::make(options).ok());  // without its key
  options.tls.key = "/nowhere.key";
  CHECK_FALSE(PeerDialer::make(options).ok());
}
