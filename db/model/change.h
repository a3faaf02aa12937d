// The change feed as it is asked for and answered: what happened in a namespace, in the order of its commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/model/path.h"
#include "db/model/write.h"

namespace hearth::db {

inline constexpr std::string_view kSinceNow = "now";
inline constexpr size_t kBeforeBytesMax = 16u << 20;   // of one value from before
inline constexpr size_t kChangesPageBytes = 4u << 20;  // of entries, about: the one that passes it is the last

struct ChangesRead {
  std::string since;  // an id "life:sequence"; "0": the begin of the log; kSinceNow: nothing of what was, only `next`
  Path path{};        // what is at, below or above it; what is above is told as what it means there
  size_t changes_max = 1'000;
  // Of one page. A single change may be larger: it is told whole.
  size_t bytes_max = kChangesPageBytes;
  bool before = false;  // what stood there before is told too; for namespaces that keep versions
};

// What one commit did at one place.
struct PlaceChange {
  Path path{};
  Slot slot = Slot::Value;
  Value value{};             // that is there now; null: nothing
  bool is_restored = false;  // `value` is not known: a restore brought it, and it is to be read anew
  bool is_purged = false;    // the same: an administrator has removed it from history
  // With ChangesRead::before: what stood there. Nothing: that is not known, as it was from before versions were kept, or it
  // is larger than kBeforeBytesMax.
  std::optional<Value> before{};
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
  // Of the first commit that was looked at, also if it did nothing at that path. "": there was none.
  std::string first{};
  uint64_t first_sequence = 0;
  bool is_end = false;  // nothing came after `next` before the page was read
};

}  // namespace hearth::db
