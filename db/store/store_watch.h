// The state of RocksDB. RocksDB tells of its syncs and of held-up writes, and is asked for the rest. Thread: any.
#pragma once

#include <memory>
#include <string>

#include "db/model/figures.h"
#include "db/model/notice.h"

namespace rocksdb {
class DB;
class Env;
class EventListener;
}  // namespace rocksdb

namespace hearth::db {

class StoreWatch {
 public:
  StoreWatch();

  // Sets who is told when writes are held up and when they go on. To be called before RocksDB is opened.
  void tell(OnNotice on_notice);

  // For RocksDB's options, before it is opened.
  std::shared_ptr<rocksdb::EventListener> listener() const;

  // Everything but `is_broken`. `folder`: the database's. Blocks: on the disk, and on locks of RocksDB's.
  StoreFigures figures(rocksdb::DB& db, rocksdb::Env& environment, const std::string& folder) const;

 private:
  class Listener;
  const std::shared_ptr<Listener> listener_;
};

}  // namespace hearth::db
