// One TCP connection, with TLS or without: bytes in, bytes out, and when to give up on the client. The Protocol knows
// what the bytes mean; it hears nothing of handshakes. Who owns whom is drawn at the head of connection.cc.
//
//   socket ─▶ PROXY header ─▶ TlsSession ─▶ Protocol          PROXY header and TLS only if the server's flags say so
//   socket ◀──────────────── TlsSession ◀─ Outbox ◀─ Protocol
//
// Thread: its home io thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/io/hub.h"
#include "net/io/io_loop.h"
#include "net/io/outbox.h"
#include "net/io/peer.h"
#include "net/io/protocol.h"
#include "net/io/tls.h"

namespace hearth::net::http {

class Connection : public Flushable, public Waiting, public Timed, public std::enable_shared_from_this<Connection> {
 public:
  // What goes along when a connection moves to another thread.
  struct Moving {
    Fd socket;
    std::unique_ptr<TlsSession> tls;
    uint64_t id;
    std::chrono::steady_clock::time_point opened_at;
    Peer peer;
    IoLoop::Time next_request_at;
    bool is_counted;
  };

  Connection(Hub& hub, IoLoop& loop, Fd socket);  // non-blocking
  Connection(Hub& hub, IoLoop& loop, Moving&& moving);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // `protocol` may use the connection from its constructor on. The connection owns it until on_gone(), or until
  // switch_to() puts another in its place.
  void start(std::shared_ptr<Protocol> protocol);
  void switch_to(std::shared_ptr<Protocol> protocol) { protocol_ = std::move(protocol); }

  // Queues bytes, which leave at the end of this turn of the loop. Once the connection is closing they are dropped.
  template <typename Bytes>
  void send(Bytes&& bytes) {
    if (state_ != State::Open) return;
    outbox_.add(std::forward<Bytes>(bytes));
    if (backlog_bytes() > hub_.limits.backlog_bytes_pause) is_behind_ = true;  // until flush() finds little left
    mark_dirty();
  }
  bool is_behind() const { return is_behind_; }  // the client has more to read than it may have before more is made
  size_t backlog_bytes() const { return outbox_.bytes() + (tls_ ? tls_->unsent().size() : 0); }

  // Says whether the protocol wants more bytes. None come either while too much waits to be sent, or the client is
  // throttled.
  void set_reading(bool wanted);

  // Sends what waits, and then closes so that the client loses nothing of it, even if the client is still sending.
  void close_after_sending();
  // Says that we send no more, once what waits has left; what the other end sends is still heard. Without TLS only.
  void end_sending();
  void tell_of_slowness(Limit limit);                       // counts and logs a slow reader, before it is cut off
  void close();                                             // now; what waits is dropped
  void reset();                                             // close(), and the client sees that the answer was cut off
  bool is_closed() const { return state_ != State::Open; }  // or closing

  // To the client nothing happens: the socket gets another connection on that thread, which `arrive` starts, and this one is
  // gone for its protocol. Precondition: can_move().
  using Arrive = std::function<void(Connection&)>;
  void move_to(size_t thread, Arrive arrive);
  // Nothing waits to be sent, the client is read from and has not ended, and the server does not close.
  bool can_move() const;

  // It is heard through the gate from here on; null: as any.
  void hear_through(Gate* gate);

  void flush() override;
  void on_ready(uint32_t events) override;

  // The server is closing: the connection ends as soon as its protocol allows it.
  void leave();

  Hub& hub() { return hub_; }
  IoLoop& loop() const { return patience_.loop(); }
  Counters& counters() { return hub_.threads[loop().index()].counters; }
  uint64_t id() const { return id_; }  // unique in this process
  const Peer& peer() const { return peer_; }
  bool is_secure() const { return tls_ != nullptr; }
  const char* kind() const { return protocol_ == nullptr ? "greeting" : protocol_->kind(); }
  std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

  // Counts one request or frame of the client. A client above Limits::request_rate_max is not read from for a while.
  void count_request();
  bool is_throttled() const { return is_throttled_; }

 private:
  // Greeting: waits for the PROXY header and the handshake of TLS, where the listener demands them. Sending: no more is
  // accepted, what waits leaves. Lingering: all has left, and we wait for the client to close too.
  enum class State : unsigned char { Greeting, Open, Sending, Lingering, Closed };

  void mark_dirty();
  bool wants_to_read() const;
  uint32_t wanted_events() const;
  void watch(uint32_t events);
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
  void on_deadline() override;
  void shut();
  void let_go(bool has_moved);

  // Thousands of these wait for their clients, so they are small, and what few need is behind a pointer. The loop is known
  // by patience_.
  Hub& hub_;
  Fd socket_;
  Watch watch_;
  std::shared_ptr<Protocol> protocol_;
  Outbox outbox_;
  std::unique_ptr<TlsSession> tls_;  // null: plain
  struct Rare {
    std::string greeting;  // a PROXY header that is not whole yet
    Timer throttle;
  };
  std::unique_ptr<Rare> rare_;  // null while it has neither, and was never throttled
  Deadline patience_;           // for a client that does not greet, takes nothing, or does not close after us
  const uint64_t id_;
  const std::chrono::steady_clock::time_point opened_at_;
  IoLoop::Time next_request_at_{};  // if it kept to Limits::request_rate_max, less a second
  Peer peer_;
  State state_ = State::Greeting;
  bool is_counted_ = false;  // among the connections of its address
  bool is_throttled_ = false;
  bool is_proxied_ = false;         // a PROXY header comes first
  bool has_heard_records_ = false;  // of TLS
  bool is_dirty_ = false;
  bool reading_wanted_ = true;
  bool waits_to_write_ = false;
  bool has_ended_ = false;  // the client has sent its last byte
  bool ends_sending_ = false;
  bool is_behind_ = false;  // too much waited, and it is not little yet
};

}  // namespace hearth::net::http
