// What a connection carries, now HTTP and perhaps later a WebSocket. Thread: the connection's home.
#pragma once

#include <string_view>

namespace hearth::net::http {

class Protocol {
 public:
  virtual ~Protocol() = default;

  // What came. All of it is taken; what cannot be dealt with yet is kept, with reading turned off before it is too
  // much.
  virtual void on_bytes(std::string_view bytes) = 0;
  // The client will send no more, but may still read.
  virtual void on_end() = 0;
  // Some of what waited has been sent.
  virtual void on_sent() {}
  // What waits has become little, after it had been too much.
  virtual void on_drained() {}
  // The server is closing: be done soon.
  virtual void on_server_closing() = 0;
  // The connection is gone. The last call; may come from within a call into the connection.
  virtual void on_gone() = 0;
};

}  // namespace hearth::net::http
