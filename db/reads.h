// Reads, as the reader threads answer them. Thread: any. Blocks on disk.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/model/event.h"
#include "db/model/request.h"
#include "db/reader_pool.h"
#include "db/store/tree_store.h"

namespace hearth::db {

inline constexpr size_t kNetChangePathsMax = 1'000;  // more are told as the whole value

// The answer's `request` is left 0.
Answer answer_read(const Read& read, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now);

inline constexpr size_t kLargeAnswerBytes = 1u << 20;  // less is not counted

// Takes a lease for a large value. Errors: Unavailable: too much waits for clients already.
Result<Lease> lease_for(const Value& value, Budget& budget);

using ReadTimes = PerThread<TimeHistogram>;

// The same on `readers`, or on `scans` where a query goes through a whole collection: those wait for each other.
// `times` outlives them, and is told how long it took, the waiting included; as does `budget`, of large answers.
void run_read(ReaderPool& readers, ReaderPool& scans, ReadTimes& times, Budget& budget, Read read,
              std::shared_ptr<const Snapshot> snapshot, uint32_t number, Timestamp now,
              std::function<void(Answer)> done);

// Whether the write would be accepted on that state; nothing is written.
Answer answer_judge(const Write& write, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now);

// What stands now where something changed at or below `path`: nothing when nothing did.
Result<std::shared_ptr<const Body>> net_change(const TreeView& view, const Path& path, const std::vector<Overwrite>& changed);

}  // namespace hearth::db
