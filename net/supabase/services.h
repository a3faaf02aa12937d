// Supabase's services, by the target of a request. Thread: the exchange's home.
#pragma once

#include <memory>
#include <utility>

#include "net/supabase/project.h"
#include "net/supabase/realtime.h"
#include "net/supabase/rows_handler.h"

namespace hearth::net::supabase {

class Services {
 public:
  Services(rules::Guard& guard, const Verifier& verifier, http::IoPool& io, db::ThreadPool& workers,
           size_t message_bytes_max, bool may_deflate, std::shared_ptr<http::HalfReceived> half_received)
      : realtime_(guard, verifier, io, workers, message_bytes_max, may_deflate, std::move(half_received)),
        rows_(guard, verifier, io, workers) {}

  // Returns false when the exchange is for none of them.
  bool accept(const std::shared_ptr<http::Exchange>& exchange);
  const RealtimeCounts& realtime_counts() const { return realtime_.counts(); }

 private:
  Realtime realtime_;
  RowsHandler rows_;
};

}  // namespace hearth::net::supabase
