// Accepts the requests of this protocol: WebSockets at `/.ws`, long polling at `/.lp`. Thread: any, but for close().
#pragma once

#include <memory>
#include <utility>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "net/wire/dialogue.h"
#include "net/wire/polls.h"

namespace hearth::net::wire {

class Acceptor {
 public:
  // `serialised`: counts pushes that were; null: nobody counts. `half_received`, `http_limits`: as the listener's.
  // `node`: of a cluster.
  Acceptor(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
           db::Counter* serialised = nullptr, Limits limits = {}, bool may_deflate = false,
           std::shared_ptr<http::HalfReceived> half_received = {}, const http::Limits& http_limits = {},
           std::string node = {})
      : with_{.guard = guard,
              .verifier = verifier,
              .clock = clock_,
              .io = io,
              .workers = workers,
              .serialised = serialised,
              .limits = limits,
              .may_deflate = may_deflate,
              .reached = &reached_,
              .half_received = std::move(half_received),
              .receive_pace_min = http_limits.receive_pace_min,
              .receive_stall_max = http_limits.body_stall_max,
              .node = std::move(node)},
        polls_(with_) {}

  // Precondition: owner_of() of its target is Wire (net/router.h). On the exchange's home thread.
  void handle(const std::shared_ptr<http::Exchange>& exchange);

  // Tells the SDK to go to another host, instead of a hello. Precondition: as handle(), and it is a WebSocket.
  void redirect(const std::shared_ptr<http::Exchange>& exchange, const std::string& host);

  // Ends the sessions of long polls, which no connection keeps. The io threads and the workers have ended.
  void close() { polls_.clear(); }

  Polls::Stats poll_stats() const { return polls_.stats(); }
  const LimitsReached& limits_reached() const { return reached_; }

 private:
  const db::SystemClock clock_;
  LimitsReached reached_;
  const Surroundings with_;
  Polls polls_;
};

}  // namespace hearth::net::wire
