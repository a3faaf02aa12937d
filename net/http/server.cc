#include "net/http/server.h"

#include <condition_variable>
#include <mutex>

#include "net/http/beast.h"
#include "net/http/connection.h"

namespace hearth::net::http {

struct Server::Acceptors {
  std::vector<tcp::acceptor> all;
  uint16_t port = 0;
};

Server::Server(IoPool& io, WorkerPool& workers, Options options, Handler handler)
    : options_(std::move(options)), core_{io, workers, options_.limits, std::move(handler)}, acceptors_(std::make_unique<Acceptors>()) {}

Server::~Server() { stop(); }

uint16_t Server::port() const { return acceptors_->port; }

db::Result<void> Server::start() {
  const bool by_default = options_.hosts.empty();
  const std::vector<std::string> hosts = by_default ? std::vector<std::string>{"127.0.0.1", "::1"} : options_.hosts;
  asio::io_context& io = core_.io.loop(0).io;
  constexpr int kTriesForBoth = 20;  // a port free at the first address may be taken at the second
  for (int attempt = 0;; ++attempt) {
    acceptors_->all.clear();
    acceptors_->port = options_.port;
    SystemError failed;
    std::string failed_at;
    for (size_t i = 0; i < hosts.size() && !failed; ++i) {
      asio::ip::tcp::resolver resolver(io);
      const auto found = resolver.resolve(hosts[i], std::to_string(acceptors_->port), tcp::resolver::passive, failed);
      failed_at = hosts[i];
      if (failed) break;
      const tcp::endpoint endpoint = found.begin()->endpoint();
      tcp::acceptor acceptor(io);
      acceptor.open(endpoint.protocol(), failed);
      if (!failed && endpoint.protocol() == tcp::v6()) acceptor.set_option(asio::ip::v6_only(true), failed);
      if (!failed) acceptor.set_option(tcp::acceptor::reuse_address(true), failed);
      if (!failed) acceptor.bind(endpoint, failed);
      if (!failed) acceptor.listen(asio::socket_base::max_listen_connections, failed);
      const bool no_ipv6 = failed == asio::error::address_family_not_supported ||
                           failed == boost::system::errc::address_not_available ||
                           failed == boost::system::errc::address_family_not_supported;
      if (by_default && i > 0 && no_ipv6) {
        failed = {};
        continue;
      }
      if (failed) break;
      acceptors_->port = acceptor.local_endpoint().port();
      acceptors_->all.push_back(std::move(acceptor));
    }
    if (!failed) break;
    if (options_.port == 0 && failed == asio::error::address_in_use && attempt < kTriesForBoth) continue;
    const std::string where = failed_at + ", port " + std::to_string(options_.port);
    if (failed == asio::error::address_in_use) {
      return db::Error{db::ErrorCode::Unavailable, "cannot listen on " + where + ": another program has it; stop that one or choose another port with --port"};
    }
    return db::Error{db::ErrorCode::Unavailable, "cannot listen on " + where + ": " + failed.message()};
  }
  for (size_t i = 0; i < acceptors_->all.size(); ++i) accept(i);
  return {};
}

void Server::accept(size_t which) {
  IoPool::Loop& loop = core_.io.loop(next_loop_++ % core_.io.size());
  tcp::acceptor& acceptor = acceptors_->all[which];
  acceptor.async_accept(loop.io, [this, which, &loop](SystemError failed, tcp::socket socket) {
    if (failed == asio::error::operation_aborted) return;
    if (failed) {  // out of descriptors, most likely: what is open must go on, so try again a little later
      return core_.io.after(0, std::chrono::milliseconds(100), [this, which] {
        if (!stopped_) accept(which);
      });
    }
    loop.post([this, &loop, taken = std::make_shared<tcp::socket>(std::move(socket))] {
      std::make_shared<Connection>(core_, loop, std::move(*taken))->start();
    });
    accept(which);
  });
}

void Server::stop() {
  if (stopped_) return;
  stopped_ = true;
  // The acceptors live on the first loop.
  core_.io.post(0, [this] {
    for (tcp::acceptor& acceptor : acceptors_->all) {
      SystemError ignored;
      acceptor.close(ignored);
    }
  });
  const auto on_each_loop = [this](void (Connection::*what)()) {
    std::mutex mutex;
    std::condition_variable done;
    size_t left = core_.io.size();
    for (size_t i = 0; i < core_.io.size(); ++i) {
      core_.io.post(i, [&, i] {
        const auto members = core_.io.loop(i).members;
        for (Flushable* member : members) {
          if (!core_.io.loop(i).members.contains(member)) continue;
          auto* connection = dynamic_cast<Connection*>(member);
          if (connection != nullptr && &connection->core() == &core_) (connection->shared_from_this().get()->*what)();
        }
        const std::lock_guard lock(mutex);
        --left;
        done.notify_one();
      });
    }
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return left == 0; });
  };
  on_each_loop(&Connection::drain);
  const auto deadline = std::chrono::steady_clock::now() + core_.limits.drain_timeout;
  while (core_.connections > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  on_each_loop(&Connection::abort);
}

}  // namespace hearth::net::http
