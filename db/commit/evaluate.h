// The first step of a commit: a write is judged against everything accepted before it and settles to effects. No
// request, clock or condition is left in them. Thread: its shard's.
#pragma once

#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/commit/apply.h"
#include "db/model/path_plan.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"

namespace hearth::db {

// What a write finds.
struct Found {
  const TreeView& tree;
  const Settings& settings;
  bool has_priorities;                  // some node of the namespace may have one
  const TreeView* documents = nullptr;  // their rows; null: the namespace has none
  const PathPlan* paths = nullptr;      // what of the tree is ephemeral; null: nothing
};

struct Settled {
  std::vector<Effect> effects;     // in order, already applied to `after`; empty: the write changes nothing
  std::vector<Overwrite> changed;  // what of the write made a difference, with server values resolved: for events
  bool writes_priorities = false;
  bool configures = false;  // some setting is another now
};

// `after`: an overlay over what is found, that takes the effects; worthless when the write is refused. Errors: of the
// preconditions and of access; InvalidData; Io.
Result<Settled> evaluate(const Write& write, const Found& found, Pending& after, Times now);

// Whether evaluate() would accept it, and nothing else.
Result<void> judge(const Write& write, const Found& found, Times now);

}  // namespace hearth::db
