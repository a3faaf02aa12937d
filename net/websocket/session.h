// A WebSocket on a connection (RFC 6455). How it reads, inflates in steps and ends is told at the head of
// session.cc. Thread: the connection's home.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/io/connection.h"
#include "net/io/half_received.h"
#include "net/websocket/frame.h"
#include "net/websocket/websocket.h"

namespace hearth::net::http {

// The server's half of the opening handshake. `key` is the client's Sec-WebSocket-Key.
std::string websocket_head(std::string_view key, bool deflated = false);

class WebSocketSession : public Protocol,
                         public WebSocket,
                         public Timed,
                         public std::enable_shared_from_this<WebSocketSession> {
 public:
  // Nothing is read before start().
  // `owner`: the address that unfinished messages are charged to (half_received.h).
  WebSocketSession(Connection& connection, std::shared_ptr<WebSocketHandler> handler, const WebSocketOptions& options,
                   HalfReceived::Owner owner);

  // `bytes` came behind the request.
  void start(std::string_view bytes);

  const char* kind() const override { return "WebSocket"; }
  void on_bytes(std::string_view bytes) override;
  void on_end() override;
  void on_sent() override { sent_at_ = std::chrono::steady_clock::now(); }
  void on_drained() override;
  void on_server_closing() override;
  void on_gone() override;

  void send(SharedBytes frames) override { send_bytes(std::move(frames)); }
  void send(std::string_view frames) override { send_bytes(frames); }
  void send_text(std::string_view payload) override;
  void send_binary(std::string_view payload) override;
  void close(CloseCode code, std::string_view reason) override;
  void pause() override;
  void resume() override;
  void hold(size_t bytes) override;
  void hear_through(Gate* gate) override {
    if (connection_ != nullptr) connection_->hear_through(gate);
  }
  bool is_deflated() const override { return is_deflated_; }
  bool is_closed() const override { return connection_ == nullptr || state_ != State::Open; }
  size_t backlog_bytes() const override { return connection_ == nullptr ? 0 : connection_->backlog_bytes(); }

 private:
  // A message that has begun and is not whole.
  struct Unfinished {
    HalfReceived::Share share;
    LeastPace pace;
  };

  // Closing: we have said goodbye and wait for the client's. Closed: both have, or the client is gone.
  enum class State : unsigned char { Open, Closing, Closed };

  using Interval = std::chrono::duration<uint32_t, std::milli>;  // thousands wait, so each waits in few bytes

  template <typename Bytes>
  void send_bytes(Bytes&& bytes) {
    if (!is_closed()) connection_->send(std::forward<Bytes>(bytes));
  }
  void update_reading() { connection_->set_reading(is_started_ && !is_paused_ && !reads_later_); }
  FrameReader& reader();
  void drop_messages();
  bool has_held() const { return held_ != nullptr; }
  void keep(std::string_view bytes);
  void read_held();
  void read_later();
  Unfinished& unfinished();
  std::optional<HalfReceived::Refusal> count_held(size_t inflated);
  void watch_unfinished(size_t bytes_come);
  void give_up(CloseCode code, std::string_view reason);
  bool is_read() const { return !is_paused_ && !connection_->is_throttled(); }
  void on_found(FrameReader::Found found);
  void end();
  void tell_of_end(Counters& counters);
  void on_deadline() override;
  void watch_silence(IoLoop::Time now);
  std::optional<std::chrono::milliseconds> ping_after() const;

  Connection* connection_;                     // null when it is gone
  std::shared_ptr<WebSocketHandler> handler_;  // null once it has been told of the end
  std::unique_ptr<FrameReader> reader_;        // null while there is nothing to read and no message is half read
  std::unique_ptr<Unfinished> unfinished_;     // null: there is none
  const HalfReceived::Owner owner_;
  size_t handler_bytes_ = 0;           // of a message of several frames
  std::unique_ptr<std::string> held_;  // what came while paused; nothing else is read before it. Null: nothing has
  Deadline deadline_;
  IoLoop::Time heard_at_;
  IoLoop::Time sent_at_;
  IoLoop::Time closing_at_{};
  const size_t message_bytes_max_;
  Interval look_interval_;  // the longest between two looks at the silence
  const Interval ping_interval_;
  const Interval idle_time_max_;
  const Interval word_interval_;
  const Interval word_delay_max_;
  std::optional<HalfReceived::Refusal> refused_;
  CloseCode close_code_ = CloseCode::Abnormal;
  State state_ = State::Open;
  const bool answers_pings_;
  const bool is_deflated_;
  bool drops_messages_ = false;  // what comes is read and forgotten
  bool is_started_ = false;
  bool is_paused_ = false;
  bool reads_later_ = false;  // what was read is longer than one step, and goes on in another
  bool is_reading_ = false;   // on_bytes is on the stack
  bool has_pinged_ = false;   // since the client was last heard
};

}  // namespace hearth::net::http
