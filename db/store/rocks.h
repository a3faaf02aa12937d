// RocksDB, opened as we want it; the only file that turns its Status into an Error. Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"

namespace rocksdb {
class CompactionFilterFactory;
class DB;
class Env;
class EventListener;
class Slice;
class Status;
struct Options;
}  // namespace rocksdb

namespace hearth::db {

rocksdb::Slice slice(std::string_view bytes);

Error to_error(const rocksdb::Status& status, const std::string& doing);

// How much memory reads may use. A server keeps what it has read; a store that is read once from end to end keeps
// little.
enum class Memory : uint8_t { Ample, Little };
inline constexpr size_t kAmpleCacheBytes = 256u << 20;
inline constexpr size_t kLittleCacheBytes = 8u << 20;  // indexes and filters of files among it

inline constexpr size_t kFrozenTablesOpen = 40;  // of a dump, which goes through each once

// Settings by measurement: README.md of this folder. `environment`: null for the real one, which waits for descriptors
// (patient_files.h). The soft limit of open files is what it is at this moment.
rocksdb::Options rocks_options(rocksdb::Env* environment, Memory memory = Memory::Ample);

// Why a store could not be opened, as one line that says what to do about it. Errors: Locked, Io, Corruption.
Error opening_error(const rocksdb::Status& status, const std::string& folder);

// `listener`, `filters`: may be null. Errors: of opening_error.
Result<std::unique_ptr<rocksdb::DB>> open_rocks(const std::string& folder, rocksdb::Env* environment,
                                                std::shared_ptr<rocksdb::EventListener> listener = nullptr,
                                                std::shared_ptr<rocksdb::CompactionFilterFactory> filters = nullptr);

}  // namespace hearth::db
