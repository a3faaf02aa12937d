// The second step of a commit: effects become rows. Deterministic, and the only thing that changes state: a record
// applied to the same rows gives the same rows, wherever it comes from. Thread: its shard's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/commit/overlay.h"
#include "db/commit/reindex.h"
#include "db/model/path_plan.h"
#include "db/model/write.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// Rows erased or put one by one; above, a range (db/store/machine-facts.md §3.2).
inline constexpr size_t kPointRowsMax = 1'000;

// Where effects go: the tree of one namespace, its head, and rows beside it.
struct Pending {
  uint32_t number;  // of the namespace
  Overlay& tree;
  Batch& rows;
  std::string& rules;               // Head::rules
  Overlay* documents = nullptr;     // rows of documents; null where no effect concerns them
  Indexes* indexes = nullptr;       // may be null where effects only set: follow() adds their index rows
  const PathPlan* paths = nullptr;  // what of the tree is ephemeral, and in no index; null: nothing
};

// The keys of the rows at and below a path, up to kPointRowsMax of them.
struct OldRows {
  std::vector<std::string> keys;
  bool more = false;  // than kPointRowsMax
};
Result<OldRows> old_rows(const TreeView& tree, const std::string& encoded_path);

// `known`: old_rows of a Set's path, when already read. Errors: Io, Corruption.
Result<void> apply(const Effect& effect, Pending& to, const OldRows* known = nullptr);
Result<void> apply(const Record& record, Pending& to);

// The key of a queued on_disconnect row (db/store/row_key.h).
std::string queue_key(uint32_t number, const std::string& session, const Path& path, Slot slot);

}  // namespace hearth::db
