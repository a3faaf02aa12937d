// RocksDB's own log, in the file LOG of the data folder. Lines that cannot be written are lost, and nothing else
// happens: RocksDB's own logger ends the process (an assertion) at the second line after a disk was full. Thread:
// any.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace rocksdb {
class Logger;
}

namespace hearth::db {

inline constexpr size_t kStoreLogBytesMax = 4u << 20;  // of LOG; then it becomes LOG.old, and that one goes

// The LOG of the process before this one is LOG.old from here on.
std::shared_ptr<rocksdb::Logger> open_store_log(const std::string& folder);

}  // namespace hearth::db
