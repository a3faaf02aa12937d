// What the published client's test cannot say, and what sanitizers shall see: large answers, many at once, and a server
// that ends.
#include "net/supabase/rows_handler.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <latch>
#include <thread>

#include "db/host.h"
#include "db/model/json.h"
#include "net/http/serve.h"
#include "net/io/half_received.h"
#include "net/router.h"
#include "net/supabase/services.h"
#include "tests/support/ask.h"
#include "tests/support/http_client.h"
#include "tests/support/tcp_client.h"
#include "tests/support/temp_folder.h"

namespace db = hearth::db;
namespace rules = hearth::rules;
namespace net = hearth::net;
using namespace hearth::test;

namespace {

class RowsServer {
 public:
  RowsServer() {
    db::Database::Options options;
    options.folder = folder_.path() + "/data";
    options.sync = db::SyncMode::Os;
    database_ = db::Host::open(std::move(options)).value();
    rules::Guard::Options guard_options;
    guard_options.dev = true;
    guard_options.default_namespace = "default";
    guard_.emplace(*database_, std::move(guard_options));
    verifier_.emplace(*guard_, net::Verifier::Options());
    services_.emplace(*guard_, *verifier_, io_, workers_, size_t{1} << 20, false,
                      std::make_shared<net::http::HalfReceived>(size_t{64} << 20, size_t{64} << 20));
    io_.start();
    listener_ = net::http::serve(io_, workers_, {}, [this](std::shared_ptr<net::http::Exchange> exchange) {
                  if (net::owner_of(exchange->request().target) == net::Owner::Supabase)
                    return services_->handle(exchange);
                  exchange->respond(net::http::error_response(404, "not rows"));
                }).value();
  }
  ~RowsServer() { stop(); }
  RowsServer(const RowsServer&) = delete;
  RowsServer& operator=(const RowsServer&) = delete;

  void stop() {
    if (listener_ == nullptr) return;
    listener_->drain(std::chrono::milliseconds(200));
    listener_.reset();
    io_.stop();
    io_.join();
    const auto all = std::make_shared<std::latch>(kWorkers + 1);
    for (int i = 0; i < kWorkers; ++i) workers_.run([all] { all->arrive_and_wait(); });
    all->arrive_and_wait();
    services_.reset();
  }

  HttpReply ask(const Ask& what) const {
    TcpClient client(listener_->port());
    client.send(text_of(what));
    return client.read_reply(what.method == "HEAD" ? TcpClient::Body::None : TcpClient::Body::Expected);
  }
  uint16_t port() const { return listener_->port(); }
  uint64_t hops() const { return services_->fence().hops(); }

 private:
  static constexpr int kWorkers = 2;
  TempFolder folder_;
  std::unique_ptr<db::Host> database_;
  std::optional<rules::Guard> guard_;
  net::http::IoPool io_{2};
  db::ThreadPool workers_{kWorkers};
  std::optional<net::Verifier> verifier_;
  std::optional<net::supabase::Services> services_;
  std::unique_ptr<net::http::Listener> listener_;
};

const std::string kJson = "Content-Type: application/json\r\n";

}  // namespace

TEST_CASE("rows: what is for others is left to them", "[net][supabase]") {
  const RowsServer server;
  CHECK(server.ask({.target = "/rest/v1/t.json"}).body.find("not rows") != std::string::npos);
  CHECK(server.ask({.target = "/t"}).body.find("not rows") != std::string::npos);
  const HttpReply bad = server.ask({.target = "/rest/v1/t?n=%zz"});
  CHECK(bad.status == 400);
  CHECK(bad.body.find("\"code\"") != std::string::npos);
  CHECK(server.ask({.target = "/ns/BAD.NAME/rest/v1/t"}).body.find("\"code\"") != std::string::npos);
}

TEST_CASE("rows: large bodies are parsed and large answers told by workers, in pieces", "[net][supabase]") {
  const RowsServer server;
  std::string body = "[";
  for (int i = 0; i < 3'000; ++i) {
    body += (i > 0 ? ",{\"id\":\"k" : "{\"id\":\"k") + std::to_string(i) + R"(","text":")" + std::string(1'000, 'x') +
            "\"}";
  }
  const HttpReply made = server.ask({.method = "POST",
                                     .target = "/rest/v1/t?select=id",
                                     .headers = kJson + "Prefer: return=representation\r\n",
                                     .body = body + "]"});
  CHECK(made.status == 201);
  CHECK(made.body.starts_with(R"([{"id":"k0"},{"id":"k1"})"));
  const HttpReply read = server.ask({.target = "/rest/v1/t", .headers = "Prefer: count=exact\r\n"});
  CHECK(read.status == 200);
  CHECK(read.header("Content-Range") == "0-2999/3000");
  CHECK(read.body.size() > 3'000'000);
  CHECK(db::JsonDocument::parse(read.body).value().root().elements().size() == 3'000);
  CHECK(server.ask({.method = "HEAD", .target = "/rest/v1/t?limit=10", .headers = "Prefer: count=exact\r\n"})
            .header("Content-Range") == "0-9/3000");
}

TEST_CASE("rows: of many that change a row on a condition, each that is told so has changed it", "[net][supabase]") {
  const RowsServer server;
  REQUIRE(
      server.ask({.method = "POST", .target = "/rest/v1/t", .headers = kJson, .body = R"({"id":"a","n":0})"}).status ==
      201);
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int won = 0; won < 5;) {
        const HttpReply current = server.ask({.target = "/rest/v1/t?id=eq.a&select=n"});
        const int n = std::atoi(current.body.c_str() + 6);  // [{"n":
        const HttpReply set = server.ask({.method = "PATCH",
                                          .target = "/rest/v1/t?id=eq.a&n=eq." + std::to_string(n),
                                          .headers = kJson + "Prefer: return=representation\r\n",
                                          .body = "{\"n\":" + std::to_string(n + 1) + "}"});
        if (set.status != 200) {
          ++failures;
          return;
        }
        if (set.body != "[]") ++won;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(server.ask({.target = "/rest/v1/t?select=n"}).body == "[{\"n\":40}]");
}

TEST_CASE("rows: a server that ends lets nothing dangle", "[net][supabase]") {
  RowsServer server;
  std::vector<std::thread> threads;
  std::atomic<int> sent = 0;
  std::vector<std::unique_ptr<TcpClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(std::make_unique<TcpClient>(server.port()));
  for (const auto& one : clients) {
    threads.emplace_back([&sent, &client = *one] {
      for (int j = 0; j < 200; ++j) {
        client.try_send(text_of({.method = "POST", .target = "/rest/v1/t", .headers = kJson, .body = "{\"n\":1}"}) +
                        text_of({.target = "/rest/v1/t?n=gt.0&order=n"}));
        ++sent;
      }
    });
  }
  while (sent < 40) std::this_thread::yield();
  server.stop();
  for (std::thread& thread : threads) thread.join();
  SUCCEED();
}

namespace {

// A connection that inserts rows, one after the other.
class Writer {
 public:
  explicit Writer(const RowsServer& server) : client_(server.port()) {}
  int insert(const std::string& key) {
    const std::string body = R"({"n":1,"id":")" + key + "\"}";
    client_.send("POST /rest/v1/t HTTP/1.1\r\nHost: localhost\r\n" + kJson +
                 "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client_.read_reply().status;
  }

 private:
  TcpClient client_;
};

// A channel that hears of all rows.
class Listener {
 public:
  explicit Listener(const RowsServer& server) : client_(server.port()) {
    client_.send(
        "GET /realtime/v1/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: "
        "Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    client_.read_until("\r\n\r\n");
    client_.send(HttpClient::frame(
        1, R"(["1","1","realtime:x","phx_join",{"config":{"postgres_changes":[{"event":"*","table":"t"}]}}])"));
    for (int i = 0; i < 2; ++i) (void)next();  // the reply, and "subscribed"
  }
  bool has_heard() { return !client_.is_silent_for(std::chrono::milliseconds(0)); }
  std::string next() {
    const std::string head = client_.read(2);
    size_t size = static_cast<uint8_t>(head[1]);
    if (size == 126) {
      const std::string more = client_.read(2);
      size = size_t{static_cast<uint8_t>(more[0])} << 8 | static_cast<uint8_t>(more[1]);
    }
    return client_.read(size);
  }

 private:
  TcpClient client_;
};

}  // namespace

// What is looked at is whether the change is there to be read when the answer is. On loopback the kernel hands over what
// is sent within the send, so nearly always that is the order in which it was sent; but for a core that defers this.
TEST_CASE("rows: a change is sent before the answer to its write, also by another io thread", "[net][supabase]") {
  const RowsServer server;
  Writer alone(server);
  CHECK(alone.insert("alone") == 201);
  CHECK(server.hops() == 0);  // nobody listens
  Listener listener(server);
  // Of a few connections one has another thread than the listener's.
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < 16 && server.hops() == 0; ++i) {
    writers.push_back(std::make_unique<Writer>(server));
    CHECK(writers.back()->insert("first" + std::to_string(i)) == 201);
    CHECK(listener.next().find("first") != std::string::npos);
  }
  REQUIRE(server.hops() == 1);
  constexpr int kWrites = 2'000;
  int late = 0, failed = 0, wrong = 0;
  for (int i = 0; i < kWrites; ++i) {
    if (writers.back()->insert("k" + std::to_string(i)) != 201) ++failed;
    if (!listener.has_heard()) ++late;
    if (listener.next().find("\"k" + std::to_string(i) + "\"") == std::string::npos) ++wrong;
  }
  CHECK(failed == 0);
  CHECK(wrong == 0);
  CHECK(late <= kWrites / 100);
  CHECK(server.hops() == 1 + kWrites);
}
