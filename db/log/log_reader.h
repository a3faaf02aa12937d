// A namespace's log in a snapshot: which entries there are, and what they say.
//
//        cut                                   head
//   ······│▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪│           ▪ an entry: every commit after `cut` has one
//    gone   ▲ since                              what it knows: all sequences from `cut` to the head
//
// Rows may go while a snapshot that had them is still read: the store takes them by file, and compaction as it comes to
// them. So a gap is no damage here; whoever meets one is told that the log begins later.
//
// Thread: any, one at a time. Blocks on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/log/log_entry.h"
#include "db/model/history.h"
#include "db/store/snapshot.h"

namespace hearth::db {

class LogReader {
 public:
  LogReader(std::shared_ptr<const Snapshot> snapshot, uint32_t number)
      : snapshot_(std::move(snapshot)), number_(number) {}

  Result<std::optional<LogState>> state() const;  // nothing: no log is kept

  // An entry without its record, and its size in bytes; nothing: it is not there. Errors: Io, Corruption.
  struct Sized {
    LogEntry entry;
    uint64_t size = 0;
  };
  Result<std::optional<Sized>> head_of(uint64_t sequence) const;

  // Whether all that came after `sequence` of the run `life` is in the log: the commit of that sequence was made in that
  // run or before it, and the next one not before it. So an id from a folder that was put back to an older state, whose
  // commits are others now, is not taken for one of these. `head`: the sequence of the last commit.
  Result<bool> knows(const LogState& state, uint64_t head, uint32_t life, uint64_t sequence) const;

  // Calls `entry(entry, size)` for those after `since`, in order, until it answers false. Errors: NotFound (the log
  // begins later), Io, Corruption.
  Result<void> read(uint64_t since, const std::function<bool(LogEntry&& entry, uint64_t size)>& entry) const;

  // Where the log has to begin for `plan`. `end`: the offset behind the entry `head`. Costs as many looks as a search by
  // halves takes. Errors: Io, Corruption.
  struct End {
    uint64_t head = 0;
    uint64_t offset = 0;
  };
  Result<LogState> trimmed(const LogState& state, const HistoryPlan& plan, const End& end, Timestamp now) const;

 private:
  const std::shared_ptr<const Snapshot> snapshot_;
  const uint32_t number_;
};

}  // namespace hearth::db
