// What a store tells of itself, through TreeStore::figures.
#include "db/store/store_watch.h"

#include <catch2/catch.hpp>

#include "db/store/tree_store.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Batch batch_of(int number, size_t bytes = 1) {
  Batch batch;
  batch.put(row_key(Table::Data, 1, "a" + std::to_string(number)), std::string(bytes, 'x'));
  return batch;
}

}  // namespace

TEST_CASE("StoreWatch: a synced commit is one sync of the log, another is none", "[store][figures]") {
  const TempFolder folder;
  const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  const StoreFigures before = store->figures();
  REQUIRE(store->commit(batch_of(1), TreeStore::Durability::Synced).ok());
  const StoreFigures synced = store->figures();
  CHECK(synced.log_syncs == before.log_syncs + 1);
  CHECK(synced.log_sync_time.sum > before.log_sync_time.sum);
  CHECK(synced.log_sync_time.count() == synced.log_syncs);
  REQUIRE(store->commit(batch_of(2), TreeStore::Durability::Os).ok());
  CHECK(store->figures().log_syncs == synced.log_syncs);
}

TEST_CASE("StoreWatch: the log, memory and rows grow with what is written", "[store][figures]") {
  const TempFolder folder;
  const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  const StoreFigures before = store->figures();
  constexpr size_t kBytes = 100'000;
  REQUIRE(store->commit(batch_of(1, kBytes), TreeStore::Durability::Os).ok());
  const StoreFigures after = store->figures();
  CHECK(after.log_files == 1);
  CHECK(after.log_bytes >= before.log_bytes + kBytes);
  CHECK(after.memtable_bytes >= before.memtable_bytes + kBytes);
  CHECK(after.rows == before.rows + 1);
  CHECK(after.block_cache_bytes_max == 256u << 20);
  CHECK(after.disk_bytes_free.value_or(0) > 0);
  CHECK_FALSE(after.is_broken);
  CHECK_FALSE(after.is_slowed);
  CHECK_FALSE(after.is_stopped);

  const auto held = store->snapshot();
  CHECK(store->figures().snapshots == after.snapshots + 1);
}

TEST_CASE("StoreWatch: a large commit is a table file at once", "[store][figures]") {
  const TempFolder folder;
  const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  CHECK(store->figures().sst_bytes == 0);
  Batch batch;
  for (size_t i = 0; i < kIngestRowsMin; ++i) batch.put(row_key(Table::Data, 1, "a" + std::to_string(i)), "x");
  REQUIRE(store->commit(batch, TreeStore::Durability::Synced).ok());
  CHECK(store->figures().sst_bytes > 0);
}
