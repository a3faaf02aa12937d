// The store in a process that has no descriptor left: it waits for one, and is as it was.
#include "db/store/patient_files.h"

#include <fcntl.h>
#include <rocksdb/env.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "db/store/tree_store.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

// Not under sanitizers: UBSan looks at memory by a pipe, and takes what it cannot look at for broken.
#ifndef __SANITIZE_ADDRESS__
namespace {

// All descriptors of the process, but those that are in use already.
class AllDescriptors {
 public:
  explicit AllDescriptors(rlim_t limit) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const rlimit low{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &low);
    for (int one = take(); one >= 0; one = take()) taken_.push_back(one);
  }
  ~AllDescriptors() {
    give_back();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  AllDescriptors(const AllDescriptors&) = delete;
  AllDescriptors& operator=(const AllDescriptors&) = delete;
  void give_back() {
    for (const int one : taken_) ::close(one);
    taken_.clear();
  }

 private:
  static int take() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
  rlimit before_{};
  std::vector<int> taken_;
};

}  // namespace

TEST_CASE("Without a descriptor left a file still opens, by one of those that are kept; then it waits", "[store]") {
  const TempFolder folder;
  rocksdb::Env* const environment = patient_environment();
  std::unique_ptr<rocksdb::WritableFile> first;
  REQUIRE(environment->NewWritableFile(folder.path() + "/first", &first, {}).ok());
  AllDescriptors all(512);
  {
    std::unique_ptr<rocksdb::WritableFile> refused;
    CHECK_FALSE(rocksdb::Env::Default()->NewWritableFile(folder.path() + "/refused", &refused, {}).ok());
  }
  std::vector<std::unique_ptr<rocksdb::WritableFile>> files;
  for (size_t i = 0; i < kSpareDescriptors; ++i) {
    files.emplace_back();
    INFO(i);
    CHECK(environment->NewWritableFile(folder.path() + "/" + std::to_string(i), &files.back(), {}).ok());
  }
  // One that reads gives up when there is none; one that writes waits for who has them.
  std::unique_ptr<rocksdb::SequentialFile> reading;
  CHECK(environment->NewSequentialFile(folder.path() + "/first", &reading, {}).IsIOError());
  std::thread later([&all] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    all.give_back();
  });
  std::unique_ptr<rocksdb::WritableFile> waits;
  CHECK(environment->NewWritableFile(folder.path() + "/waits", &waits, {}).ok());
  later.join();
  CHECK(environment->NewSequentialFile(folder.path() + "/first", &reading, {}).ok());
}

TEST_CASE("A store that finds no descriptor for its next files writes on when there are some again", "[store]") {
  const TempFolder folder;
  const std::string large(1u << 20, 'x');
  const auto store = TreeStore::open({folder.path(), 1, nullptr}).value();
  const auto put = [&](int number) {
    Batch batch;
    batch.put(row_key(Table::Data, 1, "row " + std::to_string(100 + number)), large);
    return store->commit(batch, TreeStore::Durability::Os);
  };
  REQUIRE(put(0).ok());
  {
    AllDescriptors all(512);
    std::thread later([&all] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      all.give_back();
    });
    // Many times the write buffer: logs begin, tables are written.
    for (int i = 1; i < 60; ++i) CHECK(put(i).ok());
    later.join();
  }
  CHECK(store->health().ok());
  CHECK(put(60).ok());
  size_t rows = 0;
  REQUIRE(SnapshotView(store->snapshot(), 1)
              .scan("", "\xff",
                    [&](auto, auto leaf) {
                      rows += leaf.size() == large.size() ? 1 : 0;
                      return true;
                    })
              .ok());
  CHECK(rows == 61);
}
#endif
