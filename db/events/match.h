// A commit and the trees before and after it → what each listener is told. Events are returned, not called.
//
// A listener at or above a change is told the change itself, in bytes shared by all such; one below it is told its
// own new value, if that is another. Forms: net/wire/protocol.md §6.3. Thread: the namespace's shard.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "db/base/clock.h"
#include "db/events/listener_registry.h"
#include "db/model/event.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"

namespace hearth::db {

// The error for a listener whose check has lapsed (Precondition::lapses) and now refuses it: its right was limited in
// time.
inline Error lapsed(Error refusal) {
  if (refusal.code == ErrorCode::PermissionDenied) refusal.code = ErrorCode::ExpiredToken;
  return refusal;
}

struct Notification {
  Subscription* subscription;
  std::shared_ptr<const Body> body;  // null when revoked
  std::optional<Error> revoked;      // it is out of the registry already
};

struct Difference {
  const std::vector<Overwrite>& changed;  // no one above another; values resolved
  bool merge;                             // asked for as one update below `base`
  const Path& base;
  bool has_priorities;       // the namespace may hold some
  Times now;                 // at its commit
  const Settings& settings;  // after it
  bool configures = false;   // the settings are others: every listener's check is asked again
  bool is_unread = false;    // `changed` has no values; they are read from the tree after
};

// Errors: Io, of reading the trees.
Result<std::vector<Notification>> match(ListenerRegistry& registry, const Difference& difference,
                                        const TreeView& before, const TreeView& after);

}  // namespace hearth::db
