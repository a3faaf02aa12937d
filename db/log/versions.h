// Each value that a path had, by its path: what lets a namespace be read as it was. The rows lie beside the data (Table::
// Version), in the order of the tree, so that the past of a path costs what happened at that path, and nothing else.
//
//   row   := path 0x00 kind:1 ~sequence:8                                   the newest first
//   kind  := 0 mark      at that commit everything at and below the path was taken away; the value is empty
//          | 1 leaf      the path's leaf; an empty value: it was taken away
//          | 2 priority  the path's priority; likewise
//
//   /a       mark@9
//   /a/b     leaf@12=5  leaf@3=1        at 12 and later: 5      at 9 to 11: nothing, for the mark is newer than leaf@3
//   /a/c     leaf@0=7                   at 3 to 8: /a/b is 1, /a/c is 7         0: carried over from before
//
// A commit that takes away or replaces a large subtree leaves one mark and not a row for each leaf. What a commit puts
// below its own mark has the mark's sequence, and stands. A byte of 0x00 behind a path belongs to no child, so a subtree's
// rows are one range.
//
// On disk. Never renumber. Thread: any, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/tree_view.h"
#include "db/model/write.h"
#include "db/store/snapshot.h"

namespace hearth::db {

enum class VersionKind : char { Mark = 0, Leaf = 1, Priority = 2 };

struct VersionKey {
  std::string_view path;  // encoded
  VersionKind kind = VersionKind::Leaf;
  uint64_t sequence = 0;
  // Of a row below its table and the namespace's number. Nothing: it is none.
  static std::optional<VersionKey> parse(std::string_view row);
};
std::string version_row(std::string_view encoded_path, VersionKind kind, uint64_t sequence);
// The row of a data row's version; `key` as in Table::Data, priorities too.
std::string version_row_of(std::string_view data_key, uint64_t sequence);

// The tree of a namespace as it was after the commit `sequence`. Right where versions are known from that commit on, or
// an earlier one. There are no indexes: a query goes through what it selects from.
class PastView final : public TreeView {
 public:
  PastView(std::shared_ptr<const Snapshot> snapshot, uint32_t number, uint64_t sequence)
      : snapshot_(std::move(snapshot)), number_(number), sequence_(sequence) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;

 private:
  struct Mark {
    std::string path;       // at and below which it holds
    uint64_t sequence = 0;  // the newest of it and of those above it
  };
  Result<std::vector<Mark>> marks_over(std::string_view path) const;

  const std::shared_ptr<const Snapshot> snapshot_;
  const uint32_t number_;
  const uint64_t sequence_;
};

// The sequences above `after` of commits that changed something at, below or above the path: the newest `most` of them,
// ascending. `spend(bytes)` is asked before each row; false ends it.
Result<std::vector<uint64_t>> versions_of(const Snapshot& snapshot, uint32_t number, const Path& path, uint64_t after,
                                          size_t most, const std::function<bool(size_t bytes)>& spend);

// Finds what no moment from `cut` on needs, a slice of rows at a time: rows that were replaced, or taken away by a mark,
// before the cut; and marks and removals under which nothing is left. Thread: the shard's.
class VersionSweep {
 public:
  explicit VersionSweep(uint64_t cut) : cut_(cut) {}
  uint64_t cut() const { return cut_; }
  bool is_done() const { return is_done_; }
  // Looks at up to `rows` more rows; calls `erase` for those to be erased, as rows below table and number. Errors: Io.
  Result<void> step(const Snapshot& snapshot, uint32_t number, size_t rows,
                    const std::function<void(std::string row)>& erase);

 private:
  struct Mark {
    std::string path;
    uint64_t sequence = 0;
  };
  void leave(std::string_view path, const std::function<void(std::string row)>& erase);

  const uint64_t cut_;
  std::string from_;  // the next row
  bool is_done_ = false;
  // Of the path and kind that is being looked at.
  std::string at_;            // path and kind
  bool has_settled_ = false;  // the newest row up to the cut was seen
  std::string removal_{};     // it is a removal, and nothing older was seen that stays
  std::vector<Mark> marks_;   // up to the cut, above what is being looked at; each below the one before
};

}  // namespace hearth::db
