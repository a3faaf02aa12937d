// An answer without an end: server-sent events. Thread: the connection's home.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "net/io/bytes.h"

namespace hearth::net::http {

class Stream {
 public:
  virtual ~Stream() = default;

  // Bytes leave at the end of this turn of the loop, in order. A reader who takes nothing for Limits::send_stall_max,
  // or has more than Limits::backlog_bytes_max waiting, is disconnected. No-ops once closed.
  virtual void send(SharedBytes bytes) = 0;
  virtual void send(std::string_view bytes) = 0;

  // Ends the body; the client may use the connection again.
  virtual void close() = 0;

  virtual bool is_closed() const = 0;
  virtual size_t backlog_bytes() const = 0;

  // Called once, never from within a call of ours, when the client is gone, or the server closes, or after close(). It
  // is dropped then, with what it holds.
  virtual void set_on_closed(std::function<void()> on_closed) = 0;
};

}  // namespace hearth::net::http
