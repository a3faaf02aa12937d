// Logs with zeros ahead: what stands in the file, and that a store reads what a power cut or a kill leaves of it.
#include "db/store/ready_log.h"

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/options.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;
namespace fs = std::filesystem;

namespace {

std::string read_all(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

struct Log {
  explicit Log(std::string name, std::shared_ptr<rocksdb::FileSystem> files = rocksdb::FileSystem::Default())
      : path(folder.path() + "/" + name), ready(with_ready_logs(std::move(files))) {
    REQUIRE(ready->NewWritableFile(path, rocksdb::FileOptions(), &file, nullptr).ok());
  }
  void append(const std::string& bytes) {
    REQUIRE(file->Append(bytes, {}, nullptr).ok());
    written += bytes;
  }
  void sync() { REQUIRE(file->Sync({}, nullptr).ok()); }
  // How many zeros stand behind what was written, which is checked.
  size_t zeros() const {
    const std::string all = read_all(path);
    REQUIRE(all.size() >= written.size());
    REQUIRE(all.substr(0, written.size()) == written);
    REQUIRE(all.find_first_not_of('\0', written.size()) == std::string::npos);
    return all.size() - written.size();
  }

  const TempFolder folder;
  const std::string path;
  const std::shared_ptr<rocksdb::FileSystem> ready;
  std::unique_ptr<rocksdb::FSWritableFile> file;
  std::string written;
};

}  // namespace

TEST_CASE("A log does not grow with each record that is synced, and is as long as its records once it is closed",
          "[store]") {
  Log log("000004.log");
  log.append(std::string(100, 'a'));
  CHECK(log.zeros() == 0);
  log.sync();
  CHECK(log.zeros() == kReadyBytes);
  const uint64_t size = fs::file_size(log.path);
  size_t growths = 0;
  for (size_t i = 0; i < 2 * kReadyBytes / 1'000; ++i) {
    const uint64_t before = fs::file_size(log.path);
    log.append(std::string(1'000, static_cast<char>('b' + i % 20)));
    log.sync();
    if (fs::file_size(log.path) != before) ++growths;
    CHECK(log.file->GetFileSize({}, nullptr) == log.written.size());
    uint64_t told = 0;
    CHECK(log.ready->GetFileSize(log.path, {}, &told, nullptr).ok());
    CHECK(told == log.written.size());
  }
  CHECK(growths == 2);
  CHECK(fs::file_size(log.path) > size);
  CHECK(log.zeros() > 0);
  REQUIRE(log.file->Close({}, nullptr).ok());
  CHECK(log.zeros() == 0);
}

TEST_CASE("Before a second record that is not synced the zeros are cut off, and none come again", "[store]") {
  Log log("000004.log");
  log.append("one");
  log.sync();
  REQUIRE(log.zeros() == kReadyBytes);
  log.append("two");
  CHECK(log.zeros() == kReadyBytes - 3);
  log.append("three");
  CHECK(log.zeros() == 0);
  log.sync();
  log.append("four");
  log.sync();
  CHECK(log.zeros() == 0);
}

TEST_CASE("Two records that are synced at once, and a large one, get no zeros; other files neither", "[store]") {
  Log two("000004.log");
  two.append("one");
  two.append("two");
  two.sync();
  CHECK(two.zeros() == 0);
  two.append("three");
  two.sync();
  CHECK(two.zeros() == kReadyBytes);
  Log large("000004.log");
  large.append(std::string(kReadySyncBytesMax + 1, 'x'));
  large.sync();
  CHECK(large.zeros() == 0);
  Log table("000004.sst");
  table.append("row");
  table.sync();
  CHECK(table.zeros() == 0);
}

TEST_CASE("A disk that has no room for zeros takes the records", "[store]") {
  struct Full final : rocksdb::FileSystemWrapper {
    struct File final : rocksdb::FSWritableFileOwnerWrapper {
      using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
      rocksdb::IOStatus PositionedAppend(const rocksdb::Slice& bytes, uint64_t offset,
                                         const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override {
        (void)target()->PositionedAppend({bytes.data(), 1'000}, offset, options, debug);  // some of them
        return rocksdb::IOStatus::NoSpace("injected");
      }
    };
    using FileSystemWrapper::FileSystemWrapper;
    const char* Name() const override { return "Full"; }
    rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override {
      const rocksdb::IOStatus status = target()->NewWritableFile(name, options, file, debug);
      *file = std::make_unique<File>(std::move(*file));
      return status;
    }
  };
  Log log("000004.log", std::make_shared<Full>(rocksdb::FileSystem::Default()));
  for (int i = 0; i < 3; ++i) {
    log.append("record " + std::to_string(i));
    log.sync();
    CHECK(log.zeros() == 0);
  }
}

TEST_CASE("Wherever a power cut left zeros or dirt in a log, all commits before that place are there and none behind",
          "[store]") {
  const TempFolder folder;
  const std::string at = folder.path() + "/store", copy = folder.path() + "/copy";
  const std::unique_ptr<rocksdb::Env> env = rocksdb::NewCompositeEnv(with_ready_logs(rocksdb::FileSystem::Default()));
  rocksdb::Options options;
  options.env = env.get();
  options.create_if_missing = true;
  options.avoid_flush_during_recovery = true;
  const auto open = [&](const std::string& where) {
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, where, &opened);
    INFO(status.ToString());
    REQUIRE(status.ok());
    return std::unique_ptr<rocksdb::DB>(opened);
  };
  const auto log_of = [](const std::string& where) {
    std::string newest;
    for (const auto& file : fs::directory_iterator(where)) {
      if (file.path().extension() == ".log") newest = std::max(newest, file.path().string());
    }
    return newest;
  };
  constexpr int kCommits = 60;
  std::vector<size_t> ends;  // of the commits' records, in the log
  std::string as_killed;
  const auto db = open(at);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  size_t size = 0;
  for (int i = 0; i < kCommits; ++i) {
    // Some span blocks of the log.
    REQUIRE(db->Put(synced, "k" + std::to_string(100 + i), std::string(i % 10 == 9 ? 40'000 : 100, 'x')).ok());
    as_killed = read_all(log_of(at));
    size = as_killed.find_last_not_of('\0') + 1;
    ends.push_back(size);
  }
  REQUIRE(as_killed.size() > size);  // there are zeros
  std::vector<size_t> cuts = {0, size};
  for (size_t i = 0; i < ends.size(); i += 7) {
    for (const size_t off : {0, 3, 8}) cuts.push_back(ends[i] + off);
  }
  for (const bool is_dirty : {false, true}) {
    for (const size_t cut : cuts) {
      INFO("cut at " << cut << " of " << size << (is_dirty ? ", dirt" : ", zeros"));
      std::string left = as_killed;
      if (cut < size) std::fill(left.begin() + static_cast<std::ptrdiff_t>(cut), left.end(), '\0');
      if (is_dirty) std::fill_n(left.begin() + static_cast<std::ptrdiff_t>(cut), 20, '\x5a');
      fs::remove_all(copy);
      fs::copy(at, copy);
      fs::remove(copy + "/LOCK");
      std::ofstream(log_of(copy), std::ios::binary | std::ios::trunc) << left;
      const size_t whole =
          static_cast<size_t>(std::count_if(ends.begin(), ends.end(), [&](size_t end) { return end <= cut; }));
      // Opened, written to and killed once more: then two logs are read.
      for (const size_t more : {0, 1}) {
        const auto again = open(copy);
        const std::unique_ptr<rocksdb::Iterator> rows(again->NewIterator({}));
        size_t count = 0;
        for (rows->SeekToFirst(); rows->Valid(); rows->Next()) {
          if (rows->key().starts_with("k")) CHECK(rows->key().ToString() == "k" + std::to_string(100 + count++));
        }
        CHECK(count == whole);
        std::string found;
        CHECK(again->Get({}, "later", &found).ok() == (more == 1));
        if (more == 0) REQUIRE(again->Put(synced, "later", "x").ok());
      }
    }
  }
}
