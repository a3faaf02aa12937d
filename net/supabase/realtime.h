// Supabase's realtime service of every namespace: the socket, and broadcasts by HTTP.
//
//   GET  …/realtime/v1/websocket?apikey=…&vsn=2.0.0        realtime_socket.h
//   POST …/realtime/v1/api/broadcast                       {"messages": [{"topic", "event", "payload", "private"}]}
//   POST …/realtime/v1/api/broadcast/TOPIC/events/EVENT    the payload, as JSON or as bytes; ?private=true
//
// Thread: the exchange's home.
#pragma once

#include <memory>
#include <utility>

#include "net/http/exchange.h"
#include "net/supabase/credentials.h"
#include "net/supabase/realtime_socket.h"

namespace hearth::net::supabase {

inline constexpr size_t kBroadcastMessagesMax = 100;  // of one request

class Realtime {
 public:
  Realtime(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers, RowFence& fence,
           size_t message_bytes_max, bool may_deflate, std::shared_ptr<http::HalfReceived> half_received)
      : with_{.guard = guard,
              .verifier = verifier,
              .clock = clock_,
              .io = io,
              .workers = workers,
              .fence = fence,
              .counts = counts_,
              .message_bytes_max = std::min(message_bytes_max, kRealtimeMessageMax),
              .half_received = std::move(half_received)},
        may_deflate_(may_deflate) {}

  // Precondition: the service is Realtime.
  void handle(const std::shared_ptr<http::Exchange>& exchange, Project project);
  const RealtimeCounts& counts() const { return counts_; }

 private:
  struct Ask;
  void open_socket(const std::shared_ptr<http::Exchange>& exchange, const Ask& ask);
  void broadcast(const std::shared_ptr<http::Exchange>& exchange, const Ask& ask, const rules::Auth& auth,
                 const rules::RealtimeSettings& settings);

  const db::SystemClock clock_;
  RealtimeCounts counts_;
  const RealtimeSurroundings with_;
  const bool may_deflate_;
};

}  // namespace hearth::net::supabase
