// Sockets that block, and a thread for each handshake: nodes are few, and connections between them live long. Those of relayed
// clients come and go, but are handed on at once; what stays on a thread here is a bus per node, and a seed now and then. An
// event loop would spare some threads, and would have the handshake, the bus and the seeds written inside out.
#include "net/peer/peer_port.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "db/base/text.h"
#include "net/io/addresses.h"
#include "net/io/ip_address.h"
#include "net/io/log.h"
#include "net/peer/handshake.h"
#include "net/peer/tls_pump.h"

namespace hearth::net::peer {
namespace {

using db::Error;
using db::ErrorCode;
using http::Fd;
using http::log_seldom;
using http::LogLevel;
using Clock = std::chrono::steady_clock;

constexpr size_t kChannelBytes = 32;
constexpr std::string_view kChannelLabel = "EXPORTER-hearth-peer";

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// "10.0.0.1:9100", "[::1]:9100", "n2.example:9100".
db::Result<HostPort> parse_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  std::optional<uint64_t> port;
  if (colon != std::string::npos) port = db::whole_number(std::string_view(text).substr(colon + 1));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (!port || *port > 65'535 || host.empty()) {
    return Error{ErrorCode::InvalidArgument, fmt::format("'{}' is no HOST:PORT of a node.", text)};
  }
  return HostPort{host, static_cast<uint16_t>(*port)};
}

Error plain_refused(const std::string& address) {
  return {
      ErrorCode::InvalidArgument,
      fmt::format("{} is no address of this machine alone, and without TLS everybody on the way could read what the "
                  "nodes tell each other: give --peer-tls-cert and --peer-tls-key, or --peer-plain where the network "
                  "is trusted.",
                  address)};
}

void set_time(int fd, Clock::time_point until) {
  const auto left = std::max(std::chrono::duration_cast<std::chrono::microseconds>(until - Clock::now()),
                             std::chrono::microseconds(1'000));
  timeval time{};
  time.tv_sec = left.count() / 1'000'000;
  time.tv_usec = left.count() % 1'000'000;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

void settle_socket(int fd) {
  const timeval none{};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
}

void prepare_socket(int fd) {
  const int on = 1, idle = 5, interval = 2, count = 3;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A machine that vanished says nothing; whoever reads from it must hear so some day.
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

Error unreachable(const std::string& address, std::string_view why) {
  return {ErrorCode::Unavailable, fmt::format("The node at {} is not to be reached: {}.", address, why)};
}

db::Result<Fd> connect_to(const std::string& address, const HostPort& to, Clock::time_point until) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (const int failed = getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &list); failed != 0) {
    return unreachable(address, gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(list, freeaddrinfo);
  std::string why = "it has no address";
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    Fd fd(socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd.get() < 0) return unreachable(address, std::strerror(errno));
    set_time(fd.get(), until);  // of connect() too
    if (connect(fd.get(), at->ai_addr, at->ai_addrlen) == 0) {
      prepare_socket(fd.get());
      return fd;
    }
    why = errno == EINPROGRESS || errno == EAGAIN ? "it does not answer" : std::strerror(errno);
  }
  return unreachable(address, why);
}

// A connection on its way through the handshake, with TLS or without.
class Wire {
 public:
  Wire(Fd fd, SSL_CTX* context) : fd_(std::move(fd)), session_(context == nullptr ? nullptr : SSL_new(context)) {
    if (session_ != nullptr) SSL_set_fd(session_, fd_.get());
  }
  ~Wire() { SSL_free(session_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Both ends' TLS, if there is any. "" in the value: none. Errors: PermissionDenied.
  db::Result<std::string> begin(bool accepts) {
    if (session_ == nullptr) return std::string();
    ERR_clear_error();
    if ((accepts ? SSL_accept(session_) : SSL_connect(session_)) != 1) {
      const unsigned long code = ERR_peek_error();
      const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
      ERR_clear_error();
      return Error{ErrorCode::PermissionDenied, fmt::format("TLS between the nodes does not come about: {}.",
                                                            reason == nullptr ? "the other end has hung up" : reason)};
    }
    std::string channel(kChannelBytes, '\0');
    SSL_export_keying_material(session_, reinterpret_cast<unsigned char*>(channel.data()), channel.size(),
                               kChannelLabel.data(), kChannelLabel.size(), nullptr, 0, 0);
    return channel;
  }
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      size_t count = 0;
      if (session_ != nullptr) {
        if (SSL_write_ex(session_, bytes.data(), bytes.size(), &count) != 1) return false;
      } else {
        const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        count = static_cast<size_t>(sent);
      }
      bytes.remove_prefix(count);
    }
    return true;
  }
  std::optional<std::string_view> read(std::array<char, 4096>& to) {
    size_t count = 0;
    if (session_ != nullptr) {
      if (SSL_read_ex(session_, to.data(), to.size(), &count) != 1) return {};
    } else {
      const ssize_t got = recv(fd_.get(), to.data(), to.size(), 0);
      if (got <= 0) return {};
      count = static_cast<size_t>(got);
    }
    return std::string_view(to.data(), count);
  }
  int fd() const { return fd_.get(); }
  // The socket of plain bytes for whoever gets it.
  db::Result<int> release(TlsPump* pump) {
    settle_socket(fd_.get());
    if (session_ == nullptr) return fd_.release();
    return pump->take(std::exchange(session_, nullptr), fd_.release());
  }

 private:
  Fd fd_;
  SSL* session_;
};

struct Done {
  PeerSocket socket;
  std::string purpose;
};

db::Result<Done> shake_hands(Wire& wire, Handshake handshake, Clock::time_point until, TlsPump* pump) {
  std::array<char, 4096> buffer;
  std::string early;
  while (true) {
    const std::string unsent = handshake.take_unsent();
    if (!unsent.empty() && !wire.write(unsent)) {
      return Error{ErrorCode::Unavailable, "the other end has hung up within the handshake"};
    }
    if (handshake.state() == Handshake::State::Refused) return handshake.why();
    if (handshake.state() == Handshake::State::Done) break;
    if (Clock::now() >= until) return Error{ErrorCode::Unavailable, "the handshake takes too long"};
    set_time(wire.fd(), until);
    const auto came = wire.read(buffer);
    if (!came) return Error{ErrorCode::Unavailable, "the other end has hung up within the handshake, or is too slow"};
    std::string_view rest = *came;
    handshake.read(rest);
    early = rest;
  }
  ASSIGN_OR_RETURN(const int fd, wire.release(pump));
  return Done{{fd, std::move(early), handshake.peer()}, handshake.purpose()};
}

using Context = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;

// Without it OpenSSL asks on the terminal for the password of a key that has one, and a service would wait for ever.
int refuse_password(char*, int, int, void*) { return -1; }

db::Result<Context> make_context(const PeerTls& tls, const SSL_METHOD* method) {
  const auto refuse = [](const char* flag, const std::string& file) {
    const unsigned long code = ERR_peek_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    while (const unsigned long one = ERR_get_error()) {
      const bool wants_password = ERR_GET_LIB(one) == ERR_LIB_PEM && ERR_GET_REASON(one) == PEM_R_BAD_PASSWORD_READ;
      if (wants_password) reason = "it has a password, which nobody is here to type: store it without";
    }
    return Error{ErrorCode::InvalidArgument, fmt::format("{} {} cannot be used: {}.", flag, file,
                                                         reason == nullptr ? "it cannot be read" : reason)};
  };
  ERR_clear_error();
  Context made(SSL_CTX_new(method), SSL_CTX_free);
  SSL_CTX* const context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_default_passwd_cb(context, refuse_password);
  if (SSL_CTX_use_certificate_chain_file(context, tls.certificate.c_str()) != 1) {
    return refuse("--peer-tls-cert", tls.certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context, tls.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return refuse("--peer-tls-key", tls.key);
  }
  // Without an authority the certificate proves nothing, and need not: the secret does, for this very channel.
  if (tls.authority.empty()) return made;
  if (SSL_CTX_load_verify_locations(context, tls.authority.c_str(), nullptr) != 1) {
    return refuse("--peer-tls-ca", tls.authority);
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return made;
}

}  // namespace

struct PeerDialer::Parts {
  PeerOptions options;
  Context as_client{nullptr, SSL_CTX_free}, as_server{nullptr, SSL_CTX_free};
  std::unique_ptr<TlsPump> pump;  // null without TLS
  Identity identity() const { return {options.cluster, options.node, options.secret}; }
  bool has_tls() const { return pump != nullptr; }
};

PeerDialer::PeerDialer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
PeerDialer::~PeerDialer() = default;

db::Result<std::unique_ptr<PeerDialer>> PeerDialer::make(PeerOptions options) {
  auto parts = std::make_unique<Parts>();
  parts->options = std::move(options);
  const PeerTls& tls = parts->options.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    return Error{ErrorCode::InvalidArgument, "--peer-tls-cert and --peer-tls-key are given both, or none."};
  }
  if (tls.certificate.empty() && !tls.authority.empty()) {
    return Error{ErrorCode::InvalidArgument, "--peer-tls-ca needs --peer-tls-cert and --peer-tls-key."};
  }
  if (!tls.certificate.empty()) {
    ASSIGN_OR_RETURN(parts->as_client, make_context(tls, TLS_client_method()));
    ASSIGN_OR_RETURN(parts->as_server, make_context(tls, TLS_server_method()));
    parts->pump = std::make_unique<TlsPump>();
  }
  return std::unique_ptr<PeerDialer>(new PeerDialer(std::move(parts)));
}

db::Result<PeerSocket> PeerDialer::dial(const std::string& address, const std::string& node,
                                        const std::string& purpose) {
  ASSIGN_OR_RETURN(const HostPort to, parse_address(address));
  if (!parts_->has_tls() && !parts_->options.plain && !http::is_loopback_host(to.host)) return plain_refused(address);
  const auto until = Clock::now() + kHandshakeTimeMax;
  ASSIGN_OR_RETURN(Fd fd, connect_to(address, to, until));
  Wire wire(std::move(fd), parts_->as_client.get());
  ASSIGN_OR_RETURN(std::string channel, wire.begin(false));
  auto done = shake_hands(wire, Handshake::dial(parts_->identity(), node, purpose, std::move(channel)), until,
                          parts_->pump.get());
  if (!done.ok()) return Error{done.error().code, fmt::format("{} at {}: {}", node, address, done.error().message)};
  return std::move(done.value().socket);
}

struct PeerPort::Parts {
  Parts(PeerOptions with, PeerDialer::Parts& by, http::Bound at)
      : options(std::move(with)), dialer(by), bound(std::move(at)) {}

  const PeerOptions options;
  PeerDialer::Parts& dialer;
  const http::Bound bound;
  int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread acceptor;

  std::mutex mutex;  // Guards all below.
  std::condition_variable ended;
  std::map<std::string, OnPeer> takers;
  OnHttp on_http;
  std::set<int> sockets;  // of threads, to be shut down
  size_t threads = 0, handshakes = 0;
  bool is_stopped = false;

  void accept_all();
  void meet(Fd fd);
  void hand_over(Done done);
};

void PeerPort::Parts::accept_all() {
  std::vector<pollfd> polled = {{wake, POLLIN, 0}};
  for (const http::BoundSocket& one : bound.sockets) polled.push_back({one.fd.get(), POLLIN, 0});
  for (;;) {
    if (poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if ((polled[0].revents & POLLIN) != 0) return;
    for (size_t i = 1; i < polled.size(); ++i) {
      if ((polled[i].revents & POLLIN) == 0) continue;
      Fd fd(accept4(polled[i].fd, nullptr, nullptr, SOCK_CLOEXEC));
      if (fd.get() < 0) continue;
      const std::lock_guard lock(mutex);
      if (is_stopped) return;
      if (handshakes >= kHandshakesMax) {
        log_seldom(LogLevel::Warn, "peer handshakes", "connections to the peer port were closed: too many at a time");
        continue;
      }
      ++handshakes;
      ++threads;
      sockets.insert(fd.get());
      std::thread([this, raw = fd.release()] { meet(Fd(raw)); }).detach();
    }
  }
}

void PeerPort::Parts::meet(Fd fd) {
  const int raw = fd.get();
  prepare_socket(raw);
  const auto until = Clock::now() + kHandshakeTimeMax;
  set_time(raw, until);
  auto done = [&]() -> db::Result<Done> {
    Wire wire(std::move(fd), dialer.as_server.get());
    auto shaken = [&]() -> db::Result<Done> {
      ASSIGN_OR_RETURN(std::string channel, wire.begin(true));
      return shake_hands(wire, Handshake::accept(dialer.identity(), std::move(channel)), until, dialer.pump.get());
    }();
    // From here on the number may be another file's.
    const std::lock_guard lock(mutex);
    sockets.erase(raw);
    return shaken;
  }();
  {
    const std::lock_guard lock(mutex);
    --handshakes;
  }
  if (done.ok()) {
    hand_over(std::move(done).value());
  } else {
    log_seldom(LogLevel::Warn, "peer refused", "a connection to the peer port was refused",
               {{"reason", done.error().message}});
  }
  const std::lock_guard lock(mutex);
  --threads;
  ended.notify_all();
}

void PeerPort::Parts::hand_over(Done done) {
  const size_t space = done.purpose.find(' ');
  const std::string what = done.purpose.substr(0, space);
  std::string rest = space == std::string::npos ? "" : done.purpose.substr(space + 1);
  OnHttp http;
  OnPeer take;
  {
    const std::lock_guard lock(mutex);
    if (!is_stopped && what == "http") http = on_http;
    if (const auto found = takers.find(what); !is_stopped && found != takers.end()) {
      take = found->second;
      sockets.insert(done.socket.fd);
    }
  }
  if (http) return http(done.socket.fd, std::move(done.socket.early), std::move(done.socket.node));
  if (!take) {
    close(done.socket.fd);
    return;
  }
  // A copy of the descriptor is what is shut down by stop(), so that its number stays ours until then.
  const int raw = done.socket.fd;
  const int own = dup(raw);
  {
    const std::lock_guard lock(mutex);
    sockets.erase(raw);
    if (own >= 0) sockets.insert(own);
    if (is_stopped) shutdown(raw, SHUT_RDWR);
  }
  take(std::move(done.socket), std::move(rest));
  const std::lock_guard lock(mutex);
  sockets.erase(own);
  if (own >= 0) close(own);
}

PeerPort::PeerPort(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

PeerPort::~PeerPort() {
  stop();
  close(parts_->wake);
}

db::Result<std::unique_ptr<PeerPort>> PeerPort::open(PeerOptions options, PeerDialer& dialer) {
  ASSIGN_OR_RETURN(const HostPort at, parse_address(options.address));
  if (!dialer.parts_->has_tls() && !options.plain && !http::is_loopback_host(at.host))
    return plain_refused(options.address);
  ASSIGN_OR_RETURN(http::Bound bound, http::bind_addresses(at.host, at.port));
  auto parts = std::make_unique<Parts>(std::move(options), *dialer.parts_, std::move(bound));
  parts->acceptor = std::thread([raw = parts.get()] { raw->accept_all(); });
  return std::unique_ptr<PeerPort>(new PeerPort(std::move(parts)));
}

void PeerPort::on_http(OnHttp take) {
  const std::lock_guard lock(parts_->mutex);
  parts_->on_http = std::move(take);
}

void PeerPort::on(const std::string& what, OnPeer take) {
  const std::lock_guard lock(parts_->mutex);
  parts_->takers[what] = std::move(take);
}

uint16_t PeerPort::port() const { return parts_->bound.port; }

std::string PeerPort::address() const {
  const std::string& given = parts_->options.address;
  return given.substr(0, given.rfind(':') + 1) + std::to_string(port());
}

void PeerPort::stop() {
  {
    const std::lock_guard lock(parts_->mutex);
    if (parts_->is_stopped) return;
    parts_->is_stopped = true;
    for (const int one : parts_->sockets) shutdown(one, SHUT_RDWR);
  }
  const uint64_t one = 1;
  (void)!write(parts_->wake, &one, sizeof one);
  parts_->acceptor.join();
  std::unique_lock lock(parts_->mutex);
  parts_->ended.wait(lock, [this] { return parts_->threads == 0; });
}

}  // namespace hearth::net::peer
