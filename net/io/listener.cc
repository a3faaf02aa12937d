// The port: accepts connections, gives each a home, and lets them all go at the end.
//
//   Door (IPv4) ─┐ accept4, up to 64 a turn        ┌─▶ begin() on thread 0 ─▶ Connection ─▶ a Protocol: HttpSession
//   Door (IPv6) ─┴─▶ hand_over: too many? whose? ──┼─▶ post ─▶ begin() on thread 1
//     both live on thread 0                        └─▶ …       round robin
//
// One thread accepts for all. Sharing the sockets among threads would wake all of them for each client, and accepting
// is cheap. Round robin is enough: connections are alike, and live long.
//
// Descriptors. A process has a limit of them, and the store needs some at any time: a database that cannot open a
// file is broken, a client that is refused comes back. So connections get all but a reserve. The kernel gives the
// lowest free number, hence the number of a new socket tells how many are in use, whoever has opened them. When the
// kernel itself has none left, accept4() would fail in a loop at full speed; the door rests for 100 ms instead.
//
// drain() ends in steps, each of which relies on the one before:
// - The doors close. From here on nobody new comes, but for tasks of hand_over() that are still in a mailbox.
// - Each thread tells its connections to leave, and remembers is_closing for those that a mailbox still holds.
// - We wait until all have gone, or `patience` is over.
// - Every thread answers once: its mailbox has been worked through, so no connection can begin any more.
// - What is left is cut, and counted down to 0. Then no protocol is called any more, and what protocols refer to may go.
#include "net/io/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/invariant.h"
#include "net/io/addresses.h"
#include "net/io/connection.h"
#include "net/io/half_received.h"
#include "net/io/hub.h"
#include "net/io/io_loop.h"
#include "net/io/log.h"
#include "net/io/repeats.h"

namespace hearth::net::http {
namespace {

constexpr int kAcceptsPerTurnMax = 64;
constexpr std::chrono::milliseconds kAcceptPause{100};         // when the system has no descriptors left
constexpr std::chrono::milliseconds kDescriptorsTold{10'000};  // between two log lines that say so
constexpr std::chrono::milliseconds kDrainStep{2};

constexpr std::string_view kTooManyConnections =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 39\r\n"
    "Retry-After: 10\r\nConnection: close\r\n\r\n{\n  \"error\" : \"Too many connections\"\n}\n";

// Makes the connection of `fd`. Runs on the thread that is to be its home. connection_count has been raised for it.
void begin(Hub& hub, size_t thread, Fd fd, const MakeProtocol& make_protocol, std::string_view heard = {}) {
  Hub::Thread& home = hub.threads[thread];
  IoLoop& loop = hub.io.loop(thread);
  if (home.is_closing) {
    hub.connection_count.fetch_sub(1);
    return;
  }
  const auto connection = std::make_shared<Connection>(hub, loop, std::move(fd));
  home.connections.insert(connection);
  home.counters.connections.store(home.connections.size(), std::memory_order_relaxed);
  Counters::add(home.counters.accepted);
  log(LogLevel::Debug, "connection opened", {{"connection", connection->id()}, {"peer", connection->peer().text()}});
  const auto protocol = make_protocol(*connection);
  connection->start(protocol);
  if (!heard.empty() && !connection->is_closed()) protocol->on_bytes(heard);
}

// One listening socket. Its home is the first io thread.
class Door : public Waiting {
 public:
  Door(std::shared_ptr<Hub> hub, BoundSocket&& bound)
      : hub_(std::move(hub)), loop_(hub_->io.loop(0)), socket_(std::move(bound.fd)) {}

  void wait() {
    if (socket_.get() >= 0 && !watch_.set(loop_, *this, socket_.get(), EPOLLIN)) rest();
  }

  void close() {
    socket_ = Fd();
    watch_.forget();
    pause_.cancel();
  }

  void on_ready(uint32_t) override {
    if (socket_.get() >= 0) accept();
  }

 private:
  void accept() {
    for (int count = 0; count < kAcceptsPerTurnMax; ++count) {
      Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.get() < 0) {
        const bool is_short = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
        if (is_short) {
          note_no_descriptors(std::strerror(errno));
          return rest();
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        continue;  // this client is gone already (ECONNABORTED and its like): the next one
      }
      hand_over(std::move(fd));
    }
  }

  void rest() {
    (void)watch_.set(loop_, *this, socket_.get(), 0);
    pause_ = loop_.schedule(kAcceptPause, [this] { wait(); });
  }

  void note_no_descriptors(std::string_view why) {
    Counters::add(hub_->threads[loop_.index()].counters.no_descriptors);
    if (const auto untold = told_.tell("")) {
      log(LogLevel::Warn, "no descriptors left for connections", {{"error", why}, {"times_before", *untold}});
    }
  }

  void hand_over(Fd fd) {
    const bool is_reserved = is_kept_for_files(fd);
    if (is_reserved) note_no_descriptors("the rest is kept for files");
    if (is_reserved || hub_->connection_count.load() >= hub_->limits.connections_max) {
      hub_->threads[loop_.index()].counters.reach(Limit::Connections);
      log(LogLevel::Debug, "connection refused", {{"reason", "too many"}});
      if (hub_->tls) return;  // a handshake would cost more than the refusal saves
      ::send(fd.get(), kTooManyConnections.data(), kTooManyConnections.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    // Raised before the connection exists, so that drain() waits for those in mailboxes too.
    hub_->connection_count.fetch_add(1);
    const size_t thread = hub_->next_thread++ % hub_->threads.size();
    if (thread == loop_.index()) return begin(*hub_, thread, std::move(fd), hub_->make_protocol);
    hub_->io.post(thread, [hub = hub_, thread, fd = std::make_shared<Fd>(std::move(fd))] {
      begin(*hub, thread, std::move(*fd), hub->make_protocol);
    });
  }

  const std::shared_ptr<Hub> hub_;
  IoLoop& loop_;
  Fd socket_;
  Watch watch_;
  Timer pause_;
  Repeats told_{kDescriptorsTold};
};

}  // namespace

struct Listener::Impl {
  std::shared_ptr<Hub> hub;
  std::vector<std::shared_ptr<Door>> doors;
  uint16_t port = 0;
  std::string url;
  bool is_drained = false;
};

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Listener::~Listener() { drain(std::chrono::milliseconds(0)); }

db::Result<std::unique_ptr<Listener>> Listener::open(IoPool& io, db::ThreadPool& workers, const Options& options,
                                                     MakeProtocol make_protocol) {
  auto impl = std::make_unique<Impl>();
  impl->hub = std::make_shared<Hub>(io, workers, options.limits, std::move(make_protocol), options.half_received);
  if (!options.tls.empty()) {
    ASSIGN_OR_RETURN(impl->hub->tls, TlsCertificate::load(options.tls));
  }
  for (const std::string& proxy : options.trusted_proxies) {
    ASSIGN_OR_RETURN(const IpNetwork network, IpNetwork::parse(proxy));
    impl->hub->trusted_proxies.push_back(network);
  }
  impl->hub->proxy_protocol = options.proxy_protocol;
  ASSIGN_OR_RETURN(Bound bound, bind_addresses(options.host, options.port));
  impl->port = bound.port;
  std::string host = options.host.empty() ? bound.sockets.front().address : options.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  impl->url = fmt::format("{}://{}:{}", impl->hub->tls ? "https" : "http", host, bound.port);
  for (BoundSocket& socket : bound.sockets) {
    impl->doors.push_back(std::make_shared<Door>(impl->hub, std::move(socket)));
    io.post(0, [door = impl->doors.back()] { door->wait(); });
  }
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

std::unique_ptr<Listener> Listener::without_port(IoPool& io, db::ThreadPool& workers, const Options& options,
                                                 MakeProtocol make_protocol) {
  auto impl = std::make_unique<Impl>();
  impl->hub = std::make_shared<Hub>(io, workers, options.limits, std::move(make_protocol), options.half_received);
  impl->hub->of_nodes = options.of_nodes;
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

void Listener::adopt(Adopted adopted) {
  const std::shared_ptr<Hub> hub = impl_->hub;
  const int flags = ::fcntl(adopted.socket.get(), F_GETFL);
  if (flags < 0 || ::fcntl(adopted.socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) return;
  if (hub->connection_count.fetch_add(1) >= hub->limits.connections_max) {
    hub->connection_count.fetch_sub(1);
    tell_of_limit(kLimitNames[static_cast<size_t>(Limit::Connections)]);
    return;
  }
  const size_t thread =
      adopted.thread != IoPool::kNone ? adopted.thread : hub->next_thread.fetch_add(1) % hub->threads.size();
  hub->io.post(thread, [hub, thread, adopted = std::make_shared<Adopted>(std::move(adopted))] {
    const MakeProtocol& make = adopted->make_protocol ? adopted->make_protocol : hub->make_protocol;
    begin(*hub, thread, std::move(adopted->socket), make, adopted->heard);
  });
}

uint16_t Listener::port() const { return impl_->port; }
std::string Listener::url() const { return impl_->url; }

db::Result<void> Listener::reload_certificate() { return impl_->hub->tls->reload(); }
std::string Listener::certificate_validity() const { return impl_->hub->tls->validity(); }

// Sums up the counters of all threads without stopping them: each figure is right, but they are not of one moment.
Stats Listener::stats() const {
  Stats stats;
  for (const Hub::Thread& thread : impl_->hub->threads) {
    const Counters& from = thread.counters;
    stats.connections += from.connections.load(std::memory_order_relaxed);
    stats.accepted += from.accepted.load(std::memory_order_relaxed);
    stats.requests += from.requests.load(std::memory_order_relaxed);
    stats.bad_requests += from.bad_requests.load(std::memory_order_relaxed);
    stats.websockets += from.websockets.load(std::memory_order_relaxed);
    stats.streams += from.streams.load(std::memory_order_relaxed);
    stats.bytes_in += from.bytes_in.load(std::memory_order_relaxed);
    stats.bytes_out += from.bytes_out.load(std::memory_order_relaxed);
    stats.sends += from.sends.load(std::memory_order_relaxed);
    stats.greeted += from.greeted.load(std::memory_order_relaxed);
    stats.bad_greetings += from.bad_greetings.load(std::memory_order_relaxed);
    stats.no_descriptors += from.no_descriptors.load(std::memory_order_relaxed);
    stats.requests_open += from.requests_open.load(std::memory_order_relaxed);
    stats.streams_open += from.streams_open.load(std::memory_order_relaxed);
    stats.websockets_open += from.websockets_open.load(std::memory_order_relaxed);
    stats.outbox_bytes += from.outbox_bytes.load(std::memory_order_relaxed);
    for (size_t limit = 0; limit < from.limits_reached.size(); ++limit) {
      stats.limits_reached[limit] += from.limits_reached[limit].load(std::memory_order_relaxed);
    }
    for (size_t method = 0; method < from.answers.size(); ++method) {
      for (size_t status = 0; status < kStatusClasses; ++status) {
        stats.answers[method][status] += from.answers[method][status].load(std::memory_order_relaxed);
      }
    }
  }
  const IoPool& io = impl_->hub->io;
  for (size_t thread = 0; thread < io.size(); ++thread) stats.longest_steps.push_back(io.longest_step(thread));
  const HalfReceived& half_received = *impl_->hub->half_received;
  stats.half_received_bytes = half_received.bytes();
  // The budget may be shared by several listeners and counts for itself, so its refusals are added here.
  const auto refused = [&](Limit limit, HalfReceived::Refusal refusal) {
    stats.limits_reached[static_cast<size_t>(limit)] += half_received.refused(refusal);
  };
  refused(Limit::PendingSize, HalfReceived::Refusal::AllFull);
  refused(Limit::PendingSizePerAddress, HalfReceived::Refusal::AddressFull);
  refused(Limit::ReceivePace, HalfReceived::Refusal::TooSlow);
  const auto reached = [&stats](Limit limit) { return stats.limits_reached[static_cast<size_t>(limit)]; };
  stats.refused = reached(Limit::Connections);
  for (const Limit limit : {Limit::Backlog, Limit::SendTime, Limit::Outbound, Limit::ReadTime})
    stats.slow_readers += reached(limit);
  return stats;
}

namespace {

// Goes from thread to thread with what has been seen so far; each looks at its own connections.
void look_from(const std::shared_ptr<Hub>& hub, size_t thread, std::vector<SeenConnection> seen,
               std::function<void(std::vector<SeenConnection>)> told) {
  if (thread == hub->threads.size()) return told(std::move(seen));
  hub->io.post(thread, [hub, thread, seen = std::move(seen), told = std::move(told)]() mutable {
    const auto now = std::chrono::steady_clock::now();
    size_t count = 0;
    for (const auto& connection : hub->threads[thread].connections) {
      if (count++ == kSeenConnectionsMax) break;
      seen.push_back({connection->id(), connection->peer().text(), connection->kind(),
                      std::chrono::duration_cast<std::chrono::seconds>(now - connection->opened_at()),
                      connection->backlog_bytes(), connection->is_secure()});
    }
    look_from(hub, thread + 1, std::move(seen), std::move(told));
  });
}

void cut_from(const std::shared_ptr<Hub>& hub, size_t thread, uint64_t number, std::function<void(bool)> told) {
  if (thread == hub->threads.size()) return told(false);
  hub->io.post(thread, [hub, thread, number, told = std::move(told)]() mutable {
    for (const auto& connection : hub->threads[thread].connections) {
      if (connection->id() != number) continue;
      const std::shared_ptr<Connection> cut = connection;  // closing it takes it out of the map
      cut->close();
      return told(true);
    }
    cut_from(hub, thread + 1, number, std::move(told));
  });
}

}  // namespace

void Listener::look(std::function<void(std::vector<SeenConnection>)> told) const {
  look_from(impl_->hub, 0, {}, std::move(told));
}

void Listener::cut(uint64_t number, std::function<void(bool)> told) const {
  cut_from(impl_->hub, 0, number, std::move(told));
}

void Listener::drain(std::chrono::milliseconds patience) {
  if (std::exchange(impl_->is_drained, true)) return;
  const std::shared_ptr<Hub> hub = impl_->hub;
  db::invariant(IoPool::current() == IoPool::kNone, "an io thread cannot wait for itself");
  const auto on_each_thread = [&hub](auto&& what) {
    for (size_t thread = 0; thread < hub->threads.size(); ++thread) {
      hub->io.post(thread, [hub, thread, what] {
        // A copy of the list: what is done to one connection may end another and change the map.
        std::vector<std::shared_ptr<Connection>> connections;
        for (const auto& connection : hub->threads[thread].connections) connections.push_back(connection);
        hub->threads[thread].is_closing = true;
        for (const auto& connection : connections) what(*connection);
      });
    }
  };

  hub->io.post(0, [doors = impl_->doors] {
    for (const auto& door : doors) door->close();
  });
  on_each_thread([](Connection& connection) { connection.leave(); });
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (hub->connection_count.load() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kDrainStep);
  }
  // Every thread answers once, so every begin() that was posted before has run, and found is_closing or is in the map.
  std::atomic<size_t> answers = 0;
  for (size_t thread = 0; thread < hub->threads.size(); ++thread) {
    hub->io.post(thread, [&answers] { answers.fetch_add(1); });
  }
  while (answers.load() < hub->threads.size()) std::this_thread::sleep_for(kDrainStep);
  on_each_thread([](Connection& connection) { connection.close(); });
  while (hub->connection_count.load() > 0) std::this_thread::sleep_for(kDrainStep);
}

}  // namespace hearth::net::http
