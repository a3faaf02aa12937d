// One TCP connection: who holds it, how it lives and how it ends.
//
//   Hub::threads[i].connections ══▶ Connection ══▶ Protocol         HttpSession first, perhaps later a WebSocketSession
//                                    │   ▲  │         │
//   IoLoop::dirty_, later_ ══════════╪═══╡  │         ├──▶ Connection*   raw; null from Protocol::on_gone() on
//   epoll ──────────────────────────▶│   │  │         └══▶ what it answers with: HttpStream, WebSocketHandler
//                                    │   │  └══▶ TlsSession, Outbox, timers
//                                    └───┘ leaves the map in shut(), by IoLoop::later
//   Exchange, HttpStream, Waker ┄┄▶ HttpSession, WireSocket               weak; locked on the home thread only
//
//   ══▶ owns (shared_ptr, unique_ptr, member)   ──▶ points, does not own   ┄┄▶ weak_ptr
//
// The arrows are drawn so that no circle of owners exists. The map owns a connection while it is open, and later_ until
// the turn in which it was closed is over: no event is told after that, so `this` is valid in every callback. The list
// of connections to flush owns it for as long as it needs it. A protocol points back with a raw pointer, and on_gone() is
// the one moment at which it must drop that pointer.
//
//              greeted         close_after_sending()        all is sent            the client's FIN, or time is over
//   Greeting ──────────▶ Open ───────────────────────▶ Sending ──────────▶ Lingering ──────────────────────────▶ Closed
//      └ without PROXY header and TLS a connection begins as Open        close(), reset(): from any state to Closed
//
// What holds here:
// - Only the home thread touches a connection. Others post to the loop, or hold a Waker.
// - shut() and move_to() are the only ways into Closed, and tell the protocol by IoLoop::later: a protocol may call close()
//   in the midst of its own function, and must not be destroyed below its own feet. For the same reason every call into a
//   protocol holds a copy of `protocol_` first: on_bytes() may replace it (switch_to).
// - A socket that moves to another thread gets a connection of its own there, so that the home of each is one for life.
// - Bytes that are sent wait in the Outbox until flush(), once in a turn of the loop. send() after Open is a no-op.
// - Reading stops while the protocol does not want more, while too much waits to be sent (is_behind_), and while the
//   client asks too often (is_throttled_). TCP then holds the client back; nothing is buffered for it.
//
// Read on: protocol.h (what a protocol is told), io_loop.cc (the turn), outbox.cc, http_session.h.
#include "net/io/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "net/io/gate.h"
#include "net/io/log.h"
#include "net/io/proxy_header.h"

namespace hearth::net::http {
namespace {
constexpr size_t kPiecesPerSend = 64;
constexpr int kSendFlags = MSG_NOSIGNAL | MSG_DONTWAIT;  // of each send
constexpr size_t kRecordBytesPerSend = 64u << 10;        // encrypted ahead of the kernel, give or take a record
constexpr size_t kSendBytesPerStep = 1u << 20;           // of one connection; then others of its thread have their turn
static_assert(kSendBytesPerStep + kRecordBytesPerSend <= kIoStepMax.bytes);

constexpr std::string_view kTooManyOfOne =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 57\r\n"
    "Retry-After: 10\r\nConnection: close\r\n\r\n{\n  \"error\" : \"Too many connections from your address\"\n}\n";
constexpr std::string_view kSpeakTls =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n"
    "Connection: close\r\n\r\nThis port speaks TLS: use https://\r\n";
}  // namespace

Connection::Connection(Hub& hub, IoLoop& loop, Fd socket)
    : hub_(hub),
      socket_(std::move(socket)),
      outbox_(&hub.threads[loop.index()].counters.outbox_bytes),
      patience_(loop, *this),
      id_(hub.io.next_connection()),
      opened_at_(std::chrono::steady_clock::now()) {
  // Nagle's delay would hold back small events. The outbox gathers what belongs together already.
  const int yes = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  // A client that has vanished acknowledges nothing. By default the kernel would retry for a quarter of an hour.
  const int stall = static_cast<int>(hub_.limits.send_stall_max.count());
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
  if (const auto address = IpAddress::of_peer(socket_.get())) {
    peer_ = {*address, true, address->is_loopback(), contains(hub_.trusted_proxies, *address)};
  }
  if (hub_.of_nodes) peer_.is_trusted = true;
  // Only a trusted proxy may say who its client is. Anybody else's PROXY header would be read as a broken request.
  is_proxied_ = hub_.proxy_protocol && peer_.is_trusted;
  if (hub_.tls) tls_ = hub_.tls->begin();
  if (!is_proxied_ && !tls_) {
    state_ = State::Open;
  } else {
    patience_.set(hub_.limits.greeting_time_max);
  }
}

// What was set and asked of the socket on its first thread holds.
Connection::Connection(Hub& hub, IoLoop& loop, Moving&& moving)
    : hub_(hub),
      socket_(std::move(moving.socket)),
      outbox_(&hub.threads[loop.index()].counters.outbox_bytes),
      tls_(std::move(moving.tls)),
      patience_(loop, *this),
      id_(moving.id),
      opened_at_(moving.opened_at),
      next_request_at_(moving.next_request_at),
      peer_(moving.peer),
      state_(State::Open),
      is_counted_(moving.is_counted) {}

void Connection::start(std::shared_ptr<Protocol> protocol) {
  protocol_ = std::move(protocol);
  if (admit()) update_reading();
}

void Connection::mark_dirty() {
  if (is_dirty_) return;
  is_dirty_ = true;
  loop().mark_dirty(shared_from_this());
}

void Connection::set_reading(bool wanted) {
  reading_wanted_ = wanted;
  update_reading();
}

// In Sending and Lingering the input is read too, in order to be discarded.
bool Connection::wants_to_read() const {
  if (state_ == State::Closed || has_ended_) return false;
  return state_ != State::Open || (reading_wanted_ && !is_behind_ && !is_throttled_);
}

uint32_t Connection::wanted_events() const {
  return (wants_to_read() ? EPOLLIN : 0u) | (waits_to_write_ ? EPOLLOUT : 0u);
}

void Connection::watch(uint32_t events) {
  if (state_ != State::Closed && !watch_.set(loop(), *this, socket_.get(), events)) close();
}

void Connection::hear_through(Gate* gate) {
  if (state_ == State::Closed) return;
  if (!watch_.move_to(loop(), *this, socket_.get(), gate == nullptr ? loop().poller() : gate->poller())) close();
}

// An event that is wanted no more is not taken back at once, since most are wanted again before they come: on_ready()
// takes it back when it has come in vain.
void Connection::update_reading() {
  if (wants_to_read()) watch(watch_.events() | EPOLLIN);
}

void Connection::on_ready(uint32_t events) {
  if (state_ == State::Closed) return;
  const bool is_broken = (events & (EPOLLERR | EPOLLHUP)) != 0;  // recv() or send() will say how
  const bool may_write = waits_to_write_ && (is_broken || (events & EPOLLOUT) != 0);
  const bool may_read = wants_to_read() && (is_broken || (events & EPOLLIN) != 0);
  if (may_write) {
    waits_to_write_ = false;
    mark_dirty();
  }
  if (may_read) on_readable();
  if (!may_write && !may_read) watch(wanted_events());
}

// One recv() of at most 64 kB a turn, into the buffer of the loop: an idle connection has no buffer of its own, and a
// client that sends a lot cannot keep the thread from its neighbours.
void Connection::on_readable() {
  if (state_ == State::Closed) return;
  if (state_ == State::Sending || state_ == State::Lingering) return discard_input();
  auto& buffer = loop().read_buffer();
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got > 0) {
    Counters::add(counters().bytes_in, static_cast<uint64_t>(got));
    db::Step::here().count({0, static_cast<uint64_t>(got), 0});
    hear({buffer.data(), static_cast<size_t>(got)});
  } else if (got == 0) {
    end_input();
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    return close();
  }
}

// The client's FIN. It may still read (RFC 9112 §9.6 allows a half-closed connection), so what that means is the
// protocol's.
void Connection::end_input() {
  if (state_ == State::Greeting) return close();
  has_ended_ = true;
  const auto protocol = protocol_;
  protocol->on_end();
}

void Connection::hear(std::string_view bytes) {
  if (state_ == State::Greeting) return hear_greeting(bytes);
  if (tls_) return hear_records(bytes);
  const auto protocol = protocol_;  // switch_to() may replace it meanwhile
  protocol->on_bytes(bytes);
}

// What comes before the protocol hears anything: a PROXY header, and the handshake of TLS. Bytes of the next stage
// may come in the same read, so each stage passes on what it did not take. The address of the peer is only final
// behind the PROXY header; that is why admit() is asked again there.
void Connection::hear_greeting(std::string_view bytes) {
  std::string all;
  if (is_proxied_) {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    rare_->greeting += bytes;
    const auto found = find_proxy_header(rare_->greeting);
    if (!found.ok()) {
      Counters::add(counters().bad_greetings);
      return close();
    }
    if (!found.value()) return;
    is_proxied_ = false;
    peer_ = peer_behind(peer_, found.value()->source, hub_.trusted_proxies);
    if (!admit()) return;
    all = std::move(std::exchange(rare_, nullptr)->greeting);
    bytes = std::string_view(all).substr(found.value()->bytes);
    if (!tls_) on_greeted();
    if (bytes.empty()) return;
    if (!tls_) return hear(bytes);
  }
  // Every HTTP request begins with a letter and no TLS record does: this client speaks HTTP to a TLS port. It is told
  // so.
  const bool is_plain = !has_heard_records_ && std::isalpha(static_cast<unsigned char>(bytes.front())) != 0;
  if (is_plain) {
    Counters::add(counters().bad_greetings);
    tls_.reset();
    state_ = State::Open;
    send(kSpeakTls);
    return close_after_sending();
  }
  has_heard_records_ = true;
  hear_records(bytes);
}

// Decrypts all that one recv() brought. Nothing may be left inside OpenSSL: epoll knows only of the socket, so bytes
// that are decrypted "later" would wait until the client sends more. What OpenSSL keeps is therefore less than a
// record.
void Connection::hear_records(std::string_view bytes) {
  for (;;) {
    const TlsSession::Reading reading = tls_->read(bytes, loop().record_buffer());
    if (!tls_->unsent().empty()) mark_dirty();
    if (state_ == State::Greeting && tls_->is_established()) on_greeted();
    switch (reading.heard) {
      case TlsSession::Heard::Nothing:
        return;
      case TlsSession::Heard::Bytes: {
        const auto protocol = protocol_;
        protocol->on_bytes(reading.bytes);
        break;
      }
      case TlsSession::Heard::Ended:
        return end_input();
      case TlsSession::Heard::Broken:
        return break_off();
    }
    if (state_ != State::Open) return;
  }
}

// Counts the connection for its address, once. Returns false, and ends the connection, when the address has too many.
// A client of plain HTTP gets a 503; for TLS the handshake would cost more than the refusal saves.
bool Connection::admit() {
  if (peer_.is_trusted || is_counted_) return true;
  is_counted_ = hub_.addresses.take(peer_.address, hub_.limits.connections_per_address_max);
  if (is_counted_) return true;
  counters().reach(Limit::ConnectionsPerAddress);
  log(LogLevel::Debug, "connection refused",
      {{"connection", id_}, {"peer", peer_.text()}, {"reason", "too many of one address"}});
  if (tls_) {
    close();
  } else {
    state_ = State::Open;
    send(kTooManyOfOne);
    close_after_sending();
  }
  return false;
}

// The generic cell rate algorithm: next_request_at_ is the time at which the next request would be due at the full
// rate, and each request moves it on by 1/rate s. A client that was silent may be up to one second ahead: that is its
// burst.
void Connection::count_request() {
  const size_t rate = hub_.limits.request_rate_max;
  db::Step::here().count({1, 0, 0});
  if (rate == 0) return;
  const IoLoop::Time now = std::chrono::steady_clock::now();
  next_request_at_ =
      std::max(next_request_at_, now - std::chrono::seconds(1)) + std::chrono::nanoseconds(1'000'000'000 / rate);
  if (next_request_at_ > now && !is_throttled_) throttle(next_request_at_);
}

// Stops reading until `until`. Requests that came in the same read as the last one are still handled; they are
// charged too, so the timer may have to be set once more when it fires.
void Connection::throttle(IoLoop::Time until) {
  counters().reach(Limit::RequestRate);
  is_throttled_ = true;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
  rare_->throttle = loop().schedule(std::max(wait, std::chrono::milliseconds(1)), [this] {
    is_throttled_ = false;
    if (next_request_at_ > std::chrono::steady_clock::now()) return throttle(next_request_at_);
    update_reading();
  });
}

void Connection::on_greeted() {
  Counters::add(counters().greeted);
  state_ = State::Open;
  patience_.clear();
}

// TLS has failed. OpenSSL has written an alert that says why: that is sent, and nothing else.
void Connection::break_off() {
  if (state_ == State::Greeting) Counters::add(counters().bad_greetings);
  outbox_.clear();
  state_ = State::Sending;
  mark_dirty();
}

// In Sending and Lingering. Errors and the client's FIN end the connection only when nothing is left to be sent.
void Connection::discard_input() {
  auto& buffer = loop().read_buffer();
  const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (got == 0) has_ended_ = true;
  const bool failed = got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  if (failed || (has_ended_ && state_ == State::Lingering)) return close();
}

// Gives the kernel what it takes, up to 64 pieces in one system call and kSendBytesPerStep in all: sending more would
// keep the thread from its neighbours. Returns nothing when the connection is broken.
std::optional<Connection::Sent> Connection::send_pieces() {
  Sent all;
  while (!outbox_.empty() && all.bytes < kSendBytesPerStep) {
    std::array<iovec, kPiecesPerSend> pieces;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = outbox_.gather(pieces.data(), pieces.size());
    // Mostly there is one piece, and the kernel need not be told of a list.
    const ssize_t sent = message.msg_iovlen == 1
                             ? ::send(socket_.get(), pieces[0].iov_base, pieces[0].iov_len, kSendFlags)
                             : ::sendmsg(socket_.get(), &message, kSendFlags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return {};
    all.is_kernel_full = sent < 0;
    if (sent < 0) break;
    outbox_.sent(static_cast<size_t>(sent));
    all.bytes += on_taken(sent);
  }
  return all;
}

// The same with TLS. Encrypts no more than 64 kB ahead of the kernel: plain bytes are shared among connections,
// records are memory of this one alone. close_notify is written behind the last byte, before the last send().
std::optional<Connection::Sent> Connection::send_records() {
  Sent all;
  for (;;) {
    while (!outbox_.empty() && tls_->unsent().size() < kRecordBytesPerSend) {
      const std::string_view bytes = outbox_.front(loop().record_buffer());
      if (!tls_->write(bytes)) return {};
      outbox_.sent(bytes.size());
    }
    if (state_ == State::Sending && outbox_.empty()) tls_->end();
    const std::string_view bytes = tls_->unsent();
    if (bytes.empty() || all.bytes >= kSendBytesPerStep) return all;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), kSendFlags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return {};
    all.is_kernel_full = sent < 0;
    if (sent < 0) return all;
    tls_->sent(static_cast<size_t>(sent));
    all.bytes += on_taken(sent);
  }
}

size_t Connection::on_taken(ssize_t bytes) {
  Counters::add(counters().sends);
  Counters::add(counters().bytes_out, static_cast<uint64_t>(bytes));
  db::Step::here().count({0, static_cast<uint64_t>(bytes), 0});
  return static_cast<size_t>(bytes);
}

// Called by the loop at the end of each turn in which something was sent, and when the kernel has room again. Decides
// three things, in this order: whether the connection still works, whether the client is too slow, and whether the
// protocol may go on.
void Connection::flush() {
  is_dirty_ = false;
  if (state_ == State::Closed || state_ == State::Lingering) return;
  const std::optional<Sent> sent = tls_ ? send_records() : send_pieces();
  if (!sent) return close();
  const bool progress = sent->bytes > 0;
  const bool is_done = backlog_bytes() == 0;
  if (state_ == State::Greeting) {  // patience_ runs for the greeting as a whole, and is not moved by progress
    if (!is_done) wait_to_write();
    return;
  }
  if (is_done) {
    patience_.clear();
    if (state_ == State::Sending) return take_leave();
    if (std::exchange(ends_sending_, false)) ::shutdown(socket_.get(), SHUT_WR);
  } else {
    // The clock starts when the kernel first refuses bytes, and starts again with every byte that it takes. The
    // largest piece does not count against the client: one large first value does not make a slow reader.
    if (progress || !waits_to_write_) patience_.set(hub_.limits.send_stall_max);
    wait_to_write();
    const size_t waiting = outbox_.bytes_but_largest();
    const bool is_large = sent->is_kernel_full && waiting > hub_.limits.backlog_bytes_max;
    if (is_large || (!progress && waiting > hub_.limits.backlog_bytes_pause && hub_.is_crowded())) {
      tell_of_slowness(is_large ? Limit::Backlog : Limit::Outbound);
      return close();
    }
  }
  if (state_ != State::Open) return;
  update_backlog();
  const auto protocol = protocol_;
  if (progress) protocol->on_sent();
}

// Two marks, so that a client near one of them does not flap: above backlog_bytes_pause reading stops and the session
// makes no more, below backlog_bytes_ahead both go on.
void Connection::update_backlog() {
  if (backlog_bytes() > hub_.limits.backlog_bytes_pause) is_behind_ = true;
  if (!is_behind_ || backlog_bytes() > hub_.limits.backlog_bytes_ahead) return;
  is_behind_ = false;
  update_reading();
  const auto protocol = protocol_;
  protocol->on_drained();
}

void Connection::wait_to_write() {
  waits_to_write_ = true;
  watch(watch_.events() | EPOLLOUT);
}

void Connection::close_after_sending() {
  if (state_ != State::Open) return;
  state_ = State::Sending;
  update_reading();
  mark_dirty();  // flush goes on from here
}

void Connection::end_sending() {
  ends_sending_ = true;
  if (state_ == State::Open) mark_dirty();
}

void Connection::leave() {
  if (state_ == State::Greeting) return close();
  if (state_ != State::Open) return;
  const auto protocol = protocol_;
  protocol->on_server_closing();
}

// All is sent. A close() with unread input would make the kernel reset the connection, and the client might lose
// bytes that it has not read yet. So the input is read and forgotten until the client closes too, or linger_time_max
// is over.
void Connection::take_leave() {
  if (has_ended_) return close();
  state_ = State::Lingering;
  ::shutdown(socket_.get(), SHUT_WR);
  patience_.set(hub_.limits.linger_time_max);
  update_reading();
}

// patience_ has one meaning a state: the greeting as a whole, the kernel taking a byte (Open, Sending), the client's
// FIN (Lingering). Only the first two are the client's fault and are counted.
void Connection::on_deadline() {
  if (state_ == State::Greeting) {
    Counters::add(counters().bad_greetings);
    counters().reach(Limit::GreetingTime);
  } else if (state_ != State::Lingering) {
    tell_of_slowness(Limit::SendTime);
  }
  close();
}

void Connection::tell_of_slowness(Limit limit) {
  counters().reach(limit);
  log_seldom(LogLevel::Info, "slow reader", "slow reader cut off",
             {{"limit", kLimitNames[static_cast<size_t>(limit)]},
              {"connection", id_},
              {"peer", peer_.text()},
              {"waiting_bytes", outbox_.bytes()}});
}

// A linger time of 0 makes the kernel send RST instead of FIN: the client sees that a body is cut off, and not that
// it ended.
void Connection::reset() {
  const linger at_once{1, 0};
  if (state_ != State::Closed) ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  shut();
}

void Connection::close() {
  // With TLS an end without close_notify looks like a cut. A client that has received everything must not see one.
  if (state_ == State::Open && tls_ && backlog_bytes() == 0) {
    tls_->end();
    send_records();
  }
  shut();
}

// The end of every connection that has not moved, once. The socket closes now, and so leaves epoll.
void Connection::shut() {
  if (state_ == State::Closed) return;
  socket_ = Fd();
  watch_.forget();
  if (std::exchange(is_counted_, false)) hub_.addresses.give_back(peer_.address);
  log(LogLevel::Debug, "connection closed", {{"connection", id_}, {"peer", peer_.text()}});
  let_go(false);
}

// Happens later in this turn, when no function of the connection or its protocol is on the stack. connection_count falls
// last: Listener::drain() waits for it, and the Hub may go when it is 0.
void Connection::let_go(bool has_moved) {
  state_ = State::Closed;
  outbox_.clear();
  patience_.clear();
  rare_.reset();
  loop().later([self = shared_from_this(), has_moved] {
    const auto protocol = std::move(self->protocol_);
    protocol->on_gone();
    Hub& hub = self->hub_;
    Hub::Thread& home = hub.threads[self->loop().index()];
    home.connections.erase(self);
    home.counters.connections.store(home.connections.size(), std::memory_order_relaxed);
    if (!has_moved) hub.connection_count.fetch_sub(1);
  });
}

bool Connection::can_move() const {
  return state_ == State::Open && backlog_bytes() == 0 && !has_ended_ && !is_throttled_ && !is_behind_ &&
         !hub_.threads[loop().index()].is_closing;
}

// The other thread may have closed its connections meanwhile; then this one comes too late, as a new one would
// (begin(), listener.cc). It counts among the connections all the way, so drain() waits for it.
void Connection::move_to(size_t thread, Arrive arrive) {
  if (!watch_.set(loop(), *this, socket_.get(), 0)) return close();
  const auto moving = std::make_shared<Moving>(Moving{std::move(socket_), std::move(tls_), id_, opened_at_, peer_,
                                                      next_request_at_, std::exchange(is_counted_, false)});
  log(LogLevel::Debug, "connection moves to another thread", {{"connection", id_}, {"thread", thread}});
  hub_.io.post(thread, [hub = &hub_, thread, moving, arrive = std::move(arrive)] {
    Hub::Thread& home = hub->threads[thread];
    if (home.is_closing) {
      if (moving->is_counted) hub->addresses.give_back(moving->peer.address);
      moving->socket = Fd();
      hub->connection_count.fetch_sub(1);
      return;
    }
    const auto connection = std::make_shared<Connection>(*hub, hub->io.loop(thread), std::move(*moving));
    home.connections.insert(connection);
    home.counters.connections.store(home.connections.size(), std::memory_order_relaxed);
    arrive(*connection);
  });
  let_go(true);
}

}  // namespace hearth::net::http
