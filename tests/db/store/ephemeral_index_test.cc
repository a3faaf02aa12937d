// Queries along an index of what is on disk, of trees that have more in memory, compared with the tree as a whole.
#include "db/store/ephemeral_index.h"

#include <catch2/catch.hpp>
#include <map>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/leaf.h"
#include "db/model/select.h"
#include "tests/support/random_tree.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Path at(std::string_view path) { return Path::parse(path).value(); }
std::string text_of(const Value& value) { return to_json(value, JsonStyle::Export); }

Index index_of(const char* text) {
  Index index;
  index.spec = parse_indexes(text).value().front();
  index.id = 5;
  index.is_complete = true;
  return index;
}

// As the index of what is on disk has them.
class DiskRows final : public TreeView {
 public:
  DiskRows(const ValueView& disk, const Index& index) {
    const std::string base = index_prefix(index.id, "") + '\0';
    uint64_t count = 0;
    for (std::string from;; ++count) {
      const auto child = next_child(disk, index.spec, from, std::string(1, kPastChildren)).value();
      if (!child) break;
      from = child->path() + kPastChildren;
      std::string row = base;
      append_index_place(*find_place(disk, child->path(), index.spec.order, index.spec.child, index.spec.then).value(),
                         row);
      rows_.emplace(row + child->segment,
                    index.spec.covers ? copy_of_child(disk, child->path()).value() : std::string());
    }
    if (count > 0) rows_.emplace(count_row(index.id, ""), encode_count(count));
  }
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    for (auto at = rows_.lower_bound(from); at != rows_.end() && at->first < upto; ++at) {
      ++scanned;
      if (!row(at->first, at->second)) break;
    }
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    const auto found = rows_.find(key);
    return found == rows_.end() ? std::optional<std::string>() : std::optional(found->second);
  }
  mutable size_t scanned = 0;

 private:
  std::map<std::string, std::string, std::less<>> rows_;
};

// A collection at the root, and what of it is in memory.
struct Collection {
  explicit Collection(const Value& on_disk, const Value& in_memory) : disk(on_disk), tree(merged(on_disk, in_memory)) {
    for (size_t i = 0; i < in_memory.row_count(); ++i) {
      ephemeral.put(in_memory.row(i).key, in_memory.row(i).leaf, 1);
    }
  }
  static Value merged(Value both, const Value& in_memory) {
    for (size_t i = 0; i < in_memory.row_count(); ++i) {
      const Path path = decode_path(std::string(in_memory.row(i).key)).value();
      both = both.with(path, decode_leaf(in_memory.row(i).leaf).value());
    }
    return both;
  }
  ValueView disk, tree;
  EphemeralRows ephemeral;
};

std::shared_ptr<const TreeView> borrowed(const TreeView& view) { return {std::shared_ptr<void>(), &view}; }

// The tree with that index alone.
class Indexed final : public TreeView {
 public:
  Indexed(const Collection& of, const Index& index) : of_(of), index_(index), rows_(of.disk, index) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return of_.tree.scan(from, upto, row);
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override { return of_.tree.leaf(key); }
  Result<std::optional<IndexRows>> index(const Path&, const Query&) const override {
    auto shown = with_ephemeral({.rows = borrowed(rows_),
                                 .tree = borrowed(of_.tree),
                                 .disk = borrowed(of_.disk),
                                 .ephemeral = of_.ephemeral,
                                 .index = index_,
                                 .collection = ""});
    used += shown ? 1 : 0;
    return shown;
  }
  const DiskRows& rows() const { return rows_; }
  mutable int used = 0;

 private:
  const Collection& of_;
  const Index index_;
  const DiskRows rows_;
};

Query with_order_of(const Index& index) {
  Query query = index.spec.order == Order::Value ? Query::by_value() : Query::by_child(index.spec.child.text());
  query.then = index.spec.then;
  return query;
}

}  // namespace

TEST_CASE("An index with what is in memory alone: every query finds what the tree has; random", "[store][ephemeral]") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  RandomTree random(seed);
  const std::vector<Index> indexes = {
      index_of(R"([{"at":"/","by":"n"}])"),
      index_of(R"([{"at":"/","by":"c/x"}])"),
      index_of(R"([{"at":"/","by":["n","c/x"]}])"),
      index_of(R"([{"at":"/","by":".value"}])"),
      index_of(R"([{"at":"/","by":"n","covers":true}])"),
  };
  // Long texts that begin alike are cut in an index, and have no order there.
  const std::string text(kIndexedTextBytes + 10, 't');
  const std::vector<Value> values = {Value::integer(1),   Value::integer(2),  Value::real(1.5),
                                     Value::string("a"),  Value::string("b"), Value::string(text + "1"),
                                     Value::boolean(true)};
  const auto some = [&] { return values[random.below(values.size())]; };
  int used = 0, cursors = 0;
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    // On disk: children with n and other; in memory: c of some, and some whole children, which have names of their own.
    Value disk, memory;
    for (int i = 0; i < 12; ++i) {
      const Path child = at("k" + std::to_string(i));
      if (random.chance(0.7)) {
        if (random.chance(0.8)) disk = disk.with(child.join(at("n")).value(), some());
        if (random.chance(0.5)) disk = disk.with(child.join(at("other")).value(), some());
        if (random.chance(0.1)) disk = disk.with(child, some());  // a leaf, and then nothing is below it
      }
      const bool is_leaf = disk.at(child).is_leaf() && !disk.at(child).is_null();
      if (!is_leaf && random.chance(0.4)) {
        memory = memory.with(child.join(at("c/x")).value(), some());
        if (random.chance(0.3)) memory = memory.with(child.join(at("c/y/z")).value(), some());
        ++cursors;
      }
    }
    for (int i = 0; i < 3; ++i) {
      const Path child = at("m" + std::to_string(i));
      if (random.chance(0.5)) memory = memory.with(random.chance(0.5) ? child.join(at("n")).value() : child, some());
    }
    if (memory.is_null()) continue;
    const Collection collection(disk, memory);
    const ValueView whole(Collection::merged(disk, memory));
    for (const Index& index : indexes) {
      const Indexed indexed(collection, index);
      for (int i = 0; i < 6; ++i) {
        Query query = with_order_of(index);
        if (random.chance(0.4)) query = query.start_at(some());
        if (random.chance(0.4)) query = random.chance(0.3) ? query.end_before(some()) : query.end_at(some());
        if (random.chance(0.3)) query = query.limit_to_first(1 + static_cast<uint32_t>(random.below(4)));
        if (query.limit == Limit::None && random.chance(0.5)) {
          query = query.limit_to_last(1 + static_cast<uint32_t>(random.below(4)));
        }
        query.keys_only = random.chance(0.2);
        query.counts = !query.keys_only && random.chance(0.3);
        INFO(query.text());
        const Value expected = read_query(whole, Path(), query, false, kReadBytesMax).value();
        REQUIRE(text_of(read_query(indexed, Path(), query, false, kReadBytesMax).value()) == text_of(expected));
        if (query.counts) continue;
        // Windows: those beyond a place, as views fill themselves up.
        const auto all = select(whole, Path(), query, false).value();
        if (all.empty()) continue;
        const Position& beyond = all[random.below(all.size())];
        const auto more = select(indexed, Path(), query, false, &beyond).value();
        const auto wanted = select(whole, Path(), query, false, &beyond).value();
        REQUIRE(more.size() == wanted.size());
        for (size_t j = 0; j < more.size(); ++j) REQUIRE(more[j].key == wanted[j].key);
        const auto window = select(indexed, Path(), query, false).value();
        REQUIRE(read_window(indexed, Path(), query, window, kReadBytesMax).value() ==
                read_children(whole, Path(), window, kReadBytesMax).value());
      }
      used += indexed.used;
    }
    // The tree without what is in memory is that of the disk.
    const WithoutRows without(collection.tree, collection.ephemeral);
    REQUIRE(text_of(without.read(Path(), kReadBytesMax).value()) == text_of(disk));
    const auto last = without.last("", "\xff").value();
    REQUIRE(last.has_value() == !disk.is_null());
    if (last) REQUIRE(last->first == disk.row(disk.row_count() - 1).key);
  }
  CHECK(used > 5'000);
  CHECK(cursors > 300);
}

TEST_CASE("An index with what is in memory alone reads few rows; with too many children there is none",
          "[store][ephemeral]") {
  constexpr int kChildren = 5'000;
  std::vector<std::pair<std::string, Value>> rooms;
  for (int i = 0; i < kChildren; ++i) {
    rooms.emplace_back("r" + std::to_string(i), Value::object({{"n", Value::integer(i)}, {"x", Value::integer(1)}}));
  }
  const Value disk = Value::object(rooms);
  const Index index = index_of(R"([{"at":"/","by":"n"}])");
  const auto with = [&](size_t cursors) {
    std::vector<std::pair<std::string, Value>> in_memory;
    for (size_t i = 0; i < cursors; ++i) {
      in_memory.emplace_back("r" + std::to_string(i), Value::object({{"c", Value::integer(1)}}));
    }
    return Value::object(std::move(in_memory));
  };
  const Query last = Query::by_child("n").limit_to_last(3);
  const auto shown = [&](const Collection& collection) {
    const Indexed indexed(collection, index);
    const bool is_there = indexed.index(Path(), last).value().has_value();
    const std::string keys = text_of(keys_of(select(indexed, Path(), last, false).value()));
    CHECK(keys == R"({"r4997":true,"r4998":true,"r4999":true})");
    if (is_there) CHECK(collection.tree.looks < 200);
    return is_there;
  };
  CHECK(shown(Collection(disk, with(20))));
  CHECK_FALSE(shown(Collection(disk, with(kEphemeralChildrenMax + 1))));
  const Collection most(disk, with(kEphemeralChildrenMax));
  CHECK(Indexed(most, index).index(Path(), last).value().has_value());
}
