// For whom ephemeral values stay, and what goes with them.
#include "db/shard/holders.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "db/model/key_order.h"

using namespace hearth::db;

namespace {

Path place(std::string_view text) { return Path::parse(text).value(); }

void hold(EphemeralRows& rows, std::string_view path, uint64_t holder) {
  rows.put(encode_path(place(path)), "1", holder);
}

std::vector<std::string> removed(const Holders& holders, uint64_t holder, const EphemeralRows& rows) {
  std::vector<std::string> paths;
  for (const Overwrite& one : holders.released(holder, rows).removals) paths.push_back(one.path.text());
  return paths;
}

using Paths = std::vector<std::string>;

}  // namespace

TEST_CASE("Holders: what a holder wrote goes with it, but for what others wrote there since",
          "[db][shard][ephemeral]") {
  Holders holders;
  EphemeralRows rows;
  const uint64_t ada = holders.next(), bob = holders.next();
  for (const char* path : {"c/ada/x", "c/ada/y", "c/all/x"}) hold(rows, path, ada);
  const std::vector<Path> of_ada = {place("c/ada"), place("c/ada/x"), place("c/all")};
  holders.add(ada, of_ada, {}, rows);
  hold(rows, "c/all/y", bob);
  const std::vector<Path> of_bob = {place("c/all/y")};
  holders.add(bob, of_bob, {}, rows);
  CHECK(removed(holders, ada, rows) == Paths{"c/ada", "c/all/x"});
  CHECK(removed(holders, bob, rows) == Paths{"c/all/y"});
  hold(rows, "c/all/x", bob);
  CHECK(removed(holders, ada, rows) == Paths{"c/ada"});
  holders.forget(ada);
  CHECK(removed(holders, ada, rows).empty());
  holders.forget(bob);
  CHECK(holders.empty());
  CHECK(holders.byte_count() == 0);
}

TEST_CASE("Holders: the time of each is told in order, and much goes a part at a time", "[db][shard][ephemeral]") {
  Holders holders;
  EphemeralRows rows;
  const uint64_t late = holders.next(), early = holders.next();
  const std::vector<Path> places = {place("c")};
  holders.add(late, places, Timestamp(200), rows);
  holders.add(early, places, Timestamp(100), rows);
  CHECK_FALSE(holders.due(Timestamp(99)));
  CHECK(holders.due(Timestamp(100)) == early);
  CHECK(holders.next_due() == Timestamp(100));
  holders.forget(early);
  CHECK_FALSE(holders.due(Timestamp(199)));
  CHECK(holders.due(Timestamp(300)) == late);
  for (int i = 0; i < 2'500; ++i) hold(rows, "c/k" + std::to_string(i), late);
  int parts = 0;
  for (bool is_all = false; !is_all; ++parts) {
    const Holders::Released part = holders.released(late, rows);
    CHECK(part.removals.size() <= kReleasedRowsMax);
    for (const Overwrite& one : part.removals) {
      const std::string from = encode_path(one.path);
      rows.erase(from, from + kPastChildren);
    }
    is_all = part.is_all;
  }
  CHECK(rows.empty());
  CHECK(parts == 3);
}

TEST_CASE("Holders: places at which nothing is held any more are forgotten", "[db][shard][ephemeral]") {
  Holders holders;
  const EphemeralRows nothing;
  const uint64_t holder = holders.next();
  for (size_t i = 0; i < 20 * kHolderPlacesLook; ++i) {
    const std::vector<Path> places = {place("typing/k" + std::to_string(i))};
    holders.add(holder, places, {}, nothing);
  }
  CHECK(holders.byte_count() < 4 * kHolderPlacesLook * (kHolderBytes + 20));
}
