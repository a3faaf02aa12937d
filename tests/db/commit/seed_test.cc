#include "db/commit/seed.h"

#include <catch2/catch.hpp>
#include <map>
#include <memory>

#include "db/commit/committer.h"
#include "db/store/row_key.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr uint32_t kShards = 2;

struct Node {
  explicit Node(uint32_t first_number = 1) : next(first_number) { open(); }
  void open() {
    store.reset();
    store = TreeStore::open({folder.path(), kShards, nullptr}).value();
  }
  uint32_t number_of(const std::string& name) {
    next = number_for(name, next, kShards);
    return next++;
  }
  // Some of everything that a namespace has, and the position of its shard.
  void fill(const std::string& name, uint64_t seed, int writes) {
    RandomTree random(seed);
    HistoryPlan history;
    history.age = std::chrono::hours(24);
    history.bytes = 1u << 30;
    Committer committer(*store, TreeStore::Durability::Os, {}, {}, nullptr, 0, history);
    Tree tree;
    tree.name = name;
    tree.number = number_of(name);
    for (int i = 0; i < writes; ++i) {
      Write write;
      write.overwrites = random.overwrites(random.path(2), 1);
      (void)committer.write(tree, write, Timestamp(i + 1), nullptr);
      if (random.chance(0.3)) REQUIRE(committer.commit().ok());
    }
    committer.name(tree);
    committer.put_beside(row_key(Table::Beside, tree.number, "cursor"), name);
    REQUIRE(committer.commit().ok());
  }
  void put(const std::pair<std::string, std::string>& row) {
    Batch batch;
    batch.put(row.first, row.second);
    REQUIRE(store->commit(batch, TreeStore::Durability::Os).ok());
  }
  // All rows of a shard without numbers, and how many rows no namespace has.
  std::map<std::string, std::string> rows(uint32_t shard) const {
    const Frozen frozen = store->checkpoint().value();
    std::map<uint32_t, std::string> names;
    std::map<std::string, std::string> rows;
    for (const auto& [name, number] : frozen.names) {
      if (number % kShards != shard) continue;
      names[number] = name;
      rows[name] = "";
    }
    REQUIRE(frozen.snapshot
                ->scan(row_key(Table::Head, ""), end_of_table(Table::Expiry),
                       [&](std::string_view key, std::string_view value) {
                         const uint32_t number = read_number(key.substr(1));
                         if (number % kShards != shard) return true;
                         CHECK(names.contains(number));
                         rows[names[number] + " " + std::string(1, key.front()) + std::string(key.substr(5))] = value;
                         return true;
                       })
                .ok());
    for (const auto& [name, sequence] : removed_in(*frozen.snapshot).value()) {
      if (shard_of(name, kShards) == shard) rows["removed " + name] = std::to_string(sequence);
    }
    return rows;
  }
  std::vector<std::string> pieces(uint32_t shard) const {
    std::vector<std::string> all;
    REQUIRE(seed_shard(store->checkpoint().value(), shard, kShards, [&](std::string_view piece) {
              all.emplace_back(piece);
              return Result<void>();
            }).ok());
    return all;
  }
  Planter planter(uint32_t shard) {
    return {*store, shard, [this](const std::string& name) { return number_of(name); }};
  }

  TempFolder folder{};
  std::unique_ptr<TreeStore> store;
  uint32_t next;
};

std::string name_in(uint32_t shard, int which) {
  for (int i = 0;; ++i) {
    std::string name = "space" + std::to_string(i);
    if (shard_of(name, kShards) == shard && which-- == 0) return name;
  }
}

// A node with something in both shards.
std::unique_ptr<Node> some_node(uint32_t first_number, uint64_t seed) {
  auto node = std::make_unique<Node>(first_number);
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    for (int i = 0; i < 4; ++i) node->fill(name_in(shard, i), seed + static_cast<uint64_t>(i), i == 0 ? 300 : 10 * i);
    node->put(applied_row(shard, {seed, 3, std::string(kBatchIdBytes, 'a')}));
    node->put(removed_row(name_in(shard, 9), seed));
  }
  return node;
}

}  // namespace

TEST_CASE("Seed: what is planted of a shard is what was there, under other numbers, and nothing else changes",
          "[commit][seed]") {
  const uint64_t seed = seed_of_run() % 1'000'000;
  INFO("TEST_SEED=" << seed);
  const auto from = some_node(1, seed + 10), to = some_node(500, seed + 20);
  to->fill(name_in(1, 7), 5, 20);
  const auto other = to->rows(0);
  Planter planter = to->planter(1);
  REQUIRE(planter.begin().ok());
  for (const std::string& piece : from->pieces(1)) REQUIRE(planter.add(piece).ok());
  const auto position = planter.finish();
  REQUIRE(position.ok());
  CHECK(position.value().sequence == seed + 10);
  CHECK(applied_in(*to->store->snapshot(), 1).value().id == std::string(kBatchIdBytes, 'a'));
  CHECK(applied_in(*to->store->snapshot(), 1).value().epoch == 3);
  CHECK(to->rows(1) == from->rows(1));
  CHECK(to->rows(0) == other);
  CHECK(planter.removed().at(name_in(1, 9)) == seed + 10);
  CHECK_FALSE(planter.names().contains(name_in(1, 7)));
  to->open();
  CHECK(to->rows(1) == from->rows(1));
  CHECK_FALSE(is_half_planted(*to->store->snapshot(), 1).value());
}

TEST_CASE("Seed: a half-planted shard is known to be that, and can be planted anew", "[commit][seed]") {
  const auto from = some_node(1, 10), to = some_node(500, 20);
  const auto other = to->rows(0);
  const std::vector<std::string> pieces = from->pieces(1);
  REQUIRE(pieces.size() > 2);
  for (size_t count = 0; count <= pieces.size(); ++count) {
    INFO(count << " pieces");
    {
      Planter planter = to->planter(1);
      REQUIRE(planter.begin().ok());
      for (size_t i = 0; i < count; ++i) REQUIRE(planter.add(pieces[i]).ok());
      if (count < pieces.size()) CHECK(planter.finish().error().code == ErrorCode::Corruption);
    }
    to->open();
    CHECK(is_half_planted(*to->store->snapshot(), 1).value());
    CHECK_FALSE(is_half_planted(*to->store->snapshot(), 0).value());
    CHECK(applied_in(*to->store->snapshot(), 1).value().sequence == 0);
    CHECK(seed_shard(to->store->checkpoint().value(), 1, kShards, [](std::string_view) { return Result<void>(); })
              .error()
              .code == ErrorCode::Unavailable);
  }
  Planter planter = to->planter(1);
  REQUIRE(planter.begin().ok());
  for (const std::string& piece : pieces) REQUIRE(planter.add(piece).ok());
  REQUIRE(planter.finish().ok());
  CHECK(to->rows(1) == from->rows(1));
  CHECK(to->rows(0) == other);
}

TEST_CASE("Seed: what is no seed of this shard is refused", "[commit][seed]") {
  const auto from = some_node(1, 10), to = some_node(500, 20);
  const std::vector<std::string> pieces = from->pieces(1), others = from->pieces(0);
  const auto is_refused = [&](const std::vector<std::string>& all) {
    Planter planter = to->planter(1);
    REQUIRE(planter.begin().ok());
    for (const std::string& piece : all) {
      const Result<void> added = planter.add(piece);
      if (!added.ok()) return added.error().code == ErrorCode::Corruption;
    }
    return !planter.finish().ok();
  };
  CHECK(is_refused({}));
  CHECK(is_refused({""}));
  CHECK(is_refused({pieces[1]}));             // the first one is missing
  CHECK(is_refused({pieces[0], pieces[0]}));  // twice
  CHECK(is_refused(others));
  CHECK(is_refused({pieces[0], others[1]}));
  CHECK(is_refused({pieces[0], pieces.back()}));  // some are missing
  CHECK(is_refused({pieces[0], "x"}));
  std::vector<std::string> damaged = pieces;
  damaged[1].resize(damaged[1].size() - 1);
  CHECK(is_refused(damaged));
  damaged = pieces;
  damaged[1].back() = static_cast<char>(damaged[1].back() ^ 1);  // in a value: the last piece says so
  CHECK(is_refused(damaged));
  damaged = pieces;
  damaged[0][1] = 9;  // the format
  Planter planter = to->planter(1);
  REQUIRE(planter.begin().ok());
  CHECK(planter.add(damaged[0]).error().code == ErrorCode::Unsupported);
}

TEST_CASE("Seed: whoever takes the pieces may end it", "[commit][seed]") {
  const auto from = some_node(1, 10);
  int told = 0;
  const auto ended = seed_shard(from->store->checkpoint().value(), 1, kShards, [&](std::string_view) -> Result<void> {
    if (++told < 2) return {};
    return Error{ErrorCode::Timeout, "the other node is gone"};
  });
  CHECK(ended.error() == Error{ErrorCode::Timeout, "the other node is gone"});
  CHECK(told == 2);
}
