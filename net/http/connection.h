// One TCP connection: bytes in, bytes out, and when to give up on the client. What the bytes mean is its Protocol's.
// Thread: its home io thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "net/http/hub.h"
#include "net/http/io_loop.h"
#include "net/http/outbox.h"
#include "net/http/protocol.h"

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
  size_t backlog_bytes() const { return outbox_.bytes(); }

  // Whether the protocol wants more bytes. While too much waits to be sent, none come either.
  void set_reading(bool wanted);

  // Sends what waits, then takes leave: what was sent is not lost because the client was still talking.
  void close_after_sending();
  void tell_of_slowness();                                  // before a client is cut off for it
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
  const std::string& peer() const { return peer_; }
  bool peer_is_loopback() const { return peer_is_loopback_; }

 private:
  enum class State : unsigned char { Open, Sending, Lingering, Closed };

  void mark_dirty();
  void update_reading();
  void on_readable();
  void discard_input();
  bool send_some();
  void update_backlog();
  void wait_to_write();
  void take_leave();
  void on_patience_lost();

  Hub& hub_;
  IoLoop& loop_;
  tcp::socket socket_;
  std::shared_ptr<Protocol> protocol_;
  Outbox outbox_;
  Deadline patience_;  // with a client who takes nothing, or does not close after us
  const uint64_t id_;
  std::string peer_;
  State state_ = State::Open;
  bool peer_is_loopback_ = false;
  bool is_dirty_ = false;
  bool reading_wanted_ = true;
  bool waits_to_read_ = false;
  bool waits_to_write_ = false;
  bool has_ended_ = false;  // the client has sent its last byte
  bool is_behind_ = false;  // too much waited, and it is not little yet
};

}  // namespace hearth::net::http
