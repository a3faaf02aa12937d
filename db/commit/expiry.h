// Rows that say since when children are (db/model/expiry.h), as they follow from effects; and which children are too old.
// As with indexes: the cost follows the effects, and the same records give the same rows, but for what was taken up in the
// background. Thread: its shard's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/commit/overlay.h"
#include "db/model/expiry.h"
#include "db/model/write.h"

namespace hearth::db {

using ExpiryPointer = std::shared_ptr<const ExpiryPlan>;

// A namespace's ages, as an effect finds and leaves them.
struct Ages {
  ExpiryPointer plan;  // not null
  Overlay& rows;       // of Table::Expiry
  // By rule: no row by time is of an earlier moment. A scan from the front would go through all that were erased there.
  std::map<uint32_t, Timestamp>& fronts;
  Timestamp due = Timestamp::max();  // the earliest moment at which a child of a row that was put is too old
};

// The time of a child's row, and a ttl, as the moment when the child is too old.
Timestamp due_at(Timestamp since, Timestamp ttl);

// Errors of all: Io, Corruption.
// Updates the rows for `effects` of a commit of that time; `after` is the tree with all of them.
Result<void> follow_ages(const std::vector<Effect>& effects, Timestamp time, const TreeView& after, Ages& ages);
// From here on the plan is the one for `paths` (null: none), and everything is to be taken up.
void set_paths(std::shared_ptr<const PathPlan> paths, Ages& ages);
// Gives the next children that have no row one of that time; looks at up to `count` of them.
Result<void> take_up(size_t count, Timestamp time, const TreeView& tree, Ages& ages);

// The child stays, though it is too old: from here on it is since `since`. Nothing happens to one that has no age.
Result<void> keep_aged(const Path& child, Timestamp since, Ages& ages);

// Children that are too old. Leftovers that are met are erased.
struct ExpiryBounds {
  size_t children;
  size_t rows;   // of their trees, and leftovers
  size_t bytes;  // of the same. A single child may be larger
};
struct Expired {
  std::vector<Path> children;
  bool has_more = false;             // that are too old already
  Timestamp due = Timestamp::max();  // of the others: when the first one is
};
Result<Expired> find_expired(Timestamp now, const ExpiryBounds& bounds, const TreeView& tree, Ages& ages);

}  // namespace hearth::db
