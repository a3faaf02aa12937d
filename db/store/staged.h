// Rows of any number on their way into the store: written to files beside it, seen by nobody, and taken in by one
// commit of TreeStore, all or none. What was not taken in goes with the object, or at the next open of the store.
// Memory: of one file's index. Thread: one. Blocks on disk.
#pragma once

#include <cstdint>
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
  // Everything in [from, upto) will be what is put from here on until end(). Ranges do not overlap. A range that lies
  // behind the last one shares its file, so the number of files follows the bytes and not the ranges; such a file may
  // reach over rows that stay as they are. A range that lies before the last one, or has Sharing::No, gets files of
  // its own. A caller whose ranges come in no order calls seal() where an earlier range lies between two that would
  // share a file.
  enum class Sharing : uint8_t { No, Yes };
  Result<void> begin(std::string from, std::string upto, Sharing sharing = Sharing::Yes);
  Result<void> put(std::string_view key, std::string_view value);  // ascending, in the range
  Result<void> end();
  Result<void> seal();                            // what comes has a file of its own; checks what is on disk
  Result<void> add(const Batch& rows);            // rows outside of all ranges; seals before and after
  Result<void> take(Staged& other);               // its files too, from here on; no range of either is open
  const std::vector<std::string>& paths() const;  // of its files
  size_t byte_count() const;                      // of them, when sealed

 private:
  struct Disk;
  Result<void> open_file();
  Result<void> empty(std::string_view upto);  // from from_ on

  const TreeStore& store_;
  std::unique_ptr<Disk> disk_;
  const size_t file_bytes_max_;
  Sharing sharing_ = Sharing::No;
  std::string from_, upto_;  // of the range: what of it the open file empties
  size_t unlooked_ = 0;      // bytes put since the last look at the disk
};

}  // namespace hearth::db
