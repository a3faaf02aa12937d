// The corpora of the fuzz targets, as tests for every build.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/fuzz/fuzz.h"

namespace fs = std::filesystem;
using namespace hearth::test;

TEST_CASE("Fuzz: each target takes its corpus", "[fuzz]") {
  const fs::path corpora = fs::path(HEARTH_SOURCE_DIR) / "tests/fuzz/corpus";
  for (const auto& [name, target] : fuzz_targets()) {
    INFO(name);
    REQUIRE(fs::is_directory(corpora / name));
    target({});
    for (const auto& entry : fs::directory_iterator(corpora / name)) {
      INFO(entry.path());
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      CHECK_FALSE(bytes.empty());
      target(bytes);
    }
  }
  for (const auto& entry : fs::directory_iterator(corpora)) {
    INFO(entry.path() << " is of no target");
    CHECK(fuzz_targets().contains(entry.path().filename().string()));
  }
}
