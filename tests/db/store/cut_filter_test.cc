#include "db/store/cut_filter.h"

#include <catch2/catch.hpp>

#include "db/store/row_key.h"
#include "db/store/tree_store.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::string log_key(uint32_t number, uint64_t sequence) {
  std::string rest;
  append_sequence(sequence, rest);
  return row_key(Table::Log, number, rest);
}

}  // namespace

TEST_CASE("CutFilters: compaction leaves out what lies below a cut, and nothing else", "[store]") {
  const TempFolder folder;
  TreeStore::Options options;
  options.folder = folder.path();
  const auto store = TreeStore::open(options).value();
  Batch batch;
  for (const uint32_t number : {1u, 2u}) {
    for (uint64_t sequence = 1; sequence <= 10; ++sequence) batch.put(log_key(number, sequence), "entry");
    batch.put(row_key(Table::Data, number,
                      "\x02"
                      "a"),
              "leaf");
  }
  REQUIRE(store->commit(batch, TreeStore::Durability::Os).ok());
  const auto before = store->snapshot();
  store->cut_log(1, 7);
  std::atomic<bool> is_stopping = false;
  REQUIRE(store->compact(is_stopping).ok());
  const auto now = store->snapshot();
  const auto count = [&](Table table, uint32_t number) {
    int rows = 0;
    REQUIRE(now->scan(row_key(table, number), row_key(table, number + 1), [&](auto, auto) { return ++rows > 0; }).ok());
    return rows;
  };
  CHECK(count(Table::Log, 1) == 3);
  CHECK(now->get(log_key(1, 8)).value() == "entry");
  CHECK_FALSE(now->get(log_key(1, 7)).value());
  CHECK(count(Table::Log, 2) == 10);
  CHECK(count(Table::Data, 1) == 1);
  CHECK(count(Table::Data, 2) == 1);
}
