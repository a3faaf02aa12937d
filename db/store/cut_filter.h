// Which rows of logs compaction leaves out. A log is cut by saying so (`cut()`): readers do not look below the cut, whole
// files of such rows are removed at once, and what lies in files beside other rows goes when these are compacted. No
// tombstone is written, so a log that is cut each second costs the reads of others nothing.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <memory>

namespace rocksdb {
class CompactionFilterFactory;
}  // namespace rocksdb

namespace hearth::db {

class CutFilters {
 public:
  CutFilters();
  // The log of that namespace begins behind `sequence`.
  void cut(uint32_t number, uint64_t sequence);
  std::shared_ptr<rocksdb::CompactionFilterFactory> factory() const;

 private:
  class Factory;
  const std::shared_ptr<Factory> factory_;
};

}  // namespace hearth::db
