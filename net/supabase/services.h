// Supabase's services, by the target of a request. Thread: the exchange's home.
#pragma once

#include <memory>
#include <utility>

#include "net/supabase/project.h"
#include "net/supabase/realtime.h"
#include "net/supabase/row_fence.h"
#include "net/supabase/rows_handler.h"

namespace hearth::net::supabase {

class Services {
 public:
  Services(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
           size_t message_bytes_max, bool may_deflate, std::shared_ptr<http::HalfReceived> half_received)
      : fence_(io),
        realtime_(guard, verifier, io, workers, fence_, message_bytes_max, may_deflate, std::move(half_received)),
        rows_(guard, verifier, io, workers, fence_) {}

  // Precondition: owner_of() of its target is Supabase (net/router.h).
  void handle(const std::shared_ptr<http::Exchange>& exchange);
  const RealtimeCounts& realtime_counts() const { return realtime_.counts(); }
  const RowFence& fence() const { return fence_; }

 private:
  RowFence fence_;
  Realtime realtime_;
  RowsHandler rows_;
};

}  // namespace hearth::net::supabase
