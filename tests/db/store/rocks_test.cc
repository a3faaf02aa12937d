#include "db/store/rocks.h"

#include <rocksdb/db.h>
#include <rocksdb/options.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

TEST_CASE("A status becomes an error that says what was being done", "[store][rocks]") {
  const Error damaged = to_error(rocksdb::Status::Corruption("block checksum mismatch"), "reading the store");
  CHECK(damaged.code == ErrorCode::Corruption);
  CHECK(damaged.message == "reading the store: Corruption: block checksum mismatch");
  CHECK(to_error(rocksdb::Status::IOError("No space left on device"), "writing the log").code == ErrorCode::Io);
  CHECK(to_error(rocksdb::Status::Aborted("x"), "writing the log").code == ErrorCode::Io);
}

TEST_CASE("RocksDB does not resume by itself after a failure", "[store][rocks]") {
  CHECK(rocks_options(nullptr).max_bgerror_resume_count == 0);
}

TEST_CASE("A folder that does not exist yet is made, its parents too", "[store][rocks]") {
  const TempFolder folder;
  const std::string deep = folder.path() + "/a/b/c";
  CHECK(open_rocks(deep, nullptr).ok());
  CHECK(std::filesystem::is_directory(deep));
}

TEST_CASE("A store in use is Locked, and free again when its owner goes", "[store][rocks]") {
  const TempFolder folder;
  {
    const auto owner = open_rocks(folder.path(), nullptr);
    REQUIRE(owner.ok());
    const auto second = open_rocks(folder.path(), nullptr);
    REQUIRE(!second.ok());
    CHECK(second.error().code == ErrorCode::Locked);
    CHECK(second.error().message.find(folder.path()) != std::string::npos);
  }
  CHECK(open_rocks(folder.path(), nullptr).ok());
}

TEST_CASE("A folder that cannot be made is an Io error that names it", "[store][rocks]") {
  const TempFolder folder;
  const std::string file = folder.path() + "/file";
  std::ofstream(file) << "not a folder";
  const auto opened = open_rocks(file + "/data", nullptr);
  REQUIRE(!opened.ok());
  CHECK(opened.error().code == ErrorCode::Io);
  CHECK(opened.error().message.find(file + "/data") != std::string::npos);
}

TEST_CASE("Files that are no store are Corruption, and stay as they are", "[store][rocks]") {
  const TempFolder folder;
  std::ofstream(folder.path() + "/CURRENT") << "MANIFEST-000001\n";
  std::ofstream(folder.path() + "/MANIFEST-000001") << "this is not a manifest, and it is longer than a record's head";
  const auto opened = open_rocks(folder.path(), nullptr);
  REQUIRE(!opened.ok());
  CHECK(opened.error().code == ErrorCode::Corruption);
  std::string text;
  std::getline(std::ifstream(folder.path() + "/MANIFEST-000001"), text);
  CHECK(text.starts_with("this is not a manifest"));
}
