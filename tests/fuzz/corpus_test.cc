// The corpora of the fuzz targets, as tests for every build; and a smoke of each target, by inputs that are made of its corpus
// and are the same in every run. HEARTH_LONG makes a hundred times as many.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

namespace fs = std::filesystem;
using namespace hearth::test;

namespace {

constexpr size_t kMutatedInputs = 2'000;  // of each target

const fs::path kCorpora = fs::path(HEARTH_SOURCE_DIR) / "tests/fuzz/corpus";

// In the order of their names: a folder's own order is the machine's.
std::map<std::string, std::string> corpus_of(const std::string& target) {
  std::map<std::string, std::string> corpus;
  for (const auto& entry : fs::directory_iterator(kCorpora / target)) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace(entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(file), {}));
  }
  return corpus;
}

}  // namespace

TEST_CASE("Fuzz: each target takes its corpus", "[fuzz]") {
  for (const auto& [name, target] : fuzz_targets()) {
    INFO(name);
    REQUIRE(fs::is_directory(kCorpora / name));
    target({});
    for (const auto& [file, bytes] : corpus_of(name)) {
      INFO(file);
      CHECK_FALSE(bytes.empty());
      target(bytes);
    }
  }
  for (const auto& entry : fs::directory_iterator(kCorpora)) {
    INFO(entry.path() << " is of no target");
    CHECK(fuzz_targets().contains(entry.path().filename().string()));
  }
}

// A target that fails ends the program (invariant()); Catch says then which target and which of its inputs it was.
TEST_CASE("Fuzz: each target takes what a few thousand changes make of its corpus", "[fuzz]") {
  const size_t count = std::getenv("HEARTH_LONG") != nullptr ? 100 * kMutatedInputs : kMutatedInputs;
  for (const auto& [name, target] : fuzz_targets()) {
    std::vector<std::string> seeds;
    for (auto& [file, bytes] : corpus_of(name)) seeds.push_back(bytes);
    Mutator mutator(std::move(seeds), 20'261'201);
    for (size_t i = 0; i < count; ++i) {
      const std::string bytes = mutator.next();
      INFO(name << ", input " << i);
      target(bytes);
    }
  }
}
