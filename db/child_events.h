// What a listener's value becomes by an event, and which child events two values make. Pure. SDK:
// core/view/EventGenerator.ts.
#pragma once

#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/query.h"
#include "db/model/value.h"

namespace hearth::db {

struct ChildEvent {
  enum class Kind { Removed, Added, Moved, Changed };
  Kind kind;
  std::string key;
  Value value;           // Removed: the old one
  std::string previous;  // key of the child before it in the query's order; "" for the first, and for Removed
};

// The value at `path` after `body`, which was told to a listener there.
Value applied(const Value& value, const Path& path, const Body& body);

// In the SDK's order: removed, added, moved, changed; each in the order of the children.
std::vector<ChildEvent> child_events(const Value& before, const Value& after, const Query& query = {});

}  // namespace hearth::db
