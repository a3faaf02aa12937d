// The change feed as it is asked for and answered: what happened in a namespace, in the order of its commits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/base/clock.h"
#include "db/model/path.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr size_t kChangesPageBytes = 4u << 20;  // of entries, about: the one that passes it is the last

struct ChangesRead {
  std::string since;  // an id "life:sequence"; "0": the begin of the log
  Path path{};        // what is at, below or above it; what is above is told as what it means there
  size_t changes_max = 1'000;
  // Of one page. A single change may be larger: it is told whole.
  size_t bytes_max = kChangesPageBytes;
};

// What one commit did at one place.
struct PlaceChange {
  Path path;
  Slot slot = Slot::Value;
  Value value;               // that is there now; null: nothing
  bool is_restored = false;  // `value` is not known: a restore brought it, and it is to be read anew
  bool is_purged = false;    // the same: an administrator has removed it from history
};

struct Change {
  std::string id;    // after it: whoever comes back with it hears what came later
  Timestamp time{};  // of the server, as `now` and server values had it
  std::string by;    // `auth.uid` of who wrote; empty: an administrator, the app itself, or not known
  std::vector<PlaceChange> places;
};

struct ChangesPage {
  std::vector<Change> changes;
  std::string next;       // the id to go on with: of the last commit that was looked at
  uint64_t sequence = 0;  // the same as a number
  bool is_end = false;    // nothing came after `next` before the page was read
};

}  // namespace hearth::db
