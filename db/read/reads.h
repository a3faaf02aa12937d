// Reads, answered by the threads of two pools. One that allows it is tried on the thread that asks first, which never
// waits for a disk. Else a read begins on the `readers`, where it has one slice (db/read/fair_pool.h). A longer one
// begins again on the `scans`: their threads have low priority, and stop for others at the end of each slice. Thread:
// any.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "db/base/clock.h"
#include "db/base/metrics.h"
#include "db/base/step.h"
#include "db/model/event.h"
#include "db/model/read.h"
#include "db/read/fair_pool.h"
#include "db/store/tree_store.h"

namespace hearth::db {

inline constexpr size_t kNetChangePathsMax = 1'000;  // more are told as the whole value

inline constexpr size_t kScanThreads = 6;            // scans that are begun at a time, of all namespaces
inline constexpr size_t kScansRunningMax = 2;        // of them, that are not paused; of one namespace one
inline constexpr int kScanNice = 10;                 // of their threads, over that of the others
inline constexpr size_t kReadSliceBytes = 1u << 20;  // on disk: what is larger is not begun on the readers, or hardly

// A tree that counts each row that is read as work of the turn. Once the turn is over, it answers with an error,
// which nobody is to be told. The tree behind it and the turn outlive it.
class TurnView final : public TreeView {
 public:
  TurnView(const TreeView& view, Turn& turn) : view_(view), turn_(turn) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override;

 private:
  const TreeView& view_;
  Turn& turn_;
};

inline constexpr size_t kLargeAnswerBytes = 1u << 20;  // less is not counted

// Takes a lease for a large value. Errors: Unavailable: too much waits for clients already.
Result<Lease> lease_for(const Value& value, Budget& budget);

using ReadTimes = PerThread<TimeHistogram>;

// What a read may do on the thread that asks before it goes to the pool (Read::is_here_if_short).
inline constexpr Work kReadHereMax{100, 64u << 10, 2'000};
// What the thread may have done in its step before a read goes to the pool at once.
inline constexpr Work kReadsHereMax{300, 128u << 10, 5'000};

// Answers the read by `done`, with 0 as the answer's `request`. `times` is told how long the read took, waiting
// included. `times` and `budget` (of large answers) outlive the readers. Errors: those of the read; Unavailable: too
// much waits.
// `store`: for Read::at; it outlives the readers.
void run_read(FairPool& readers, ReadTimes& times, Budget& budget, Read read, std::shared_ptr<const Snapshot> snapshot,
              uint32_t number, Timestamp now, std::function<void(Answer)> done, const TreeStore* store = nullptr);

// Whether the write would be accepted on that state; nothing is written.
Answer answer_judge(const Write& write, const std::shared_ptr<const Snapshot>& snapshot, uint32_t number, Timestamp now,
                    Turn& turn);

// What an accepted write has written, in the form that Write::wants_value describes: what the write brought, nothing
// beside.
Result<Value> read_written(const TreeView& view, const Write& write);

// The event that brings a client up to date at `path`: what stands now at the changed places. Null when nothing
// changed.
Result<std::shared_ptr<const Body>> net_change(const TreeView& view, const Path& path,
                                               const std::vector<Overwrite>& changed);

}  // namespace hearth::db
