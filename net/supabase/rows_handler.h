// Rows of tables for Supabase clients (`/rest/v1/TABLE`): a request in, calls of the guard, PostgREST's answer out.
//
//   http::Exchange, Project ─▶ parse_rows_request ─▶ prove    ─▶ Guard::read_rows ──────────────────────▶ answer
//                                                             └▶ read_rows ─▶ plan ─▶ Guard::write_rows ─▶ answer
//                                                                  ▲────── a row was changed meanwhile ──┘
// Thread: any, but for what says otherwise.
#pragma once

#include <memory>

#include "db/base/clock.h"
#include "db/base/thread_pool.h"
#include "net/auth/verifier.h"
#include "net/http/exchange.h"
#include "net/io/io_pool.h"
#include "net/supabase/project.h"
#include "net/supabase/row_fence.h"
#include "rules/guard.h"

namespace hearth::net::supabase {

inline constexpr int kChangeTriesMax = 5;  // of a write whose rows are changed by others meanwhile

class RowsHandler {
 public:
  // The references outlive the handler; the io threads and the workers are done with its requests before it goes.
  // `clock`: null: the system's.
  RowsHandler(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers, RowFence& fence,
              const db::Clock* clock = nullptr);
  ~RowsHandler();  // answers of the guard that are still to come go nowhere
  RowsHandler(const RowsHandler&) = delete;
  RowsHandler& operator=(const RowsHandler&) = delete;

  // Answers the request, now or later. Precondition: the project's service is Rest. On its home thread; does not block.
  void handle(const std::shared_ptr<http::Exchange>& exchange, Project project);

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace hearth::net::supabase
