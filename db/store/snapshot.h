// The store at one moment, and a namespace's tree, head and settings in it. Thread: any, but a view belongs to one at a
// time. Blocks on disk, except within a Step::Trial.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/settings.h"
#include "db/model/tree_view.h"
#include "db/store/ephemeral_rows.h"
#include "db/store/row_key.h"

namespace hearth::db {

// Erased rows that one seek of a limited step may go through (db/base/step.h).
inline constexpr uint64_t kSkippedRowsMax = 4'000;

struct Head {
  uint64_t sequence = 0;
  Timestamp time{};
  bool has_priorities = false;
  bool has_documents = false;  // some path has or had one
  std::string rules;           // text_digest of the setting; "" when unset

  std::string encode() const;
  static Result<Head> decode(std::string_view bytes);  // Errors: Corruption
};

// The store at one moment. Short-lived: it pins what is deleted meanwhile. Must not outlive its TreeStore. One that was made
// by with() is for those who read a namespace's tree: it has what is in memory alone too, which only SnapshotView shows.
class Snapshot {
 public:
  struct State;
  // An iterator that one scan after the other uses, each with bounds of its own: making one costs as much as a seek.
  struct Cursor;
  struct DropCursor {
    void operator()(Cursor* cursor) const;
  };
  using CursorPointer = std::unique_ptr<Cursor, DropCursor>;

  explicit Snapshot(std::shared_ptr<const State> state, EphemeralRows ephemeral = {});
  ~Snapshot();
  std::shared_ptr<const Snapshot> with(EphemeralRows ephemeral) const;  // the same moment
  const EphemeralRows& ephemeral() const { return ephemeral_; }
  Result<void> scan(std::string_view from, std::string_view upto, const TreeView::RowFunction& row) const;
  // The same with a cursor that is kept in `cursor`, which this snapshot outlives. A scan within the scan has to have
  // another one.
  Result<void> scan(std::string_view from, std::string_view upto, const TreeView::RowFunction& row,
                    CursorPointer& cursor) const;
  // Calls `row(number, value)` with the first row of each namespace that has any in the table, in order of numbers: one seek
  // for each.
  using NumberFunction = std::function<void(uint32_t number, std::string_view value)>;
  Result<void> first_rows(Table table, const NumberFunction& row) const;
  Result<std::optional<std::string>> get(std::string_view key) const;
  uint64_t bytes_between(std::string_view from, std::string_view upto) const;  // on disk, about
  Result<void> scan_down(std::string_view from, std::string_view upto, const TreeView::RowFunction& row) const;
  uint64_t rows_since() const;  // written to the store after this moment, all namespaces'

 private:
  enum class Ends : uint8_t { Both, Lower, Upper };
  void tell_of_run(std::string_view from, std::string_view upto, Ends known) const;

  std::shared_ptr<const State> state_;
  const EphemeralRows ephemeral_;
};

// One namespace's tree in a snapshot, or its index rows (Table::Index). The tree shows what is in memory alone as if it were
// on disk (snapshot_ephemeral.cc).
class SnapshotView final : public TreeView {
 public:
  SnapshotView(std::shared_ptr<const Snapshot> snapshot, uint32_t number, Table table = Table::Data);
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override;

 private:
  bool has_ephemeral(std::string_view from, std::string_view upto) const {
    return ephemeral_ != nullptr && ephemeral_->any(from, upto);
  }
  Result<void> scan_disk(std::string_view from, std::string_view upto, const RowFunction& row) const;
  Result<void> scan_down_disk(std::string_view from, std::string_view upto, const RowFunction& row) const;

  std::shared_ptr<const Snapshot> snapshot_;
  uint32_t number_;
  const EphemeralRows* ephemeral_;  // null: there are none, or this is another table
  std::string prefix_;
  mutable Snapshot::CursorPointer cursor_;  // null while a scan has it, and before the first
};

// The head and the settings of a namespace in a snapshot.
class SnapshotSettings final : public Settings {
 public:
  SnapshotSettings(std::shared_ptr<const Snapshot> snapshot, uint32_t number)
      : snapshot_(std::move(snapshot)), number_(number) {}
  Result<std::string> rules_digest() const override;
  Result<std::optional<std::string>> text(std::string_view name) const override;
  Result<Head> head() const;  // all zero for a namespace that was never written

 private:
  std::shared_ptr<const Snapshot> snapshot_;
  uint32_t number_;
};

}  // namespace hearth::db
