#include "db/events/view.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "db/model/select.h"
#include "tests/support/random_tree.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using hearth::test::RandomTree;
using hearth::test::ValueView;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

// What `overwrites` touch of the children of `path`, as match() finds it.
Touched touched_by(const std::vector<Overwrite>& overwrites, const Path& path, const TreeView& before, const TreeView& after) {
  Touched touched(path, before, after);
  for (const Overwrite& one : overwrites) {
    if (one.path.contains(path)) {
      touched.all = touched.all || one.slot == Slot::Value;
    } else if (path.contains(one.path)) {
      touched.children[std::string(one.path.relative_to(path).keys().front())].push_back(&one);
    }
  }
  return touched;
}

std::string words(const std::shared_ptr<const Body>& body) {
  if (body == nullptr) return "";
  if (body->kind() == Body::Kind::Put) return "d " + body->told_path() + " " + to_json(body->value(), JsonStyle::Export);
  std::string entries;
  for (const auto& [name, value] : body->entries()) entries += " " + name + ":" + to_json(value, JsonStyle::Export);
  return "m " + body->path().text() + entries;
}

Query limited(Order order, const char* child, Limit limit, uint32_t count) {
  Query query;
  query.order = order;
  if (child != nullptr) query.child = at(child);
  query.limit = limit;
  query.count = count;
  return query;
}

// A tree that changes, and a view over its /l.
struct Scene {
  Scene(const std::string& data, const Query& query) : value(json(data)), view(at("l"), query) {
    REQUIRE(view.open(ValueView(value), value.has_priorities()).ok());
  }
  std::string write(const std::vector<std::pair<std::string, std::string>>& writes) {
    std::vector<Overwrite> overwrites;
    Value next = value;
    for (const auto& [path, text] : writes) {
      overwrites.push_back(make_overwrite(path, json(text)).value());
      next = next.with(overwrites.back().path, overwrites.back().value);
    }
    const ValueView before(value), after(next);
    const bool has_priorities = value.has_priorities() || next.has_priorities();
    Touched touched = touched_by(overwrites, view.path(), before, after);
    const auto body = view.change(touched, has_priorities);
    REQUIRE(body.ok());
    looks = before.looks + after.looks;
    value = next;
    return words(body.value());
  }
  Value value;
  View view;
  size_t looks = 0;
};

}  // namespace

TEST_CASE("View: the first two by child, step by step", "[events]") {  // data-model.md §7.3
  Scene scene(R"({"l":{"a":{"s":1},"b":{"s":2},"c":{"s":3},"d":{"s":4}}})", limited(Order::Child, "s", Limit::First, 2));
  CHECK(scene.write({{"l/a/s", "2.5"}}) == "d l/a/s 2.5");
  CHECK(scene.write({{"l/a/s", "10"}}) == R"(m l a:null c:{"s":3})");
  CHECK(scene.write({{"l/e", R"({"s":0})"}}) == R"(m l c:null e:{"s":0})");
  CHECK(scene.write({{"l/e", "null"}}) == R"(m l c:{"s":3} e:null)");
  CHECK(scene.write({{"l/b/s", "3"}}) == "d l/b/s 3");
  CHECK(scene.write({{"l/d/s", "-1"}}) == R"(m l c:null d:{"s":-1})");
  CHECK(scene.write({{"l/z", R"({"s":99})"}}).empty());
  CHECK(scene.write({{"l/d", "null"}, {"l/b/s", "100"}}) == R"(m l a:{"s":10} b:null c:{"s":3} d:null)");
  CHECK(scene.write({{"l", R"({"p":{"s":1},"q":{"s":2},"r":{"s":3}})"}}) == R"(d l {"p":{"s":1},"q":{"s":2}})");
  CHECK(scene.write({{"l", "7"}}) == "d l null");
  CHECK(scene.write({{"l/k/s", "1"}}) == R"(d l {"k":{"s":1}})");
  CHECK(scene.write({{"x", "1"}}).empty());
}

TEST_CASE("View: the last two by key, and a range by value", "[events]") {  // data-model.md §7.3
  Scene last(R"({"l":{"a":1,"b":2,"c":3}})", limited(Order::Priority, nullptr, Limit::Last, 2));
  CHECK(last.write({{"l/d", "4"}}) == "m l b:null d:4");
  CHECK(last.write({{"l/a0", "4"}}).empty());
  CHECK(last.write({{"l/d", "null"}}) == "m l b:2 d:null");
  CHECK(last.write({{"l/c", "33"}}) == "d l/c 33");

  Query range;
  range.order = Order::Value;
  range.start = Bound{json("3"), {}, true};
  range.end = Bound{json("5"), {}, true};
  Scene values(R"({"l":{"a":1,"b":3,"c":5,"d":7}})", range);
  CHECK(values.write({{"l/a", "4"}}) == "d l/a 4");
  CHECK(values.write({{"l/c", "9"}}) == "d l/c null");
  CHECK(values.write({{"l/b", "4.5"}}) == "d l/b 4.5");
  CHECK(values.write({{"l/d", "5"}}) == "d l/d 5");
  CHECK(values.write({{"l/e", "50"}}).empty());
}

TEST_CASE("View: a write beside the window costs looks and no scan, one that leaves it a seek", "[events]") {
  std::string data = R"({"l":{)";
  for (int i = 0; i < 2'000; ++i) data += (i > 0 ? ",\"k" : "\"k") + std::to_string(10'000 + i) + "\":1";
  Scene scene(data + "}}", limited(Order::Key, nullptr, Limit::Last, 50));
  CHECK(scene.write({{"l/k10500", "2"}}).empty());
  CHECK(scene.looks < 10);
  CHECK(scene.write({{"l/k11999", "null"}}) == "m l k11949:1 k11999:null");
  CHECK(scene.looks < 15);
}

TEST_CASE("View: what it is told leads from what it showed to what the query selects, of any tree", "[events]") {
  const uint64_t seed = hearth::test::seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 150; ++round) {
    Query query;
    query.order = static_cast<Order>(random.below(4));
    if (query.order == Order::Child) query.child = at(random.key());
    if (random.chance(0.7)) {
      query.limit = random.chance(0.5) ? Limit::First : Limit::Last;
      query.count = static_cast<uint32_t>(1 + random.below(3));
    }
    if (!query.is_filtered() || random.chance(0.4)) {
      query.start = Bound{query.order == Order::Key ? Value::string(random.key()) : random.leaf(), {}, random.chance(0.7)};
    }
    const Path path = at(random.chance(0.5) ? "a" : "a/b");
    Value value;
    bool has_priorities = false;
    View view(path, query);
    REQUIRE(view.open(ValueView(value), false).ok());
    Query counting = query;
    counting.counts = true;
    View counter(path, counting);
    REQUIRE(counter.open(ValueView(value), false).ok());
    int64_t told = 0;
    Value shown;
    for (int step = 0; step < 40; ++step) {
      const std::vector<Overwrite> overwrites = random.overwrites(at(random.chance(0.7) ? path.text() : ""), 1 + random.below(3));
      Value next = value;
      std::vector<Overwrite> changed;
      for (const Overwrite& one : overwrites) {
        const Value before = next;
        if (one.slot == Slot::Priority) {
          const Value there = next.at(one.path);
          if (there.is_null()) continue;
          next = next.with(one.path, there.with_priority(one.value));
        } else {
          next = next.with(one.path, one.value);
        }
        if (!(next == before)) changed.push_back(one);
      }
      has_priorities = has_priorities || next.has_priorities();
      const ValueView before(value), after(next);
      const Value wanted = read_query(after, path, query, has_priorities, kReadBytesMax).value();
      INFO(query.text() << " at " << path.text() << ": " << to_json(value, JsonStyle::Export) << " -> " << to_json(next, JsonStyle::Export));
      Touched touched = touched_by(changed, path, before, after);
      const auto body = view.change(touched, has_priorities);
      REQUIRE(body.ok());
      INFO(words(body.value()));
      const auto count = counter.change(touched, has_priorities);
      REQUIRE(count.ok());
      if (count.value() != nullptr) {
        CHECK(count.value()->value().as_integer() != told);
        told = count.value()->value().as_integer();
      }
      REQUIRE(told == static_cast<int64_t>(select(after, path, query, has_priorities).value().size()));
      if (body.value() == nullptr) {
        REQUIRE(shown == wanted);
      } else if (body.value()->kind() == Body::Kind::Put) {
        const Path relative = body.value()->path().relative_to(path);
        if (body.value()->slot() == Slot::Priority) {
          shown = shown.with(relative, shown.at(relative).with_priority(body.value()->value()));
        } else {
          shown = shown.with(relative, body.value()->value());
        }
      } else {
        for (const auto& [name, entry] : body.value()->entries()) {
          const Overwrite one = make_overwrite(name, entry).value();
          if (one.slot == Slot::Priority) {
            shown = shown.with(one.path, shown.at(one.path).with_priority(entry));
          } else {
            shown = shown.with(one.path, entry);
          }
        }
      }
      REQUIRE(to_json(shown, JsonStyle::Export) == to_json(wanted, JsonStyle::Export));
      if (view.is_limited()) {
        std::vector<std::string> kept, selected;
        for (const Position& position : view.window()) kept.push_back(position.key);
        for (const Position& position : select(after, path, query, has_priorities).value()) selected.push_back(position.key);
        REQUIRE(kept == selected);
      }
      value = next;
    }
  }
}
