#include "db/base/id_map.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>

using hearth::db::IdMap;

namespace {

// An id by which a std::map and an IdMap of owned values are changed alike.
struct Both {
  std::map<uint64_t, int> plain;
  IdMap<std::unique_ptr<int>> ids;

  void put(uint64_t id, int value) {
    plain[id] = value;
    ids[id] = std::make_unique<int>(value);
  }
  size_t erase(uint64_t id) {
    const size_t erased = plain.erase(id);
    CHECK(ids.erase(id) == erased);
    return erased;
  }
  bool are_equal() const {
    auto at = plain.begin();
    for (const auto& [id, value] : ids) {
      if (at == plain.end() || at->first != id || value == nullptr || at->second != *value) return false;
      ++at;
    }
    return at == plain.end() && ids.size() == plain.size() && ids.empty() == plain.empty();
  }
};

}  // namespace

TEST_CASE("IdMap: holds what a map holds, in the order of the ids", "[db][base]") {
  const char* given = std::getenv("TEST_SEED");  // NOLINT(concurrency-mt-unsafe): one thread
  const auto seed = given != nullptr ? static_cast<uint32_t>(std::stoul(given)) : std::random_device()();
  INFO("TEST_SEED=" << seed);
  std::mt19937 random(seed);
  Both both;
  uint64_t last = 0;
  for (int step = 0; step < 4'000; ++step) {
    // Times of growth and of decline, so that it is large, small and empty.
    const bool grows = (step / 400) % 2 == 0;
    const uint64_t any = last == 0 ? 1 : random() % (last + 1);
    switch (random() % 8) {
      case 0:
        both.put(any, step);  // one of those before: there, gone, or never seen
        break;
      case 1:
      case 2:
      case 3:
        if (grows) both.put(last += 1 + random() % 3, step);
        break;
      case 4:
        if (!both.plain.empty()) both.erase(both.plain.begin()->first);
        break;
      case 5:
        if (!both.plain.empty()) both.erase(both.plain.rbegin()->first);
        break;
      default:
        if (!grows) both.erase(any);
        break;
    }
    REQUIRE(both.are_equal());
    const auto found = both.ids.find(any);
    REQUIRE((found == both.ids.end()) == !both.plain.contains(any));
    REQUIRE(both.ids.contains(any) == both.plain.contains(any));
    if (!(found == both.ids.end())) REQUIRE(*found->value == both.plain.at(any));
  }
  IdMap<std::unique_ptr<int>> moved(std::move(both.ids));
  CHECK(both.ids.empty());  // NOLINT(bugprone-use-after-move): it is empty
  both.ids = std::move(moved);
  CHECK(both.are_equal());
  while (!both.plain.empty()) both.erase(both.plain.begin()->first);
  CHECK(both.are_equal());
  both.put(last + 1, 7);
  CHECK(both.are_equal());
  both.ids.clear();
  CHECK((both.ids.empty() && both.ids.begin() == both.ids.end()));
}

TEST_CASE("IdMap: what is erased is destroyed then, and not when its gap goes", "[db][base]") {
  IdMap<std::shared_ptr<int>> ids;
  const auto value = std::make_shared<int>(1);
  for (uint64_t id = 1; id <= 5; ++id) ids[id] = value;
  CHECK(value.use_count() == 6);
  ids.erase(3);
  CHECK(value.use_count() == 5);
  ids.erase(1);
  ids.erase(5);
  CHECK(value.use_count() == 3);
  CHECK(ids.erase(3) == 0);
  ids[3] = value;  // where it was
  CHECK(ids.size() == 3);
  CHECK(ids.find(3)->value == value);
}
