#include "db/model/select.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using hearth::test::RandomTree;
using hearth::test::ValueView;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

Query by(const std::string& order) {
  Query query;
  if (order == "$key") query.order = Order::Key;
  if (order == "$value") query.order = Order::Value;
  if (order[0] == '$') return query;
  query.order = Order::Child;
  query.child = Path::parse(order).value();
  return query;
}
Query with(Query query, const std::vector<std::pair<std::string, std::string>>& constraints) {
  for (const auto& [name, text] : constraints) {
    if (name == "first" || name == "last") {
      query.limit = name == "first" ? Limit::First : Limit::Last;
      query.count = static_cast<uint32_t>(std::stoi(text));
      continue;
    }
    Bound bound;
    const size_t comma = text.find('@');
    bound.value = json(text.substr(0, comma));
    if (comma != std::string::npos) bound.key = text.substr(comma + 1);
    const bool is_exclusive = name == "startAfter" || name == "endBefore";
    bound.is_inclusive = !is_exclusive;
    if (is_exclusive && !bound.key) bound.key = name == "startAfter" ? kMaxKey : kMinKey;
    if (name == "startAt" || name == "startAfter" || name == "equalTo") query.start = bound;
    if (name == "endAt" || name == "endBefore" || name == "equalTo") query.end = bound;
  }
  return query;
}

std::string keys(const std::vector<Position>& positions) {
  std::string all;
  for (const Position& position : positions) all += (all.empty() ? "" : ",") + position.key;
  return all;
}
std::string selected(const Value& value, const Query& query) {
  return keys(select(ValueView(value), Path(), query, value.has_priorities()).value());
}

// What the definition says, without any thrift.
std::vector<Position> by_definition(const Value& value, const Query& query) {
  std::vector<Position> all;
  if (!value.is_object()) return all;
  for (auto child = value.children(); !child.done(); child.next()) {
    const Position position = position_of(child.key(), child.value(), query);
    if (in_range(position, query)) all.push_back(position);
  }
  std::sort(all.begin(), all.end(), PositionLess());
  if (query.limit == Limit::First && all.size() > query.count) all.resize(query.count);
  if (query.limit == Limit::Last && all.size() > query.count) all.erase(all.begin(), all.end() - query.count);
  return all;
}

struct Case {
  std::string order;
  std::vector<std::pair<std::string, std::string>> constraints;
  std::string keys;
};
void check(const std::string& data, const std::vector<Case>& cases) {
  const Value value = json(data);
  for (const Case& c : cases) {
    std::string told = c.order;
    for (const auto& [name, text] : c.constraints) told += " " + name + " " + text;
    INFO(told);
    const Query query = with(by(c.order), c.constraints);
    CHECK(selected(value, query) == c.keys);
    CHECK(keys(by_definition(value, query)) == c.keys);
  }
}

}  // namespace

TEST_CASE("Select: by value, as the SDK selects", "[model][query]") {  // db/model/data-model.md §6, data A
  check(R"({"alex":60,"rob":56,"vassili":55.5,"tony":52,"greg":52})",
        {{"$value", {{"startAt", "52"}}, "greg,tony,vassili,rob,alex"},
         {"$value", {{"startAt", "52@tony"}}, "tony,vassili,rob,alex"},
         {"$value", {{"startAfter", "52"}}, "vassili,rob,alex"},
         {"$value", {{"startAfter", "52@greg"}}, "tony,vassili,rob,alex"},
         {"$value", {{"endAt", "55.5"}}, "greg,tony,vassili"},
         {"$value", {{"endBefore", "55.5"}}, "greg,tony"},
         {"$value", {{"endAt", "52@greg"}}, "greg"},
         {"$value", {{"endBefore", "52@tony"}}, "greg"},
         {"$value", {{"equalTo", "52"}}, "greg,tony"},
         {"$value", {{"equalTo", "52@tony"}}, "tony"},
         {"$value", {{"first", "2"}}, "greg,tony"},
         {"$value", {{"last", "2"}}, "rob,alex"},
         {"$value", {{"startAt", "53"}, {"first", "2"}}, "vassili,rob"},
         {"$value", {{"endAt", "56"}, {"last", "2"}}, "vassili,rob"},
         {"$value", {{"endAt", "56"}, {"first", "2"}}, "greg,tony"},
         {"$value", {{"startAt", "52"}, {"last", "2"}}, "rob,alex"},
         {"$value", {{"startAt", "true"}}, "greg,tony,vassili,rob,alex"},
         {"$value", {{"startAt", "60"}, {"endAt", "52"}}, ""}});
}

TEST_CASE("Select: by child, as the SDK selects", "[model][query]") {  // db/model/data-model.md §6, data B
  check(
      R"({"a":{"s":1},"b":{"t":1},"c":{"t":2},"d":{"s":"x"},"e":{"s":true},"f":{"s":{"k":1}},"g":"leaf","h":{"s":false}})",
      {{"s", {}, "b,c,g,h,e,a,d,f"},
       {"s", {{"startAt", "null"}}, "b,c,g,h,e,a,d,f"},
       {"s", {{"startAt", "false"}}, "h,e,a,d,f"},
       {"s", {{"endAt", "1"}}, "b,c,g,h,e,a"},
       {"s", {{"equalTo", "null"}}, "b,c,g"},
       {"s", {{"equalTo", "null@b"}}, "b"},
       {"s", {{"startAfter", "null"}}, "h,e,a,d,f"},
       {"s", {{"startAt", "\"\""}}, "d,f"},
       {"s", {{"startAt", "null@c"}, {"first", "2"}}, "c,g"},
       {"s/k", {{"startAt", "1"}}, "f"}});
}

TEST_CASE("Select: by key, as the SDK selects", "[model][query]") {  // db/model/data-model.md §6, data C
  check(R"({"-5":1,"2":1,"03":1,"10":1,"2147483648":1,"x":1})",
        {{"$key", {{"startAt", "\"3\""}}, "03,10,2147483648,x"},
         {"$key", {{"startAfter", "\"9\""}}, "10,2147483648,x"},
         {"$key", {{"startAt", "\"-1\""}, {"endAt", "\"a\""}}, "2,03,10,2147483648"},
         {"$key", {{"startAt", "\"\""}}, "2147483648,x"},
         {"$key", {{"last", "2"}}, "2147483648,x"},
         {"$key", {{"endBefore", "\"10\""}, {"last", "2"}}, "2,03"},
         {"$key", {{"startAfter", "\"-5\""}, {"first", "1"}}, "2"},
         {"$key", {{"equalTo", "\"03\""}}, "03"}});
}

TEST_CASE("Select: the wire's vectors", "[model][query]") {  // net/wire/protocol.md §6.4
  check(
      R"({"a":{"v":1},"b":{"v":2},"c":{"v":2},"d":{"v":3},"e":{"v":"x"},"f":{"v":true},"h":{"w":1},"10":{"v":2},"9":{"v":{"n":1}},"-1":{"w":1}})",
      {{"v", {}, "-1,h,f,a,10,b,c,d,e,9"},
       {"v", {{"startAt", "2"}}, "10,b,c,d,e,9"},
       {"v", {{"startAfter", "2"}}, "d,e,9"},
       {"v", {{"startAt", "2@b"}}, "b,c,d,e,9"},
       {"v", {{"startAfter", "2@b"}}, "c,d,e,9"},
       {"v", {{"endAt", "2"}}, "-1,h,f,a,10,b,c"},
       {"v", {{"endBefore", "2"}}, "-1,h,f,a"},
       {"v", {{"endAt", "2@b"}}, "-1,h,f,a,10,b"},
       {"v", {{"equalTo", "2"}}, "10,b,c"},
       {"v", {{"equalTo", "null"}}, "-1,h"},
       {"v", {{"last", "2"}}, "e,9"},
       {"v", {{"startAt", "2"}, {"last", "2"}}, "e,9"},
       {"v", {{"endAt", "2"}, {"last", "2"}}, "b,c"},
       {"$key", {{"startAt", "\"9\""}, {"endBefore", "\"b\""}}, "9,10,a"},
       {"$key", {{"first", "3"}}, "-1,9,10"},
       {"$key", {{"last", "3"}}, "e,f,h"},
       {"$key", {{"startAfter", "\"10\""}, {"first", "2"}}, "a,b"}});
  check(R"({"a":{".value":1,".priority":5},"b":{".value":1,".priority":"5"},"c":1,"d":{".value":1,".priority":1}})",
        {{"$priority", {{"startAt", "null"}}, "c,d,a,b"},
         {"$priority", {{"startAt", "1"}}, "d,a,b"},
         {"$priority", {{"endAt", "5"}}, "c,d,a"},
         {"$priority", {{"startAt", "\"\""}}, "b"},
         {"$priority", {{"equalTo", "null"}}, "c"},
         {"$priority", {{"last", "1"}}, "b"}});
  check(R"({"b":false,"c":true,"d":1,"e":10,"f":"1","g":"a","h":{"x":1}})",
        {{"$value", {{"startAt", "1"}}, "d,e,f,g,h"},
         {"$value", {{"startAt", "\"\""}}, "f,g,h"},
         {"$value", {{"endAt", "true"}}, "b,c"},
         {"$value", {{"last", "2"}}, "g,h"}});
  check(R"({"a":1,"b":2})", {{"$priority", {{"last", "1"}}, "b"},
                             {"$priority", {{"startAt", "1"}}, ""},
                             {"$priority", {{"endAt", "1"}}, "a,b"}});
}

TEST_CASE("Select: a leaf and nothing are seen by a query that only orders", "[model][query]") {
  const auto seen = [](const std::string& data, const Query& query) {
    return to_json(read_query(ValueView(json(data)), Path(), query, true, 1000).value(), JsonStyle::Export);
  };
  CHECK(seen("5", by("s")) == "5");
  CHECK(seen("5", with(by("s"), {{"first", "1"}})) == "null");
  CHECK(seen("null", with(by("$key"), {{"last", "1"}})) == "null");
  CHECK(seen(R"({".priority":9,"a":{".value":1,".priority":2},"b":3})", with(by("$key"), {{"first", "1"}})) ==
        R"({"a":{".value":1,".priority":2}})");
  CHECK(read_query(ValueView(json(R"({"a":"0123456789"})")), Path(), with(by("$key"), {{"first", "1"}}), false, 5)
            .error()
            .code == ErrorCode::TooLarge);
}

TEST_CASE("Select: a limit by key reads what it selects, at either end", "[model][query]") {
  std::string data = "{";
  for (int i = 0; i < 5'000; ++i)
    data += (i > 0 ? ",\"k" : "\"k") + std::to_string(10'000 + i) + "\":{\"x\":1,\"y\":2}";
  // Counts rows, not looks: last() of a view in memory goes through all of them.
  class Counting final : public TreeView {
   public:
    explicit Counting(const Value& value) : view_(value) {}
    Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
      return view_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
        ++rows;
        return row(key, leaf);
      });
    }
    Result<std::optional<std::string>> leaf(std::string_view key) const override { return view_.leaf(key); }
    Result<Row> last(std::string_view from, std::string_view upto) const override {
      ++rows;
      return view_.last(from, upto);
    }
    mutable size_t rows = 0;

   private:
    ValueView view_;
  };
  const Counting tree(json(data + "}"));
  CHECK(keys(select(tree, Path(), with(by("$key"), {{"last", "3"}}), false).value()) == "k14997,k14998,k14999");
  CHECK(keys(select(tree, Path(), with(by("$key"), {{"startAfter", "\"k12000\""}, {"first", "2"}}), false).value()) ==
        "k12001,k12002");
  CHECK(keys(select(tree, Path(), with(by("$priority"), {{"last", "1"}}), false).value()) == "k14999");
  CHECK(tree.rows < 20);
}

TEST_CASE("Select: what is selected is what the definition says, of any tree and any query", "[model][query]") {
  const uint64_t seed = hearth::test::seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 3'000; ++round) {
    const Value value = random.value();
    Query query;
    query.order = static_cast<Order>(random.below(4));
    if (query.order == Order::Child) query.child = random.path();
    if (query.child.is_root()) query.child = Path::parse("a").value();
    if (query.order == Order::Child && random.chance(0.4)) query.then = {Path::parse(random.key()).value()};
    std::vector<Position> all = by_definition(value, [&] {
      Query open;
      open.order = query.order;
      open.child = query.child;
      open.then = query.then;
      return open;
    }());
    const auto bound = [&](bool is_start) {
      Bound made;
      if (all.empty() || random.chance(0.2)) {
        made.value = query.order == Order::Key ? Value::string("b") : Value::integer(1);
      } else {
        const Position& near = all[random.below(all.size())];
        made.value = query.order == Order::Key ? Value::string(near.key)
                     : near.value.is_object()  ? Value::string("z")
                                               : near.value;
        if (random.chance(0.7)) {
          for (const Value& value : near.rest) made.rest.push_back(value.is_object() ? Value::string("z") : value);
        }
        const bool may_have_key = query.order != Order::Key && made.rest.size() == query.then.size();
        if (may_have_key && random.chance(0.5)) made.key = near.key;
      }
      made.is_inclusive = random.chance(0.5);
      if (!made.is_inclusive && !made.key && query.order != Order::Key) made.key = is_start ? kMaxKey : kMinKey;
      return made;
    };
    if (random.chance(0.5)) query.start = bound(true);
    if (random.chance(0.5)) query.end = bound(false);
    if (random.chance(0.6)) {
      query.limit = random.chance(0.5) ? Limit::First : Limit::Last;
      query.count = static_cast<uint32_t>(1 + random.below(4));
    }
    const std::vector<Position> wanted = by_definition(value, query);
    INFO(to_json(value, JsonStyle::Export) << " " << query.text());
    const ValueView tree(value);
    const auto found = select(tree, Path(), query, value.has_priorities()).value();
    REQUIRE(keys(found) == keys(wanted));
    for (size_t i = 0; i < found.size(); ++i) REQUIRE(compare_positions(found[i], wanted[i]) == 0);
    for (auto child = value.children(); value.is_object() && !child.done(); child.next()) {
      const auto position = find_position(tree, Path(), child.key(), query).value();
      REQUIRE(position);
      REQUIRE(compare_positions(*position, position_of(child.key(), child.value(), query)) == 0);
    }
    if (!wanted.empty() && query.limit != Limit::None) {
      // Beyond the window lies what a larger one would hold.
      Query larger = query;
      larger.count *= 2;
      std::vector<Position> both = by_definition(value, larger);
      const Position edge = query.limit == Limit::First ? wanted.back() : wanted.front();
      const auto beyond = select(tree, Path(), query, value.has_priorities(), &edge).value();
      std::vector<Position> sum = query.limit == Limit::First ? wanted : beyond;
      const std::vector<Position>& rest = query.limit == Limit::First ? beyond : wanted;
      sum.insert(sum.end(), rest.begin(), rest.end());
      REQUIRE(keys(sum) == keys(both));
    }
  }
}

TEST_CASE("Select: limits hold, and one past them is refused", "[.][slow]") {
  // A collection that is made up as it is read.
  class Many final : public TreeView {
   public:
    explicit Many(size_t count) : count_(count) {}
    Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
      const std::string yes = encode_leaf(Value::boolean(true));
      size_t first = 0;
      if (from > key(0)) first = std::stoul(std::string(from.substr(2, 7)));
      while (first < count_ && key(first) < from) ++first;
      for (size_t i = first; i < count_ && key(i) < upto; ++i) {
        if (!row(key(i), yes)) return {};
      }
      return {};
    }
    Result<std::optional<std::string>> leaf(std::string_view) const override { return std::optional<std::string>(); }

   private:
    static std::string key(size_t i) {
      const std::string digits = std::to_string(10'000'000 + i).substr(1);
      std::string encoded;
      append_segment("k" + digits, encoded);
      return encoded;
    }
    const size_t count_;
  };
  const Many most(1'000'000);
  const Many more(1'000'001);
  const Query by_value = Query::by_value().start_at(Value::boolean(true));
  CHECK(select(most, Path(), by_value, false).value().size() == kSelectionMax);
  const auto refused = select(more, Path(), by_value, false);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::TooLarge);
  CHECK(select(more, Path(), by_value.limit_to_last(3), false).value().size() == 3);
  CHECK(count(most, Path(), by_value, false).value() == kCountScanMax);
  CHECK(count(more, Path(), by_value, false).error().code == ErrorCode::TooLarge);
}
