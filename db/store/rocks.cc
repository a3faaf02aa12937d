#include "db/store/rocks.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include <filesystem>

namespace hearth::db {

Error to_error(const rocksdb::Status& status, const std::string& doing) {
  const std::string message = doing + ": " + status.ToString();
  if (status.IsCorruption()) return {ErrorCode::Corruption, message};
  return {ErrorCode::Io, message};
}

rocksdb::Options rocks_options(rocksdb::Env* environment, Memory memory) {
  rocksdb::Options options;
  if (environment != nullptr) options.env = environment;
  options.create_if_missing = true;
  options.write_buffer_size = 8 << 20;  // bounds what a start after a kill must replay (machine-facts.md §5)
  options.max_write_buffer_number = 4;
  options.max_total_wal_size = 16 << 20;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.avoid_flush_during_recovery = true;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 4 << 20;
  options.max_background_jobs = 2;
  options.max_bgerror_resume_count = 0;  // a failed write stays failed until a restart has looked (style.md §3)
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  table.block_size = 16 << 10;
  table.block_cache = rocksdb::NewLRUCache(memory == Memory::Ample ? kAmpleCacheBytes : kLittleCacheBytes);
  // Else indexes and filters stay in memory beside the cache, 1.4 MB for a million rows (machine-facts.md §3.3).
  table.cache_index_and_filter_blocks = memory == Memory::Little;
  // A file in which half of so many rows in a row are erased is compacted soon: a seek goes through them one by one.
  options.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(8'192, 4'096));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

Result<std::unique_ptr<rocksdb::DB>> open_rocks(const std::string& folder, rocksdb::Env* environment,
                                                std::shared_ptr<rocksdb::EventListener> listener) {
  if (environment == nullptr) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return Error{ErrorCode::Io, "cannot make the data folder " + folder + ": " + failed.message()};
  }
  rocksdb::Options options = rocks_options(environment);
  if (listener != nullptr) options.listeners.push_back(std::move(listener));
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, folder, &opened);
  if (status.ok()) return std::unique_ptr<rocksdb::DB>(opened);
  if (status.IsIOError() && status.ToString().find("lock") != std::string::npos) {
    const bool held = status.ToString().find("Permission") == std::string::npos;
    if (held) {
      return Error{ErrorCode::Locked, "the data folder " + folder + " is in use by another process; stop it, or choose another folder"};
    }
  }
  if (status.IsCorruption() || status.IsInvalidArgument()) {
    return Error{ErrorCode::Corruption, "the data folder " + folder + " does not hold a readable store; nothing was changed; restore a backup or choose another folder (" + status.ToString() + ")"};
  }
  return Error{ErrorCode::Io, "cannot open the data folder " + folder + ": " + status.ToString()};
}

}  // namespace hearth::db
