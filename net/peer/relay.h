// Any node takes any request: one that is for a namespace of another node's is passed on to it. Start reading here; the head
// of relay_journey.cc draws one request's way.
//
//   client ─▶ Server::handle ─▶ take(): here? ──yes──▶ served as ever
//                                        └──no──▶ RelayJourney ═ RelayLine ═▶ the owner's peer port ─▶ its Server::adopt
//                                                     └ a WebSocket: two SpliceEnds
//
// What holds:
// - One hop. A request that was passed on is served or refused (503, with `Hearth-Owner`), never passed on again; the node
//   that the client is connected to asks the owner that it was told of, once.
// - Nothing is asked twice that may have been done once. A read may be; a write only where nothing of it was begun: when no
//   connection could be made, or the other node said that it is not the owner.
// - While nobody owns the namespace, requests wait for kOwnerWaitMax, as they do while their owner is being found out.
// - Bodies, answers and sockets flow: no more waits here than Limits::backlog_bytes_pause for each connection.
//
// - While the engine does not answer, this node is not sure that it still owns anything. Reads are answered and say how old
//   they may be (`X-Hearth-Stale`, in seconds); writes are 503, and those that wait already are after a moment, too. Sockets
//   of SDKs are not told: they take a refusal as final.
//
// Thread: any, unless it says otherwise; what belongs to a client lives on its connection's home thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "net/http/exchange.h"
#include "net/io/counters.h"
#include "net/io/io_pool.h"
#include "net/io/limits.h"
#include "net/peer/relay_nodes.h"

namespace hearth::net::peer {

inline constexpr std::chrono::milliseconds kOwnerWaitMax{2'000};
inline constexpr size_t kIdleLinesMax = 16;  // to one node, of one io thread
inline constexpr std::chrono::seconds kIdleLineTimeMax{30};
inline constexpr std::string_view kStaleField = "X-Hearth-Stale";
inline constexpr std::string_view kOwnerField = "Hearth-Owner";  // of a 503: "NODE HOST:PORT", as far as it is known

// What a request is for.
struct RelayTarget {
  std::string space{};        // the namespace, as it is stored
  std::string node{};         // not "": the node itself, whoever owns what: its long polls
  bool may_redirect = false;  // an SDK's socket: it can be told another host
};

struct RelayCounts {
  db::Counter requests;     // passed on, without sockets
  db::Counter sockets;      // likewise, ever
  db::Gauge sockets_open;   // now
  db::Gauge waiting;        // requests that wait for an owner, now
  db::Counter asked_again;  // requests that went to a second node, or came back to this one
  db::Counter redirected;   // SDKs' sockets that were told the owner's host
  db::Counter unowned;      // refused with 503: no owner in time, or it could not be reached
  db::Counter unknown;      // writes answered 503 whose owner was lost while it had them
  db::Counter unsure;       // writes answered 503 while the engine did not answer
  db::Counter cut;          // answers and sockets that ended with their owner
};

class Relay {
 public:
  struct Hooks {
    std::function<void(std::shared_ptr<http::Exchange>)> serve;  // here, on the home thread
    // Tells an SDK to go to that host instead, on the home thread.
    std::function<void(const std::shared_ptr<http::Exchange>&, const std::string& host)> redirect;
  };

  // All outlive it. `io` has been started.
  Relay(RelayNodes& nodes, http::IoPool& io, db::ThreadPool& workers, const http::Limits& limits, Hooks hooks);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  // On the exchange's home thread. False: it is to be served here, and has been prepared for finding out that it is not.
  bool take(const std::shared_ptr<http::Exchange>& exchange, RelayTarget target);

  const RelayCounts& counts() const;
  http::Stats line_stats() const;  // of the connections to other nodes

  // Lets what is under way end, and cuts what is left. Not on an io thread. The server's own connections have ended.
  void drain(std::chrono::milliseconds patience);

  struct Parts;

 private:
  const std::unique_ptr<Parts> parts_;
};

}  // namespace hearth::net::peer
