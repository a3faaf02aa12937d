#include "db/dump/row_sorter.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "tests/support/dump_store.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

Rows drained(RowSorter& sorter) {
  Rows rows;
  const auto done = sorter.drain([&](auto key, auto leaf) -> Result<void> {
    rows.emplace_back(key, leaf);
    return {};
  });
  REQUIRE(done.ok());
  return rows;
}

}  // namespace

TEST_CASE("Rows come out in key order, from memory or from many runs, and equal keys one behind the other") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  const TempFolder folder;
  for (const size_t bytes_max : {size_t{1} << 20, size_t{2000}, size_t{1}}) {
    RandomTree random(seed);
    Rows rows;
    RowSorter sorter(folder.path(), bytes_max);
    for (int i = 0; i < 2000; ++i) {
      rows.emplace_back("key " + std::to_string(random.below(1500)), std::string(random.below(40), 'v'));
      REQUIRE(sorter.add(rows.back().first, rows.back().second).ok());
    }
    Rows sorted = drained(sorter);
    INFO(bytes_max << " bytes in memory, " << sorter.run_count() << " runs");
    CHECK((sorter.run_count() > 20) == (bytes_max < 1u << 20));
    CHECK(std::is_sorted(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; }));
    std::sort(sorted.begin(), sorted.end());
    std::sort(rows.begin(), rows.end());
    CHECK(sorted == rows);
    CHECK(files_below(folder.path()).empty());
  }
}

TEST_CASE("No rows are none, and long ones fit") {
  const TempFolder folder;
  RowSorter none(folder.path());
  CHECK(drained(none).empty());
  RowSorter sorter(folder.path(), 1 << 20);
  const std::string longest(kStringBytesMax, 'x');
  for (const char* key : {"c", "a", "b"}) REQUIRE(sorter.add(key, longest).ok());
  CHECK(drained(sorter) == Rows{{"a", longest}, {"b", longest}, {"c", longest}});
}

TEST_CASE("A folder where no file can be made is named") {
  RowSorter sorter("/proc/nowhere", 1);
  REQUIRE(sorter.add("a", "b").ok());
  const auto second = sorter.add("b", "c");
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.starts_with("making a temporary file in /proc/nowhere: "));
}
