#include "net/server.h"

#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <utility>

#include "db/base/metrics.h"
#include "net/admin/metrics_page.h"
#include "net/auth/verifier.h"
#include "net/http/listener.h"
#include "net/rest/handler.h"
#include "net/wire/socket.h"
#include "rules/guard.h"

namespace hearth::net {
namespace {

http::Limits watch_limits() {
  http::Limits limits;
  limits.connections_max = kWatchConnectionsMax;
  limits.body_bytes_max = kWatchBodyBytesMax;
  return limits;
}

}  // namespace

struct Server::Parts {
  Parts(rules::Guard& guard, const Options& options)
      : patience(options.patience),
        io(options.io_threads),
        worker_count(options.workers),
        workers(options.workers),
        verifier(guard),
        rest(guard, verifier, io, workers, {.serialised = &serialised}),
        wire(guard, verifier, io, workers, &serialised),
        metrics({.guard = guard,
                 .verifier = verifier,
                 .workers = workers,
                 .traffic =
                     [this] {
                       const http::Listener* from = counting.load();
                       return from == nullptr ? http::Stats() : from->stats();
                     },
                 .serialised = serialised}) {}

  void handle(std::shared_ptr<http::Exchange> exchange) {
    if (wire.accept(exchange) || metrics.accept(exchange, admin::MetricsPage::For::Admins)) return;
    rest.handle(std::move(exchange));
  }

  void handle_watcher(std::shared_ptr<http::Exchange> exchange) {
    if (metrics.accept(exchange, admin::MetricsPage::For::Everyone)) return;
    if (admin::is_for(exchange->request(), "/.health")) return rest.handle(std::move(exchange));
    exchange->respond(http::error_response(404, "Only /.metrics and /.health are served here."));
  }

  // Waits until all workers have nothing left of what they were given before.
  void finish_work() {
    const auto all = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(worker_count) + 1);
    for (size_t i = 0; i < worker_count; ++i) workers.run([all] { all->arrive_and_wait(); });
    all->arrive_and_wait();
  }

  const std::chrono::milliseconds patience;
  http::IoPool io;
  const size_t worker_count;
  http::WorkerPool workers;
  Verifier verifier;
  db::Counter serialised;  // bodies of events
  RestHandler rest;
  wire::Acceptor wire;
  admin::MetricsPage metrics;
  std::unique_ptr<http::Listener> listener;
  std::unique_ptr<http::Listener> watch_listener;
  std::atomic<const http::Listener*> counting = nullptr;  // `listener`, once it is there
  uint16_t port = 0;
  std::string url;
  std::string watch_url;
  bool is_stopped = false;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(); }

db::Result<std::unique_ptr<Server>> Server::start(rules::Guard& guard, Options options) {
  std::unique_ptr<Server> server(new Server(std::make_unique<Parts>(guard, options)));
  Parts& parts = *server->parts_;
  parts.io.start();
  if (options.watch) {
    auto opened = http::Listener::open(parts.io, parts.workers,
                                       {std::move(options.watch->host), options.watch->port, watch_limits()},
                                       [&parts](auto exchange) { parts.handle_watcher(std::move(exchange)); });
    if (!opened.ok()) return db::Error{opened.error().code, "for metrics: " + opened.error().message};
    parts.watch_listener = std::move(opened).value();
    parts.watch_url = parts.watch_listener->url();
  }
  ASSIGN_OR_RETURN(parts.listener,
                   http::Listener::open(parts.io, parts.workers, {std::move(options.host), options.port, {}},
                                        [&parts](auto exchange) { parts.handle(std::move(exchange)); }));
  parts.port = parts.listener->port();
  parts.url = parts.listener->url();
  parts.counting = parts.listener.get();
  return server;
}

uint16_t Server::port() const { return parts_->port; }
std::string Server::url() const { return parts_->url; }
std::string Server::watch_url() const { return parts_->watch_url; }

void Server::stop() {
  if (std::exchange(parts_->is_stopped, true)) return;
  for (auto* listener : {&parts_->listener, &parts_->watch_listener}) {
    if (*listener != nullptr) (*listener)->drain(parts_->patience);
  }
  parts_->finish_work();
  // From here on nobody counts what the listener has counted.
  parts_->listener.reset();
  parts_->watch_listener.reset();
  parts_->io.stop();
  parts_->io.join();
  // From here on no io thread runs, and so nothing new begins. What workers still have may ask the guard.
  parts_->finish_work();
}

}  // namespace hearth::net
