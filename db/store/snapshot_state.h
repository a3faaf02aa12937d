// What a Snapshot is made of, for the .cc files of this folder that make one. Thread: any.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/step.h"
#include "db/store/empty_runs.h"
#include "db/store/rocks.h"
#include "db/store/snapshot.h"

namespace hearth::db {

struct Snapshot::State {
  rocksdb::DB* db = nullptr;
  const rocksdb::Snapshot* snapshot = nullptr;
  EmptyRuns* empty = nullptr;  // the store's; null: it is frozen
  // A frozen store is read once from end to end: nothing of it is worth keeping in memory.
  // ~State() lets go in this order: the snapshot, the store, its lock, its folder.
  std::unique_ptr<rocksdb::DB> frozen;
  rocksdb::FileLock* lock = nullptr;
  std::string to_remove{};  // a folder, at the end

  rocksdb::ReadOptions read_options() const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.fill_cache = frozen == nullptr;
    // A seek over removed rows gives nothing to count; RocksDB's own limit ends it, and outcome() ends the step.
    if (Step::here().is_limited()) options.max_skippable_internal_keys = kSkippedRowsMax;
    if (Step::here().is_in_memory()) options.read_tier = rocksdb::kBlockCacheTier;
    return options;
  }
  // How a look ended: well, with an error of the store, or because the step is over: too many removed rows were in the
  // way, or the look would have needed a file.
  static Result<void> outcome(const rocksdb::Status& status) {
    if (status.ok()) return {};
    if (status.IsIncomplete()) {
      Step::here().end_early();
      return step_is_over();
    }
    return to_error(status, "reading the store");
  }
  std::vector<EmptyRuns::Run> empty_within(std::string_view from, std::string_view upto) const {
    if (empty == nullptr || !empty->any()) return {};
    return empty->within(from, upto, snapshot->GetSequenceNumber());
  }
  ~State() {
    if (snapshot != nullptr) db->ReleaseSnapshot(snapshot);
    frozen.reset();
    if (lock != nullptr) (void)rocksdb::Env::Default()->UnlockFile(lock);
    std::error_code ignored;  // or the next open of the store removes it
    if (!to_remove.empty()) std::filesystem::remove_all(to_remove, ignored);
  }
};

}  // namespace hearth::db
