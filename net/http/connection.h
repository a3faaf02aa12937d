// One TCP connection, with TLS or without: bytes in, bytes out, and when to give up on the client. What the bytes mean
// is its Protocol's, which hears nothing of handshakes.
//
//   socket ─▶ PROXY header ─▶ TlsSession ─▶ Protocol          the first two where they are asked for
//   socket ◀──────────────── TlsSession ◀─ Outbox ◀─ Protocol
//
// Thread: its home io thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http/forwarded.h"
#include "net/http/hub.h"
#include "net/http/io_loop.h"
#include "net/http/outbox.h"
#include "net/http/protocol.h"
#include "net/http/tls.h"

namespace hearth::net::http {

class Connection : public Flushable, public std::enable_shared_from_this<Connection> {
 public:
  Connection(Hub& hub, IoLoop& loop, tcp::socket socket);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `protocol` may call from its constructor on. It lives until on_gone, or until another takes its place.
  void start(std::shared_ptr<Protocol> protocol);
  void switch_to(std::shared_ptr<Protocol> protocol) { protocol_ = std::move(protocol); }

  // They leave at the end of this turn. Dropped once the connection is closing.
  template <typename Bytes>
  void send(Bytes&& bytes) {
    if (state_ != State::Open) return;
    outbox_.add(std::forward<Bytes>(bytes));
    mark_dirty();
  }
  size_t backlog_bytes() const { return outbox_.bytes() + (tls_ ? tls_->unsent().size() : 0); }

  // Whether the protocol wants more bytes. While too much waits to be sent, none come either.
  void set_reading(bool wanted);

  // Sends what waits, then takes leave: what was sent is not lost because the client was still talking.
  void close_after_sending();
  void tell_of_slowness(Limit limit);                       // before a client is cut off for it
  void close();                                             // now
  void reset();                                             // the same, and the client sees that it is cut
  bool is_closed() const { return state_ != State::Open; }  // or closing

  void flush() override;

  // The server is closing: ends as soon as its protocol can.
  void leave();

  Hub& hub() { return hub_; }
  IoLoop& loop() { return loop_; }
  Counters& counters() { return hub_.threads[loop_.index()].counters; }
  uint64_t id() const { return id_; }  // unique in this process
  const Peer& peer() const { return peer_; }
  bool is_secure() const { return tls_ != nullptr; }

  // The client has asked for something. When it asks too often, what it asks next is read later.
  void count_request();
  bool is_throttled() const { return is_throttled_; }

 private:
  // Greeting: the PROXY header and the handshake of TLS, if there shall be any.
  enum class State : unsigned char { Greeting, Open, Sending, Lingering, Closed };

  void mark_dirty();
  void update_reading();
  void on_readable();
  void discard_input();
  void hear(std::string_view bytes);
  void hear_greeting(std::string_view bytes);
  void hear_records(std::string_view bytes);
  void on_greeted();
  bool admit();
  void throttle(IoLoop::Time until);
  void break_off();
  void end_input();
  struct Sent {
    size_t bytes = 0;
    bool is_kernel_full = false;  // the kernel took no more; else the step was over, or all is sent
  };
  std::optional<Sent> send_pieces();
  std::optional<Sent> send_records();
  size_t on_taken(ssize_t bytes);
  void update_backlog();
  void wait_to_write();
  void take_leave();
  void on_patience_lost();
  void shut();

  Hub& hub_;
  IoLoop& loop_;
  tcp::socket socket_;
  std::shared_ptr<Protocol> protocol_;
  Outbox outbox_;
  std::unique_ptr<TlsSession> tls_;  // null: plain
  std::string greeting_;             // a PROXY header that is not whole yet
  Deadline patience_;                // with a client who does not greet, takes nothing, or does not close after us
  const uint64_t id_;
  Peer peer_;
  IoLoop::Time next_request_at_{};  // if it kept to Limits::request_rate_max, less a second
  Timer throttle_;
  State state_ = State::Greeting;
  bool is_counted_ = false;         // among the connections of its address
  bool is_throttled_ = false;
  bool is_proxied_ = false;         // a PROXY header comes first
  bool has_heard_records_ = false;  // of TLS
  bool is_dirty_ = false;
  bool reading_wanted_ = true;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  bool has_ended_ = false;  // the client has sent its last byte
  bool is_behind_ = false;  // too much waited, and it is not little yet
};

}  // namespace hearth::net::http
