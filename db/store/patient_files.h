// The file system as the store uses it: a file that cannot be opened because the process has no descriptor left is
// tried again, first with one of a few that are kept for that, then for a while. To RocksDB a file that does not open
// is a failed write, after which the store is broken until a restart, though nothing was written and nothing is lost.
//
// Other errors are passed on as they are, and so is every error of writing and syncing: those are never tried again
// (style of db/store: a failed fsync says nothing about what is on disk). Thread: any.
#pragma once

#include <chrono>
#include <cstddef>

namespace rocksdb {
class Env;
}

namespace hearth::db {

inline constexpr size_t kSpareDescriptors = 16;     // of the process, whatever the number of its stores
inline constexpr size_t kDescriptorsPerSpare = 32;  // that the process may have: with few of them, fewer are kept
// How long an open waits when there is none left at all: those that write, and those that read.
inline constexpr std::chrono::milliseconds kWriterPatience{20'000};
inline constexpr std::chrono::milliseconds kReaderPatience{1'000};

// The real disk through it; one for the process.
rocksdb::Env* patient_environment();

}  // namespace hearth::db
