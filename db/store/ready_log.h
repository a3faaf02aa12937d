// The write-ahead log's files, made ready before they are written. A sync of a file that has grown writes its new size, too:
// on ext4 that is a commit of the file system's journal, and half of what a small sync costs. So zeros stand ahead in the
// log, written and synced with an earlier record, and the next records replace them.
//
//   ▓▓▓▓▓▓▓▓▓▓▓▓│00000000000000000000│        ▓ records   0 zeros, kReadyBytes at a time
//            size_                ready_      a sync with less than kReadyLow of them left writes more
//
// A log with zeros behind its last record is read as one that ends there, and a file that is closed is cut to its size. Other
// programs, an older Hearth too, read it likewise.
//
// What must hold: what a power cut leaves of a log is a beginning of what was written. Two records that are not synced could
// leave a hole, the second on disk and zeros where the first was; and RocksDB reads on behind zeros. So only one record at a
// time, until it is synced, stands on zeros. When a second one comes, the zeros are cut off before it is written, and this
// file gets none any more: whoever writes without a sync has no use for them.
//
// Thread: any. RocksDB may sync a file on one thread while it appends to it on another.
#pragma once

#include <cstddef>
#include <memory>

namespace rocksdb {
class FileSystem;
}

namespace hearth::db {

inline constexpr size_t kReadyBytes = 256u << 10;        // that are written ahead
inline constexpr size_t kReadyLow = 4u << 10;            // with fewer left, a sync writes more
inline constexpr size_t kReadySyncBytesMax = 64u << 10;  // of records: a sync of more hides what its new size costs

// `files`, with logs that are made ready.
std::shared_ptr<rocksdb::FileSystem> with_ready_logs(std::shared_ptr<rocksdb::FileSystem> files);

}  // namespace hearth::db
