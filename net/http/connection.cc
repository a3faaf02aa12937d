#include "net/http/connection.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "net/http/log.h"

namespace hearth::net::http {
namespace {
constexpr size_t kPiecesPerSend = 64;
}  // namespace

Connection::Connection(Hub& hub, IoLoop& loop, tcp::socket socket)
    : hub_(hub),
      loop_(loop),
      socket_(std::move(socket)),
      outbox_(&counters().outbox_bytes),
      patience_(loop, [this] { on_patience_lost(); }),
      id_(hub.io.next_connection()) {
  SystemError ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  // One who has vanished acknowledges nothing; without this the kernel would go on trying for a quarter of an hour.
  const int stall = static_cast<int>(hub_.limits.send_stall_max.count());
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &stall, sizeof stall);
  if (const auto endpoint = socket_.remote_endpoint(ignored); !ignored) {
    asio::ip::address address = endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
      address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    peer_ = address.to_string();
    peer_is_loopback_ = address.is_loopback();
  }
}

void Connection::start(std::shared_ptr<Protocol> protocol) {
  protocol_ = std::move(protocol);
  update_reading();
}

void Connection::mark_dirty() {
  if (is_dirty_) return;
  is_dirty_ = true;
  loop_.mark_dirty(shared_from_this());
}

void Connection::set_reading(bool wanted) {
  reading_wanted_ = wanted;
  update_reading();
}

void Connection::update_reading() {
  const bool wanted = state_ == State::Open ? reading_wanted_ && !is_behind_ : state_ != State::Closed;
  if (!wanted || waits_to_read_ || has_ended_) return;
  waits_to_read_ = true;
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](SystemError failed) {
    self->waits_to_read_ = false;
    if (!failed) self->on_readable();
  });
}

void Connection::on_readable() {
  if (state_ == State::Closed) return;
  if (state_ != State::Open) return discard_input();
  if (!reading_wanted_ || is_behind_) return;
  auto& buffer = loop_.read_buffer();
  const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  const auto protocol = protocol_;  // it may be replaced by what it hears
  if (got > 0) {
    Counters::add(counters().bytes_in, static_cast<uint64_t>(got));
    protocol->on_bytes({buffer.data(), static_cast<size_t>(got)});
  } else if (got == 0) {
    has_ended_ = true;
    protocol->on_end();
  } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
    return close();
  }
  update_reading();
}

void Connection::discard_input() {
  auto& buffer = loop_.read_buffer();
  const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
  if (got == 0) has_ended_ = true;
  const bool failed = got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
  if (failed || (has_ended_ && state_ == State::Lingering)) return close();
  update_reading();
}

// Gives the kernel all that it takes. False when the connection is broken.
bool Connection::send_some() {
  while (!outbox_.empty()) {
    std::array<iovec, kPiecesPerSend> pieces;
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = outbox_.gather(pieces.data(), pieces.size());
    const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    outbox_.sent(static_cast<size_t>(sent));
    Counters::add(counters().sends);
    Counters::add(counters().bytes_out, static_cast<uint64_t>(sent));
  }
  return true;
}

void Connection::flush() {
  is_dirty_ = false;
  if (state_ == State::Closed || state_ == State::Lingering) return;
  const size_t before = outbox_.bytes();
  if (!send_some()) return close();
  const bool progress = outbox_.bytes() < before;
  if (outbox_.empty()) {
    patience_.clear();
    if (state_ == State::Sending) return take_leave();
  } else {
    // The clock starts when the kernel first refuses some, and again with every byte that it takes.
    if (progress || !waits_to_write_) patience_.set(hub_.limits.send_stall_max);
    wait_to_write();
    if (outbox_.bytes_but_largest() > hub_.limits.backlog_bytes_max) {
      tell_of_slowness();
      return close();
    }
  }
  if (state_ != State::Open) return;
  update_backlog();
  const auto protocol = protocol_;
  if (progress) protocol->on_sent();
}

void Connection::update_backlog() {
  if (outbox_.bytes() > hub_.limits.backlog_bytes_pause) is_behind_ = true;
  if (!is_behind_ || outbox_.bytes() > hub_.limits.backlog_bytes_ahead) return;
  is_behind_ = false;
  update_reading();
  const auto protocol = protocol_;
  protocol->on_drained();
}

void Connection::wait_to_write() {
  if (waits_to_write_) return;
  waits_to_write_ = true;
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](SystemError failed) {
    self->waits_to_write_ = false;
    if (!failed && self->state_ != State::Closed) self->mark_dirty();
  });
}

void Connection::close_after_sending() {
  if (state_ != State::Open) return;
  state_ = State::Sending;
  update_reading();
  mark_dirty();  // flush goes on from here
}

void Connection::leave() {
  if (state_ != State::Open) return;
  const auto protocol = protocol_;
  protocol->on_server_closing();
}

// All is sent. A close with input unread would make the kernel reset the connection, and the client might lose what it
// has not read yet; so its input is read, and forgotten, until it closes too.
void Connection::take_leave() {
  if (has_ended_) return close();
  state_ = State::Lingering;
  SystemError ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  patience_.set(hub_.limits.linger_time_max);
  update_reading();
}

void Connection::on_patience_lost() {
  if (state_ != State::Lingering) tell_of_slowness();
  close();
}

void Connection::tell_of_slowness() {
  Counters::add(counters().slow_readers);
  log(LogLevel::Info, "slow reader cut off",
      {{"connection", id_}, {"peer", peer_}, {"waiting_bytes", outbox_.bytes()}});
}

void Connection::reset() {
  SystemError ignored;
  if (state_ != State::Closed) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void Connection::close() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  SystemError ignored;
  socket_.close(ignored);
  outbox_.clear();
  patience_.clear();
  log(LogLevel::Debug, "connection closed", {{"connection", id_}, {"peer", peer_}});
  loop_.later([self = shared_from_this()] {
    const auto protocol = std::move(self->protocol_);
    protocol->on_gone();
    Hub& hub = self->hub_;
    Hub::Thread& home = hub.threads[self->loop_.index()];
    home.connections.erase(self.get());
    home.counters.connections.store(home.connections.size(), std::memory_order_relaxed);
    hub.connection_count.fetch_sub(1);
  });
}

}  // namespace hearth::net::http
