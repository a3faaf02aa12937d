// How large a namespace may become. Its size is not computed for every write: between two counts there is an upper
// bound, to which each write adds all that it puts. Only when the bound comes near the limit, writes are looked at
// closely and the namespace is counted: at once when it is small, else by another thread; meanwhile writes are taken.
// quota.cc has a drawing.
//
// Thread: its shard's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "db/base/result.h"
#include "db/commit/overlay.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// Of one namespace; 0: any number. Rows are leaves, priorities and updates of documents; their bytes are those of keys and
// values as they are kept, before compression. Indexes are not counted.
struct Quota {
  uint64_t rows_max = 0;
  uint64_t bytes_max = 0;
  bool is_set() const { return rows_max > 0 || bytes_max > 0; }
};

inline constexpr uint64_t kCountHereRowsMax = 10'000;  // counted on the shard's thread; more are not

struct Size {
  int64_t rows = 0;
  int64_t bytes = 0;
  void add(const Size& other) {
    rows += other.rows;
    bytes += other.bytes;
  }
};

// Rows of a namespace in one of its tables, as they are and as a write would make them.
struct TableChange {
  const TreeView& before;
  const Overlay& after;
};

class Usage {
 public:
  using InBackground = std::function<void(std::function<void()>)>;
  // All rows of the namespace as it is on disk. Called in the background.
  using Scan = std::function<Result<void>(const TreeView::RowFunction& row)>;

  // Whether a write that makes these changes may be made; if so, it is counted. They are of all tables that count.
  // `at_rest`: what is `before` is on disk, and nothing of the namespace is pending. Errors: TooLarge.
  Result<void> admit(const Quota& quota, const std::string& name, std::span<const TableChange> changes, bool at_rest,
                     const std::function<Scan()>& scan, const InBackground& in_background);
  // Whether there is room for rows and bytes that will come later; they are not counted yet. `tables`: all that count.
  // Errors: TooLarge, Io.
  Result<void> has_room(const Quota& quota, const std::string& name, std::span<const TreeView* const> tables,
                        const Size& by);
  // Counts a write that is taken whatever the quota says.
  void note(const Overlay& after);

 private:
  struct Count;
  void take_count();
  Result<void> count_here(std::span<const TreeView* const> tables);

  Size size_;  // at most
  bool is_known_ = false;
  bool is_loose_ = true;  // it may be less
  bool wants_count_ = false;
  std::shared_ptr<Count> count_;  // under way
  Size since_;                    // it began
  bool is_since_loose_ = false;
};

}  // namespace hearth::db
