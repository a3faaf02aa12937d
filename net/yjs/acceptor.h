// Accepts the sockets of Yjs clients: y-websocket at /yjs/ROOM, Hocuspocus at /yjs, both also below /ns/NAME. Thread: the
// exchange's home.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "net/http/exchange.h"
#include "net/yjs/document_homes.h"
#include "net/yjs/room.h"
#include "net/yjs/sockets.h"

namespace hearth::net::yjs {

class Acceptor {
 public:
  Acceptor(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
           size_t message_bytes_max, bool may_deflate, std::shared_ptr<http::HalfReceived> half_received)
      : with_{.guard = guard,
              .verifier = verifier,
              .clock = clock_,
              .io = io,
              .workers = workers,
              .counts = counts_,
              .message_bytes_max = message_bytes_max,
              .half_received = std::move(half_received)},
        may_deflate_(may_deflate),
        rooms_(io.size()) {}

  // Precondition: owner_of() of its target is Yjs (net/router.h).
  void handle(const std::shared_ptr<http::Exchange>& exchange);
  const YjsCounts& counts() const { return counts_; }

 private:
  // `seat`: of a client whose document is named by the request.
  void accept(const std::shared_ptr<http::Exchange>& exchange, Room room, const std::string& space,
              std::shared_ptr<DocumentHomes::Seat> seat);
  http::WebSocketOptions options() const;

  const db::SystemClock clock_;
  YjsCounts counts_;
  const YjsSurroundings with_;
  const bool may_deflate_;
  std::vector<AwarenessRooms> rooms_;  // of each io thread
  DocumentHomes homes_;
};

}  // namespace hearth::net::yjs
