// REST over a real database and real sockets: everything that a server has, but the Firebase protocol. Thread: one.
#pragma once

#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "db/host.h"
#include "net/admin/api/api.h"
#include "net/auth/verifier.h"
#include "net/http/serve.h"
#include "net/rest/handler.h"
#include "rules/guard.h"
#include "tests/support/ask.h"
#include "tests/support/tcp_client.h"
#include "tests/support/temp_folder.h"

namespace hearth::test {

inline constexpr std::string_view kSecret = "a-secret-of-some-length";

class RestServer {
 public:
  enum class Mode { Dev, Closed };
  explicit RestServer(Mode mode = Mode::Dev, std::chrono::milliseconds keep_alive = std::chrono::seconds(30),
                      net::Verifier::Options auth = {}, const db::Clock* clock = nullptr) {
    db::Database::Options options;
    options.folder = folder_.path() + "/data";
    options.clock = clock;
    database = db::Host::open(std::move(options)).value();
    if (mode == Mode::Closed) static_cast<void>(database->create("default").ok());
    rules::Guard::Options guard_options;
    guard_options.dev = mode == Mode::Dev;
    guard_options.admin_secret = kSecret;
    guard_options.default_namespace = "default";
    guard.emplace(*database, std::move(guard_options));
    verifier_.emplace(*guard, std::move(auth));
    desk_.emplace(net::admin::Api::Sources{.guard = *guard,
                                           .verifier = *verifier_,
                                           .io = io_,
                                           .workers = workers_,
                                           .listener = [] { return nullptr; },
                                           .from_nodes = [] { return nullptr; }});
    handler_.emplace(*guard, *verifier_, io_, workers_,
                     RestHandler::Options{.clock = nullptr, .keep_alive = keep_alive, .desk = &*desk_});
    io_.start();
    listener_ = net::http::serve(io_, workers_, {}, [this](std::shared_ptr<net::http::Exchange> exchange) {
                  handler_->handle(std::move(exchange));
                }).value();
  }
  ~RestServer() { stop(); }
  RestServer(const RestServer&) = delete;
  RestServer& operator=(const RestServer&) = delete;

  void stop() {
    if (listener_ == nullptr) return;
    listener_->drain(std::chrono::milliseconds(200));
    listener_.reset();
    io_.stop();
    io_.join();
    const auto all = std::make_shared<std::latch>(kWorkers + 1);  // as net::Server: until workers have nothing left
    for (int i = 0; i < kWorkers; ++i) workers_.run([all] { all->arrive_and_wait(); });
    all->arrive_and_wait();
    handler_.reset();
  }

  uint16_t port() const { return listener_->port(); }

  // On a connection of its own.
  HttpReply ask(const Ask& what) const {
    TcpClient client(port());
    client.send(text_of(what));
    return client.read_reply(what.method == "HEAD" ? TcpClient::Body::None : TcpClient::Body::Expected);
  }
  HttpReply get(const std::string& target, const std::string& headers = "") const {
    return ask({.target = target, .headers = headers});
  }
  HttpReply put(const std::string& target, const std::string& body, const std::string& headers = "") const {
    return ask({.method = "PUT", .target = target, .headers = headers, .body = body});
  }

 private:
  static constexpr int kWorkers = 2;
  using IoPool = net::http::IoPool;
  using RestHandler = net::RestHandler;
  TempFolder folder_;

 public:
  std::unique_ptr<db::Host> database;
  std::optional<rules::Guard> guard;

 private:
  IoPool io_{2};
  db::ThreadPool workers_{kWorkers};
  std::optional<net::Verifier> verifier_;
  std::optional<net::admin::Api> desk_;
  std::optional<RestHandler> handler_;
  std::unique_ptr<net::http::Listener> listener_;
};

}  // namespace hearth::test
