#include "db/store/store_log.h"

#include <rocksdb/env.h>
#include <signal.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "db/store/tree_store.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("A store's log is LOG, and the one before it LOG.old", "[store]") {
  const TempFolder folder;
  std::ofstream(folder.path() + "/LOG") << "of yesterday";
  const auto log = open_store_log(folder.path());
  rocksdb::Log(log, "one line of %d", 5);
  CHECK(contents(folder.path() + "/LOG").ends_with("one line of 5\n"));
  CHECK(contents(folder.path() + "/LOG.old") == "of yesterday");
  CHECK(log->GetLogFileSize() == std::filesystem::file_size(folder.path() + "/LOG"));
}

TEST_CASE("A store's log does not grow past its limit", "[store]") {
  const TempFolder folder;
  const auto log = open_store_log(folder.path());
  const std::string line(10'000, 'x');
  for (size_t bytes = 0; bytes < 3 * kStoreLogBytesMax; bytes += line.size()) rocksdb::Log(log, "%s", line.c_str());
  CHECK(std::filesystem::file_size(folder.path() + "/LOG") <= kStoreLogBytesMax);
  CHECK(std::filesystem::file_size(folder.path() + "/LOG.old") <= kStoreLogBytesMax);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 2);
}

// A limit on the size of files stands in for a full disk: writes fail in the same place.
TEST_CASE("Where there is no room a store says so when it is opened, and has everything once there is", "[store]") {
  const TempFolder folder;
  {
    const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
    Batch batch;
    batch.put(row_key(Table::Data, 1, "a"), "kept");
    REQUIRE(store->commit(batch, TreeStore::Durability::Synced).ok());
  }
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  for (const rlim_t bytes : {rlim_t{0}, rlim_t{100}, rlim_t{4'000}}) {
    INFO(bytes);
    const rlimit low{bytes, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &low);
    const auto refused = TreeStore::open({folder.path(), 1, nullptr});
    ::setrlimit(RLIMIT_FSIZE, &before);
    // With a few bytes it can be opened; what it says of itself in its log is lost.
    CHECK((bytes > 0 || !refused.ok()));
    if (refused.ok()) continue;
    CHECK(refused.error().message.starts_with("cannot open the data folder " + folder.path() +
                                              ": there is no room for its files"));
    CHECK(refused.error().message.find('\n') == std::string::npos);
  }
  const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  CHECK(store->snapshot()->get(row_key(Table::Data, 1, "a")).value() == "kept");
}
