// What the cache of single rows says is true, whatever was put, erased, learned and pushed out before.
#include "db/commit/leaf_cache.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "db/base/step.h"
#include "db/commit/cached_view.h"
#include "db/commit/committer.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Kind = LeafCache::Kind;
using Rows = std::map<std::string, std::string>;

Path path(std::string_view text) { return Path::parse(text).value(); }

// A small tree whose nodes are leaves, objects and nothing in turn.
struct Model {
  Rows rows;

  bool is_below(const std::string& row, const std::string& at) const { return row.starts_with(at); }
  void check(const LeafCache& cache, uint64_t tree, const std::string& key) const {
    const auto known = cache.find(tree, key);
    if (!known) return;
    const auto row = rows.find(key);
    INFO("kind " << static_cast<int>(known->kind) << ", leaf " << known->leaf);
    switch (known->kind) {
      case Kind::Leaf:
        REQUIRE(row != rows.end());
        CHECK(row->second == known->leaf);
        return;
      case Kind::NoLeaf:
        CHECK(row == rows.end());
        if (!known->leaf.empty()) CHECK(last_child(key) <= known->leaf);
        return;
      case Kind::Nothing: {
        const auto at = rows.lower_bound(key);
        CHECK((at == rows.end() || !is_below(at->first, key)));
        return;
      }
    }
  }
  // "" when there is none.
  std::string last_child(const std::string& key) const {
    const auto after = rows.lower_bound(key + kPastChildren);
    if (after == rows.begin() || !is_below(std::prev(after)->first, key)) return "";
    const std::string_view below = std::string_view(std::prev(after)->first).substr(key.size());
    return std::string(below.substr(0, segment_length(below)));
  }
  // What a look at the store would teach.
  void learn(LeafCache& cache, uint64_t tree, const std::string& key, bool with_last) const {
    const auto at = rows.lower_bound(key);
    if (at == rows.end() || !is_below(at->first, key)) return cache.learn(tree, key, Kind::Nothing);
    if (at->first == key) return cache.learn(tree, key, Kind::Leaf, at->second);
    cache.learn(tree, key, Kind::NoLeaf, with_last ? last_child(key) : "");
  }
};

// A namespace on a store of its own.
struct Scene {
  explicit Scene(size_t cache_bytes = kLeafCacheBytes)
      : committer(*store, TreeStore::Durability::Os, {}, {}, nullptr, cache_bytes) {
    tree.name = "chat";
    tree.number = 1;
  }
  void write(const std::string& at, Value value) {
    Write one;
    one.overwrites.push_back({path(at), Slot::Value, std::move(value)});
    REQUIRE(committer.write(tree, one, Timestamp(1), nullptr).ok());
  }
  void commit() { REQUIRE(committer.commit().ok()); }
  uint64_t misses() const { return committer.leaf_cache().misses(); }

  const TempFolder folder;
  const std::unique_ptr<TreeStore> store = TreeStore::open({folder.path(), 1, nullptr}).value();
  Committer committer;
  Tree tree;
};

}  // namespace

TEST_CASE("leaf cache: what it says of a row is true, through puts, removals and full buckets") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  const size_t bytes = GENERATE(size_t{0}, size_t{2'000}, size_t{1} << 20);
  LeafCache cache(bytes);
  CHECK(cache.byte_count() <= bytes);
  const uint64_t tree = LeafCache::new_tree();
  Model model;
  std::vector<std::string> nodes = {""};
  for (const char* a : {"a", "7", "c"}) {
    nodes.emplace_back(a);
    for (const char* b : {"x", "12"}) {
      nodes.push_back(std::string(a) + "/" + b);
      nodes.push_back(std::string(a) + "/" + b + "/deep");
    }
  }
  for (int round = 0; round < 3'000; ++round) {
    const std::string at = encode_path(path(nodes[random.below(nodes.size())]));
    // One commit: what lay at and above the place goes, and a leaf, an object of two, or nothing comes.
    std::map<std::string, std::optional<std::string>> changes;
    for (const auto& [row, leaf] : model.rows) {
      if (row.starts_with(at) || (at.starts_with(row) && row != at)) changes[row] = std::nullopt;
    }
    const std::string leaf(random.below(10) == 0 ? 200 : random.below(20), 'v');
    switch (random.below(3)) {
      case 0: {
        changes[at] = leaf;
        if (random.below(4) == 0) changes[at + kPriorityMark] = "p";
        break;
      }
      case 1:
        for (const char* child : {"x", "12"}) {
          std::string below = at;
          append_segment(child, below);
          changes[below] = leaf;
        }
        break;
      default:
        break;
    }
    for (const auto& [row, put] : changes) {
      if (put) {
        model.rows[row] = *put;
      } else {
        model.rows.erase(row);
      }
      cache.follow(tree, row, put ? std::optional<std::string_view>(*put) : std::nullopt);
    }
    for (int i = 0; i < 3; ++i)
      model.learn(cache, tree, encode_path(path(nodes[random.below(nodes.size())])), random.chance(0.5));
    for (const std::string& node : nodes) {
      INFO("round " << round << ", " << node);
      const std::string key = encode_path(path(node));
      model.check(cache, tree, key);
      const auto mark = cache.find(tree, key + kPriorityMark);
      if (mark && mark->kind == Kind::Leaf) CHECK(model.rows.contains(key + kPriorityMark));
      CHECK_FALSE(cache.find(tree + 1, key));
    }
  }
  CHECK(cache.byte_count() <= bytes);
  size_t known = 0;
  for (const std::string& node : nodes) known += cache.find(tree, encode_path(path(node))).has_value() ? 1 : 0;
  CHECK((known > 0) == (bytes > 0));
}

TEST_CASE("leaf cache: a tree seen with it is the tree on disk, priorities included, however little is known") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  Scene scene(GENERATE(size_t{0}, size_t{2'400}, size_t{1} << 20));
  Committer& committer = scene.committer;
  Tree& tree = scene.tree;
  const std::vector<std::string> nodes = {"", "a", "a/x", "a/x/deep", "a/12", "7", "7/x", "7/x/deep", "c", "c/y"};
  for (int round = 0; round < 1'500; ++round) {
    Write write;
    const std::string& node = nodes[1 + random.below(nodes.size() - 1)];
    const bool is_priority = random.below(3) == 0;
    const Value value = random.below(4) == 0 ? Value() : random.leaf();
    write.overwrites.push_back({path(node), is_priority ? Slot::Priority : Slot::Value, value.without_priority()});
    if (is_priority && !value.is_null()) write.overwrites.back().value = Value::integer(round % 5);
    write.base = path(node);
    (void)committer.write(tree, write, Timestamp(round + 1), nullptr);
    REQUIRE(committer.commit().ok());
    if (random.below(4) == 0) tree.leaves = LeafCache::new_tree();  // as after a restart
    const SnapshotView disk(committer.durable(), tree.number);
    const TreeView& seen = committer.view(tree);
    for (int i = 0; i < 6; ++i) {
      const std::string key = encode_path(path(nodes[random.below(nodes.size())]));
      INFO("round " << round);
      CHECK(seen.leaf(key + kPriorityMark).value() == disk.leaf(key + kPriorityMark).value());
      CHECK(seen.leaf(key).value() == disk.leaf(key).value());
      CHECK(seen.read(key, 10'000).value() == disk.read(key, 10'000).value());
    }
    REQUIRE(committer.commit().ok());
  }
}

TEST_CASE("leaf cache: a place that was written before, and a new one beside others, cost no look at the store") {
  Scene scene;
  const auto misses = [&](const std::string& at, Value value) {
    const uint64_t before = scene.misses();
    scene.write(at, std::move(value));
    scene.commit();
    return scene.misses() - before;
  };
  CHECK(misses("rooms/one/a", Value::integer(1)) == 4);  // itself, and three above
  CHECK(misses("rooms/one/a", Value::integer(2)) == 0);
  CHECK(misses("rooms/one/c", Value::integer(2)) == 1);  // whether it is there; and the last child of "one" is learned
  CHECK(misses("rooms/one/d", Value::integer(2)) == 0);  // it comes behind the last
  CHECK(misses("rooms/one/b", Value::integer(2)) == 1);
  CHECK(misses("rooms/one/d/below", Value::integer(3)) == 0);  // a leaf has no children
  CHECK(scene.committer.view(scene.tree).read(path("rooms"), 1'000).value() ==
        parse_value(R"({"one":{"a":2,"b":2,"c":2,"d":{"below":3}}})", {}).value());
  scene.commit();
  CHECK(misses("rooms/one/d", Value::integer(4)) == 1);  // no leaf stands there, but something may: one scan
  CHECK(misses("rooms/two/x", Value::integer(5)) == 1);  // it, and then the last room is known, which is before "two"
  CHECK(misses("rooms/two/y", Value::integer(5)) == 0);  // two was made here, so its last child is known
  CHECK(misses("rooms/two", Value()) == 1);
  CHECK(misses("rooms/one", Value()) == 1);
  CHECK_FALSE(scene.committer.view(scene.tree).exists(path("rooms")).value());
}

TEST_CASE("leaf cache: it grows as it is filled, up to its limit, and most of what fits is known") {
  constexpr size_t kMost = 2u << 20;
  LeafCache cache(kMost);
  CHECK(cache.byte_count() <= LeafCache::kFirstBytes);
  const uint64_t tree = LeafCache::new_tree();
  const auto key = [](int i) { return encode_path(path("users/u" + std::to_string(i) + "/name")); };
  const auto known = [&](int count) {
    int found = 0;
    for (int i = 0; i < count; ++i) found += cache.find(tree, key(i)) ? 1 : 0;
    return found;
  };
  for (int i = 0; i < 500; ++i) cache.learn(tree, key(i), LeafCache::Kind::Leaf, "ada");
  CHECK(cache.byte_count() <= LeafCache::kFirstBytes);
  CHECK(known(500) == 500);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 12'000; ++i) cache.learn(tree, key(i), LeafCache::Kind::Leaf, "ada");
  }
  CHECK(cache.byte_count() > kMost / 2);
  CHECK(cache.byte_count() <= kMost);
  CHECK(known(12'000) > 11'500);
}

TEST_CASE("leaf cache: messages whose keys ascend are written without a look at the store") {
  Scene scene;
  const Value message = parse_value(R"({"by":"ada","text":"hello"})", {}).value();
  uint64_t before = 0;
  for (int group = 0; group < 50; ++group) {
    if (group == 2) before = scene.misses();
    for (int i = 0; i < 10; ++i) scene.write("rooms/r/m" + std::to_string(100'000 + group * 10 + i), message);
    scene.commit();
  }
  // 480 messages; when the table grows, the places above them are looked up once more.
  CHECK(scene.misses() - before < 20);
  size_t children = 0;
  const Value room = scene.committer.view(scene.tree).read(path("rooms/r"), 1 << 20).value();
  for (auto child = room.children(); !child.done(); child.next()) ++children;
  CHECK(children == 500);
}

TEST_CASE("CachedView: while scans are kept, who asks for a node again is told without the disk", "[commit]") {
  LeafCache cache(1 << 20);
  Tree tree;
  const ValueView disk(
      parse_value(R"({"m":{"a":{"at":1,"text":"x"},"b":{"at":2,"text":"y"},"c":{"at":3}}})", Path()).value());
  CachedView view(disk, nullptr, cache, tree);
  const auto scan = [&](std::string_view node, size_t most = 100) {
    const std::string from = encode_path(path(node));
    std::vector<std::string> found;
    const auto done = view.scan(from, from + kPastChildren, [&](std::string_view key, std::string_view) {
      found.push_back(decode_path(key).value().text());
      return found.size() < most;
    });
    if (!done.ok()) found.push_back("over");
    return found;
  };
  const std::vector<std::string> rows_of_a = {"m/a/at", "m/a/text"};
  CHECK(scan("m/a") == rows_of_a);
  CHECK(scan("m/a") == rows_of_a);
  CHECK(disk.looks == 2);
  view.keep_scans(true);
  CHECK(scan("m/a") == rows_of_a);
  CHECK(scan("m/b", 1).size() == 1);  // the end of it was not seen
  view.keep_scans(false);
  CHECK(scan("m/c").size() == 1);
  disk.looks = 0;
  CHECK(scan("m/a") == rows_of_a);
  CHECK(scan("m/a", 1).size() == 1);
  CHECK(disk.looks == 0);
  CHECK(scan("m/b").size() == 2);
  CHECK(scan("m/c").size() == 1);
  CHECK(disk.looks == 2);
  // A row counts for the step as if it were read.
  {
    const Step::Trial trial(Work{1, 1u << 20, 1});
    CHECK(scan("m/a") == std::vector<std::string>{"m/a/at", "over"});
  }
}
