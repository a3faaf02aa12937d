// Rows: the children of a path that an app treats as a table, and how each of them changed. Listeners of rows
// (db/events/row_registry.h) hear of each row once for a commit, with the whole row before and after it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/clock.h"
#include "db/base/result.h"
#include "db/model/forms.h"
#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/row_filter.h"
#include "db/model/value.h"

namespace hearth::db {

enum class RowKind : uint8_t { Insert = 1, Update = 2, Delete = 4 };
inline constexpr uint8_t kEveryRowKind = 7;

// One row in one commit: shared by all who are told.
struct RowChange {
  Path table;
  std::string key;
  Value before;  // null: there was no such row
  Value after;   // null: there is none any more
  uint64_t sequence = 0;
  Timestamp time{};
  Forms forms;

  RowKind kind() const {
    if (before.is_null()) return RowKind::Insert;
    return after.is_null() ? RowKind::Delete : RowKind::Update;
  }
  size_t byte_count() const {
    return sizeof *this + table.text().size() + key.size() + before.byte_count() + after.byte_count();
  }
};

// Who may know of which rows. Asked at each change, on the tree in which the row stands, so that rights are always
// those of that moment. Thread: the shard's.
class RowCheck {
 public:
  virtual ~RowCheck() = default;
  // Whether the row, at `moment.before`, may be read. Errors: Io and the like; PermissionDenied is `false`.
  virtual Result<bool> may_read(const Moment& moment, const Path& row) const = 0;
  // Two checks of the same word give the same verdict on the same tree.
  virtual std::string_view asker() const = 0;
};

// Which rows somebody wants to hear of.
struct RowBinding {
  Path table;
  bool is_every_table = false;  // the tables are the children of `table`
  uint8_t kinds = kEveryRowKind;
  RowFilter filter{};  // of the row after the change, for a deletion of the row before it
};

inline constexpr size_t kRowBindingsMax = 64;  // of one listener: a set of them is a word of bits

struct RowListen {
  std::vector<RowBinding> bindings;       // at most kRowBindingsMax
  std::shared_ptr<const RowCheck> check;  // null: may read everything
  size_t bytes_beside = 0;                // that the caller keeps in memory for this listener
};

// A row that a listener asked for has changed.
struct RowEvent {
  uint64_t listener = 0;
  std::shared_ptr<const RowChange> change{};  // null: see `is_missed`
  uint64_t bindings = 0;                      // bit k: the listener's binding k matched
  bool shows_before = true;                   // false: of the row before, the listener may know the key alone
  // One commit changed so many rows that none of them is told: the listener's owner has to read anew.
  bool is_missed = false;
};

inline constexpr size_t kRowChangesMax = 10'000;  // that are told of one commit, in all tables that are listened to

}  // namespace hearth::db
