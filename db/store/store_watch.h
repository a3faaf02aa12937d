// How RocksDB is: it tells of its syncs and of holding writes up, and is asked for the rest. Thread: any.
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

  // Who hears of writes that are held up, and that they go on; before RocksDB is opened.
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
