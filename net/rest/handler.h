// REST: a request in, a call of the guard, its answer out. Start reading here.
//
//   http::Exchange ─▶ parse_request ─▶ rules::Guard::read | write ─▶ respond_json
//                                   └▶ EventStream                     (Accept: text/event-stream)
//
// Workers parse large bodies and make large answers; handler.cc draws which step runs where. Thread: any, but for
// what says otherwise.
#pragma once

#include <chrono>
#include <memory>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/thread_pool.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/io/io_pool.h"
#include "rules/guard.h"

namespace hearth::net::rest {
class Desk;
}

namespace hearth::net {

class RestHandler {
 public:
  struct Options {
    const db::Clock* clock = nullptr;              // null: the system's
    std::chrono::milliseconds keep_alive{30'000};  // of streams
    db::Counter* serialised = nullptr;             // counts events of streams that were turned into text; may be null
    rest::Desk* desk = nullptr;                    // for what is for administrators (net/rest/desk.h); null: 404
  };

  // The references outlive the handler; the io threads and the workers are done with its requests before it goes.
  RestHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers);
  RestHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
              Options options);
  ~RestHandler();  // answers of the guard that are still to come go nowhere
  RestHandler(const RestHandler&) = delete;
  RestHandler& operator=(const RestHandler&) = delete;

  // Answers `exchange`, now or later. On its home thread; does not block.
  void handle(std::shared_ptr<http::Exchange> exchange);

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace hearth::net
