// What happened in a namespace, read from its log a page at a time: the change feed. Whoever follows it keeps one id, and
// comes back with it, after a restart of either side too.
//
//   page ─▶ entries, `next` ─▶ page … ─▶ nothing more: wait for a commit after `next` (Client::await_commit) ─▶ page
//
// Pure but for the reading. Thread: any. Blocks on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/change.h"
#include "db/model/history.h"
#include "db/model/past.h"
#include "db/read/fair_pool.h"
#include "db/store/tree_store.h"

namespace hearth::db {

// Errors: InvalidArgument (no log is kept here; `since` is no id), NotFound (an id of another life, or from before the
// log begins), Io, Corruption; of the turn, when it is over.
// `usual`: the plan of namespaces that have set none. Where it is on, and nothing was written since, the log is empty.
Result<ChangesPage> read_changes(const ChangesRead& read, const TreeStore& store,
                                 const std::shared_ptr<const Snapshot>& snapshot, uint32_t number,
                                 const HistoryPlan& usual, Turn& turn);

}  // namespace hearth::db
