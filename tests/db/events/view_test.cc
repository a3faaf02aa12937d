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
TouchedChildren touched_by(const std::vector<Overwrite>& overwrites, const Path& path, const TreeView& before,
                           const TreeView& after) {
  TouchedChildren touched(path, before, after);
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
  if (body->kind() == Body::Kind::Put)
    return "d " + body->told_path() + " " + to_json(body->value(), JsonStyle::Export);
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
    TouchedChildren touched = touched_by(overwrites, view.path(), before, after);
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

// What a listener at `path` shows once it was told `body`.
Value after_body(const Value& shown, const std::shared_ptr<const Body>& body, const Path& path) {
  if (body == nullptr) return shown;
  Value next = shown;
  const auto set = [&](const Path& at, Slot slot, const Value& value) {
    next = next.with(at, slot == Slot::Priority ? next.at(at).with_priority(value) : value);
  };
  if (body->kind() == Body::Kind::Put) {
    set(body->path().relative_to(path), body->slot(), body->value());
    return next;
  }
  for (const auto& [name, entry] : body->entries()) {
    const Overwrite one = make_overwrite(name, entry).value();
    set(one.path, one.slot, entry);
  }
  return next;
}

}  // namespace

TEST_CASE("View: the first two by child, step by step", "[events]") {  // db/model/data-model.md §7.3
  Scene scene(R"({"l":{"a":{"s":1},"b":{"s":2},"c":{"s":3},"d":{"s":4}}})",
              limited(Order::Child, "s", Limit::First, 2));
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

TEST_CASE("View: the last two by key, and a range by value", "[events]") {  // db/model/data-model.md §7.3
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
      query.start =
          Bound{query.order == Order::Key ? Value::string(random.key()) : random.leaf(), {}, random.chance(0.7)};
    }
    const Path path = at(random.chance(0.5) ? "a" : "a/b");
    Value value;
    bool has_priorities = false;
    const auto reserve = static_cast<uint32_t>(random.below(3));
    View view(path, query, SIZE_MAX, reserve);
    REQUIRE(view.open(ValueView(value), false).ok());
    Query counting = query;
    counting.counts = true;
    View counter(path, counting, SIZE_MAX, reserve);
    REQUIRE(counter.open(ValueView(value), false).ok());
    Query naming = query;
    naming.keys_only = true;
    View namer(path, naming, SIZE_MAX, reserve);
    REQUIRE(namer.open(ValueView(value), false).ok());
    Value named;
    int64_t told = 0;
    Value shown;
    for (int step = 0; step < 40; ++step) {
      const std::vector<Overwrite> overwrites =
          random.overwrites(at(random.chance(0.7) ? path.text() : ""), 1 + random.below(3));
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
      INFO(query.text() << " at " << path.text() << ": " << to_json(value, JsonStyle::Export) << " -> "
                        << to_json(next, JsonStyle::Export));
      TouchedChildren touched = touched_by(changed, path, before, after);
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
      const auto names = namer.change(touched, has_priorities);
      REQUIRE(names.ok());
      named = after_body(named, names.value(), path);
      REQUIRE(named == read_query(after, path, naming, has_priorities, kReadBytesMax).value());
      if (body.value() == nullptr) REQUIRE(shown == wanted);
      shown = after_body(shown, body.value(), path);
      REQUIRE(to_json(shown, JsonStyle::Export) == to_json(wanted, JsonStyle::Export));
      if (view.is_limited()) {
        std::vector<std::string> kept, selected;
        for (const Position& position : view.window()) kept.push_back(position.key);
        for (const Position& position : select(after, path, query, has_priorities).value())
          selected.push_back(position.key);
        REQUIRE(kept == selected);
      }
      value = next;
    }
  }
}

TEST_CASE("View: what scans find elsewhere, while writes go on, ends in what the query selects", "[events]") {
  const uint64_t seed = hearth::test::seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  size_t settled = 0;
  size_t refilled = 0;
  for (int round = 0; round < 300; ++round) {
    Query query;
    query.order = random.chance(0.5) ? Order::Value : Order::Child;
    if (query.order == Order::Child) query.child = at(random.key());
    query.counts = random.chance(0.3);
    if (random.chance(query.counts ? 0.5 : 1)) {
      query.limit = random.chance(0.5) ? Limit::First : Limit::Last;
      query.count = static_cast<uint32_t>(1 + random.below(3));
    }
    if (random.chance(0.3)) query.start = Bound{random.leaf(), {}, true};
    const Path path = at("a");
    Value value = Value().with(path, random.value());
    View view(path, query, 0, static_cast<uint32_t>(random.below(3)));
    REQUIRE(view.open(ValueView(value), false).ok());
    std::optional<Value> snapshot;  // what a scan under way sees
    bool is_told = false;           // the first value
    Value shown;
    const auto first = [&] {
      is_told = view.is_open();
      if (query.counts)
        shown = Value::integer(static_cast<int64_t>(view.count()));
      else
        shown = read_children(ValueView(value), path, view.window(), kReadBytesMax).value();
    };
    if (view.is_open()) first();  // nothing is there
    for (int step = 0; step < 40; ++step) {
      if (snapshot && random.chance(0.4)) {
        auto scanned = View::scan(ValueView(*snapshot), path, view.scan_query(), false);
        REQUIRE(scanned.ok());
        const auto body = view.settle(std::move(scanned).value(), ValueView(value), false);
        REQUIRE(body.ok());
        snapshot.reset();
        ++settled;
        refilled += body.value() != nullptr;
        if (is_told) shown = after_body(shown, body.value(), path);
        if (!is_told) first();
      }
      if (view.wants_scan()) {
        view.begin_scan(static_cast<uint64_t>(step) + 1);
        snapshot = value;
      }
      if (view.is_open() && !snapshot && !view.wants_scan()) {
        const Value wanted = read_query(ValueView(value), path, query, false, kReadBytesMax).value();
        INFO(query.text() << " of " << to_json(value, JsonStyle::Export));
        REQUIRE(to_json(shown, JsonStyle::Export) == to_json(wanted, JsonStyle::Export));
      }
      const std::vector<Overwrite> overwrites =
          random.overwrites(at(random.chance(0.9) ? "a" : ""), 1 + random.below(3));
      Value next = value;
      std::vector<Overwrite> changed;
      for (const Overwrite& one : overwrites) {
        if (one.slot == Slot::Priority) continue;
        const Value clean = Value().with(Path(), one.value.without_priority());
        next = next.with(one.path, clean);
        changed.push_back({one.path, Slot::Value, clean});
      }
      if (changed.empty() || next.has_priorities()) continue;
      const ValueView before(value), after(next);
      TouchedChildren touched = touched_by(changed, path, before, after);
      const auto body = view.change(touched, false);
      REQUIRE(body.ok());
      if (is_told) shown = after_body(shown, body.value(), path);
      value = next;
    }
  }
  CHECK(settled > 500);
  CHECK(refilled > 20);
}
