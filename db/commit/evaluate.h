// The first step of a commit: a write is judged against everything accepted before it and settles to effects. No
// request, clock or condition is left in them. Thread: its shard's.
#pragma once

#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/commit/apply.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"

namespace hearth::db {

struct Settled {
  std::vector<Effect> effects;        // in order, already applied to `after`; empty: the write changes nothing
  std::vector<Overwrite> changed;     // what of the write made a difference, with server values resolved: for events
  bool writes_priorities = false;
};

// `before`: what the write finds; `after`: an overlay over it that takes the effects. `has_priorities`: some node of the
// namespace may have one. Errors: of the preconditions; InvalidData; Io.
Result<Settled> evaluate(const Write& write, const TreeView& before, Pending& after, bool has_priorities, Timestamp now);

}  // namespace hearth::db
