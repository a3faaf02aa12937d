#include "db/shard/withheld_rows.h"

#include <catch2/catch.hpp>
#include <map>

#include "db/shard/namespace_state.h"
#include "tests/db/talk.h"
#include "tests/support/random_tree.h"

using namespace hearth::test;

namespace {

constexpr auto kInsert = static_cast<uint8_t>(RowKind::Insert);
constexpr auto kUpdate = static_cast<uint8_t>(RowKind::Update);
constexpr auto kDelete = static_cast<uint8_t>(RowKind::Delete);

std::vector<RowBinding> asking(const std::vector<uint8_t>& kinds) {
  std::vector<RowBinding> bindings;
  for (const uint8_t one : kinds) bindings.push_back({at("t"), false, one, {}});
  return bindings;
}

RowEvent change(const std::string& key, Value before, Value after, uint64_t bindings = 1) {
  auto made = std::make_shared<RowChange>();
  made->table = at("t");
  made->key = key;
  made->before = std::move(before);
  made->after = std::move(after);
  RowEvent event;
  event.change = std::move(made);
  event.bindings = bindings;
  return event;
}

RowEvent change(const std::string& key, const char* before, const char* after, uint64_t bindings = 1) {
  return change(key, json(before), json(after), bindings);
}

// "a 1: null -> 2", of each in its order.
std::string shown_rows(const WithheldRows& rows) {
  std::string all;
  for (const auto& [listener, event] : rows.told()) {
    all += event.change->key + " " + std::to_string(event.bindings) + ": " +
           (event.shows_before ? text(event.change->before) : "?") + " -> " + text(event.change->after) + "\n";
  }
  return all;
}

const WithheldRows::Listener kOneListener{nullptr, 7};

}  // namespace

TEST_CASE("Withheld rows: what happens to a row is told as one, as the listener asked for it", "[shard]") {
  struct Case {
    std::vector<uint8_t> kinds;
    std::vector<RowEvent> events;
    std::string told;
  };
  const std::vector<uint8_t> all{kEveryRowKind};
  const std::vector<Case> cases = {
      {all, {change("a", "null", "1"), change("a", "1", "2"), change("a", "2", "3")}, "a 1: null -> 3\n"},
      {all, {change("a", "1", "2"), change("a", "2", "3")}, "a 1: 1 -> 3\n"},
      {all, {change("a", "1", "2"), change("a", "2", "1")}, ""},
      {all, {change("a", "null", "1"), change("a", "1", "null")}, ""},
      {all, {change("a", "1", "2"), change("a", "2", "null")}, "a 1: 2 -> null\n"},
      {all, {change("a", "1", "null"), change("a", "null", "2")}, "a 1: 1 -> 2\n"},
      {all, {change("a", "1", "2"), change("a", "2", "null"), change("a", "null", "3")}, "a 1: 1 -> 3\n"},
      {all, {change("a", "1", "2"), change("a", "2", "null"), change("a", "null", "2")}, "a 1: 1 -> 2\n"},
      {all, {change("a", "1", "2"), change("a", "2", "null"), change("a", "null", "1")}, ""},
      // The order is that of the last changes.
      {all, {change("a", "1", "2"), change("b", "1", "2"), change("a", "2", "3")}, "b 1: 1 -> 2\na 1: 1 -> 3\n"},
      // Who did not ask for updates is told none.
      {{kInsert | kDelete}, {change("a", "1", "null"), change("a", "null", "2")}, "a 1: 1 -> null\na 1: null -> 2\n"},
      {{kInsert}, {change("a", "null", "1")}, "a 1: null -> 1\n"},
      // Other bindings of the listener have matched, so its handlers are others.
      {{kInsert, kUpdate},
       {change("a", "null", "1", 1), change("a", "1", "2", 2), change("a", "2", "3", 2)},
       "a 1: null -> 1\na 2: 1 -> 3\n"},
  };
  for (const Case& one : cases) {
    WithheldRows rows;
    const auto bindings = asking(one.kinds);
    for (const RowEvent& event : one.events) rows.add(kOneListener, event, bindings);
    INFO(one.told);
    CHECK(shown_rows(rows) == one.told);
    CHECK(rows.is_empty() == one.told.empty());
  }
}

TEST_CASE("Withheld rows: of the row before, a listener is shown what it might see then", "[shard]") {
  const auto bindings = asking({kEveryRowKind});
  WithheldRows rows;
  RowEvent first = change("a", "1", "2");
  first.shows_before = false;
  rows.add(kOneListener, first, bindings);
  rows.add(kOneListener, change("a", "2", "3"), bindings);
  CHECK(shown_rows(rows) == "a 1: ? -> 3\n");
  RowEvent last = change("a", "3", "null");
  rows.add(kOneListener, last, bindings);
  CHECK(shown_rows(rows) == "a 1: 3 -> null\n");
}

TEST_CASE("Withheld rows: listeners share what they are told, and each is forgotten by itself", "[shard]") {
  const auto bindings = asking({kEveryRowKind});
  WithheldRows rows;
  const RowEvent first = change("a", "1", "2"), second = change("a", "2", "3");
  const WithheldRows::Listener other{nullptr, 8};
  for (const RowEvent& event : {first, second}) {
    rows.add(kOneListener, event, bindings);
    rows.add(other, event, bindings);
  }
  const auto told = rows.told();
  REQUIRE(told.size() == 2);
  CHECK(told[0].second.change == told[1].second.change);
  rows.forget(kOneListener);
  REQUIRE(rows.told().size() == 1);
  CHECK(rows.told()[0].first == other);
  rows.forget(other);
  CHECK(rows.is_empty());
}

TEST_CASE("Withheld rows: they are full by their number or their bytes, and room comes back", "[shard]") {
  const auto bindings = asking({kEveryRowKind});
  WithheldRows many;
  const RowEvent small = change("a", "1", "2");
  for (size_t i = 0; i + 1 < kWithheldRowEventsMax; ++i) many.add({nullptr, i}, small, bindings);
  CHECK_FALSE(many.is_full());
  many.add({nullptr, kWithheldRowEventsMax}, small, bindings);
  CHECK(many.is_full());
  many.forget({nullptr, 5});
  CHECK_FALSE(many.is_full());

  WithheldRows large;
  const Value value = Value::string(std::string(kWithheldRowBytesMax / 3, 'x'));
  const Value longer = Value::string(std::string(kWithheldRowBytesMax / 3 + 1, 'x'));
  // Many listeners to one large row hold it once; a row that changes back and forth holds two values.
  for (uint64_t i = 0; i < 3; ++i) large.add({nullptr, i}, change("a", Value(), value), bindings);
  CHECK(large.is_full());
  large = {};
  const RowEvent one = change("a", Value(), value);
  for (uint64_t i = 0; i < 100; ++i) large.add({nullptr, i}, one, bindings);
  CHECK_FALSE(large.is_full());
  large = {};
  for (int i = 0; i < 100; ++i) {
    large.add(kOneListener, change("a", i % 2 == 0 ? Value::integer(1) : value, i % 2 == 0 ? value : longer), bindings);
  }
  CHECK(large.told().size() == 1);
}

TEST_CASE("Withheld rows: whatever happens, who is told has the rows as they are; random", "[shard]") {
  const uint64_t seed = seed_of_run();
  CAPTURE(seed);
  RandomTree random(seed);
  const auto bindings = asking({kEveryRowKind});
  std::map<std::string, Value> table, heard;
  for (int i = 0; i < 6; ++i) table["r" + std::to_string(i)] = heard["r" + std::to_string(i)] = Value();
  WithheldRows rows;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "r" + std::to_string(random.below(6));
    const Value before = table[key];
    const Value after = random.chance(0.3) ? Value() : Value::integer(static_cast<int64_t>(random.below(4)));
    if (before == after) continue;
    table[key] = after;
    rows.add(kOneListener, change(key, before, after), bindings);
    if (!random.chance(0.1)) continue;
    std::map<std::string, int> times;
    for (const auto& [listener, event] : rows.told()) {
      CAPTURE(step, event.change->key);
      // A deletion tells the row that was there just before it.
      if (!event.change->after.is_null()) CHECK(event.change->before == heard[event.change->key]);
      CHECK(event.change->before.is_null() == heard[event.change->key].is_null());
      heard[event.change->key] = event.change->after;
      CHECK(++times[event.change->key] == 1);
    }
    REQUIRE(heard == table);
    rows = {};
  }
}
