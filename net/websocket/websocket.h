// A WebSocket (RFC 6455), for any protocol. Pings, fragments, limits and the closing handshake are done here;
// permessage-deflate is the only extension, and subprotocols there are none. Thread: the connection's home.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/io/bytes.h"

namespace hearth::net::http {

class Gate;

enum class MessageKind : uint8_t { Text, Binary };

enum class CloseCode : uint16_t {  // RFC 6455 §7.4.1
  Normal = 1000,
  GoingAway = 1001,
  ProtocolError = 1002,
  Unsupported = 1003,
  NoStatus = 1005,  // never sent
  Abnormal = 1006,  // never sent
  InvalidData = 1007,
  Policy = 1008,
  TooLarge = 1009,
  Internal = 1011,
  TryAgainLater = 1013,
};

struct WebSocketOptions {
  size_t message_bytes_max = 16u << 20;  // past it: closed with 1009
  // Silence: we have heard nothing of the client.
  std::chrono::milliseconds ping_interval{25'000};  // of silence, until we ping
  std::chrono::milliseconds idle_time_max{90'000};  // of silence, until the client counts as gone
  // The time after which a client speaks by itself when nothing went either way; 0: it never does. Such a client is
  // pinged only when its word is overdue by word_delay_max, or after ping_interval when what we send puts its word
  // off.
  std::chrono::milliseconds word_interval{0};
  std::chrono::milliseconds word_delay_max{5'000};
  // False: a ping would end the connection. The client is never pinged, and what we send breaks its silence: whether it is
  // there to take that, TCP says (Limits::send_stall_max).
  bool answers_pings = true;
  bool may_deflate = false;  // if the client offers it
};

class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;

  // One whole message. Text is valid UTF-8. Its capacity is at least 64 bytes above its size (kBodyPaddingBytes).
  virtual void on_message(std::string&& message, MessageKind kind) = 0;

  // What waits to be sent has fallen below Limits::backlog_bytes_ahead, after it was above Limits::backlog_bytes_pause.
  virtual void on_drained() {}

  // The server is closing. True: what is under way is finished first, and then close() is called, soon; false: it is closed now.
  virtual bool on_server_closing() { return false; }

  // The last call, made once and never from within a call of ours: the client is gone or has said goodbye.
  virtual void on_close(CloseCode code) = 0;
};

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // Whole frames, made by frame_text or frame_binary (frame.h): framed once, sent to many. They leave at the
  // end of this turn of the loop, in order. Slow readers: see Stream::send. All are no-ops once closed.
  virtual void send(SharedBytes frames) = 0;
  virtual void send(std::string_view frames) = 0;
  virtual void send_text(std::string_view payload) = 0;
  virtual void send_binary(std::string_view payload) = 0;

  // Says goodbye behind what waits. No message comes after it; on_close does.
  virtual void close(CloseCode code, std::string_view reason = {}) = 0;

  // Stops and resumes the messages; the client is held back by TCP. For a session with too much unanswered.
  virtual void pause() = 0;
  virtual void resume() = 0;

  // permessage-deflate has been agreed on: frames may be made by deflated_frame_text.
  virtual bool is_deflated() const = 0;

  // Tells how many bytes the handler keeps of a message of several frames that is not whole yet. They count with what
  // the socket holds itself, and the message must go on at the pace that Limits demand. 0: there is no such message.
  // Past a limit the socket is closed, not from within this call.
  virtual void hold(size_t bytes) = 0;

  // The client is heard through the gate, together with others (net/io/gate.h); null: as any. A gate outlives the sockets
  // of its thread.
  virtual void hear_through(Gate*) {}

  virtual bool is_closed() const = 0;  // or closing: nothing more can be sent
  virtual size_t backlog_bytes() const = 0;
};

}  // namespace hearth::net::http
