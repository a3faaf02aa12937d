// One TCP connection: HTTP requests one after the other, until it becomes an event stream or a WebSocket. Input comes by
// pieces into a buffer that the whole thread shares; output is gathered in an Outbox and sent once a turn of the loop.
//
// Thread: its home io thread, all of it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "net/http/exchange.h"
#include "net/http/io_loop.h"
#include "net/http/outbox.h"
#include "net/http/server.h"
#include "net/http/websocket_frame.h"

namespace hearth::net::http {

class Connection final : public Flushable, public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, IoPool::Loop& loop, tcp::socket socket);
  ~Connection() override;

  void start();
  void close_when_sent();  // says nothing more after what waits
  void abort();            // at once
  void drain();            // the server stops: go when idle

  ServerCore& core() { return core_; }
  size_t home() const { return loop_.index; }

  // Answers of the current exchange.
  void send_response(const Response& response, bool gzip, bool head_only, bool keep_alive, bool http_1_0);
  void send_head(const Response& head, std::string_view framing, bool keep_alive, bool http_1_0);
  void send(SharedBytes bytes);
  void send(std::string_view bytes);
  void finish_response(bool keep_alive);
  bool begin_stream();
  std::string accept_websocket(const Request& request);  // what was wrong, or "" when it is one now

  struct Handlers {
    std::function<void(std::string&&)> message;
    std::function<void()> closed;
    std::function<void()> drained;
  };
  Handlers handlers;
  size_t queued_bytes() const { return outbox_.bytes(); }
  bool is_open() const { return open_; }
  void pause_reading() { paused_ = true; }
  void resume_reading();
  void close_websocket(uint16_t code, std::string_view reason);

  void flush() override;
  void tick(std::chrono::steady_clock::time_point now) override;

 private:
  enum class Mode { Http, Answering, Stream, WebSocket };
  struct Parser;

  void wait_for_input();
  void read_input();
  void take_in(std::string_view bytes);
  void parse_http();
  void refuse(int status, std::string_view why);
  void parse_frames();
  bool on_frame(const FrameHead& head, std::string&& payload);
  void mark_dirty();
  void closed();

  ServerCore& core_;
  IoPool::Loop& loop_;
  tcp::socket socket_;
  std::string peer_;
  bool peer_is_loopback_ = false;
  Mode mode_ = Mode::Http;
  bool open_ = true;
  bool waiting_input_ = false;
  bool waiting_output_ = false;
  bool dirty_ = false;
  bool close_when_sent_ = false;
  bool draining_ = false;
  bool paused_ = false;
  bool continue_sent_ = false;
  bool parsing_ = false;
  std::string input_;  // not yet understood
  std::unique_ptr<Parser> parser_;
  std::string message_;  // of a fragmented WebSocket message
  bool in_message_ = false;
  bool binary_ = false;
  Outbox outbox_;
  std::chrono::steady_clock::time_point last_input_, last_sent_, last_ping_, began_;
};

}  // namespace hearth::net::http
