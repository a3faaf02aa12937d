// Rows beside a namespace's tree: kept over restarts, in no dump and no log, and gone with the namespace.
#include "db/model/beside.h"

#include <catch2/catch.hpp>

#include "db/store/row_key.h"
#include "db/store/tree_store.h"
#include "tests/support/open_host.h"

using namespace hearth::test;

namespace {

std::unique_ptr<Host> open_for_rows(const std::string& folder) {
  Database::Options options = host_options(folder);
  options.history = {std::chrono::hours(24), 1'000'000, false};
  return open_host(options);
}

size_t rows_beside(const std::string& folder) { return rows_on_disk(folder, Table::Beside, Table::End); }

}  // namespace

TEST_CASE("Beside: rows of a namespace by their prefix, over restarts", "[db]") {
  const TempFolder folder;
  {
    const auto database = open_for_rows(folder.path());
    CHECK(database->beside("t", {}).error().code == ErrorCode::NotFound);
    CHECK(database->keep_beside("t", {{{"a", "1"}}}).error().code == ErrorCode::NotFound);
    for (const char* name : {"t", "u", "v"}) REQUIRE(database->create(name).ok());
    CHECK(database->with_rows_beside().value().empty());
    REQUIRE(database->keep_beside("t", {{{"a1", "1"}, {"a2", "2"}, {"b", "3"}}}).ok());
    REQUIRE(database->keep_beside("v", {{{"a1", "9"}}, BesideWrite::Until::Kernel}).ok());
    REQUIRE(database->keep_beside("t", {{{"a2", std::nullopt}, {"a3", "4"}}, BesideWrite::Until::Kernel}).ok());
  }
  const auto database = open_for_rows(folder.path());
  CHECK(database->beside("t", {}).value() == BesideRows{{"a1", "1"}, {"a3", "4"}, {"b", "3"}});
  CHECK(database->beside("t", {"a"}).value() == BesideRows{{"a1", "1"}, {"a3", "4"}});
  CHECK(database->beside("t", {"a", 1}).value() == BesideRows{{"a1", "1"}});
  CHECK(database->beside("u", {}).value().empty());
  CHECK(database->with_rows_beside().value() == std::vector<std::string>{"t", "v"});
}

TEST_CASE("Beside: they go with their namespace; what came too late goes at the next open", "[db]") {
  const TempFolder folder;
  {
    const auto database = open_for_rows(folder.path());
    REQUIRE(database->create("t").ok());
    REQUIRE(database->keep_beside("t", {{{"a", "1"}}}).ok());
    REQUIRE(database->remove("t").ok());
    CHECK(database->keep_beside("t", {{{"a", "2"}}}).error().code == ErrorCode::NotFound);
    REQUIRE(database->create("t").ok());
    CHECK(database->beside("t", {}).value().empty());
  }
  CHECK(rows_beside(folder.path()) == 0);
  {
    // As a write that was on its way while its namespace was removed leaves it.
    const auto store = TreeStore::open({folder.path(), 2, nullptr, 0, {}}).value();
    Batch late;
    late.put(row_key(Table::Beside, 77, "a"), "3");
    late.put(row_key(Table::Beside, 77, "b"), "4");
    REQUIRE(store->commit(late, TreeStore::Durability::Synced).ok());
  }
  CHECK(rows_beside(folder.path()) == 2);
  (void)open_for_rows(folder.path());
  CHECK(rows_beside(folder.path()) == 0);
}

TEST_CASE("Beside: a change of them is no commit: nobody hears of it, and no sequence moves", "[db]") {
  const TempFolder folder;
  const auto database = open_for_rows(folder.path());
  REQUIRE(database->space("t").value().set("a", Value::integer(1)).ok());
  ChangesRead read;
  read.since = "0";
  const auto before = database->space("t").value().changes(read).value();
  REQUIRE(database->keep_beside("t", {{{"a", "1"}}}).ok());
  const auto after = database->space("t").value().changes(read).value();
  CHECK(after.next == before.next);
  CHECK(after.changes.size() == 1);
}
