// A WebSocket on a connection (RFC 6455). Thread: the connection's home.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/http/connection.h"
#include "net/http/websocket.h"
#include "net/http/websocket_frame.h"

namespace hearth::net::http {

// The server's half of the opening handshake. `key` is the client's Sec-WebSocket-Key.
std::string websocket_head(std::string_view key, bool deflated = false);

class WebSocketSession : public Protocol, public WebSocket, public std::enable_shared_from_this<WebSocketSession> {
 public:
  // Nothing is read before start().
  WebSocketSession(Connection& connection, std::shared_ptr<WebSocketHandler> handler, const WebSocketOptions& options);

  // `bytes` came behind the request.
  void start(std::string_view bytes);

  void on_bytes(std::string_view bytes) override;
  void on_end() override;
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
  bool is_deflated() const override { return is_deflated_; }
  bool is_closed() const override { return connection_ == nullptr || state_ != State::Open; }
  size_t backlog_bytes() const override { return connection_ == nullptr ? 0 : connection_->backlog_bytes(); }

 private:
  // Closing: we have said goodbye and wait for the client's. Closed: both have, or the client is gone.
  enum class State : unsigned char { Open, Closing, Closed };

  template <typename Bytes>
  void send_bytes(Bytes&& bytes) {
    if (!is_closed()) connection_->send(std::forward<Bytes>(bytes));
  }
  void update_reading() { connection_->set_reading(is_started_ && !is_paused_); }
  void read_held();
  void on_found(FrameReader::Found found);
  void end();
  void tell_of_end();
  void on_deadline();

  Connection* connection_;  // null when it is gone
  Counters& counters_;
  IoLoop& loop_;
  std::shared_ptr<WebSocketHandler> handler_;  // null once it has been told of the end
  FrameReader reader_;
  std::string held_;  // what came while paused; in order, so nothing else is read before it
  Deadline deadline_;
  IoLoop::Time heard_at_;
  IoLoop::Time closing_at_{};
  std::chrono::milliseconds ping_interval_;
  std::chrono::milliseconds idle_time_max_;
  CloseCode close_code_ = CloseCode::Abnormal;
  State state_ = State::Open;
  const bool is_deflated_;
  bool is_started_ = false;
  bool is_paused_ = false;
  bool is_reading_ = false;  // on_bytes is on the stack
  bool has_pinged_ = false;  // since the client was last heard
};

}  // namespace hearth::net::http
