// The protocol that a connection carries: HTTP at first, a WebSocket perhaps later. Thread: the connection's home.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace hearth::net::http {

class Connection;

class Protocol {
 public:
  virtual ~Protocol() = default;

  // What a person would call it, a literal: "HTTP", "event stream", "WebSocket".
  virtual const char* kind() const = 0;
  // Bytes that came. The protocol takes all of them: it keeps what it cannot handle yet, and turns reading off before
  // that grows too large.
  virtual void on_bytes(std::string_view bytes) = 0;
  // The client has sent its last byte, but may still read.
  virtual void on_end() = 0;
  // The kernel has taken some of the bytes that waited.
  virtual void on_sent() {}
  // What waits to be sent has fallen below Limits::backlog_bytes_ahead, after it was above Limits::backlog_bytes_pause.
  virtual void on_drained() {}
  // The server is closing: the protocol finishes what is under way and closes the connection.
  virtual void on_server_closing() = 0;
  // The connection is gone. The last call; may come from within a call into the connection.
  virtual void on_gone() = 0;
};

// Makes what a new connection speaks at first, on the connection's home thread.
using MakeProtocol = std::function<std::shared_ptr<Protocol>(Connection&)>;

}  // namespace hearth::net::http
