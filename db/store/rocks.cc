// RocksDB's options, each with its reason beside it or in the README of this folder, and its errors as sentences that
// say what to do. Many of RocksDB's errors differ by their text only, so opening_error() reads the text.
#include "db/store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>

#include "db/base/store_descriptors.h"
#include "db/store/patient_files.h"
#include "db/store/store_log.h"

namespace hearth::db {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

Error to_error(const rocksdb::Status& status, const std::string& doing) {
  const std::string message = doing + ": " + status.ToString();
  if (status.IsCorruption()) return {ErrorCode::Corruption, message};
  return {ErrorCode::Io, message};
}

rocksdb::Options rocks_options(rocksdb::Env* environment, Memory memory) {
  rocksdb::Options options;
  options.env = environment != nullptr ? environment : patient_environment();
  // Asked at each open and not once: a process may raise its limit before it opens a store.
  rlimit limit{};
  const size_t descriptors = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<size_t>(limit.rlim_cur) : 1'024;
  const size_t tables = tables_open_max(descriptors);
  // All tables open, as RocksDB would have it, leaves a process with many of them no descriptor.
  // A frozen store is read from end to end, table by table: 40 of them are plenty.
  options.max_open_files = static_cast<int>(memory == Memory::Ample ? tables : std::min(tables, kFrozenTablesOpen));
  options.create_if_missing = true;
  options.write_buffer_size = 8 << 20;  // bounds what a start after a kill must replay (db/store/machine-facts.md §5)
  options.max_write_buffer_number = 4;
  options.max_total_wal_size = 16 << 20;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  // A start replays the log into memory and serves; writing it to files first would make every start as long as a
  // flush.
  options.avoid_flush_during_recovery = true;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4 << 20;
  options.max_background_jobs = 2;
  // A compaction of these writes all of the next level anew, which in a store of a few million rows is all there is. Four (the
  // usual number) cost half as much again; with eight a scan looks into two files more (README.md).
  options.level0_file_num_compaction_trigger = 6;
  // From this many files on RocksDB slows and stops all writes; one namespace alone can make many by removing and
  // writing.
  options.level0_slowdown_writes_trigger = 40;
  options.level0_stop_writes_trigger = 80;
  options.max_bgerror_resume_count = 0;  // a failed write stays failed until a restart has looked
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.block_size = 16 << 10;
  table.block_cache = rocksdb::NewLRUCache(memory == Memory::Ample ? kAmpleCacheBytes : kLittleCacheBytes);
  // Else indexes and filters stay in memory beside the cache, 1.4 MB for a million rows
  // (db/store/machine-facts.md §3.3).
  table.cache_index_and_filter_blocks = memory == Memory::Little;
  // A file in which nearly all of so many rows in a row are erased is compacted soon. Memory holds fewer than that: so it is one
  // that compaction has made, with the tombstones of many, and not each that is flushed while much is removed. That would
  // have all of the next level rewritten again and again (README.md).
  options.table_properties_collector_factories.push_back(
      rocksdb::NewCompactOnDeletionCollectorFactory(262'144, 196'608));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Error opening_error(const rocksdb::Status& status, const std::string& folder) {
  const std::string text = status.ToString();
  const auto says = [&text](std::string_view what) { return text.find(what) != std::string::npos; };
  if (status.IsNoSpace() || says("No space left") || says("Disk quota exceeded") || says("File too large")) {
    return {ErrorCode::Io, "cannot open the data folder " + folder +
                               ": there is no room for its files; nothing that was acknowledged is lost: make some "
                               "room and start again (" +
                               text + ")"};
  }
  if (says("Permission denied") || says("Read-only file system") || says("Operation not permitted")) {
    return {ErrorCode::Io,
            "cannot open the data folder " + folder +
                ": this user may not write there; change its owner or its rights, or choose another folder (" + text +
                ")"};
  }
  if (says("Too many open files")) {
    return {ErrorCode::Io, "cannot open the data folder " + folder +
                               ": this process may not open as many files as it needs; raise the limit (ulimit -Hn) (" +
                               text + ")"};
  }
  if (says("While lock file") || says("lock hold by current process")) {
    return {ErrorCode::Locked,
            "the data folder " + folder + " is in use by another process; stop it, or choose another folder"};
  }
  const bool lacks_a_file = status.IsNotFound() || status.IsPathNotFound() || says("No such file");
  if (status.IsCorruption() || status.IsInvalidArgument() || lacks_a_file) {
    return {ErrorCode::Corruption,
            "the data folder " + folder +
                " does not hold a readable store; nothing was changed; restore a backup or choose another folder (" +
                text + ")"};
  }
  return {ErrorCode::Io, "cannot open the data folder " + folder + ": " + text};
}

Result<std::unique_ptr<rocksdb::DB>> open_rocks(const std::string& folder, rocksdb::Env* environment,
                                                std::shared_ptr<rocksdb::EventListener> listener,
                                                std::shared_ptr<rocksdb::CompactionFilterFactory> filters) {
  // The environment of a test may have no folder on the real disk.
  if (environment == nullptr) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return Error{ErrorCode::Io, "cannot make the data folder " + folder + ": " + failed.message()};
  }
  rocksdb::Options options = rocks_options(environment);
  if (environment == nullptr) options.info_log = open_store_log(folder);
  if (listener != nullptr) options.listeners.push_back(std::move(listener));
  options.compaction_filter_factory = std::move(filters);
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, folder, &opened);
  if (!status.ok()) return opening_error(status, folder);
  return std::unique_ptr<rocksdb::DB>(opened);
}

}  // namespace hearth::db
