#include "db/dump/folder.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/byte_source.h"
#include "tests/support/dump_store.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("A folder that a server has open is neither dumped nor restored into, and the folder is named") {
  const TempFolder folder;
  const auto store = open_store(folder.path());
  const auto dumper = dump_folder(folder.path(), {}, Timestamp(1));
  REQUIRE_FALSE(dumper.ok());
  CHECK(dumper.error().code == ErrorCode::Locked);
  CHECK(dumper.error().message.find(folder.path()) != std::string::npos);
  const auto restored = restore_folder(folder.path(), source_of("1"), {"chat", {}, Existing::Refuse}, {}, Timestamp(1));
  REQUIRE_FALSE(restored.ok());
  CHECK(restored.error().code == ErrorCode::Locked);
}

TEST_CASE("A dump changes nothing in the folder, and a folder without a store is none") {
  const TempFolder folder;
  CHECK(dump_folder(folder.path(), {}, Timestamp(1)).error().code == ErrorCode::NotFound);
  make_store(folder.path(), {{"chat", 1, Value::integer(1)}});
  const auto before = files_below(folder.path());
  {
    const auto dumper = dump_folder(folder.path(), {}, Timestamp(1));
    REQUIRE(dumper.ok());
    (void)read_to_end(*dumper.value());
  }
  CHECK(files_below(folder.path()) == before);
}

TEST_CASE("A restore makes a folder that only its owner can read, and a store that is complete") {
  const TempFolder parent;
  const std::string folder = parent.path() + "/data";
  TreeStore::Options options;
  options.shards = 4;
  REQUIRE(restore_folder(folder, source_of(R"({"a":1})"), {"chat", {}, Existing::Refuse}, options, Timestamp(1)).ok());
  CHECK((std::filesystem::status(folder).permissions() & std::filesystem::perms::others_all) ==
        std::filesystem::perms::none);
  const auto store = open_store(folder);
  CHECK(store->shards() == 4);
  CHECK(tree_of(*store, store->names_at_open().at("chat")) == json(R"({"a":1})"));
}
