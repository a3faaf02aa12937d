// Limits on what a client may use, each with a name. Tests set smaller ones.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::net::http {

struct Limits {
  size_t connections_max = 50'000;
  size_t connections_per_address_max = 12'500;  // trusted proxies have any number
  // Requests and WebSocket frames a second on one connection, after a burst of as many. A client above it is read
  // from later, so that nobody else waits for its requests. 0: any number.
  size_t request_rate_max = 10'000;
  size_t target_bytes_max = 16u << 10;  // past it: 414
  size_t head_bytes_max = 32u << 10;    // request line and header fields; past it: 431
  size_t header_fields_max = 128;       // past it: 431
  size_t body_bytes_max = 256u << 20;   // of one request, after inflating too; past it: 413
  // Bytes that clients have sent and that are not whole yet, or not answered (half_received.h). Past it: 503, or a
  // WebSocket ends with 1013.
  size_t pending_bytes_max = 1024u << 20;
  size_t pending_bytes_per_address_max = 512u << 20;  // the part of one address; past it the same happens
  // The least average pace, in bytes a second, of a body or a message that has begun. A client that is slower for
  // body_stall_max, or silent, is given up (408, or 1008). 0: only silence counts.
  size_t receive_pace_min = 1'000;
  size_t backlog_bytes_max = 64u << 20;  // waiting to be sent on one connection, not counting its largest piece
  // Bytes that wait to be sent on all connections. Past it a client that takes nothing and has more than
  // backlog_bytes_pause waiting is cut off at once, and large answers wait.
  size_t outbound_bytes_max = 2048u << 20;
  size_t backlog_bytes_pause = 1024u << 10;  // while more waits, nothing more is read from the client
  size_t backlog_bytes_ahead = 512u << 10;   // how far the source of a long body runs ahead of the socket

  std::chrono::milliseconds greeting_time_max{10'000};    // from a connection to the end of its TLS handshake
  std::chrono::milliseconds head_time_max{30'000};        // from the first byte of a request to the end of its head
  std::chrono::milliseconds body_stall_max{30'000};       // without a byte of what has begun, or below the pace
  std::chrono::milliseconds idle_time_max{90'000};        // between requests; the SDKs pool connections: at least 60 s
  std::chrono::milliseconds send_stall_max{30'000};       // without a byte taken by the client while some wait
  std::chrono::milliseconds long_body_time_max{900'000};  // for a long body as a whole: its source holds a snapshot
  std::chrono::milliseconds linger_time_max{2'000};       // of silence, for the client to close after us
  std::chrono::milliseconds goodbye_time_max{20'000};     // from our goodbye on a WebSocket to its end, silent or not
};

// The limits that a client can reach. The metrics name them as the flags do.
enum class Limit : uint8_t {
  Connections,
  ConnectionsPerAddress,
  RequestRate,
  GreetingTime,
  HeadSize,  // and of the target, and the number of fields
  HeadTime,
  BodySize,
  BodyTime,
  PendingSize,
  PendingSizePerAddress,
  ReceivePace,
  MessageSize,
  IdleTime,
  Backlog,
  SendTime,
  Outbound,
  ReadTime,
};
inline constexpr std::array<std::string_view, 17> kLimitNames = {"connections",  "connections_per_address",
                                                                 "request_rate", "greeting_time",
                                                                 "head_size",    "head_time",
                                                                 "body_size",    "body_time",
                                                                 "pending_size", "pending_size_per_address",
                                                                 "receive_pace", "message_size",
                                                                 "idle_time",    "backlog_size",
                                                                 "send_time",    "outbound_size",
                                                                 "read_time"};

}  // namespace hearth::net::http
