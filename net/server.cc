#include "net/server.h"

#include <fmt/format.h>

#include <latch>
#include <utility>

#include "net/auth/verifier.h"
#include "net/http/listener.h"
#include "net/rest/handler.h"
#include "net/wire/socket.h"
#include "rules/guard.h"

namespace hearth::net {

struct Server::Parts {
  Parts(rules::Guard& guard, const Options& options)
      : patience(options.patience),
        io(options.io_threads),
        worker_count(options.workers),
        workers(options.workers),
        verifier(guard),
        rest(guard, verifier, io, workers),
        wire(guard, verifier, io, workers) {}

  void handle(std::shared_ptr<http::Exchange> exchange) {
    if (!wire.accept(exchange)) rest.handle(std::move(exchange));
  }

  const std::chrono::milliseconds patience;
  http::IoPool io;
  const size_t worker_count;
  http::WorkerPool workers;
  Verifier verifier;
  RestHandler rest;
  wire::Acceptor wire;
  std::unique_ptr<http::Listener> listener;
  uint16_t port = 0;
  std::string url;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(); }

db::Result<std::unique_ptr<Server>> Server::start(rules::Guard& guard, Options options) {
  auto parts = std::make_unique<Parts>(guard, options);
  parts->io.start();
  const auto handler = [all = parts.get()](std::shared_ptr<http::Exchange> exchange) {
    all->handle(std::move(exchange));
  };
  http::Listener::Options listening;
  listening.host = std::move(options.host);
  listening.port = options.port;
  listening.tls = {std::move(options.tls_certificate), std::move(options.tls_key)};
  listening.trusted_proxies = std::move(options.trusted_proxies);
  listening.proxy_protocol = options.proxy_protocol;
  ASSIGN_OR_RETURN(parts->listener, http::Listener::open(parts->io, parts->workers, listening, handler));
  parts->port = parts->listener->port();
  parts->url = parts->listener->url();
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

uint16_t Server::port() const { return parts_->port; }
std::string Server::url() const { return parts_->url; }

db::Result<void> Server::reload_certificate() { return parts_->listener->reload_certificate(); }
std::string Server::certificate_validity() const { return parts_->listener->certificate_validity(); }

void Server::stop() {
  if (parts_->listener == nullptr) return;
  parts_->listener->drain(parts_->patience);
  parts_->listener.reset();
  parts_->io.stop();
  parts_->io.join();
  // From here on no io thread runs, and so nothing new begins. What workers still have may ask the guard: when all of
  // them have come to this latch, they have nothing left.
  const auto all = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(parts_->worker_count) + 1);
  for (size_t i = 0; i < parts_->worker_count; ++i) parts_->workers.run([all] { all->arrive_and_wait(); });
  all->arrive_and_wait();
}

}  // namespace hearth::net
