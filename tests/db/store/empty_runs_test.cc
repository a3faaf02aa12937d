#include "db/store/empty_runs.h"

#include <rocksdb/env.h>
#include <rocksdb/perf_context.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>

#include "db/store/tree_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr auto kOs = TreeStore::Durability::Os;

std::string text(const std::vector<EmptyRuns::Run>& runs) {
  std::string all;
  for (const EmptyRuns::Run& run : runs) all += "[" + run.from + "," + run.upto + ")";
  for (char& c : all) {
    if (c == '\0') c = '+';  // the first key behind
  }
  return all;
}

// A store's sequence, and the runs of one.
struct Known {
  uint64_t sequence = 10;
  EmptyRuns runs{[this] { return sequence; }};
  void put(std::string_view key) {
    EmptyRuns::Writing writing(runs);
    writing.put(key);
    ++sequence;
  }
  void tell(std::string_view from, std::string_view upto) { runs.tell(from, upto, sequence); }
  std::string all() const { return text(runs.within("", "~", sequence)); }
};

std::string numbered(size_t index) {
  std::string digits = std::to_string(index);
  return std::string(8 - digits.size(), '0') + digits;
}
std::string row(size_t index) { return row_key(Table::Data, 1, numbered(index)); }

std::unique_ptr<TreeStore> open(const std::string& folder, rocksdb::Env* environment = nullptr) {
  auto opened = TreeStore::open({folder, 1, environment});
  REQUIRE(opened.ok());
  return std::move(opened).value();
}

void commit(TreeStore& store, size_t from, size_t upto, bool is_put, std::mt19937_64* values = nullptr) {
  Batch batch;
  for (size_t i = from; i < upto; ++i) {
    if (!is_put) {
      batch.erase(row(i));
      continue;
    }
    std::string value(100, 'x');
    if (values != nullptr) {
      for (char& c : value) c = static_cast<char>('a' + (*values)() % 26);
    }
    batch.put(row(i), value);
  }
  REQUIRE(store.commit(batch, kOs).ok());
}

struct Looked {
  std::string first;
  uint64_t skipped;
};
// limitToFirst(1), or limitToLast(1), and how many erased rows RocksDB went through for it.
Looked first_of(const TreeStore& store, bool is_last = false) {
  Looked looked;
  auto& counts = *rocksdb::get_perf_context();
  const auto so_far = [&] { return counts.internal_delete_skipped_count + counts.internal_key_skipped_count; };
  const uint64_t before = so_far();
  const auto see = [&](std::string_view key, std::string_view) {
    looked.first = key;
    return false;
  };
  const SnapshotView view(store.snapshot(), 1);
  REQUIRE((is_last ? view.scan_down("", "\xff", see) : view.scan("", "\xff", see)).ok());
  looked.skipped = so_far() - before;
  return looked;
}

}  // namespace

TEST_CASE("EmptyRuns: what two readers found empty is known, and a row that is put parts it", "[store]") {
  Known known;
  known.tell("b", "m");
  CHECK(known.all().empty());  // a commit may have come between the snapshot and now
  known.tell("b", "m");
  CHECK(known.all() == "[b,m)");
  CHECK(text(known.runs.within("b", "b+", known.sequence)) == "[b,m)");
  CHECK(known.runs.within("a", "b", known.sequence).empty());
  CHECK(known.runs.within("m", "z", known.sequence).empty());
  CHECK(known.runs.within("b", "m", known.sequence - 1).empty());  // rows may have been there then
  known.put("g");
  CHECK(known.all() == "[b,g)[g+,m)");
  known.put("b");
  CHECK(known.all() == "[b+,g)[g+,m)");
  known.put("x");
  CHECK(known.all() == "[b+,g)[g+,m)");
  // What touches becomes one.
  for (int i = 0; i < 2; ++i) known.tell("f", "h");
  CHECK(known.all() == "[b+,m)");
  CHECK(known.runs.byte_count() == 3);
  { EmptyRuns::Writing(known.runs).put_anywhere(); }
  CHECK(known.all().empty());
  CHECK(known.runs.byte_count() == 0);
}

TEST_CASE("EmptyRuns: a guess counts once the commits that were under way are over, for who has seen them", "[store]") {
  Known known;
  {
    EmptyRuns::Writing early(known.runs);
    early.put("c");
    known.tell("a", "f");  // of a snapshot without c
    known.tell("a", "f");
    CHECK(known.all().empty());
    ++known.sequence;  // c is there
  }
  known.runs.tell("a", "f", known.sequence - 1);  // still without
  CHECK(known.all().empty());
  known.runs.tell("a", "c", known.sequence);  // with it
  CHECK(known.all() == "[a,c)");
  // What is put into a guess is not of it.
  known.tell("k", "p");
  known.put("m");
  known.tell("k", "m");
  CHECK(known.all() == "[a,c)[k,m)");
}

TEST_CASE("EmptyRuns: what is known is bounded, and what was used last stays", "[store]") {
  Known known;
  for (size_t i = 0; i < 3 * kEmptyRunsMax; ++i) {
    const std::string from = numbered(2 * i), upto = numbered(2 * i + 1);
    for (int twice = 0; twice < 2; ++twice) known.tell(from, upto);
    REQUIRE(known.runs.within(numbered(0), numbered(1), known.sequence).size() == 1);
    REQUIRE(known.runs.count() <= kEmptyRunsMax);
  }
  CHECK(known.runs.count() == kEmptyRunsMax);
  for (size_t i = 0; i < 20; ++i) {
    const std::string from = "a" + numbered(2 * i) + std::string(kEmptyRunBytesMax / 10, 'x');
    for (int twice = 0; twice < 2; ++twice) known.tell(from, from + "y");
    REQUIRE(known.runs.byte_count() <= kEmptyRunBytesMax);
  }
}

// Writers say what they will put, and put it some time later; readers of old and new snapshots tell of ranges that are truly
// empty in theirs. Whatever is known must be so in the snapshot that is told of it.
TEST_CASE("EmptyRuns: nobody is told that a row is not there", "[store]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 40; ++round) {
    uint64_t sequence = 0;
    EmptyRuns runs([&] { return sequence; });
    std::vector<std::set<std::string>> moments(1);  // by sequence
    struct Write {
      std::unique_ptr<EmptyRuns::Writing> writing;
      std::map<std::string, bool> rows;  // true: put
    };
    std::vector<Write> under_way;
    size_t known = 0;
    for (int step = 0; step < 1'000; ++step) {
      const size_t what = random.below(10);
      if (what < 2 && under_way.size() < 3) {
        Write write{std::make_unique<EmptyRuns::Writing>(runs), {}};
        for (size_t count = 1 + random.below(3); count > 0; --count) {
          write.rows[std::string(1, static_cast<char>('a' + random.below(20)))] = random.chance(0.2);
        }
        for (const auto& [key, is_put] : write.rows) {
          if (is_put) write.writing->put(key);
        }
        under_way.push_back(std::move(write));
      } else if (what < 5 && !under_way.empty()) {
        const size_t which = random.below(under_way.size());
        std::set<std::string> now = moments.back();
        for (const auto& [key, is_put] : under_way[which].rows) is_put ? void(now.insert(key)) : void(now.erase(key));
        moments.push_back(std::move(now));
        ++sequence;
        under_way.erase(under_way.begin() + static_cast<ptrdiff_t>(which));
      } else {
        const uint64_t at = random.chance(0.5) ? sequence : sequence - std::min<uint64_t>(sequence, random.below(4));
        const std::set<std::string>& rows = moments[at];
        const std::string from(1, static_cast<char>('a' + random.below(20)));
        for (const EmptyRuns::Run& run : runs.within("a", "z", at)) {
          ++known;
          const auto there = rows.lower_bound(run.from);
          INFO("[" << run.from << "," << run.upto << ") at " << at << " of " << sequence);
          REQUIRE((there == rows.end() || *there >= run.upto));
        }
        const auto next = rows.lower_bound(from);
        runs.tell(from, next == rows.end() ? "z" : *next, at);
      }
    }
    CHECK(known > 0);
  }
}

TEST_CASE("A first and a last child stay cheap to find while very many before and behind them are erased one by one",
          "[store]") {
  const TempFolder folder;
  const auto store = open(folder.path());
  constexpr size_t kRows = 120'000, kStep = 100;
  for (size_t i = 0; i < kRows; i += 10'000) commit(*store, i, i + 10'000, true);
  const auto before = store->snapshot();
  // From the front, with somebody who looks after each commit.
  for (size_t gone = kStep; gone <= kRows / 3; gone += kStep) {
    commit(*store, gone - kStep, gone, false);
    const Looked looked = first_of(*store);
    REQUIRE(looked.first == numbered(gone));
    REQUIRE(looked.skipped < 2 * (kRunSkipsMin + 4 * kStep));
  }
  // Then from the end, and nobody looks until all is done: who looks first finds it out, once more confirms it.
  for (size_t gone = kStep; gone <= kRows / 3; gone += kStep) commit(*store, kRows - gone, kRows - gone + kStep, false);
  for (int i = 0; i < 2; ++i) CHECK(first_of(*store, true).first == numbered(kRows - kRows / 3 - 1));
  CHECK(first_of(*store, true).skipped < 10);
  CHECK(store->figures().empty_runs == 2);
  CHECK(store->figures().empty_run_bytes > 0);
  // A row within is found, and not by who looks at the past.
  commit(*store, 77, 78, true);
  CHECK(first_of(*store).first == numbered(77));
  CHECK(first_of(*store).skipped < kRunSkipsMin);
  commit(*store, kRows - 7, kRows - 6, true);
  CHECK(first_of(*store, true).first == numbered(kRows - 7));
  size_t count = 0;
  REQUIRE(SnapshotView(before, 1).scan("", "\xff", [&](auto, auto) { return ++count > 0; }).ok());
  CHECK(count == kRows);
  // All between: one who goes through everything learns of the gap in the middle too.
  for (size_t i = kRows / 2; i < kRows / 2 + 5'000; i += kStep) commit(*store, i, i + kStep, false);
  for (int i = 0; i < 3; ++i) {
    std::string last;
    size_t rows = 0;
    const uint64_t so_far = rocksdb::get_perf_context()->internal_delete_skipped_count;
    REQUIRE(SnapshotView(store->snapshot(), 1)
                .scan("", "\xff",
                      [&](std::string_view key, std::string_view) {
                        CHECK(key > last);
                        last = key;
                        return ++rows > 0;
                      })
                .ok());
    CHECK(rows == kRows / 3 - 5'000 + 2);
    if (i == 2) CHECK(rocksdb::get_perf_context()->internal_delete_skipped_count - so_far < 10);
  }
}

TEST_CASE("Rows that are erased one by one make RocksDB write little: what is left is not written again and again",
          "[store]") {
  // Counts what is written into tables.
  struct Counting final : rocksdb::EnvWrapper {
    struct File final : rocksdb::WritableFileWrapper {
      File(std::unique_ptr<rocksdb::WritableFile> file, std::atomic<uint64_t>& bytes)
          : rocksdb::WritableFileWrapper(file.get()), own(std::move(file)), count(bytes) {}
      rocksdb::Status Append(const rocksdb::Slice& data) override {
        count += data.size();
        return rocksdb::WritableFileWrapper::Append(data);
      }
      rocksdb::Status Append(const rocksdb::Slice& data, const rocksdb::DataVerificationInfo& info) override {
        count += data.size();
        return rocksdb::WritableFileWrapper::Append(data, info);
      }
      std::unique_ptr<rocksdb::WritableFile> own;
      std::atomic<uint64_t>& count;
    };
    Counting() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {}
    const char* Name() const { return "Counting"; }
    rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* file,
                                    const rocksdb::EnvOptions& options) override {
      const auto status = rocksdb::EnvWrapper::NewWritableFile(name, file, options);
      if (status.ok() && name.ends_with(".sst")) *file = std::make_unique<File>(std::move(*file), bytes);
      return status;
    }
    std::atomic<uint64_t> bytes{0};
  };
  Counting environment;
  const TempFolder folder;
  const auto store = open(folder.path(), &environment);
  constexpr size_t kRows = 200'000, kStep = 100;
  std::mt19937_64 values(1);
  for (size_t i = 0; i < kRows; i += 10'000) commit(*store, i, i + 10'000, true, &values);
  std::atomic<bool> is_stopping{false};
  REQUIRE(store->compact(is_stopping).ok());
  const uint64_t stored = store->figures().sst_bytes;
  const uint64_t before = environment.bytes;
  const auto wait = [&] {
    for (StoreFigures now = store->figures();
         now.flushes_running + now.compactions_running > 0 || now.is_flush_pending || now.is_compaction_pending;
         now = store->figures()) {
    }
  };
  for (size_t i = 0; i < kRows; i += kStep) {
    commit(*store, i, i + kStep, false);
    if (i % 2'000 == 0) {
      wait();
      (void)first_of(*store);
    }
  }
  wait();
  const double each = static_cast<double>(environment.bytes - before) / kRows;
  INFO(each << " bytes a row, of " << stored / kRows);
  // A flush after each 20,000 rows with a compaction after it would be five times all that is left: some 500.
  CHECK(each < 100);
}
