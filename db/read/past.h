// Reads of the past: which commit a moment means, and what a path was.
//
//   moment ─▶ sequence_at ─▶ PastView (db/log/versions.h), read as any other tree
//
// Pure but for the reading. Thread: any. Blocks on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "db/base/result.h"
#include "db/model/past.h"
#include "db/model/write.h"
#include "db/read/fair_pool.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// The sequence of the commit after which it was that moment. Errors: InvalidArgument (no versions are kept), NotFound
// (before what is known, with from when it is, or an id of another store), Unavailable (they are still carried over).
Result<uint64_t> sequence_at(const PastMoment& moment, const TreeStore& store,
                             const std::shared_ptr<const Snapshot>& snapshot, uint32_t number);

// The write that takes the commit of that id back: it puts back what stood where the commit changed something, and is
// refused with Stale where something has changed since. Errors: those of sequence_at; InvalidArgument (a commit that changed
// something beside data); TooLarge; of the turn, when it is over.
Result<Write> undo_of(const EventId& id, const TreeStore& store, const std::shared_ptr<const Snapshot>& snapshot,
                      uint32_t number, Turn& turn);

// The first sequence whose tree can be read. Errors: InvalidArgument (no versions are kept), Unavailable.
Result<uint64_t> first_known_past(const std::shared_ptr<const Snapshot>& snapshot, uint32_t number);
// What stood at a place after the commit `sequence`, which is known. Errors: TooLarge, Io, Corruption.
Result<Value> value_after(uint64_t sequence, const Path& path, size_t bytes_max,
                          const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Turn& turn);

// Errors: the same; TooLarge; of the turn, when it is over.
Result<PathHistory> read_history(const HistoryRead& read, const TreeStore& store,
                                 const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Turn& turn);

}  // namespace hearth::db
