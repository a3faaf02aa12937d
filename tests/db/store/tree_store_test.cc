#include "db/store/tree_store.h"

#include <rocksdb/db.h>
#include <rocksdb/table_properties.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "db/model/hash.h"
#include "db/store/rocks.h"
#include "db/store/row_key.h"
#include "tests/support/lossy_env.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;
using namespace std::string_literals;

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;
constexpr auto kSynced = TreeStore::Durability::Synced;
constexpr auto kOs = TreeStore::Durability::Os;

std::unique_ptr<TreeStore> open(const std::string& folder, rocksdb::Env* environment = nullptr, uint32_t shards = 1) {
  auto opened = TreeStore::open({folder, shards, environment});
  INFO((opened.ok() ? "" : opened.error().message));
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

Error refusal(const std::string& folder) {
  const auto opened = TreeStore::open({folder, 1, nullptr});
  REQUIRE(!opened.ok());
  return opened.error();
}

void put_raw(const std::string& folder, const std::string& key, const std::string& value) {
  const auto db = open_rocks(folder, nullptr);
  REQUIRE(db.ok());
  rocksdb::WriteOptions synced;
  synced.sync = true;
  REQUIRE(db.value()->Put(synced, key, value).ok());
}

Rows rows_of(const TreeView& view, std::string_view from = "", std::string_view upto = "\xff") {
  Rows rows;
  const auto done = view.scan(from, upto, [&](auto key, auto leaf) {
    rows.emplace_back(key, leaf);
    return true;
  });
  REQUIRE(done.ok());
  return rows;
}

Rows rows_of(const TreeStore& store, uint32_t number) { return rows_of(SnapshotView(store.snapshot(), number)); }

std::string numbered(size_t index) {
  std::string digits = std::to_string(index);
  return std::string(8 - digits.size(), '0') + digits;
}

// A range emptied, then `count` rows in namespace 1, and one row of its head.
class Large final : public RowSource {
 public:
  Large(size_t count, std::string value) : count_(count), value_(std::move(value)) {}
  size_t row_count() const override { return count_ + 1; }
  std::vector<std::pair<std::string, std::string>> ranges() const override {
    return {{row_key(Table::Data, 1, "0"), row_key(Table::Data, 1, "9")}};
  }
  void rows(const PutFunction& put) const override {
    put(row_key(Table::Head, 1), Head{count_, {}, false, false, {}}.encode());
    for (size_t i = 0; i < count_; ++i) put(row_key(Table::Data, 1, numbered(i)), value_);
  }

 private:
  size_t count_;
  std::string value_;
};

class Emptied final : public RowSource {
 public:
  Emptied(std::string from, std::string upto) : from_(std::move(from)), upto_(std::move(upto)) {}
  size_t row_count() const override { return 0; }
  std::vector<std::pair<std::string, std::string>> ranges() const override { return {{from_, upto_}}; }
  void rows(const PutFunction&) const override {}

 private:
  std::string from_, upto_;
};

size_t files_ending(const std::string& folder, const std::string& end) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.path().string().ends_with(end);
  return count;
}

}  // namespace

TEST_CASE("A head reads back as it was written, and damage is refused", "[store]") {
  const Head head{0x0102030405060708, Timestamp(1'700'000'000'123), true, false, {}};
  const Head ruled{7, Timestamp(8), false, true, std::string(kTextDigestBytes, 'r')};
  CHECK(Head::decode(ruled.encode()).value().rules == ruled.rules);
  CHECK(Head::decode(ruled.encode()).value().sequence == 7);
  CHECK(Head::decode(ruled.encode()).value().has_documents);
  CHECK_FALSE(Head::decode(head.encode()).value().has_documents);
  CHECK(Head::decode(ruled.encode() + "x").error().code == ErrorCode::Corruption);
  const std::string bytes = head.encode();
  CHECK(bytes == "\x01\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x01\x8b\xcf\xe5\x68\x7b\x01"s);
  const Head back = Head::decode(bytes).value();
  CHECK(back.sequence == head.sequence);
  CHECK(back.time == head.time);
  CHECK(back.has_priorities);
  CHECK(!Head::decode(Head{}.encode()).value().has_priorities);
  for (size_t length = 0; length < bytes.size(); ++length) {
    REQUIRE(!Head::decode(bytes.substr(0, length)).ok());
  }
  CHECK(Head::decode(bytes + '\0').error().code == ErrorCode::Corruption);
  CHECK(Head::decode("\x02" + bytes.substr(1)).error().code == ErrorCode::Corruption);
}

TEST_CASE("A store keeps its identity, its number of shards and its names", "[store]") {
  const TempFolder folder;
  std::string id;
  {
    const auto store = open(folder.path(), nullptr, 3);
    id = store->id();
    CHECK(id.size() == 32);
    CHECK(store->shards() == 3);
    CHECK(store->names_at_open().empty());
    Batch batch;
    batch.put(row_key(Table::Name, "one"), "\0\0\0\x01"s);
    batch.put(row_key(Table::Name, "two"), "\0\0\x01\0"s);
    REQUIRE(store->commit(batch, kSynced).ok());
  }
  const auto store = open(folder.path(), nullptr, 7);
  CHECK(store->id() == id);
  CHECK(store->shards() == 3);  // of a new store only
  CHECK(store->names_at_open() == std::map<std::string, uint32_t>{{"one", 1}, {"two", 256}});
  const TempFolder other;
  CHECK(open(other.path())->id() != id);
}

TEST_CASE("What is not ours to open is refused, and said so", "[store]") {
  const TempFolder folder;
  SECTION("somebody else's RocksDB") {
    put_raw(folder.path(), "their key", "their value");
    CHECK(refusal(folder.path()).code == ErrorCode::Corruption);
    const auto db = open_rocks(folder.path(), nullptr);
    std::string value;
    CHECK(db.value()->Get({}, "their key", &value).ok());
    CHECK(db.value()->Get({}, row_key(Table::Store, "format"), &value).IsNotFound());
  }
  SECTION("a newer format") {
    open(folder.path());
    put_raw(folder.path(), row_key(Table::Store, "format"), std::to_string(kStoreFormat + 1));
    const Error error = refusal(folder.path());
    CHECK(error.code == ErrorCode::Unsupported);
    CHECK(error.message.find("format " + std::to_string(kStoreFormat + 1)) != std::string::npos);
  }
  SECTION("an older format is none of them: it is ours from then on") {
    const std::string id = open(folder.path())->id();
    put_raw(folder.path(), row_key(Table::Store, "format"), std::to_string(GENERATE(1, 2)));
    CHECK(open(folder.path())->id() == id);
    const auto db = open_rocks(folder.path(), nullptr);
    std::string value;
    CHECK(db.value()->Get({}, row_key(Table::Store, "format"), &value).ok());
    CHECK(value == std::to_string(kStoreFormat));
  }
  SECTION("a damaged number of shards") {
    open(folder.path());
    put_raw(folder.path(), row_key(Table::Store, "shards"), "many");
    CHECK(refusal(folder.path()).code == ErrorCode::Corruption);
  }
  SECTION("an empty id") {
    open(folder.path());
    put_raw(folder.path(), row_key(Table::Store, "id"), "");
    CHECK(refusal(folder.path()).code == ErrorCode::Corruption);
  }
  SECTION("one that is open already") {
    const auto store = open(folder.path());
    CHECK(refusal(folder.path()).code == ErrorCode::Locked);
    CHECK(store->health().ok());
  }
}

TEST_CASE("A snapshot does not see later commits", "[store]") {
  const TempFolder folder;
  const auto store = open(folder.path());
  Batch first;
  first.put(row_key(Table::Data, 1, "a"), "1");
  first.put(row_key(Table::Data, 1, "b"), "2");
  REQUIRE(store->commit(first, kOs).ok());
  const SnapshotView before(store->snapshot(), 1);
  Batch second;
  second.put(row_key(Table::Data, 1, "a"), "one");
  second.erase(row_key(Table::Data, 1, "b"));
  second.put(row_key(Table::Data, 1, "c"), "3");
  REQUIRE(store->commit(second, kOs).ok());
  CHECK(rows_of(before) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(before.leaf("b").value() == "2");
  CHECK(before.leaf("c").value() == std::nullopt);
  CHECK(rows_of(*store, 1) == Rows{{"a", "one"}, {"c", "3"}});
  CHECK(SnapshotView(store->snapshot(), 1).leaf("b").value() == std::nullopt);

  REQUIRE(store->commit(Emptied(row_key(Table::Data, 1, "a"), row_key(Table::Data, 1, "c")), kOs).ok());
  CHECK(rows_of(before) == Rows{{"a", "1"}, {"b", "2"}});
  CHECK(rows_of(*store, 1) == Rows{{"c", "3"}});
}

TEST_CASE("A scan has the bounds it is given and stops when told", "[store]") {
  const TempFolder folder;
  const auto store = open(folder.path());
  Batch batch;
  for (const char* key : {"a", "b", "c", "d"}) batch.put(row_key(Table::Data, 1, key), key);
  REQUIRE(store->commit(batch, kOs).ok());
  const SnapshotView view(store->snapshot(), 1);
  CHECK(rows_of(view, "b", "d") == Rows{{"b", "b"}, {"c", "c"}});
  CHECK(rows_of(view, "b", "b").empty());
  CHECK(rows_of(view, "aa", "bb") == Rows{{"b", "b"}});
  size_t seen = 0;
  REQUIRE(view.scan("", "\xff", [&](auto, auto) { return ++seen < 2; }).ok());
  CHECK(seen == 2);
}

TEST_CASE("Thousands of namespaces do not leak into each other", "[store]") {
  const TempFolder folder;
  const auto store = open(folder.path());
  constexpr uint32_t kCount = 2'000;
  Batch batch;
  for (uint32_t number = 0; number < kCount; ++number) {
    batch.put(row_key(Table::Data, number), "root of " + std::to_string(number));
    batch.put(row_key(Table::Data, number, "\xfe"), "end of " + std::to_string(number));
  }
  REQUIRE(store->commit(batch, kOs).ok());
  for (uint32_t number = 0; number < kCount; ++number) {
    REQUIRE(rows_of(*store, number) ==
            Rows{{"", "root of " + std::to_string(number)}, {"\xfe", "end of " + std::to_string(number)}});
  }
  CHECK(rows_of(*store, kCount).empty());
}

TEST_CASE("A large commit goes in as a file, replaces a range at once, and stays", "[store]") {
  const TempFolder folder;
  const uint64_t rows_count = kIngestRowsMin;
  {
    const auto store = open(folder.path());
    Batch old;
    old.put(row_key(Table::Data, 1, "/left"), "stays");
    old.put(row_key(Table::Data, 1, "00000001 old"), "goes");
    old.put(row_key(Table::Data, 1, "8 old"), "goes");
    old.put(row_key(Table::Data, 1, "9"), "stays");
    REQUIRE(store->commit(old, kOs).ok());
    const size_t tables = files_ending(folder.path(), ".sst");
    const SnapshotView before(store->snapshot(), 1);
    REQUIRE(store->commit(Large(rows_count, "new"), kOs).ok());
    CHECK(files_ending(folder.path(), ".sst") > tables);  // past the log
    CHECK(files_ending(folder.path(), ".ingest") == 0);
    CHECK(rows_of(before).size() == 4);
    const Rows now = rows_of(*store, 1);
    CHECK(now.size() == rows_count + 2);
    // Later commits lie above it.
    Batch later;
    later.put(row_key(Table::Data, 1, numbered(7)), "later");
    later.erase(row_key(Table::Data, 1, numbered(8)));
    REQUIRE(store->commit(later, kSynced).ok());
  }
  const auto store = open(folder.path());
  const Rows rows = rows_of(*store, 1);
  REQUIRE(rows.size() == rows_count + 1);
  CHECK(rows.front() == std::pair("/left"s, "stays"s));
  CHECK(rows.back() == std::pair("9"s, "stays"s));
  CHECK(rows[8] == std::pair(numbered(7), "later"s));
  CHECK(rows[9] == std::pair(numbered(9), "new"s));
  CHECK(Head::decode(*store->snapshot()->get(row_key(Table::Head, 1)).value()).value().sequence == rows_count);

  REQUIRE(store->commit(Large(rows_count, "newer"), kSynced).ok());
  CHECK(SnapshotView(store->snapshot(), 1).leaf(numbered(7)).value() == "newer");
  CHECK(SnapshotView(store->snapshot(), 1).leaf(numbered(8)).value() == "newer");
}

TEST_CASE("A large commit's file is compressed fast, and by compaction well", "[store]") {
  const TempFolder folder;
  const auto compressions = [&] {
    std::set<std::string> names;
    const auto db = open_rocks(folder.path(), nullptr);
    REQUIRE(db.ok());
    rocksdb::TablePropertiesCollection tables;
    REQUIRE(db.value()->GetPropertiesOfAllTables(&tables).ok());
    for (const auto& [name, table] : tables) {
      if (table->num_entries > 1'000) names.insert(table->compression_name);
    }
    return names;
  };
  REQUIRE(open(folder.path())->commit(Large(kIngestRowsMin, "new"), kSynced).ok());
  CHECK(compressions() == std::set<std::string>{"LZ4"});
  std::atomic<bool> is_stopping{false};
  REQUIRE(open(folder.path())->compact(is_stopping).ok());
  CHECK(compressions() == std::set<std::string>{"ZSTD"});
}

TEST_CASE("A power cut after a large commit leaves everything that came before it", "[store]") {
  const TempFolder folder;
  LossyEnv environment;
  {
    const auto store = open(folder.path(), &environment);
    Batch earlier;
    earlier.put(row_key(Table::Data, 2, "earlier"), "1");
    REQUIRE(store->commit(earlier, kOs).ok());  // in the log, not synced
    REQUIRE(store->commit(Large(kIngestRowsMin, "new"), kOs).ok());
    Batch later;
    later.put(row_key(Table::Data, 2, "later"), "1");
    REQUIRE(store->commit(later, kOs).ok());
    environment.cut_power();
  }
  environment.lose();
  const auto store = open(folder.path(), &environment);
  CHECK(rows_of(*store, 1).size() == kIngestRowsMin);
  CHECK(rows_of(*store, 2) == Rows{{"earlier", "1"}});  // the later one was never promised
}

TEST_CASE("A synced commit survives a power cut, one left to the system may not", "[store]") {
  const TempFolder folder;
  LossyEnv environment;
  {
    const auto store = open(folder.path(), &environment);
    Batch kept, lost;
    kept.put(row_key(Table::Data, 1, "kept"), "1");
    lost.put(row_key(Table::Data, 1, "lost"), "1");
    REQUIRE(store->commit(kept, kSynced).ok());
    REQUIRE(store->commit(lost, kOs).ok());
    CHECK(rows_of(*store, 1).size() == 2);
    environment.cut_power();
  }
  environment.lose();
  CHECK(rows_of(*open(folder.path(), &environment), 1) == Rows{{"kept", "1"}});
}

TEST_CASE("Files that a killed process left behind are removed at open", "[store]") {
  const TempFolder folder;
  open(folder.path());
  std::ofstream(folder.path() + "/0.ingest") << "half a table";
  std::ofstream(folder.path() + "/17.ingest") << "another";
  std::ofstream(folder.path() + "/notes.txt") << "not ours";
  const auto store = open(folder.path());
  CHECK(files_ending(folder.path(), ".ingest") == 0);
  CHECK(files_ending(folder.path(), "notes.txt") == 1);
  CHECK(store->commit(Large(kIngestRowsMin, "x"), kSynced).ok());  // its file has the first one's name
}

TEST_CASE("A sync keeps what was left to the system before it, also what an open has found", "[store]") {
  const TempFolder folder;
  LossyEnv environment;
  const auto put = [](TreeStore& store, const std::string& row) {
    Batch batch;
    batch.put(row_key(Table::Data, 1, row), "1");
    REQUIRE(store.commit(batch, kOs).ok());
  };
  put(*open(folder.path(), &environment), "before");  // a process that is killed: the system has it
  {
    const auto store = open(folder.path(), &environment);
    put(*store, "kept");
    REQUIRE(store->sync().ok());
    put(*store, "lost");
    environment.cut_power();
  }
  environment.lose();
  CHECK(rows_of(*open(folder.path(), &environment), 1) == Rows{{"before", "1"}, {"kept", "1"}});
}

TEST_CASE("A cluster's life is the same at every open, and a folder with anything else in it is not the cluster's",
          "[store]") {
  const TempFolder folder, other;
  const auto open_in = [](const TempFolder& where, const std::string& life) {
    TreeStore::Options options;
    options.folder = where.path();
    options.life = life;
    return TreeStore::open(options);
  };
  for (int run = 0; run < 3; ++run) {
    const auto store = open_in(folder, "0123456789abcdef");
    REQUIRE(store.ok());
    CHECK(store.value()->life() == "0123456789abcdef");
    CHECK(store.value()->life_index() == 1);
    CHECK(store.value()->life_index_of("0123456789abcdef") == 1);
  }
  CHECK(open_in(folder, "fedcba9876543210").error().code == ErrorCode::InvalidArgument);
  {
    const auto single = open(other.path());
    Batch name;
    name.put(row_key(Table::Name, "t"), std::string(4, '\1'));
    REQUIRE(single->commit(name, kOs).ok());
  }
  CHECK(open_in(other, "0123456789abcdef").error().code == ErrorCode::InvalidArgument);
  CHECK(open_in(other, "0123456789abcdef").error().code == ErrorCode::InvalidArgument);  // nothing was noted
  CHECK(open_in(other, "").ok());
}

TEST_CASE("A failed fsync ends writing, not reading, until a restart", "[store]") {
  const TempFolder folder;
  LossyEnv environment;
  {
    size_t told = 0;
    const OnNotice on_notice = [&told](const Notice& notice) {
      told += notice.kind == Notice::Kind::StoreBroken ? 1 : 0;
    };
    const auto store = TreeStore::open({folder.path(), 1, &environment, 0, on_notice}).value();
    Batch batch;
    batch.put(row_key(Table::Data, 1, "a"), "1");
    REQUIRE(store->commit(batch, kSynced).ok());
    CHECK(store->health().ok());
    CHECK(told == 0);
    environment.fail_syncs();
    Batch failing;
    failing.put(row_key(Table::Data, 1, "b"), "2");
    const auto failed = store->commit(failing, kSynced);
    REQUIRE(!failed.ok());
    CHECK(failed.error().message.find("fsync failed") != std::string::npos);
    REQUIRE(!store->health().ok());
    CHECK(store->health().error().code == ErrorCode::Unavailable);
    // Also one that asks for no fsync, and one that would go past the log.
    const uint64_t syncs = environment.syncs();
    CHECK(store->commit(batch, kOs).error().code == ErrorCode::Unavailable);
    CHECK(store->commit(Large(kIngestRowsMin, "x"), kSynced).error().code == ErrorCode::Unavailable);
    CHECK(environment.syncs() == syncs);
    CHECK(told >= 1);
    CHECK(told <= 2);  // by RocksDB, and by the commit that failed
    // Nor what would sync the log once more.
    std::atomic<bool> is_stopping = false;
    CHECK(store->checkpoint().error().code == ErrorCode::Unavailable);
    CHECK(store->compact(is_stopping).error().code == ErrorCode::Unavailable);
    CHECK(SnapshotView(store->snapshot(), 1).leaf("a").value() == "1");
    environment.cut_power();
  }
  environment.lose();
  const auto store = open(folder.path(), &environment);
  CHECK(store->health().ok());
  CHECK(rows_of(*store, 1) == Rows{{"a", "1"}});
  Batch batch;
  batch.put(row_key(Table::Data, 1, "c"), "3");
  CHECK(store->commit(batch, kSynced).ok());
}

TEST_CASE("A large commit whose fsync fails leaves no trace", "[store]") {
  const TempFolder folder;
  LossyEnv environment;
  {
    const auto store = open(folder.path(), &environment);
    Batch batch;
    batch.put(row_key(Table::Data, 1, "1"), "old");
    REQUIRE(store->commit(batch, kOs).ok());
    environment.fail_syncs();
    CHECK(!store->commit(Large(kIngestRowsMin, "x"), kSynced).ok());
    CHECK(!store->health().ok());
    CHECK(files_ending(folder.path(), ".ingest") == 0);
    CHECK(rows_of(*store, 1) == Rows{{"1", "old"}});
  }
}

TEST_CASE("Range tombstones are flushed when enough have gathered", "[store]") {
  const TempFolder folder;
  const auto store = open(folder.path());
  const auto empty_one = [&](size_t index) {
    const std::string from = row_key(Table::Data, 1, numbered(index));
    REQUIRE(store->commit(Emptied(from, from + '\xff'), kOs).ok());
  };
  Batch batch;
  for (size_t i = 0; i <= kTombstonesMax; ++i) batch.put(row_key(Table::Data, 1, numbered(i)), "x");
  REQUIRE(store->commit(batch, kOs).ok());
  for (size_t i = 0; i + 1 < kTombstonesMax; ++i) empty_one(i);
  CHECK(files_ending(folder.path(), ".sst") == 0);
  empty_one(kTombstonesMax - 1);
  for (int tries = 0; tries < 2'000 && files_ending(folder.path(), ".sst") == 0; ++tries) ::usleep(5'000);
  CHECK(files_ending(folder.path(), ".sst") > 0);  // in the background
  CHECK(rows_of(*store, 1) == Rows{{numbered(kTombstonesMax), "x"}});
}

TEST_CASE("With less left on the disk than is kept in reserve there is no room, and there is again once there is more",
          "[store]") {
  struct Disk final : rocksdb::EnvWrapper {
    Disk() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {}
    const char* Name() const { return "Disk"; }
    rocksdb::Status GetFreeSpace(const std::string&, uint64_t* bytes) override {
      *bytes = left;
      return rocksdb::Status::OK();
    }
    std::atomic<uint64_t> left = 5u << 20;
  };
  Disk disk;
  const TempFolder folder;
  TreeStore::Options options;
  options.folder = folder.path();
  options.free_bytes_min = 5u << 20;
  options.environment = &disk;
  std::vector<Notice> told;
  options.on_notice = [&told](const Notice& notice) { told.push_back(notice); };
  const auto store = TreeStore::open(options).value();
  CHECK(store->room().ok());
  CHECK(told.empty());
  disk.left = (5u << 20) - 1;
  std::this_thread::sleep_for(kRoomLookInterval);
  REQUIRE_FALSE(store->room().ok());
  CHECK(store->room().error().code == ErrorCode::Unavailable);
  CHECK(store->room().error().message.starts_with("The disk has 4 MiB left, and 5 MiB are kept in reserve"));
  CHECK(store->health().ok());
  REQUIRE(told.size() == 1);  // once, however often somebody asks
  CHECK(told.back().kind == Notice::Kind::DiskShort);
  CHECK(told.back().what == "4 MiB are left on the disk of " + folder.path() + ", and 5 MiB are kept in reserve");
  disk.left = 5u << 20;
  std::this_thread::sleep_for(kRoomLookInterval);
  CHECK(store->room().ok());
  CHECK(told.size() == 1);  // not at each byte
  disk.left = (5u << 20) + (5u << 20) / kRoomMargin;
  std::this_thread::sleep_for(kRoomLookInterval);
  CHECK(store->room().ok());
  REQUIRE(told.size() == 2);
  CHECK(told.back().kind == Notice::Kind::DiskRoom);
}
