// What must not be is made by hand, and found; indexes are made again.
#include "db/upkeep/fsck.h"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "db/host.h"
#include "db/log/log_entry.h"
#include "db/log/versions.h"
#include "db/model/index.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/store/row_key.h"
#include "db/store/tree_store.h"
#include "tests/support/temp_folder.h"
#include "tests/support/yjs_update.h"

using namespace hearth::db;
using hearth::test::TempFolder;

namespace {

constexpr int kChildren = 300;

// Waits for it.
bool is_built(Host& database) {
  for (int i = 0; i < 20'000; ++i) {
    std::promise<bool> built;
    database.indexes("shop", [&](Result<IndexPlan> plan) {
      built.set_value(plan.ok() && plan.value().indexes.size() == 2 && !plan.value().is_building());
    });
    if (built.get_future().get()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// A store with two namespaces, one with indexes that are complete.
void fill(const std::string& folder) {
  Database::Options options;
  options.folder = folder;
  options.sync = SyncMode::Os;
  const auto database = Host::open(options).value();
  Namespace shop = database->space("shop").value();
  REQUIRE(
      shop.set_indexes(R"([{"at": "/items/$shop", "by": "price"}, {"at": "/people", "by": ".value", "covers": true}])")
          .ok());
  for (int i = 0; i < kChildren; ++i) {
    const std::string item = "items/s" + std::to_string(i % 3) + "/i" + std::to_string(i);
    shop.set_async(item + "/price", Value::integer(i % 17));
    shop.set_async(item + "/name", Value::string("item"));
  }
  REQUIRE(shop.set("people/ada", Value::integer(3)).ok());
  REQUIRE(database->space("other").value().set("a", Value::boolean(true)).ok());
  REQUIRE(is_built(*database));
}

uint32_t number_of(const TreeStore& store, const std::string& name) { return store.names_at_open().at(name); }
std::string encoded(const char* path) { return encode_path(Path::parse(path).value()); }

// Changes rows behind everybody's back.
void harm(const std::string& folder, const std::function<void(const TreeStore&, Batch&)>& how) {
  const auto store = TreeStore::open({folder}).value();
  Batch batch;
  how(*store, batch);
  REQUIRE(store->commit(batch, TreeStore::Durability::Synced).ok());
}

FsckReport report_of(const std::string& folder, Repair repair = Repair::No) {
  auto report = fsck(folder, repair);
  INFO((report.ok() ? "" : report.error().message));
  REQUIRE(report.ok());
  return std::move(report).value();
}

// The first row of an index, and its number of bytes before the path.
std::string some_index_row(const TreeStore& store, uint32_t number) {
  std::string row;
  REQUIRE(store.snapshot()
              ->scan(row_key(Table::Index, number, std::string("\0\0\0\1", 4)), row_key(Table::Index, number + 1),
                     [&](std::string_view key, std::string_view value) {
                       if (!value.empty()) return true;
                       row = key;
                       return false;
                     })
              .ok());
  REQUIRE(!row.empty());
  return row;
}

}  // namespace

TEST_CASE("fsck: a store that is well has no problems, and is as it was", "[db][fsck]") {
  TempFolder folder;
  fill(folder.path());
  const FsckReport report = report_of(folder.path(), Repair::Yes);
  INFO((report.told.empty() ? "" : report.told.front()));
  CHECK(report.problems == 0);
  CHECK(report.repaired.empty());
  CHECK(report.namespaces == 2);
  CHECK(report.rows == 2 * kChildren + 2);
  CHECK(report.index_rows == kChildren + 3 + 1 + 1);  // a row for each child and one for each collection
  const FsckReport again = report_of(folder.path());
  CHECK(again.problems == 0);
}

TEST_CASE("fsck: what cannot be in the data is told by its path", "[db][fsck]") {
  struct Case {
    const char* what;
    std::function<void(const TreeStore&, Batch&)> harm;
    std::string told;
  };
  const std::string leaf = encode_leaf(Value::integer(1));
  const std::vector<Case> cases = {
      {"a value that is none",
       [](const TreeStore& store, Batch& batch) {
         batch.put(row_key(Table::Data, number_of(store, "other"), encoded("a")), "\x77");
       },
       "other: /a: "},
      {"a value with children",
       [&](const TreeStore& store, Batch& batch) {
         batch.put(row_key(Table::Data, number_of(store, "other"), encoded("a/b")), leaf);
       },
       "other: /a: has a value and children"},
      {"a priority of nothing",
       [&](const TreeStore& store, Batch& batch) {
         batch.put(row_key(Table::Data, number_of(store, "other"), encoded("zzz") + kPriorityMark), leaf);
       },
       "other: /zzz: a priority of nothing"},
      {"a key that is none",
       [&](const TreeStore& store, Batch& batch) {
         batch.put(row_key(Table::Data, number_of(store, "other"), "\x02 x"), leaf);
       },
       "other: a row whose key is no path"},
      {"a head that is none",
       [&](const TreeStore& store, Batch& batch) { batch.put(row_key(Table::Head, number_of(store, "other")), "x"); },
       "other: its head cannot be read"},
      {"rows of nobody",
       [&](const TreeStore&, Batch& batch) { batch.put(row_key(Table::Data, 4'711, encoded("a")), leaf); },
       "rows of number 4711, which no namespace has"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    TempFolder folder;
    fill(folder.path());
    harm(folder.path(), c.harm);
    const FsckReport report = report_of(folder.path(), Repair::Yes);
    CHECK(report.problems >= 1);
    REQUIRE(!report.told.empty());
    CHECK_THAT(report.told.front(), Catch::StartsWith(c.told));
    CHECK(report.repaired.empty());  // data is nobody's to make up
  }
}

TEST_CASE("fsck: an index that does not follow from the data is found, and made again", "[db][fsck]") {
  const int how = GENERATE(range(0, 6));
  TempFolder folder;
  fill(folder.path());
  harm(folder.path(), [&](const TreeStore& store, Batch& batch) {
    const uint32_t number = number_of(store, "shop");
    std::string ada = index_prefix(2, encoded("people")) + '\0';
    append_index_value(Value::integer(3), ada);
    ada += encoded("ada");
    switch (how) {
      case 0:
        return batch.erase(some_index_row(store, number));
      case 1:  // a row too many
        return batch.put(some_index_row(store, number) + encoded("x"), "");
      case 2:  // a count that is not so
        return batch.put(row_key(Table::Index, number, count_row(1, encoded("items/s0"))), encode_count(7));
      case 3:  // the data has gone on without it
        return batch.put(row_key(Table::Data, number, encoded("items/s0/i0/price")), encode_leaf(Value::integer(99)));
      case 4:  // a copy of something else
        return batch.put(row_key(Table::Index, number, ada), copy_of_child(Value::integer(4)));
      default:
        return batch.put(row_key(Table::Index, number, kPlanRow), "no plan");
    }
  });
  const FsckReport found = report_of(folder.path());
  CHECK(found.problems >= 1);
  CHECK(found.repaired.empty());
  const FsckReport repaired = report_of(folder.path(), Repair::Yes);
  CHECK(repaired.problems == found.problems);
  CHECK(repaired.repaired == std::vector<std::string>{"shop"});
  CHECK(report_of(folder.path()).problems == 0);

  // It is built when the namespace is next used, as its settings say.
  {
    Database::Options options;
    options.folder = folder.path();
    const auto database = Host::open(options).value();
    Namespace shop = database->space("shop").value();
    REQUIRE(shop.set("people/bob", Value::integer(1)).ok());
    REQUIRE(is_built(*database));
  }
  const FsckReport after = report_of(folder.path());
  CHECK(after.problems == 0);
  CHECK(after.index_rows == kChildren + 3 + 2 + 1);
}

TEST_CASE("fsck: documents are looked through, and what cannot be of them is told by its path", "[db][fsck]") {
  struct Case {
    const char* what;
    std::function<void(uint32_t number, Head& head, Batch& batch)> harm;
    std::string told;
  };
  const auto row = [](uint32_t number, const char* path, uint64_t sequence) {
    return row_key(Table::Document, number, document_row(encoded(path), sequence));
  };
  const std::string leaf = encode_leaf(Value::integer(1));
  const std::string update = hearth::test::letter(1, 0);
  const std::vector<Case> cases = {
      {"nothing", [](uint32_t, Head&, Batch&) {}, ""},
      {"an update that is none", [&](uint32_t n, Head&, Batch& batch) { batch.put(row(n, "docs/x", 1), "none"); },
       "other: /docs/x: an update of a document: "},
      {"a key that is none",
       [&](uint32_t n, Head&, Batch& batch) { batch.put(row_key(Table::Document, n, encoded("docs/x")), update); },
       "other: an update of a document whose key is none"},
      {"a path that is none",
       [&](uint32_t n, Head&, Batch& batch) {
         batch.put(row_key(Table::Document, n, document_row("\x02 x", 1)), update);
       },
       "other: an update of a document whose key is none"},
      {"at the root", [&](uint32_t n, Head&, Batch& batch) { batch.put(row(n, "", 1), update); },
       "other: an update of a document whose key is none"},
      {"a number to come", [&](uint32_t n, Head&, Batch& batch) { batch.put(row(n, "docs/x", 9), update); },
       "other: /docs/x: an update of number 9, in a namespace of 5 commits"},
      {"a number that is none", [&](uint32_t n, Head&, Batch& batch) { batch.put(row(n, "docs/x", 0), update); },
       "other: /docs/x: an update of number 0, in a namespace of 5 commits"},
      {"data at it",
       [&](uint32_t n, Head&, Batch& batch) { batch.put(row_key(Table::Data, n, encoded("docs/a")), leaf); },
       "other: /docs/a: a document where there is data"},
      {"data below it",
       [&](uint32_t n, Head&, Batch& batch) { batch.put(row_key(Table::Data, n, encoded("docs/a/b/c")), leaf); },
       "other: /docs/a: a document where there is data"},
      {"a value above it", [&](uint32_t n, Head&, Batch& batch) { batch.put(row(n, "a/doc", 2), update); },
       "other: /a/doc: a document below the value at /a"},
      {"a head that knows of none", [](uint32_t, Head& head, Batch&) { head.has_documents = false; },
       "other: has documents, and its head knows of none"},
      {"updates of nobody", [&](uint32_t, Head&, Batch& batch) { batch.put(row(4'711, "d", 1), update); },
       "rows of number 4711, which no namespace has"},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    TempFolder folder;
    {
      Database::Options options;
      options.folder = folder.path();
      REQUIRE(Host::open(options).value()->space("other").value().set("a", Value::boolean(true)).ok());
    }
    harm(folder.path(), [&](const TreeStore& store, Batch& batch) {
      const uint32_t number = number_of(store, "other");
      batch.put(row(number, "docs/a", 2), update);
      batch.put(row(number, "docs/a", 3), hearth::test::letter(1, 1));
      Head head;
      head.sequence = 5;
      head.has_documents = true;
      c.harm(number, head, batch);
      batch.put(row_key(Table::Head, number), head.encode());
    });
    const FsckReport report = report_of(folder.path(), Repair::Yes);
    CHECK(report.repaired.empty());
    CHECK(report.problems == (c.told.empty() ? 0 : 1));
    if (c.told.empty()) {
      CHECK(report.documents == 1);
      CHECK(report.updates == 2);
    } else {
      REQUIRE(!report.told.empty());
      CHECK_THAT(report.told.front(), Catch::StartsWith(c.told));
    }
  }
}

TEST_CASE("fsck: a log with a gap, and a past that is not the present, are problems", "[db][history]") {
  const TempFolder folder;
  Database::Options options;
  options.folder = folder.path();
  options.sync = SyncMode::Os;
  options.history = {std::chrono::hours(24), 1'000'000, true};
  uint32_t number = 0;
  {
    const auto database = Host::open(options).value();
    Namespace space = database->space("t").value();
    REQUIRE(space.set("a", Value::integer(1)).ok());
    REQUIRE(space.set("b", Value::integer(2)).ok());
    REQUIRE(space.set("c", Value::integer(3)).ok());
  }
  CHECK(fsck(folder.path(), Repair::No).value().problems == 0);
  const auto change = [&](const std::function<void(Batch&)>& what) {
    TreeStore::Options store;
    store.folder = folder.path();
    const auto opened = TreeStore::open(store).value();
    number = opened->names_at_open().at("t");
    Batch batch;
    what(batch);
    REQUIRE(opened->commit(batch, TreeStore::Durability::Os).ok());
  };
  change([&](Batch& batch) {
    batch.put(row_key(Table::Version, number, version_row(encode_path(Path::parse("d").value()), VersionKind::Leaf, 3)),
              encode_leaf(Value::integer(4)));
  });
  const FsckReport past = fsck(folder.path(), Repair::No).value();
  REQUIRE(past.problems == 1);
  CHECK(past.told[0].find("the latest of its past, 4 rows") != std::string::npos);
  change([&](Batch& batch) {
    batch.erase(
        row_key(Table::Version, number, version_row(encode_path(Path::parse("d").value()), VersionKind::Leaf, 3)));
    batch.erase(row_key(Table::Log, number, log_row(2)));
  });
  const FsckReport gap = fsck(folder.path(), Repair::No).value();
  REQUIRE(gap.problems == 1);
  CHECK(gap.told[0].find("its log ends at commit 1, and there are 3") != std::string::npos);
}
