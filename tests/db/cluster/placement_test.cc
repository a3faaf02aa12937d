#include "db/cluster/placement.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

using namespace hearth::db;

TEST_CASE("Placement: a node that goes moves its own shards alone", "[cluster][placement]") {
  const std::vector<std::string> all = {"n1", "n2", "n3", "n4"};
  std::map<std::string, int> moved_to;
  int of_n3 = 0;
  for (uint32_t shard = 0; shard < 256; ++shard) {
    const auto before = ranking(shard, all);
    const auto after = ranking(shard, {"n4", "n2", "n1"});  // in whatever order they are known
    REQUIRE(after.size() == 3);
    if (before.front() != "n3") {
      CHECK(after.front() == before.front());
      continue;
    }
    ++of_n3;
    CHECK(after.front() == before[1]);
    ++moved_to[after.front()];
  }
  CHECK(of_n3 > 32);  // a quarter of 256 is 64
  CHECK(of_n3 < 110);
  CHECK(moved_to.size() == 3);  // to all others, not to one
}

TEST_CASE("Placement: who has two more than another gives one, of those that rank the other highest",
          "[cluster][placement]") {
  CHECK_FALSE(surplus_of("n1", {{"n1", {1, 2}}, {"n2", {3}}}));
  CHECK_FALSE(surplus_of("n2", {{"n1", {1, 2, 4, 5}}, {"n2", {3}}}));  // it is poor itself
  CHECK_FALSE(surplus_of("n9", {{"n1", {1, 2, 4, 5}}, {"n2", {3}}}));
  CHECK_FALSE(surplus_of("n1", {{"n1", {0, 1, 2}}}));
  const auto gift = surplus_of("n1", {{"n1", {0, 1, 2, 3}}, {"n2", {4, 5}}, {"n3", {}}});
  REQUIRE(gift);
  CHECK(gift->to == "n3");
  // What is kept counts, and is not given.
  const std::vector<Holding> holdings = {{"n1", {0, 1, 2, 3}}, {"n2", {4, 5}}, {"n3", {}}};
  for (const uint32_t only : {0u, 1u, 2u, 3u}) {
    std::vector<uint32_t> kept = {0, 1, 2, 3};
    std::erase(kept, only);
    const auto one = surplus_of("n1", holdings, kept);
    REQUIRE(one);
    CHECK(one->shard == only);
  }
  CHECK_FALSE(surplus_of("n1", holdings, {0, 1, 2, 3}));
}

TEST_CASE("Placement: gifts come to an end, and then nobody has two more than another", "[cluster][placement]") {
  std::map<std::string, std::set<uint32_t>> owned = {{"n1", {}}, {"n2", {}}, {"n3", {}}};
  for (uint32_t shard = 0; shard < 16; ++shard) owned["n1"].insert(shard);
  int gifts = 0;
  for (bool has_moved = true; has_moved && gifts < 100;) {
    has_moved = false;
    for (const auto& [giver, _] : owned) {
      std::vector<Holding> holdings;
      for (const auto& [name, shards] : owned) holdings.push_back({name, {shards.begin(), shards.end()}});
      const auto gift = surplus_of(giver, holdings);
      if (!gift) continue;
      REQUIRE(owned[giver].erase(gift->shard) == 1);
      owned[gift->to].insert(gift->shard);
      has_moved = true;
      ++gifts;
    }
  }
  CHECK(gifts == 10);  // what n1 has above its share, and nothing twice
  for (const auto& [name, shards] : owned) {
    INFO(name);
    CHECK(shards.size() >= 5);
    CHECK(shards.size() <= 6);
  }
}
