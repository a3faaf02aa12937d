// The parts of a server, in the order in which they are built, and in reverse the order in which they may go.
//
//   origins ─▶ io, workers ─▶ half_received ─▶ verifier ─▶ api ─▶ rest, wire, supabase, yjs, webhooks ─▶ metrics, console, front ─▶
//   listeners
//                                                           │
//   a request: page allowed? ─▶ in a cluster: whose namespace? ─▶ another node's: relay
//                               └▶ whose path? (router.h) ─▶ wire | supabase | yjs | webhooks | metrics | api | console | front
//                                                         └─▶ rest: everything else, and what those leave to it
//
// Each part holds references to those before it, which is why Parts is one struct whose members are destroyed from
// the last to the first.
//
// stop() takes it apart in steps, so that when it returns nothing of this server asks the guard any more:
// - drain: no new connections; requests are answered, the rest is told goodbye, within `patience`.
// - finish_work: tasks that workers had may still post to io threads.
// - the admin API: answers that are still to come go nowhere, and nothing is sampled for charts.
// - webhooks: nothing is sent any more. What was under way is sent again by the next start.
// - the listeners go, then the io threads end: from here on nothing new can begin.
// - verifier.replace({}): requests that wait for a key are refused; their callbacks find no io thread and are
//   dropped.
// - finish_work once more, for what the last io tasks gave to workers. Long polls, which no connection stands for,
//   end last.
//
// In a cluster there is a relay, and connections of other nodes come by adopt(). They end behind the clients' own, and the
// relay's last.
//
// The watch port has limits of its own, so that a flood of clients cannot keep an operator from the metrics.
#include "net/server.h"

#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <utility>

#include "db/base/metrics.h"
#include "net/admin/api/api.h"
#include "net/admin/console.h"
#include "net/admin/front_page.h"
#include "net/admin/metrics_page.h"
#include "net/auth/verifier.h"
#include "net/http/origin.h"
#include "net/http/serve.h"
#include "net/io/half_received.h"
#include "net/io/log.h"
#include "net/outgoing/fetch.h"
#include "net/peer/relay.h"
#include "net/request_space.h"
#include "net/rest/handler.h"
#include "net/router.h"
#include "net/supabase/services.h"
#include "net/webhooks/api.h"
#include "net/webhooks/deliverer.h"
#include "net/wire/acceptor.h"
#include "net/yjs/acceptor.h"
#include "rules/guard.h"

namespace hearth::net {
namespace {

http::Limits watch_limits() {
  http::Limits limits;
  limits.connections_max = kWatchConnectionsMax;
  limits.body_bytes_max = kWatchBodyBytesMax;
  return limits;
}

// At most once in a while for each kind: an attack must not fill the disk with log lines.
void tell_of_slowed(Verifier::Slowed what, const std::string& address) {
  const bool guesses = what == Verifier::Slowed::Guessing;
  http::log_seldom(http::LogLevel::Warn, guesses ? "guessing" : "verifying",
                   guesses ? "an address sends wrong credentials; more of them are not looked at for a while"
                           : "an address sends more new tokens than it has time for; they are told to try again",
                   {{"peer", address}, {"flag", guesses ? "--failed-logins" : "--max-verify-time"}});
}

Verifier::Options verifier_options(AuthConfig config, const Server::Options& from) {
  Verifier::Options options;
  options.failed_logins_per_minute = from.failed_logins_per_minute;
  options.verify_time_max = from.verify_time_max;
  options.config = std::move(config);
  options.on_slowed = tell_of_slowed;
  options.on_unnamed_proxy = [](const std::string& address) {
    http::log(http::LogLevel::Warn,
              "many credentials are refused that come with X-Forwarded-For from an address that is no --trusted-proxy: "
              "if it is "
              "a proxy of yours, name it, for until then all of its clients count as one",
              {{"peer", address}, {"flag", "--trusted-proxy"}});
  };
  options.fetch_url = [](const std::string& url, const std::atomic<bool>& stop) -> db::Result<Fetched> {
    ASSIGN_OR_RETURN(http::Document document, http::fetch(url, {kKeySetBytesMax, kFetchTimeMax}, stop));
    return Fetched{std::move(document.body), document.max_age};
  };
  options.on_fetched = [](const std::string& location, const std::string& failure) {
    if (failure.empty()) return http::log(http::LogLevel::Info, "keys are there again", {{"from", location}});
    http::log(http::LogLevel::Warn, "keys cannot be had; tokens are verified by those that are known",
              {{"from", location}, {"reason", failure}});
  };
  return options;
}

constexpr size_t kRelayedHeadBytesMax = 2u << 10, kRelayedFieldsMax = 8;  // that nodes add (net/peer/relay_journey.cc)

uint64_t seconds_of(std::chrono::milliseconds time) {
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count());
}

admin::MetricsPage::Limits limits_of(const Server::Options& options) {
  const http::Limits& http = options.limits;
  return {{"connections", http.connections_max},
          {"connections_per_address", http.connections_per_address_max},
          {"request_rate", http.request_rate_max},
          {"head_time", seconds_of(http.head_time_max)},
          {"body_time", seconds_of(http.body_stall_max)},
          {"send_time", seconds_of(http.send_stall_max)},
          {"idle_time", seconds_of(http.idle_time_max)},
          {"body_size", http.body_bytes_max},
          {"pending_size", http.pending_bytes_max},
          {"pending_size_per_address", http.pending_bytes_per_address_max},
          {"receive_pace", http.receive_pace_min},
          {"backlog_size", http.backlog_bytes_max},
          {"outbound_size", http.outbound_bytes_max},
          {"read_time", seconds_of(http.long_body_time_max)},
          {"listeners", options.wire_limits.listeners_max},
          {"message_size", options.wire_limits.message_bytes_max},
          {"verify_time", static_cast<uint64_t>(options.verify_time_max.count())},
          {"failed_logins", options.failed_logins_per_minute}};
}

}  // namespace

struct Server::Parts {
  Parts(rules::Guard& guard, Options& options, http::OriginList allowed, std::unique_ptr<webhooks::Deliverer> hooks)
      : origins(std::move(allowed)),
        own(guard.dev() ? http::OriginList::Own::Here : http::OriginList::Own::Anywhere),
        patience(options.patience),
        io(options.io_threads),
        worker_count(options.workers),
        workers(options.workers),
        half_received(std::make_shared<http::HalfReceived>(options.limits.pending_bytes_max,
                                                           options.limits.pending_bytes_per_address_max)),
        verifier(guard, verifier_options(std::move(options.auth), options)),
        api({.guard = guard,
             .verifier = verifier,
             .io = io,
             .workers = workers,
             .listener = [this] { return counting.load(); },
             .from_nodes = [this] { return from_nodes.get(); },
             .cluster = options.cluster}),
        rest(guard, verifier, io, workers, {.serialised = &serialised, .desk = &api}),
        wire(guard, verifier, io, workers, &serialised, options.wire_limits, options.may_deflate, half_received,
             options.limits, options.nodes == nullptr ? std::string() : options.nodes->own_name()),
        supabase(guard, verifier, io, workers, options.wire_limits.message_bytes_max, options.may_deflate,
                 half_received),
        yjs(guard, verifier, io, workers, options.wire_limits.message_bytes_max, options.may_deflate, half_received),
        deliverer(std::move(hooks)),
        hook_api(guard, verifier, io, *deliverer),
        metrics({.guard = guard,
                 .verifier = verifier,
                 .workers = workers,
                 .traffic =
                     [this] {
                       const http::Listener* from = counting.load();
                       return from == nullptr ? http::Stats() : from->stats();
                     },
                 .wire =
                     [this] {
                       const auto polls = wire.poll_stats();
                       const auto& reached = wire.limits_reached();
                       return admin::MetricsPage::Wire{.polls_open = polls.open,
                                                       .polls_opened = polls.opened,
                                                       .polls_refused = reached.long_polls.value(),
                                                       .listens_refused = reached.listeners.value(),
                                                       .messages_refused = reached.message_size.value()};
                     },
                 .other_clients =
                     [this] {
                       const auto& channels = supabase.realtime_counts();
                       const auto& documents = yjs.counts();
                       return admin::MetricsPage::OtherClients{
                           .channels = static_cast<uint64_t>(channels.channels.value()),
                           .channels_joined = channels.joins.value(),
                           .channel_messages_refused = channels.refused_messages.value(),
                           .documents = static_cast<uint64_t>(documents.documents.value()),
                           .documents_refused = documents.refused.value()};
                     },
                 .webhooks =
                     [this] {
                       const auto& counts = deliverer->counts();
                       return admin::MetricsPage::Webhooks{
                           .hooks = counts.hooks,
                           .under_way = counts.under_way,
                           .delivered = counts.delivered.value(),
                           .failed = counts.failed.value(),
                           .dead = counts.dead.value(),
                           .missed = counts.missed.value(),
                           .dropped = counts.dropped.value(),
                           .waiting_since = std::chrono::milliseconds(counts.waiting_since)};
                     },
                 .backups = options.backups,
                 .cluster = options.cluster,
                 .relay = options.nodes == nullptr ? std::function<admin::MetricsPage::Relay()>()
                                                   : [this] { return relay_figures(); },
                 .limits = limits_of(options),
                 .serialised = serialised}),
        console(guard, workers, options.console),
        front(guard, verifier, workers, console.is_there()),
        guard(guard) {}

  void handle(std::shared_ptr<http::Exchange> exchange) {
    if (!origins.allows(exchange->request(), own)) return refuse(*exchange);
    if (relay != nullptr && goes_elsewhere(exchange)) return;
    serve(std::move(exchange));
  }

  // In a cluster. Names that cannot be are refused here as anywhere.
  bool goes_elsewhere(const std::shared_ptr<http::Exchange>& exchange) {
    RequestSpace asked = request_space(exchange->request());
    if (asked.of == RequestSpace::Of::Nobody) return false;
    if (asked.of == RequestSpace::Of::Node) return relay->take(exchange, {.node = std::move(asked.name)});
    auto name = guard.stored_name(asked.name);
    if (!name.ok()) return false;
    return relay->take(exchange, {.space = std::move(name).value(), .may_redirect = asked.is_sdk_socket});
  }

  // What clients may do, other nodes may for them; heads are a little longer by what those say of the clients.
  void join_cluster(peer::RelayNodes& nodes, const http::Limits& limits) {
    relay = std::make_unique<peer::Relay>(
        nodes, io, workers, limits,
        peer::Relay::Hooks{
            .serve = [this](auto exchange) { serve(std::move(exchange)); },
            .redirect = [this](const auto& exchange, const auto& host) { wire.redirect(exchange, host); }});
    http::Listener::Options adopting;
    adopting.limits = limits;
    adopting.limits.head_bytes_max += kRelayedHeadBytesMax;
    adopting.limits.header_fields_max += kRelayedFieldsMax;
    adopting.half_received = half_received;
    adopting.of_nodes = true;
    from_nodes = http::serve_adopted(io, workers, adopting, [this](auto exchange) { handle(std::move(exchange)); });
  }

  admin::MetricsPage::Relay relay_figures() const {
    const peer::RelayCounts& counts = relay->counts();
    return {.requests = counts.requests.value(),
            .sockets = counts.sockets.value(),
            .asked_again = counts.asked_again.value(),
            .redirected = counts.redirected.value(),
            .unowned = counts.unowned.value(),
            .unknown = counts.unknown.value(),
            .unsure = counts.unsure.value(),
            .cut = counts.cut.value(),
            .sockets_open = counts.sockets_open.value(),
            .waiting = counts.waiting.value(),
            .lines = relay->line_stats(),
            .from_nodes = from_nodes->stats()};
  }

  void serve(std::shared_ptr<http::Exchange> exchange) {
    switch (owner_of(exchange->request().target)) {
      case Owner::Wire:
        return wire.handle(exchange);
      case Owner::Supabase:
        return supabase.handle(exchange);
      case Owner::Yjs:
        return yjs.handle(exchange);
      case Owner::Webhooks:
        if (hook_api.accept(exchange)) return;
        break;
      case Owner::Metrics:
        if (metrics.accept(exchange, admin::MetricsPage::For::Admins)) return;
        break;
      case Owner::AdminApi:
        if (api.accept(exchange)) return;
        break;
      case Owner::Console:
        if (console.accept(exchange)) return;
        break;
      case Owner::FrontPage:
        if (front.accept(exchange)) return;
        break;
      case Owner::Rest:
        break;
    }
    rest.handle(std::move(exchange));
  }

  void handle_watcher(std::shared_ptr<http::Exchange> exchange) {
    if (metrics.accept(exchange, admin::MetricsPage::For::Everyone)) return;
    if (admin::is_for(exchange->request(), "/.health")) return rest.handle(std::move(exchange));
    exchange->respond(http::error_response(404, "Only /.metrics and /.health are served here."));
  }

  // Waits until the workers have done all that they were given before. Each of them stops at the latch, so the last
  // one to come proves that no other is still at an older task.
  void finish_work() {
    const auto all = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(worker_count) + 1);
    for (size_t i = 0; i < worker_count; ++i) workers.run([all] { all->arrive_and_wait(); });
    all->arrive_and_wait();
  }

  // Refuses a page. The header that would let the page read the answer is left out.
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
  const http::OriginList::Own own;
  const std::chrono::milliseconds patience;
  http::IoPool io;
  const size_t worker_count;
  db::ThreadPool workers;
  const std::shared_ptr<http::HalfReceived> half_received;
  Verifier verifier;
  db::Counter serialised;  // bodies of events
  admin::Api api;          // what REST hands over, too
  RestHandler rest;
  wire::Acceptor wire;
  supabase::Services supabase;
  yjs::Acceptor yjs;
  const std::unique_ptr<webhooks::Deliverer> deliverer;
  webhooks::Api hook_api;
  admin::MetricsPage metrics;
  const admin::Console console;
  const admin::FrontPage front;
  std::unique_ptr<http::Listener> listener;
  std::unique_ptr<http::Listener> watch_listener;
  std::unique_ptr<http::Listener> from_nodes;  // null without a cluster, as is the relay
  std::unique_ptr<peer::Relay> relay;
  rules::Guard& guard;
  std::atomic<const http::Listener*> counting = nullptr;  // `listener`, once it is there
  uint16_t port = 0;
  std::string url;
  std::string watch_url;
  bool is_stopped = false;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(); }

db::Result<std::unique_ptr<Server>> Server::start(rules::Guard& guard, Options options) {
  ASSIGN_OR_RETURN(auto origins, http::OriginList::parse(options.origins));
  ASSIGN_OR_RETURN(auto hooks, webhooks::Deliverer::open(guard, options.webhooks));
  std::unique_ptr<Server> server(
      new Server(std::make_unique<Parts>(guard, options, std::move(origins), std::move(hooks))));
  Parts& parts = *server->parts_;
  parts.io.start();
  if (options.watch) {
    http::Listener::Options watching;
    watching.host = std::move(options.watch->host);
    watching.port = options.watch->port;
    watching.limits = watch_limits();
    auto opened = http::serve(parts.io, parts.workers, watching,
                              [&parts](auto exchange) { parts.handle_watcher(std::move(exchange)); });
    if (!opened.ok()) return db::Error{opened.error().code, "for metrics: " + opened.error().message};
    parts.watch_listener = std::move(opened).value();
    parts.watch_url = parts.watch_listener->url();
  }
  http::Listener::Options listening;
  listening.host = std::move(options.host);
  listening.port = options.port;
  listening.limits = options.limits;
  listening.tls = {std::move(options.tls_certificate), std::move(options.tls_key)};
  listening.trusted_proxies = std::move(options.trusted_proxies);
  listening.proxy_protocol = options.proxy_protocol;
  listening.half_received = parts.half_received;
  if (options.nodes != nullptr) parts.join_cluster(*options.nodes, options.limits);
  const auto handle = [&parts](auto exchange) { parts.handle(std::move(exchange)); };
  ASSIGN_OR_RETURN(parts.listener, http::serve(parts.io, parts.workers, listening, handle, options.dev_hosts));
  parts.port = parts.listener->port();
  parts.url = parts.listener->url();
  parts.counting = parts.listener.get();
  RETURN_IF_ERROR(parts.deliverer->start());
  parts.api.chart().start(parts.io, parts.workers, [&parts, &guard] {
    const auto figures = guard.figures(rules::Auth::admin());
    return admin::ChartFigures{db::SystemClock().now(), figures.ok() ? figures.value().database : db::Figures(),
                               parts.counting.load()->stats(), admin::process_figures()};
  });
  return server;
}

void Server::set_auth(AuthConfig auth) { parts_->verifier.replace(std::move(auth)); }

void Server::adopt(int socket, std::string heard) {
  http::Fd fd(socket);
  if (parts_->from_nodes == nullptr) return;
  parts_->from_nodes->adopt({.socket = std::move(fd), .heard = std::move(heard)});
}

void Server::moved(std::function<bool(const std::string& space)> is_one) {
  parts_->deliverer->moved(std::move(is_one));
}

uint16_t Server::port() const { return parts_->port; }
std::string Server::url() const { return parts_->url; }
std::string Server::watch_url() const { return parts_->watch_url; }

db::Result<void> Server::reload_certificate() { return parts_->listener->reload_certificate(); }
std::string Server::certificate_validity() const { return parts_->listener->certificate_validity(); }

void Server::stop() {
  if (std::exchange(parts_->is_stopped, true)) return;
  parts_->api.chart().stop();
  for (auto* listener : {&parts_->listener, &parts_->watch_listener, &parts_->from_nodes}) {
    if (*listener != nullptr) (*listener)->drain(parts_->patience);
  }
  if (parts_->relay != nullptr) parts_->relay->drain(std::chrono::milliseconds(0));
  parts_->finish_work();
  parts_->hook_api.close();
  parts_->api.close();
  parts_->deliverer->stop();
  // From here on nobody counts what the listener has counted.
  parts_->listener.reset();
  parts_->watch_listener.reset();
  parts_->io.stop();
  parts_->io.join();
  parts_->verifier.replace({});  // requests that wait for a key are refused
  // No io thread runs any more, so nothing new begins. What workers still have may ask the guard.
  parts_->finish_work();
  parts_->wire.close();
}

}  // namespace hearth::net
