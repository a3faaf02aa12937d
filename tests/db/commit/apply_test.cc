#include "db/commit/apply.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"
#include "tests/support/no_rows.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;
using namespace std::string_literals;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

// A namespace in memory: overlays alone, over nothing.
struct Namespace {
  NoRows nothing{};
  Overlay tree{nothing};
  Batch beside{};
  std::string rules{};
  Pending pending{7, tree, beside, rules};

  void set(std::string_view path, const Value& value) {
    REQUIRE(apply(Effect{Effect::Kind::Set, at(path), value, Slot::Value, {}}, pending).ok());
  }
  std::string text() const { return to_json(tree.read(Path(), kReadBytesMax).value(), JsonStyle::Export); }
};

Value children(size_t count) {
  std::vector<std::pair<std::string, Value>> all;
  for (size_t i = 0; i < count; ++i) all.emplace_back(std::to_string(i), Value::integer(static_cast<int64_t>(i)));
  return Value::object(all);
}

using Rows = std::vector<std::pair<std::string, std::optional<std::string>>>;
template <typename Source>
Rows rows_of(const Source& source) {
  Rows rows;
  const auto put = [&](std::string_view key, std::optional<std::string_view> value) {
    rows.emplace_back(key, value ? std::optional<std::string>(*value) : std::nullopt);
  };
  if constexpr (requires { source.changes(put); }) {
    source.changes(put);
  } else {
    source.rows(put);
  }
  return rows;
}

}  // namespace

TEST_CASE("A set of few rows puts what is new and erases what is only old", "[commit][apply]") {
  Namespace space;
  space.set("/a", json(R"({"x":1,"y":{"z":2}})"));
  space.set("/a", json(R"({"x":3,"w":4})"));
  CHECK(space.text() == R"({"a":{"w":4,"x":3}})");
  CHECK(space.tree.emptied().empty());
  CHECK(rows_of(space.tree) == Rows{{encode_path(at("/a/w")), "i\x08"},
                                    {encode_path(at("/a/x")), "i\x06"},
                                    {encode_path(at("/a/y/z")), std::nullopt}});
}

TEST_CASE("A set leaves its neighbours alone, those whose keys begin alike too", "[commit][apply]") {
  for (const size_t count : {size_t{1}, kPointRowsMax + 1}) {  // row by row, and as a range
    Namespace space;
    space.set("/", json(R"({"a":{".priority":5,"x":1},"ab":2,"1":3,"10":4})").with_priority(Value::real(9)));
    space.set("/a", children(count));
    space.set("/1", children(count));
    space.set("/a", Value());
    space.set("/1", Value());
    CHECK(space.text() == R"({".priority":9,"10":4,"ab":2})");
  }
}

TEST_CASE("Up to the limit rows are set one by one, past it as a range", "[commit][apply]") {
  SECTION("new rows") {
    Namespace space;
    space.set("/a", children(kPointRowsMax));
    CHECK(space.tree.emptied().empty());
    space.set("/b", children(kPointRowsMax + 1));
    const std::string base = encode_path(at("/b"));
    CHECK(space.tree.emptied() == std::vector{std::pair(base, base + kPastChildren)});
  }
  SECTION("old rows") {
    Namespace space;
    space.set("/a", children(kPointRowsMax));
    CHECK(!old_rows(space.tree, encode_path(at("/a"))).value().more);
    CHECK(old_rows(space.tree, encode_path(at("/a"))).value().keys.size() == kPointRowsMax);
    space.set("/a", Value());
    CHECK(space.tree.emptied().empty());
    CHECK(space.text() == "null");
    space.set("/a", children(kPointRowsMax));
    space.set("/a/one-more", Value::boolean(true));
    CHECK(old_rows(space.tree, encode_path(at("/a"))).value().more);
    space.set("/a", Value::string("leaf"));
    CHECK(space.tree.emptied().size() == 1);
    CHECK(space.text() == R"({"a":"leaf"})");
  }
}

TEST_CASE("Old rows already read give what reading them would", "[commit][apply]") {
  Namespace a, b;
  for (Namespace* space : {&a, &b}) space->set("/x", json(R"({"p":1,"q":{"r":2,".priority":"s"}})"));
  const Effect effect{Effect::Kind::Set, at("/x"), json(R"({"q":3})"), Slot::Value, {}};
  const OldRows known = old_rows(b.tree, encode_path(at("/x"))).value();
  REQUIRE(apply(effect, a.pending).ok());
  REQUIRE(apply(effect, b.pending, &known).ok());
  CHECK(rows_of(a.tree) == rows_of(b.tree));
  CHECK(a.text() == R"({"x":{"q":3}})");
}

TEST_CASE("Priorities and leaves that make room touch one row each", "[commit][apply]") {
  Namespace space;
  space.set("/a", Value::integer(1).with_priority(Value::real(2)));
  REQUIRE(apply(Effect{Effect::Kind::Unleaf, at("/a"), {}, Slot::Value, {}}, space.pending).ok());
  space.set("/a/b", Value::integer(3));
  CHECK(space.text() == R"({"a":{".priority":2,"b":3}})");
  const Value carrier = Value::boolean(true).with_priority(Value::string("p"));
  REQUIRE(apply(Effect{Effect::Kind::SetPriority, at("/a"), carrier, Slot::Value, {}}, space.pending).ok());
  CHECK(space.text() == R"({"a":{".priority":"p","b":3}})");
  REQUIRE(apply(Effect{Effect::Kind::SetPriority, at("/a"), {}, Slot::Value, {}}, space.pending).ok());
  CHECK(space.text() == R"({"a":{"b":3}})");
}

TEST_CASE("Queued writes are rows beside the tree", "[commit][apply]") {
  Namespace space;
  const Value value = json(R"({".sv":"timestamp"})");
  const Effect enqueue{Effect::Kind::Enqueue, at("/a"), value, Slot::Value, "s1"};
  REQUIRE(apply(enqueue, space.pending).ok());
  REQUIRE(apply(Effect{Effect::Kind::Enqueue, at("/a"), Value::real(1), Slot::Priority, "s1"}, space.pending).ok());
  CHECK(space.tree.empty());
  const std::string key = row_key(Table::Disconnect, 7, "s1\0"s + encode_path(at("/a")));
  CHECK(queue_key(7, "s1", at("/a"), Slot::Value) == key);
  CHECK(rows_of(space.beside) == Rows{{key, encode_rows(value)}, {key + '\0', encode_rows(Value::real(1))}});
  REQUIRE(apply(Effect{Effect::Kind::Dequeue, at("/a"), {}, Slot::Value, "s1"}, space.pending).ok());
  CHECK(rows_of(space.beside).front() == std::pair(key, std::optional<std::string>()));
}

TEST_CASE("The same effects give the same rows, in one record or many, encoded or not", "[commit][apply]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  Namespace one, other;
  Record record{1, Timestamp(5), {}};
  for (int step = 0; step < 300; ++step) {
    const Path path = random.path(3);
    const Value value = random.chance(0.02) ? children(kPointRowsMax + random.below(3)) : random.value();
    std::vector<Effect> effects;
    if (!value.is_null()) {  // what evaluate() does about leaves above
      for (size_t depth = 0; depth < path.depth(); ++depth) {
        if (one.tree.leaf(encode_path(path.prefix(depth))).value()) {
          effects.push_back({Effect::Kind::Unleaf, path.prefix(depth), {}, Slot::Value, {}});
        }
      }
    }
    effects.push_back({Effect::Kind::Set, path, value, Slot::Value, {}});
    for (const Effect& effect : effects) {
      REQUIRE(apply(effect, one.pending).ok());
      record.effects.push_back(effect);
    }
  }
  REQUIRE(apply(Record::decode(record.encode()).value(), other.pending).ok());
  CHECK(rows_of(one.tree) == rows_of(other.tree));
  CHECK(one.tree.emptied() == other.tree.emptied());
  CHECK(!one.tree.empty());
}
