// For whom ephemeral values stay (db/commit/ephemeral.h): a conversation, until it ends, or one write, until its ttl is over.
// Each row in memory has the number of its holder; here is where each holder has written, so that what goes with it is found
// without a look at all the others.
//
//   write at cursors/ada ─▶ row cursors/ada/x  holder 7        7: {cursors/ada}
//   write by another     ─▶ row cursors/ada/x  holder 9        9: {cursors/ada}; 7 ends: nothing there is its own any more
//
// Thread: the namespace's shard.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "db/base/clock.h"
#include "db/model/path.h"
#include "db/model/write.h"
#include "db/store/ephemeral_rows.h"

namespace hearth::db {

inline constexpr size_t kHolderBytes = 160;  // about what one holds in memory, and a place of one beside its text
inline constexpr size_t kHolderPlacesLook =
    1'000;  // places at which it is first looked which of them still hold something
inline constexpr size_t kReleasedRowsMax = 1'000;  // that are removed in one commit

class Holders {
 public:
  uint64_t next() { return ++last_; }
  // It has written at these places. `until`: by the alarms' clock; nothing: until it is released.
  void add(uint64_t holder, std::span<const Path> places, std::optional<Timestamp> until, const EphemeralRows& rows);
  // What goes with it, as locations of which no one is above another; some at a time, `is_all` says whether that is all. A
  // place is within an ephemeral one, so nothing on disk is below it.
  struct Released {
    std::vector<Overwrite> removals;
    bool is_all = true;
  };
  Released released(uint64_t holder, const EphemeralRows& rows) const;
  void forget(uint64_t holder);
  std::optional<uint64_t> due(Timestamp now) const;  // one whose time is over
  std::optional<Timestamp> next_due() const;
  size_t byte_count() const { return bytes_; }
  bool empty() const { return holders_.empty(); }

 private:
  struct Holder {
    std::set<Path> places;
    size_t look_at = kHolderPlacesLook;
    std::optional<Timestamp> until;
  };
  size_t drop_idle(uint64_t number, Holder& holder, const EphemeralRows& rows);

  uint64_t last_ = 0;
  size_t bytes_ = 0;
  std::map<uint64_t, Holder> holders_;
  std::set<std::pair<Timestamp, uint64_t>> by_time_;
};

}  // namespace hearth::db
