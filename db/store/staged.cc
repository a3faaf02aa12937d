// Rows that are on disk before they are in the store.
//
//   begin(a, m)   put …   put …   end()      begin(m, z)   put …   end()               add(beside)
//   ┌ file 1 ──────────────┐┌ file 2 ──────────────────────────────────────────┐  ┌ a file for each table ┐
//   │ tombstone [a, f)     ││ tombstone [f, m), rows │ tombstone [m, z), rows  │  │ rows                  │
//   │ rows                 ││                        │                         │  │                       │
//   └──────────────────────┘└──────────────────────────────────────────────────┘  └───────────────────────┘
//                          ▲ full at f: the range is cut here
//
// Every file carries the tombstones of the part of the range that it covers, so that what stood there goes in the same
// moment in which the new rows come. RocksDB takes files that do not overlap to the level where they are read fastest;
// hence a range before the last one, or one that must not share, begins a new file, and rows beside the ranges have
// files of their own. Each finished file is synced, read again and checked: a bad disk shows now, not after the
// commit.
#include "db/store/staged.h"

#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "db/store/rocks.h"

namespace hearth::db {
struct Staged::Disk {
  rocksdb::Env* environment;
  std::function<std::string()> next_path;
  rocksdb::Options options = rocks_options(environment);
  std::unique_ptr<rocksdb::SstFileWriter> file{};  // that is being written
  std::vector<std::string> paths{};
  size_t bytes = 0;  // of finished files

  Result<void> open() {
    paths.push_back(next_path());
    file = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options);
    const rocksdb::Status status = file->Open(paths.back());
    if (!status.ok()) return to_error(status, "writing " + paths.back());
    return {};
  }
  // Syncs it too, and reads it again: what is taken in is what was put.
  Result<void> close() {
    rocksdb::Status status = file->Finish();
    bytes += file->FileSize();
    file.reset();
    rocksdb::SstFileReader check(options);
    if (status.ok()) status = check.Open(paths.back());
    if (status.ok()) status = check.VerifyChecksum();
    if (!status.ok()) return to_error(status, "writing " + paths.back());
    return {};
  }
};

Staged::Staged(const TreeStore& store, rocksdb::Env* environment, std::function<std::string()> next_path,
               size_t file_bytes_max)
    : store_(store),
      disk_(std::make_unique<Disk>(Disk{environment, std::move(next_path)})),
      file_bytes_max_(file_bytes_max) {}

Staged::~Staged() {
  // Files that were taken in were moved, and are not here any more: deleting them fails, and that is fine.
  disk_->file.reset();
  for (const std::string& path : disk_->paths) (void)disk_->environment->DeleteFile(path);
}

const std::vector<std::string>& Staged::paths() const { return disk_->paths; }
size_t Staged::byte_count() const { return disk_->bytes; }

Result<void> Staged::begin(std::string from, std::string upto, Sharing sharing) {
  const bool is_behind = sharing == Sharing::Yes && sharing_ == Sharing::Yes && from >= upto_;
  if (!is_behind) RETURN_IF_ERROR(seal());
  sharing_ = sharing;
  from_ = std::move(from);
  upto_ = std::move(upto);
  if (disk_->file != nullptr && disk_->file->FileSize() >= file_bytes_max_) RETURN_IF_ERROR(seal());
  return disk_->file != nullptr ? Result<void>() : open_file();
}

Result<void> Staged::open_file() {
  RETURN_IF_ERROR(store_.room());
  return disk_->open();
}

Result<void> Staged::empty(std::string_view upto) {
  const rocksdb::Status status = disk_->file->DeleteRange(slice(from_), slice(upto));
  if (!status.ok()) return to_error(status, "writing " + disk_->paths.back());
  return {};
}

Result<void> Staged::put(std::string_view key, std::string_view value) {
  // The file ends just before this key: its tombstone too, and the next file empties the rest of the range.
  if (disk_->file->FileSize() >= file_bytes_max_) {
    RETURN_IF_ERROR(empty(key));
    RETURN_IF_ERROR(disk_->close());
    from_ = key;
    RETURN_IF_ERROR(open_file());
  }
  unlooked_ += key.size() + value.size();
  if (unlooked_ >= kStagedBytesPerLook) {
    unlooked_ = 0;
    RETURN_IF_ERROR(store_.room());
  }
  const rocksdb::Status status = disk_->file->Put(slice(key), slice(value));
  if (!status.ok()) return to_error(status, "writing " + disk_->paths.back());
  return {};
}

Result<void> Staged::end() { return empty(upto_); }

Result<void> Staged::seal() {
  if (disk_->file == nullptr) return {};
  return disk_->close();
}

Result<void> Staged::add(const Batch& rows) {
  Result<void> done = seal();
  char table = 0;  // each has a file of its own, so that no file reaches over a range
  rows.rows([&](std::string_view key, std::optional<std::string_view> value) {
    if (done.ok() && disk_->file != nullptr && key.front() != table) done = disk_->close();
    if (done.ok() && disk_->file == nullptr) done = disk_->open();
    if (!done.ok()) return;
    table = key.front();
    const rocksdb::Status status =
        value ? disk_->file->Put(slice(key), slice(*value)) : disk_->file->Delete(slice(key));
    if (!status.ok()) done = to_error(status, "writing " + disk_->paths.back());
  });
  if (done.ok()) done = seal();
  return done;
}

Result<void> Staged::take(Staged& other) {
  RETURN_IF_ERROR(seal());
  RETURN_IF_ERROR(other.seal());
  std::move(other.disk_->paths.begin(), other.disk_->paths.end(), std::back_inserter(disk_->paths));
  other.disk_->paths.clear();
  disk_->bytes += std::exchange(other.disk_->bytes, 0);
  return {};
}

}  // namespace hearth::db
