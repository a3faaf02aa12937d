#include "net/server.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <latch>
#include <utility>

#include "net/auth/verifier.h"
#include "net/http/fetch.h"
#include "net/http/listener.h"
#include "net/http/origin.h"
#include "net/rest/handler.h"
#include "net/wire/acceptor.h"
#include "rules/guard.h"

namespace hearth::net {

namespace {

Verifier::Options verifier_options(AuthConfig config, size_t failed_logins_per_minute) {
  Verifier::Options options;
  options.failed_logins_per_minute = failed_logins_per_minute;
  options.config = std::move(config);
  options.fetch_url = [](const std::string& url, const std::atomic<bool>& stop) -> db::Result<Fetched> {
    ASSIGN_OR_RETURN(http::Document document, http::fetch(url, {kKeySetBytesMax, kFetchTimeMax}, stop));
    return Fetched{std::move(document.body), document.max_age};
  };
  options.on_fetched = [](const std::string& location, const std::string& failure) {
    if (failure.empty()) return spdlog::info("keys: {} is there again", location);
    spdlog::warn("keys: {}: {}; tokens are verified by the keys that are known", location, failure);
  };
  return options;
}

}  // namespace

struct Server::Parts {
  Parts(rules::Guard& guard, Options& options, http::OriginList allowed)
      : origins(std::move(allowed)),
        patience(options.patience),
        io(options.io_threads),
        worker_count(options.workers),
        workers(options.workers),
        verifier(guard, verifier_options(std::move(options.auth), options.failed_logins_per_minute)),
        rest(guard, verifier, io, workers),
        wire(guard, verifier, io, workers) {}

  void handle(std::shared_ptr<http::Exchange> exchange) {
    if (!origins.allows(exchange->request())) return refuse(*exchange);
    if (!wire.accept(exchange)) rest.handle(std::move(exchange));
  }

  // Without a word that would let the page read it.
  static void refuse(http::Exchange& exchange) {
    const std::string origin = http::origin_of(exchange.request());
    const bool has_name = !origin.empty() && origin != "null";
    http::Response reply = http::error_response(
        403, fmt::format("{} may not use this server; its operator allows pages with --allow-origin.",
                         has_name ? "A page of " + origin : "A page that does not say where it is from"));
    std::erase_if(reply.headers, [](const auto& header) { return header.first == "Access-Control-Allow-Origin"; });
    exchange.respond(std::move(reply));
  }

  const http::OriginList origins;
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
  ASSIGN_OR_RETURN(auto origins, http::OriginList::parse(options.origins));
  auto parts = std::make_unique<Parts>(guard, options, std::move(origins));
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

void Server::set_auth(AuthConfig auth) { parts_->verifier.replace(std::move(auth)); }

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
  parts_->verifier.replace({});  // whoever waits for a key is refused
  // From here on no io thread runs, and so nothing new begins. What workers still have may ask the guard: when all of
  // them have come to this latch, they have nothing left.
  const auto all = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(parts_->worker_count) + 1);
  for (size_t i = 0; i < parts_->worker_count; ++i) parts_->workers.run([all] { all->arrive_and_wait(); });
  all->arrive_and_wait();
  parts_->wire.close();
}

}  // namespace hearth::net
