// Rows of any number on their way into the store: written to files beside it, seen by nobody, and taken in by one commit of
// TreeStore, all or none. What was not taken in goes with the object, or at the next open of the store. Memory: of one
// file's index. Thread: one. Blocks on disk.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/store/tree_store.h"

namespace rocksdb {
class Env;
}

namespace hearth::db {

inline constexpr size_t kStagedBytesPerLook = 16u << 20;  // put between two looks at the room on the disk

class Staged {
 public:
  // Made by TreeStore::stage().
  Staged(const TreeStore& store, rocksdb::Env* environment, std::function<std::string()> next_path,
         size_t file_bytes_max);
  ~Staged();
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;

  // Errors of all: Io; Unavailable when the disk has only its reserve left.
  // Everything in [from, upto) becomes what is put until the next call of another function; ranges do not overlap.
  Result<void> begin(std::string from, std::string upto);
  Result<void> put(std::string_view key, std::string_view value);  // ascending, in the range
  Result<void> end();                                              // and checks what is on disk
  Result<void> add(const Batch& rows);                             // rows outside of all ranges
  const std::vector<std::string>& paths() const;                   // of its files
  size_t byte_count() const;                                       // of them, when closed

 private:
  struct Disk;
  Result<void> open_file();
  Result<void> close_file(std::string_view upto);

  const TreeStore& store_;
  std::unique_ptr<Disk> disk_;
  const size_t file_bytes_max_;
  std::string from_, upto_;  // of what the open file empties
  size_t unlooked_ = 0;      // bytes put since the last look at the disk
};

}  // namespace hearth::db
