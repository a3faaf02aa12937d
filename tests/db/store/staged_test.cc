#include "db/store/staged.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<TreeStore> open(const std::string& folder, uint64_t free_bytes_min = 0) {
  auto opened = TreeStore::open({folder, 1, nullptr, free_bytes_min});
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

Rows rows_of(const std::shared_ptr<const Snapshot>& snapshot, uint32_t number) {
  Rows rows;
  const auto done = SnapshotView(snapshot, number).scan("", "\xff", [&](auto key, auto leaf) {
    rows.emplace_back(key, leaf);
    return true;
  });
  REQUIRE(done.ok());
  return rows;
}

void put(TreeStore& store, uint32_t number, const Rows& rows) {
  Batch batch;
  for (const auto& [key, value] : rows) batch.put(row_key(Table::Data, number, key), value);
  REQUIRE(store.commit(batch, TreeStore::Durability::Synced).ok());
}

size_t staged_files(const std::string& folder) {
  size_t count = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder))
    count += file.path().extension() == ".ingest" ? 1 : 0;
  return count;
}

void stage_tree(Staged& staged, uint32_t number, const Rows& rows) {
  REQUIRE(staged.begin(row_key(Table::Data, number), row_key(Table::Data, number + 1)).ok());
  for (const auto& [key, value] : rows) REQUIRE(staged.put(row_key(Table::Data, number, key), value).ok());
  REQUIRE(staged.end().ok());
}

}  // namespace

TEST_CASE("What is staged is seen by nobody until it is taken in, and then all of it, also after a restart") {
  const TempFolder folder;
  auto store = open(folder.path());
  put(*store, 1, {{"a", "old"}, {"b", "old"}});
  put(*store, 2, {{"a", "old"}});
  put(*store, 3, {{"a", "kept"}});
  {
    const auto before = store->snapshot();
    const auto staged = store->stage();
    stage_tree(*staged, 1, {{"b", "new"}, {"c", "new"}});
    stage_tree(*staged, 2, {});
    Batch beside;
    beside.put(row_key(Table::Head, 1), "head");
    beside.put(row_key(Table::Setting, 1, "rules"), "{}");
    beside.erase(row_key(Table::Setting, 2, "rules"));
    REQUIRE(staged->add(beside).ok());
    CHECK(staged->byte_count() > 0);
    CHECK(rows_of(store->snapshot(), 1) == Rows{{"a", "old"}, {"b", "old"}});
    REQUIRE(store->commit(*staged).ok());
    CHECK(rows_of(before, 1) == Rows{{"a", "old"}, {"b", "old"}});
  }
  for (int opens = 0; opens < 2; ++opens) {
    INFO("open " << opens);
    CHECK(rows_of(store->snapshot(), 1) == Rows{{"b", "new"}, {"c", "new"}});
    CHECK(rows_of(store->snapshot(), 2).empty());
    CHECK(rows_of(store->snapshot(), 3) == Rows{{"a", "kept"}});
    CHECK(store->snapshot()->get(row_key(Table::Head, 1)).value() == "head");
    CHECK(store->snapshot()->get(row_key(Table::Setting, 1, "rules")).value() == "{}");
    store.reset();
    store = open(folder.path());
  }
  put(*store, 1, {{"d", "newer"}});
  CHECK(rows_of(store->snapshot(), 1) == Rows{{"b", "new"}, {"c", "new"}, {"d", "newer"}});
  CHECK(staged_files(folder.path()) == 0);
}

TEST_CASE("A range of several files is emptied and filled as a whole") {
  const TempFolder folder;
  auto store = open(folder.path());
  Rows old;
  Rows fresh;
  for (int i = 0; i < 6000; ++i) {
    (i % 2 == 0 ? old : fresh)
        .emplace_back("key " + std::to_string(100'000 + i), std::string(100, static_cast<char>('a' + i % 26)));
  }
  put(*store, 1, old);
  const auto staged = store->stage(1 << 10);
  stage_tree(*staged, 1, fresh);
  CHECK(staged->paths().size() > 3);
  REQUIRE(store->commit(*staged).ok());
  CHECK(rows_of(store->snapshot(), 1) == fresh);
}

TEST_CASE("Many ranges share files, whose number follows the bytes; what lies between them stays") {
  const TempFolder folder;
  auto store = open(folder.path());
  constexpr uint32_t kTrees = 3'000;
  for (uint32_t number = 1; number <= kTrees; ++number) {
    if (number % 7 == 0) put(*store, number, {{"a", "old"}, {"b", "old"}});
  }
  {
    const auto staged = store->stage();
    for (uint32_t number = 1; number <= kTrees; ++number) {
      if (number % 2 == 0) stage_tree(*staged, number, {{"b", std::to_string(number)}});
    }
    REQUIRE(staged->seal().ok());
    CHECK(staged->paths().size() == 1);
    // One before it cannot share it.
    stage_tree(*staged, 1, {});
    REQUIRE(staged->seal().ok());
    CHECK(staged->paths().size() == 2);
    REQUIRE(store->commit(*staged).ok());
  }
  for (int opens = 0; opens < 2; ++opens) {
    for (uint32_t number = 1; number <= kTrees; ++number) {
      Rows expected;
      if (number % 7 == 0) expected = {{"a", "old"}, {"b", "old"}};
      if (number % 2 == 0) expected = {{"b", std::to_string(number)}};
      const Rows found = rows_of(store->snapshot(), number);
      INFO(number);
      if (found != expected) REQUIRE(found == expected);
    }
    store.reset();
    store = open(folder.path());
  }
}

TEST_CASE("A range that shares nothing has a file of its own, and so has what comes behind it") {
  const TempFolder folder;
  const auto store = open(folder.path());
  const auto staged = store->stage();
  stage_tree(*staged, 1, {{"a", "1"}});
  REQUIRE(staged->begin(row_key(Table::Data, 2), row_key(Table::Data, 3), Staged::Sharing::No).ok());
  REQUIRE(staged->put(row_key(Table::Data, 2, "a"), "2").ok());
  REQUIRE(staged->end().ok());
  stage_tree(*staged, 3, {{"a", "3"}});
  stage_tree(*staged, 4, {{"a", "4"}});
  REQUIRE(staged->seal().ok());
  CHECK(staged->paths().size() == 3);
  REQUIRE(store->commit(*staged).ok());
  for (uint32_t number = 1; number <= 4; ++number)
    CHECK(rows_of(store->snapshot(), number) == Rows{{"a", std::to_string(number)}});
}

TEST_CASE("What was staged and not taken in leaves nothing behind") {
  const TempFolder folder;
  auto store = open(folder.path());
  put(*store, 1, {{"a", "kept"}});
  {
    const auto staged = store->stage();
    stage_tree(*staged, 1, {{"b", "new"}});
    REQUIRE(staged->begin(row_key(Table::Data, 2), row_key(Table::Data, 3)).ok());
    REQUIRE(staged->put(row_key(Table::Data, 2, "a"), "half").ok());
    CHECK(staged_files(folder.path()) == 1);  // they share it
  }
  CHECK(staged_files(folder.path()) == 0);
  CHECK(rows_of(store->snapshot(), 1) == Rows{{"a", "kept"}});

  // A process that died while it staged.
  std::filesystem::copy_file(folder.path() + "/CURRENT", folder.path() + "/7.ingest");
  store.reset();
  store = open(folder.path());
  CHECK(staged_files(folder.path()) == 0);
}

TEST_CASE("Nothing is staged on a disk that has only its reserve left") {
  const TempFolder folder;
  const auto store = open(folder.path(), UINT64_MAX);
  const auto staged = store->stage();
  const auto begun = staged->begin(row_key(Table::Data, 1), row_key(Table::Data, 2));
  REQUIRE_FALSE(begun.ok());
  CHECK(begun.error().code == ErrorCode::Unavailable);
}

TEST_CASE("A frozen store is read as it is, changes nothing in its folder, and is nobody else's meanwhile") {
  const TempFolder folder;
  CHECK(open_frozen(folder.path()).error().code == ErrorCode::NotFound);
  {
    const auto store = open(folder.path());
    Batch names;
    names.put(row_key(Table::Name, "chat"), std::string("\0\0\0\1", 4));
    REQUIRE(store->commit(names, TreeStore::Durability::Synced).ok());
    put(*store, 1, {{"a", "in the log"}});
    CHECK(open_frozen(folder.path()).error().code == ErrorCode::Locked);
  }
  const auto files = [&] {
    std::set<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
      names.insert(file.path().filename().string() + " " + std::to_string(file.file_size()));
    }
    return names;
  };
  const auto before = files();
  {
    const auto frozen = open_frozen(folder.path());
    REQUIRE(frozen.ok());
    CHECK(rows_of(frozen.value().snapshot, 1) == Rows{{"a", "in the log"}});
    CHECK(frozen.value().names == std::map<std::string, uint32_t>{{"chat", 1}});
    CHECK(frozen.value().id.size() == 32);
  }
  CHECK(files() == before);
  const auto frozen = open_frozen(folder.path());
  REQUIRE(frozen.ok());
  CHECK(TreeStore::open({folder.path(), 1, nullptr}).error().code == ErrorCode::Locked);
}

TEST_CASE("A frozen store that is let go can be written again") {
  const TempFolder folder;
  { const auto store = open(folder.path()); }
  { REQUIRE(open_frozen(folder.path()).ok()); }
  const auto store = open(folder.path());
}

TEST_CASE("A checkpoint has what was written before it, nothing of what comes after, and goes when it has been read") {
  const TempFolder folder;
  auto store = open(folder.path());
  put(*store, 1, {{"a", "before"}});
  {
    const auto frozen = store->checkpoint();
    REQUIRE(frozen.ok());
    put(*store, 1, {{"a", "after"}, {"b", "after"}});
    CHECK(rows_of(frozen.value().snapshot, 1) == Rows{{"a", "before"}});
    CHECK(std::filesystem::exists(folder.path() + "/0.checkpoint"));
    store.reset();  // it may outlive its store
    CHECK(rows_of(frozen.value().snapshot, 1) == Rows{{"a", "before"}});
  }
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/0.checkpoint"));
}

TEST_CASE("Checkpoints and uploads of a process that died go at the next open") {
  const TempFolder folder;
  { const auto store = open(folder.path()); }
  std::filesystem::create_directory(folder.path() + "/3.checkpoint");
  std::filesystem::copy_file(folder.path() + "/CURRENT", folder.path() + "/3.checkpoint/CURRENT");
  std::filesystem::copy_file(folder.path() + "/CURRENT", folder.path() + "/abc.upload");
  const auto store = open(folder.path());
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/3.checkpoint"));
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/abc.upload"));
}
