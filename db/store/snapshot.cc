// Looks at the store. A view of a namespace counts each row for the thread's step (db/base/step.h), which may be over in
// the middle of a scan, and keeps one iterator for all its scans.
//
//   SnapshotView::scan ─▶ counted(): a seek, then each row ─▶ Snapshot::scan ─▶ Cursor: bounds moved, Seek, Next …
//
// Where very much was erased there may be runs that are known to be empty (empty_runs.h). A scan goes through what is between
// them, and says where it went through erased rows for long.
//
// A row of another namespace or table has another prefix, so the prefix is put before each key and taken off again.
#include "db/store/snapshot.h"

#include <rocksdb/db.h>
#include <rocksdb/perf_context.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "db/base/step.h"
#include "db/model/hash.h"
#include "db/model/index.h"
#include "db/model/key_order.h"
#include "db/store/ephemeral_index.h"
#include "db/store/rocks.h"
#include "db/store/snapshot_state.h"

namespace hearth::db {
namespace {

std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

void append_u64(uint64_t value, std::string& to) {
  for (int shift = 56; shift >= 0; shift -= 8) to += static_cast<char>(value >> shift);
}

uint64_t read_u64(std::string_view bytes) {
  return static_cast<uint64_t>(read_number(bytes)) << 32 | read_number(bytes.substr(4));
}

// What of [from, upto) is not known to be empty, in ascending order: one part, nearly always.
struct Part {
  std::string_view from, upto;
};
template <typename See>
Result<bool> each_part(std::string_view from, std::string_view upto, const std::vector<EmptyRuns::Run>& runs,
                       const See& see) {
  for (const EmptyRuns::Run& run : runs) {
    if (from < run.from) {
      ASSIGN_OR_RETURN(const bool goes_on, see(Part{from, run.from}));
      if (!goes_on) return false;
    }
    from = std::max<std::string_view>(from, run.upto);
  }
  if (from >= upto) return true;
  return see(Part{from, upto});
}

// How many erased rows, and rows that these hide, this thread's iterators have gone through. RocksDB counts them anyway.
class Skipped {
 public:
  Skipped() : counts_(*rocksdb::get_perf_context()), before_(now()) {}
  void begin_step() { before_ = now(); }
  bool is_long() const { return now() - before_ >= kRunSkipsMin; }

 private:
  uint64_t now() const { return counts_.internal_delete_skipped_count + counts_.internal_key_skipped_count; }
  const rocksdb::PerfContext& counts_;
  uint64_t before_;
};

std::string behind(const rocksdb::Slice& key) { return key.ToString() + '\0'; }

}  // namespace

std::string Head::encode() const {
  std::string bytes(1, '\x01');
  append_u64(sequence, bytes);
  append_u64(static_cast<uint64_t>(time.count()), bytes);
  bytes += static_cast<char>((has_priorities ? 1 : 0) | (has_documents ? 2 : 0));
  bytes += rules;
  return bytes;
}

Result<Head> Head::decode(std::string_view bytes) {
  constexpr size_t kFixedBytes = 18;
  const bool is_ours = bytes.size() == kFixedBytes || bytes.size() == kFixedBytes + kTextDigestBytes;
  if (!is_ours || bytes[0] != '\x01') return Error{ErrorCode::Corruption, "a namespace's head row is not ours"};
  Head head;
  head.sequence = read_u64(bytes.substr(1));
  head.time = Timestamp(static_cast<int64_t>(read_u64(bytes.substr(9))));
  head.has_priorities = (bytes[17] & 1) != 0;
  head.has_documents = (bytes[17] & 2) != 0;
  head.rules = bytes.substr(kFixedBytes);
  return head;
}

Snapshot::Snapshot(std::shared_ptr<const State> state, EphemeralRows ephemeral)
    : state_(std::move(state)), ephemeral_(std::move(ephemeral)) {}
Snapshot::~Snapshot() = default;

std::shared_ptr<const Snapshot> Snapshot::with(EphemeralRows ephemeral) const {
  return std::make_shared<const Snapshot>(state_, std::move(ephemeral));
}

// RocksDB looks at the bound through a pointer, and looks anew at each Seek.
struct Snapshot::Cursor {
  rocksdb::Slice upper;
  bool is_limited = false, is_in_memory = false;  // the step that it was made in
  std::unique_ptr<rocksdb::Iterator> at;
};
void Snapshot::DropCursor::operator()(Cursor* cursor) const { delete cursor; }

Result<void> Snapshot::scan(std::string_view from, std::string_view upto, const TreeView::RowFunction& row) const {
  CursorPointer cursor;
  return scan(from, upto, row, cursor);
}

Result<void> Snapshot::scan(std::string_view from, std::string_view upto, const TreeView::RowFunction& row,
                            CursorPointer& cursor) const {
  const Step& step = Step::here();
  if (cursor == nullptr || cursor->is_limited != step.is_limited() || cursor->is_in_memory != step.is_in_memory()) {
    cursor.reset(new Cursor{{}, step.is_limited(), step.is_in_memory(), nullptr});
  }
  const std::vector<EmptyRuns::Run> runs = state_->empty_within(from, upto);
  RETURN_IF_ERROR(each_part(from, upto, runs, [&](const Part& part) -> Result<bool> {
    cursor->upper = slice(part.upto);
    if (cursor->at == nullptr) {
      rocksdb::ReadOptions options = state_->read_options();
      options.iterate_upper_bound = &cursor->upper;
      cursor->at.reset(state_->db->NewIterator(options));
    }
    rocksdb::Iterator& at = *cursor->at;
    Skipped skipped;
    bool is_first = true;
    for (at.Seek(slice(part.from)); at.Valid(); at.Next()) {
      if (skipped.is_long()) tell_of_run(part.from, view(at.key()), is_first ? Ends::Both : Ends::Upper);
      is_first = false;
      if (!row(view(at.key()), view(at.value()))) return false;
      skipped.begin_step();
    }
    RETURN_IF_ERROR(State::outcome(at.status()));
    if (skipped.is_long()) tell_of_run(part.from, part.upto, is_first ? Ends::Both : Ends::Upper);
    return true;
  }));
  return {};
}

// No row was met between the two keys or, where one end alone is known, before it or behind it: the row at the other end is
// looked for.
void Snapshot::tell_of_run(std::string_view from, std::string_view upto, Ends known) const {
  if (state_->empty == nullptr) return;
  const rocksdb::Slice lower = slice(from), upper = slice(upto);
  std::string low(from), high(upto);
  if (known != Ends::Both) {
    rocksdb::ReadOptions options = state_->read_options();
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(state_->db->NewIterator(options));
    known == Ends::Upper ? at->SeekToLast() : at->SeekToFirst();
    if (!at->status().ok()) return;  // too much for this step: somebody else tells of it
    if (at->Valid())
      (known == Ends::Upper ? low : high) = known == Ends::Upper ? behind(at->key()) : at->key().ToString();
  }
  state_->empty->tell(low, high, state_->snapshot->GetSequenceNumber());
}

Result<void> Snapshot::first_rows(Table table, const NumberFunction& row) const {
  std::string from = row_key(table, "");
  for (bool is_found = true; is_found;) {
    is_found = false;
    RETURN_IF_ERROR(scan(from, end_of_table(table), [&](std::string_view key, std::string_view value) {
      if (key.size() < kTableAndNumber) return false;
      const uint32_t number = read_number(key.substr(1));
      row(number, value);
      from = row_key(table, number + 1);
      is_found = number != UINT32_MAX;
      return false;
    }));
  }
  return {};
}

uint64_t Snapshot::rows_since() const {
  return state_->snapshot == nullptr ? 0
                                     : state_->db->GetLatestSequenceNumber() - state_->snapshot->GetSequenceNumber();
}

Result<std::optional<std::string>> Snapshot::get(std::string_view key) const {
  const rocksdb::ReadOptions options = state_->read_options();
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = state_->db->Get(options, state_->db->DefaultColumnFamily(), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RETURN_IF_ERROR(State::outcome(status));
  return std::optional<std::string>(value.ToString());
}

Result<void> Snapshot::scan_down(std::string_view from, std::string_view upto, const TreeView::RowFunction& row) const {
  const std::vector<EmptyRuns::Run> runs = state_->empty_within(from, upto);
  std::vector<Part> parts;
  RETURN_IF_ERROR(each_part(from, upto, runs, [&](const Part& part) -> Result<bool> {
    parts.push_back(part);
    return true;
  }));
  for (; !parts.empty(); parts.pop_back()) {
    const Part part = parts.back();
    const rocksdb::Slice lower = slice(part.from);
    const rocksdb::Slice upper = slice(part.upto);
    rocksdb::ReadOptions options = state_->read_options();
    options.iterate_lower_bound = &lower;
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> at(state_->db->NewIterator(options));
    Skipped skipped;
    bool is_first = true;
    for (at->SeekToLast(); at->Valid(); at->Prev()) {
      if (skipped.is_long()) tell_of_run(behind(at->key()), part.upto, is_first ? Ends::Both : Ends::Lower);
      is_first = false;
      if (!row(view(at->key()), view(at->value()))) return {};
      skipped.begin_step();
    }
    RETURN_IF_ERROR(State::outcome(at->status()));
    if (skipped.is_long()) tell_of_run(part.from, part.upto, is_first ? Ends::Both : Ends::Lower);
  }
  return {};
}

uint64_t Snapshot::bytes_between(std::string_view from, std::string_view upto) const {
  const rocksdb::Range range(slice(from), slice(upto));
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  uint64_t bytes = 0;
  if (!state_->db->GetApproximateSizes(options, state_->db->DefaultColumnFamily(), &range, 1, &bytes).ok()) return 0;
  return bytes;
}

namespace {

// Runs `scan(count)`, which asks `count(key, leaf)` before each row whether the thread's step may see it. The seek
// counts as a row.
template <typename Scan>
Result<void> counted(const Scan& scan) {
  Step& step = Step::here();
  if (step.is_over()) return step_is_over();
  step.count_row(0);
  bool is_stopped = false;
  RETURN_IF_ERROR(scan([&](std::string_view key, std::string_view leaf) {
    is_stopped = step.is_over();
    if (!is_stopped) step.count_row(key.size() + leaf.size());
    // A trial that a row has ended is given up before the row is copied.
    is_stopped = is_stopped || (step.is_in_memory() && step.is_over());
    return !is_stopped;
  }));
  if (is_stopped) return step_is_over();
  return {};
}

}  // namespace

SnapshotView::SnapshotView(std::shared_ptr<const Snapshot> snapshot, uint32_t number, Table table)
    : snapshot_(std::move(snapshot)),
      number_(number),
      ephemeral_(table == Table::Data && !snapshot_->ephemeral().empty() ? &snapshot_->ephemeral() : nullptr),
      prefix_(row_key(table, number)) {}

Result<void> SnapshotView::scan_disk(std::string_view from, std::string_view upto, const RowFunction& row) const {
  const std::string lower = prefix_ + std::string(from);
  const std::string upper = prefix_ + std::string(upto);
  // Taken for this scan, so that one within it makes its own.
  Snapshot::CursorPointer cursor = std::move(cursor_);
  auto done = counted([&](const auto& count) {
    return snapshot_->scan(
        lower, upper,
        [&](std::string_view key, std::string_view leaf) {
          return count(key, leaf) && row(key.substr(kTableAndNumber), leaf);
        },
        cursor);
  });
  cursor_ = std::move(cursor);
  return done;
}

Result<std::optional<std::string>> SnapshotView::leaf(std::string_view key) const {
  Step& step = Step::here();
  if (step.is_over()) return step_is_over();
  if (const auto* row = ephemeral_ != nullptr ? ephemeral_->find(key) : nullptr; row != nullptr) {
    step.count_row(row->leaf.size());
    return std::optional<std::string>(row->leaf);
  }
  std::string whole = prefix_;
  auto found = snapshot_->get(whole.append(key));
  step.count_row(found.ok() && found.value() ? found.value()->size() : 0);
  return found;
}

Result<Head> SnapshotSettings::head() const {
  ASSIGN_OR_RETURN(const auto row, snapshot_->get(row_key(Table::Head, number_)));
  return row ? Head::decode(*row) : Head();
}

Result<std::string> SnapshotSettings::rules_digest() const {
  ASSIGN_OR_RETURN(Head found, head());
  return std::move(found.rules);
}

Result<std::optional<std::string>> SnapshotSettings::text(std::string_view name) const {
  return snapshot_->get(row_key(Table::Setting, number_, name));
}

Result<void> SnapshotView::scan_down_disk(std::string_view from, std::string_view upto, const RowFunction& row) const {
  std::string lower = prefix_;
  std::string upper = prefix_;
  return counted([&](const auto& count) {
    return snapshot_->scan_down(lower.append(from), upper.append(upto),
                                [&](std::string_view key, std::string_view leaf) {
                                  return count(key, leaf) && row(key.substr(kTableAndNumber), leaf);
                                });
  });
}

Result<std::optional<TreeView::IndexRows>> SnapshotView::index(const Path& collection, const Query& query) const {
  const std::string base = encode_path(collection);
  const auto rows = std::make_shared<const SnapshotView>(snapshot_, number_, Table::Index);
  ASSIGN_OR_RETURN(const auto bytes, rows->leaf(kPlanRow));
  if (!bytes) return std::optional<IndexRows>();
  ASSIGN_OR_RETURN(const IndexPlan plan, IndexPlan::decode(*bytes));
  const Index* found = plan.find(collection.keys(), query);
  if (found == nullptr) return std::optional<IndexRows>();
  // An index has what is on disk alone (db/commit/ephemeral.h).
  if (has_ephemeral(base, base + kPastChildren)) {
    return with_ephemeral({.rows = rows,
                           .tree = std::make_shared<const SnapshotView>(snapshot_, number_),
                           .disk = std::make_shared<const SnapshotView>(snapshot_->with({}), number_),
                           .ephemeral = *ephemeral_,
                           .index = *found,
                           .collection = base});
  }
  return std::optional(IndexRows{rows, index_prefix(found->id, base) + '\0', found->spec.covers});
}

}  // namespace hearth::db
