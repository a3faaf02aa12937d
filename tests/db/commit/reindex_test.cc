#include "db/commit/reindex.h"

#include <catch2/catch.hpp>

#include "db/commit/apply.h"
#include "db/commit/committer.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "tests/support/index_check.h"
#include "tests/support/random_tree.h"
#include "tests/support/temp_folder.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

constexpr std::string_view kIndexes =
    R"([{"at":"/","by":"a","covers":true},{"at":"/","by":".value"},{"at":"/$","by":"b/1","covers":true},{"at":"/a/$","by":".value","covers":true},{"at":"/$x/b","by":"zz"},{"at":"/","by":["a","b/1"],"covers":true},{"at":"/$","by":["zz","a","10"]}])";

Path at(std::string_view text) { return Path::parse(text).value(); }

Write put(std::string_view path, Value value) {
  Write write;
  write.overwrites = {make_overwrite(path, std::move(value)).value()};
  write.base = write.overwrites.front().path;
  return write;
}

// One namespace, its committer, and the checks.
struct Fixture {
  Fixture() {
    tree.name = "n";
    tree.number = 1;
    store = TreeStore::open({folder.path(), 1, nullptr}).value();
    restart();
  }
  void restart() {
    committer = std::make_unique<Committer>(*store, TreeStore::Durability::Os);
    tree.loaded = false;
    tree.head = {};
    tree.plan = std::make_shared<const IndexPlan>();
    tree.hashes.clear();
    REQUIRE(committer->load(tree).ok());
  }
  void effect(Effect::Kind kind, const Value& value) {
    REQUIRE(committer->derive(tree, {kind, {}, value, Slot::Value, {}}).ok());
  }
  void reindex(std::string_view text) { effect(Effect::Kind::Reindex, Value::string(text)); }
  void build(int64_t count) { effect(Effect::Kind::BuildIndex, Value::integer(count)); }
  void write(const Write& write) { REQUIRE(committer->write(tree, write, Timestamp(1), nullptr).ok()); }
  void commit() { REQUIRE(committer->commit().ok()); }
  SnapshotView data() const { return {committer->durable(), 1}; }
  SnapshotView rows() const { return {committer->durable(), 1, Table::Index}; }
  // Index and count equal to a rebuild; call it after commit().
  void check() const { REQUIRE(rows_of(rows()) == rows_by_definition(*tree.plan, data())); }

  TempFolder folder;
  std::unique_ptr<TreeStore> store;
  std::unique_ptr<Committer> committer;
  Tree tree;
};

std::string keys(const std::vector<Position>& positions) {
  std::string all;
  for (const Position& position : positions) all += position.key + " ";
  return all;
}

Query ordered(std::string_view by) {
  Query query;
  query.order = by == ".value" ? Order::Value : Order::Child;
  if (by == ".value") return query;
  query.child = at(by.substr(0, by.find(',')));
  while (by.find(',') != std::string_view::npos) {
    by.remove_prefix(by.find(',') + 1);
    query.then.push_back(at(by.substr(0, by.find(','))));
  }
  return query;
}

// All of an object, in a query's order, is what select() finds; by which rows, the view knows.
void same_selection(const TreeView& indexed, const Value& whole, const Path& path, Query query, RandomTree& random) {
  const Value here = whole.at(path);
  const ValueView plain(whole);
  const auto some_bound = [&](bool is_start) {
    Bound bound{random.chance(0.2) ? Value() : random.leaf(), {}, random.chance(0.5)};
    for (size_t i = random.below(query.then.size() + 1); i > 0; --i) bound.rest.push_back(random.leaf());
    if (bound.rest.size() == query.then.size() && random.chance(0.4)) bound.key = random.key();
    if (!bound.is_inclusive && !bound.key) bound.key = is_start ? kMaxKey : kMinKey;
    return bound;
  };
  if (random.chance(0.5)) query.start = some_bound(true);
  if (random.chance(0.5)) query.end = some_bound(false);
  if (random.chance(0.6)) {
    query.limit = random.chance(0.5) ? Limit::First : Limit::Last;
    query.count = 1 + static_cast<uint32_t>(random.below(4));
  }
  std::optional<Position> beyond;
  if (query.limit != Limit::None && random.chance(0.3))
    beyond = Position{random.leaf(), random.key(), std::vector<Value>(query.then.size(), random.leaf())};
  INFO(query.text() << " of " << to_json(here, JsonStyle::Export));
  const Position* behind = beyond ? &*beyond : nullptr;
  const auto by_index = select(indexed, path, query, true, behind);
  const auto by_scan = select(plain, path, query, true, behind);
  REQUIRE(by_index.ok());
  REQUIRE(keys(by_index.value()) == keys(by_scan.value()));
  Projection projection;
  for (size_t i = random.chance(0.7) ? 0 : 1 + random.below(2); i > 0; --i) projection.push_back(at(random.key()));
  const size_t bytes_max = random.chance(0.9) ? kReadBytesMax : random.below(100);
  const auto read = read_query(indexed, path, query, true, bytes_max, projection);
  const auto all_read = read_query(plain, path, query, true, bytes_max, projection);
  REQUIRE(read.ok() == all_read.ok());
  if (read.ok()) REQUIRE(read.value() == all_read.value());
  REQUIRE(read_window(indexed, path, query, by_index.value(), kReadBytesMax).value() ==
          read_children(plain, path, by_scan.value(), kReadBytesMax).value());
}

}  // namespace

TEST_CASE("Reindex: rows and counts are those of a rebuild, after any writes, builds and restarts", "[commit][index]") {
  const uint64_t seed = seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  Fixture fixture;
  size_t by_index = 0;
  for (int step = 0; step < 800; ++step) {
    if (step % 200 == 0)
      fixture.reindex(step % 400 == 0 ? kIndexes : R"([{"at":"/a/$y","by":".value"},{"at":"/b","by":"a"}])");
    const size_t writes = 1 + random.below(3);
    for (size_t i = 0; i < writes; ++i) {
      const Path base = random.chance(0.1) ? Path() : random.path(2);
      Write write;
      write.base = base;
      write.overwrites = random.overwrites(base, 1 + random.below(3));
      write.merge = write.overwrites.size() > 1;
      if (!write.overwrites.empty()) fixture.write(write);
    }
    if (random.chance(0.3)) fixture.build(static_cast<int64_t>(1 + random.below(3)));
    // On what is pending, too.
    const TreeView& pending = fixture.committer->view(fixture.tree);
    const Value whole = pending.read(Path(), kReadBytesMax).value();
    const Path path = random.path(2);
    for (const std::string_view by : {"a", ".value", "b/1", "zz", "a,b/1", "zz,a,10"})
      same_selection(pending, whole, path, ordered(by), random);
    fixture.commit();
    fixture.check();
    for (const std::string_view by : {"a", ".value", "b/1", "zz", "a,b/1", "zz,a,10"}) {
      if (fixture.data().index(path, ordered(by)).value()) ++by_index;
      same_selection(fixture.data(), whole, path, ordered(by), random);
    }
    if (random.chance(0.02)) fixture.restart();
  }
  CHECK(by_index > 100);
}

TEST_CASE("Reindex: large subtrees come and go with one range of rows for each index", "[commit][index]") {
  Fixture fixture;
  fixture.reindex(R"([{"at":"/rooms/$","by":"n"},{"at":"/rooms","by":".value"}])");
  fixture.build(1);
  fixture.build(1);
  std::vector<std::pair<std::string, Value>> rooms;
  for (int room = 0; room < 50; ++room) {
    std::vector<std::pair<std::string, Value>> messages;
    for (int i = 0; i < 100; ++i) {
      messages.emplace_back("m" + std::to_string(i), Value::object({{"n", Value::integer(i * 37 % 100)}}));
    }
    rooms.emplace_back("r" + std::to_string(room), Value::object(messages));
  }
  fixture.write(put("/rooms", Value::object(rooms)));
  fixture.write(put("/rooms/r3/m5/n", Value::integer(-1)));  // over what is pending
  fixture.write(put("/rooms/r4", Value()));
  fixture.commit();
  fixture.check();
  CHECK(rows_of(fixture.rows()).size() == 49 * 101 + 50);
  fixture.write(put("/rooms/r7", rooms[8].second));
  fixture.write(put("/rooms", Value()));
  fixture.write(put("/rooms/r1/m1/n", Value::integer(4)));
  fixture.commit();
  fixture.check();
  CHECK(rows_of(fixture.rows()).size() == 4);
}

TEST_CASE("Reindex: texts too long for a key sort rightly, those that begin alike by all they have",
          "[commit][index]") {
  Fixture fixture;
  fixture.reindex(R"([{"at":"/","by":"t"}])");
  fixture.build(1);
  const std::string base(2'000, 'x');
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 40; ++i) {
    // Ends that sort against their keys; some shorter than what is indexed, some just as long.
    const std::string text = base.substr(0, i % 4 == 0 ? 255 : i % 4 == 1 ? 256 : 2'000) + std::to_string(99 - i);
    children.emplace_back("k" + std::to_string(10 + i), Value::object({{"t", Value::string(text)}}));
  }
  children.emplace_back("before", Value::object({{"t", Value::string("w")}}));
  children.emplace_back("behind", Value::object({{"t", Value::string("y")}}));
  const Value whole = Value::object(children);
  fixture.write(put("/", whole));
  fixture.commit();
  fixture.check();
  RandomTree random(1);
  const ValueView plain(whole);
  Query query = ordered("t");
  const auto both = [&](const Query& asked) {
    const std::string found = keys(select(fixture.data(), Path(), asked, false).value());
    CHECK(found == keys(select(plain, Path(), asked, false).value()));
    return found;
  };
  both(query);
  for (const Limit limit : {Limit::First, Limit::Last}) {
    query.limit = limit;
    for (uint32_t count = 1; count < 44; count += 3) {
      query.count = count;
      both(query);
    }
  }
  query.count = 2;
  query.start = Bound{Value::string(base + "70"), {}, true};
  query.end = Bound{Value::string(base + "80"), "k25", true};
  CHECK_FALSE(both(query).empty());
  CHECK(fixture.data().index(Path(), query).value());
  // One text after the other, both cut.
  fixture.reindex(R"([{"at":"/","by":["t","u"]},{"at":"/","by":"t"}])");
  for (int i = 0; i < 4; ++i) fixture.build(100);
  for (int i = 0; i < 20; ++i) {
    const std::string child = "/two" + std::to_string(i);
    fixture.write(put(child + "/t", Value::string(base + std::to_string(i % 3))));
    fixture.write(put(child + "/u", Value::string(base + std::to_string(99 - i))));
  }
  fixture.commit();
  fixture.check();
  query = ordered("t,u");
  CHECK(fixture.data().index(Path(), query).value());
  for (const Limit limit : {Limit::First, Limit::Last}) {
    query.limit = limit;
    for (uint32_t count = 1; count < 64; count += 5) {
      query.count = count;
      CHECK(keys(select(fixture.data(), Path(), query, false).value()) ==
            keys(select(ValueView(fixture.data().read(Path(), kReadBytesMax).value()), Path(), query, false).value()));
    }
  }
  // As long as a text can be.
  const std::string longest(10'000'000, 'x');
  fixture.write(put("/k10/t", Value::string(longest + "b")));
  fixture.write(put("/k99/t", Value::string(longest + "a")));
  fixture.commit();
  query = ordered("t");
  query.limit = Limit::Last;
  query.count = 3;
  CHECK(keys(select(fixture.data(), Path(), query, false).value()) == "k99 k10 behind ");
}

TEST_CASE("Reindex: index rows are each store's own: they use no sequence, and follow what a record says",
          "[commit][index]") {
  Fixture one;
  Fixture other;
  const auto play = [&](const Effect& effect) {
    const auto accepted = one.committer->queue(one.tree, {effect}, Timestamp(1));
    REQUIRE(accepted.ok());
    const Record record = Record::decode(accepted.value().record.encode()).value();
    REQUIRE(other.committer->replay(other.tree, record).ok());
  };
  const Value value = parse_value(R"({"x":{"a":1,"b":{"1":2}},"y":{"a":"t"}})", Path()).value();
  play({Effect::Kind::Set, Path(), value, Slot::Value, {}});
  one.reindex(kIndexes);
  for (int i = 0; i < 8; ++i) one.build(1);
  CHECK(one.tree.head.sequence == 1);
  play({Effect::Kind::Set, at("/x/a"), Value::integer(9), Slot::Value, {}});
  CHECK(one.tree.head.sequence == 2);
  other.reindex(kIndexes);  // later, and in larger steps
  while (other.tree.plan->is_building()) other.build(100);
  play({Effect::Kind::Set, at("/y/a"), Value::integer(8), Slot::Value, {}});
  while (one.tree.plan->is_building()) one.build(1);
  one.commit();
  other.commit();
  CHECK(rows_of(one.rows()).size() > 5);
  CHECK(rows_of(one.rows()) == rows_of(other.rows()));
  CHECK(one.rows().leaf(kPlanRow).value() == other.rows().leaf(kPlanRow).value());
}

namespace {

// Counts the rows that pass.
class CountingRows final : public TreeView {
 public:
  explicit CountingRows(const TreeView& view) : view_(view) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return view_.scan(from, upto, counting(row));
  }
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return view_.scan_down(from, upto, counting(row));
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++rows;
    return view_.leaf(key);
  }
  Result<Row> last(std::string_view from, std::string_view upto) const override {
    ++rows;
    return view_.last(from, upto);
  }
  mutable size_t rows = 0;

 private:
  RowFunction counting(const RowFunction& row) const {
    return [this, &row](std::string_view key, std::string_view value) {
      ++rows;
      return row(key, value);
    };
  }
  const TreeView& view_;
};

}  // namespace

TEST_CASE("Reindex: a query along an index reads what it answers, and a write its own child", "[commit][index]") {
  Fixture fixture;
  fixture.reindex(R"([{"at":"/l","by":"n"}])");
  fixture.build(1);
  constexpr int kChildren = 20'000;
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < kChildren; ++i) {
    children.emplace_back("k" + std::to_string(i), Value::object({{"n", Value::integer(i)}, {"x", Value::integer(1)}}));
  }
  fixture.write(put("/l", Value::object(children)));
  fixture.commit();
  const SnapshotView stored_data = fixture.data(), stored_rows = fixture.rows();
  const CountingRows data(stored_data), rows(stored_rows);
  const IndexedView tree(data, fixture.tree.plan, rows);
  const auto read = [&](const Query& query) {
    data.rows = rows.rows = 0;
    return read_query(tree, at("/l"), query, false, kReadBytesMax).value();
  };
  const Query by_n = ordered("n");
  CHECK(read(by_n.limit_to_last(50)).child_count() == 50);
  CHECK(rows.rows <= 51);
  CHECK(data.rows <= 50 * 2 + 1);
  CHECK(read(by_n.start_at(Value::integer(7'000)).limit_to_first(5)).child_count() == 5);
  CHECK(rows.rows + data.rows <= 6 + 5 * 2 + 1);
  CHECK(count(tree, at("/l"), Query::by_key(), false).value() == kChildren);
  data.rows = rows.rows = 0;
  CHECK(count(tree, at("/l"), by_n, false).value() == kChildren);
  CHECK(rows.rows + data.rows == 1);
  CHECK(count(tree, at("/l"), by_n.start_at(Value::integer(kChildren - 100)), false).value() == 100);
  CHECK(rows.rows + data.rows <= 103);

  // What follows from a write, and from the end of it all.
  const auto follow_one = [&](const Effect& effect) {
    data.rows = rows.rows = 0;
    Overlay after(data), index_rows(rows);
    Batch beside;
    std::string rules;
    Pending to{1, after, beside, rules, nullptr};
    REQUIRE(apply(effect, to).ok());
    data.rows = rows.rows = 0;
    Indexes indexes{fixture.tree.plan, index_rows};
    REQUIRE(follow({effect}, data, after, indexes).ok());
    return data.rows + rows.rows;
  };
  CHECK(follow_one({Effect::Kind::Set, at("/l/k77/n"), Value::integer(-1), Slot::Value, {}}) <= 2);
  CHECK(follow_one({Effect::Kind::Set, at("/l/new"), Value::object({{"n", Value::integer(3)}}), Slot::Value, {}}) <= 4);
  CHECK(follow_one({Effect::Kind::Set, at("/l"), Value(), Slot::Value, {}}) <= kPointRowsMax + 2);
}

TEST_CASE("Reindex: along an index that covers a query reads nothing but it, unless children are too large for that",
          "[commit][index]") {
  Fixture fixture;
  fixture.reindex(R"([{"at":"/l","by":"n","covers":true}])");
  std::vector<std::pair<std::string, Value>> children;
  for (int i = 0; i < 200; ++i) {
    children.emplace_back("k" + std::to_string(i), Value::object({{"n", Value::integer(i)}, {"x", Value::integer(1)}}));
  }
  fixture.write(put("/l", Value::object(children)));
  fixture.write(put("/l/k199/x", Value::string(std::string(2 * kCopyBytesMax, 'x'))));
  fixture.build(1'000);
  fixture.commit();
  const auto read = [&](size_t found) {
    const SnapshotView stored_data = fixture.data(), stored_rows = fixture.rows();
    const CountingRows data(stored_data), rows(stored_rows);
    const IndexedView tree(data, fixture.tree.plan, rows);
    const Query last = ordered("n").limit_to_last(50);
    const Value value = read_query(tree, at("/l"), last, false, kReadBytesMax).value();
    CHECK(value ==
          read_query(ValueView(stored_data.read(Path(), kReadBytesMax).value()), at("/l"), last, false, kReadBytesMax)
              .value());
    CHECK(rows.rows <= 51);
    CHECK(data.rows == found + 1);  // whether the collection is a leaf was looked at
    const auto window = select(tree, at("/l"), last, false).value();
    data.rows = rows.rows = 0;
    CHECK(read_window(tree, at("/l"), last, window, kReadBytesMax).value() == value);
    CHECK(rows.rows <= 51);
    CHECK(data.rows == found);
  };
  read(2);  // the rows of the large one
  fixture.write(put("/l/k199/x", Value::integer(2)));
  fixture.commit();
  read(0);
  Write priority = put("/l/k180", Value::string("p"));
  priority.overwrites.front().slot = Slot::Priority;
  fixture.write(priority);
  fixture.write(put("/l/k190/x/y", Value::string(std::string(2 * kCopyBytesMax, 'x'))));
  fixture.commit();
  read(2);
  fixture.check();
  fixture.reindex(R"([{"at":"/l","by":"n"}])");  // another index, which has to be built
  fixture.build(1'000);
  fixture.commit();
  read(101);  // two of each, and a priority
  fixture.check();
}
