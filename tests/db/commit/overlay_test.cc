#include "db/commit/overlay.h"

#include <catch2/catch.hpp>
#include <map>

#include "db/model/key_order.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

using Rows = std::map<std::string, std::string, std::less<>>;

// Rows in memory as a tree.
class MapView final : public TreeView {
 public:
  Rows rows;

  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    if (fails) return Error{ErrorCode::Io, "the disk said no"};
    for (auto at = rows.lower_bound(from); at != rows.end() && at->first < upto; ++at) {
      if (!row(at->first, at->second)) break;
    }
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    if (fails) return Error{ErrorCode::Io, "the disk said no"};
    const auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  bool fails = false;
};

Rows rows_of(const TreeView& view, std::string_view from, std::string_view upto) {
  Rows rows;
  std::string last;
  const auto done = view.scan(from, upto, [&](auto key, auto leaf) {
    REQUIRE((rows.empty() || last < key));  // ascending, each once
    last = key;
    rows.emplace(key, leaf);
    return true;
  });
  REQUIRE(done.ok());
  return rows;
}

void replace(Rows& rows, const std::string& from, const std::string& upto, const std::string& prefix,
             const Value& value) {
  rows.erase(rows.lower_bound(from), rows.lower_bound(upto));
  for (size_t i = 0; i < value.row_count(); ++i) rows[prefix + std::string(value.row(i).key)] = value.row(i).leaf;
}

// What the store does with emptied() and changes().
Rows committed(Rows rows, const Overlay& overlay) {
  std::string end;
  for (const auto& [from, upto] : overlay.emptied()) {
    REQUIRE(from < upto);
    REQUIRE(end <= from);  // in order, apart
    end = upto;
    rows.erase(rows.lower_bound(from), rows.lower_bound(upto));
  }
  std::optional<std::string> last;
  size_t count = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>> in_order, with_lead;
  overlay.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
    REQUIRE((!last || *last < key));
    last = key;
    ++count;
    in_order.emplace_back(key, leaf ? std::optional(std::string(*leaf)) : std::nullopt);
    if (leaf) {
      rows.insert_or_assign(std::string(key), std::string(*leaf));
    } else {
      rows.erase(std::string(key));
    }
  });
  REQUIRE(count <= overlay.row_count());
  overlay.changes("lead", [&](std::string_view key, std::optional<std::string_view> leaf) {
    REQUIRE(key.starts_with("lead"));
    with_lead.emplace_back(key.substr(4), leaf ? std::optional(std::string(*leaf)) : std::nullopt);
  });
  REQUIRE(with_lead == in_order);
  return rows;
}

std::string random_key(RandomTree& random) {
  std::string key = encode_path(random.path(3));
  if (random.chance(0.2)) key += kPriorityMark;
  return key;
}

// One random change, to an overlay and to the rows that it stands for.
void change(RandomTree& random, Overlay& overlay, Rows& expected) {
  if (random.chance(0.2)) {
    const std::string base = encode_path(random.path(2));
    const Value value = random.value();
    overlay.replace(base, base + kPastChildren, base, value);
    replace(expected, base, base + kPastChildren, base, value);
    return;
  }
  const std::string key = random_key(random);
  if (random.chance(0.4)) {
    overlay.erase(key);
    expected.erase(key);
  } else {
    const std::string leaf = encode_leaf(random.leaf());
    overlay.put(key, leaf);
    expected[key] = leaf;
  }
}

void check_same(RandomTree& random, const Overlay& overlay, const Rows& base, const Rows& expected) {
  REQUIRE(rows_of(overlay, "", "\xff") == expected);
  REQUIRE(committed(base, overlay) == expected);
  for (int i = 0; i < 10; ++i) {
    std::string from = random_key(random), upto = random_key(random);
    if (random.chance(0.3)) upto += kPastChildren;
    if (upto < from) std::swap(from, upto);
    const Rows part(expected.lower_bound(from), expected.lower_bound(upto));
    REQUIRE(rows_of(overlay, from, upto) == part);
    if (!part.empty()) {  // stopping early: exactly the first so many, and not one call more
      const size_t wanted = 1 + random.below(part.size());
      std::vector<std::string> seen;
      REQUIRE(
          overlay.scan(from, upto, [&](auto key, auto) { return seen.emplace_back(key), seen.size() < wanted; }).ok());
      REQUIRE(seen.size() == wanted);
      REQUIRE(seen.back() == std::next(part.begin(), static_cast<ptrdiff_t>(wanted - 1))->first);
    }
    const auto found = expected.find(from);
    REQUIRE(overlay.leaf(from).value() == (found == expected.end() ? std::nullopt : std::optional(found->second)));
  }
}

}  // namespace

TEST_CASE("An overlay shows its changes over a base that stays as it is", "[commit][overlay]") {
  MapView base;
  base.rows = {{"a", "1"}, {"b", "2"}, {"d", "4"}};
  Overlay overlay(base);
  CHECK(overlay.empty());
  overlay.put("c", "3");
  overlay.put("b", "two");
  overlay.erase("a");
  overlay.erase("never there");
  CHECK(!overlay.empty());
  CHECK(rows_of(overlay, "", "\xff") == Rows{{"b", "two"}, {"c", "3"}, {"d", "4"}});
  CHECK(overlay.leaf("a").value() == std::nullopt);
  CHECK(overlay.leaf("b").value() == "two");
  CHECK(overlay.leaf("d").value() == "4");
  CHECK(base.rows == Rows{{"a", "1"}, {"b", "2"}, {"d", "4"}});
}

TEST_CASE("A replaced range hides what was in it, below and above", "[commit][overlay]") {
  MapView base;
  const std::string at = encode_path(Path::parse("/m").value());
  base.rows = {{"\x02", "left"}, {at + "\x02old", "1"}, {at + kPastChildren, "right"}};
  Overlay overlay(base);
  overlay.put(at + "\x02own", "2");
  overlay.replace(at, at + kPastChildren, at, Value::string("new"));
  CHECK(rows_of(overlay, "", "\xff") == Rows{{"\x02", "left"}, {at, "snew"}, {at + kPastChildren, "right"}});
  CHECK(overlay.leaf(at + "\x02own").value() == std::nullopt);
  CHECK(overlay.leaf(at + "\x02old").value() == std::nullopt);
  CHECK(overlay.leaf(at + kPastChildren).value() == "right");
  CHECK(overlay.emptied().size() == 1);
  CHECK(overlay.row_count() == 1);
  overlay.put(at + "\x02later", "3");
  overlay.erase(at);
  CHECK(rows_of(overlay, at, at + kPastChildren) == Rows{{at + "\x02later", "3"}});
}

TEST_CASE("A hole in a replaced range leaves both of its sides", "[commit][overlay]") {
  MapView base;
  const auto key = [](const char* text) { return encode_path(Path::parse(text).value()); };
  Overlay overlay(base);
  const Value leaf = Value::integer(1);
  overlay.replace("", "\x03", "", Value::object({{"a", leaf}, {"m", leaf}, {"z", leaf}}));
  overlay.replace(key("/m"), key("/m") + kPastChildren, key("/m"), Value::object({{"x", leaf}}));
  CHECK(overlay.emptied().size() == 3);
  Rows rows;
  for (const char* text : {"/a", "/m/x", "/z"}) rows[key(text)] = encode_leaf(leaf);
  CHECK(rows_of(overlay, "", "\xff") == rows);
  CHECK(committed({}, overlay) == rows);
}

TEST_CASE("An error of the base is the overlay's", "[commit][overlay]") {
  MapView base;
  base.fails = true;
  Overlay overlay(base);
  overlay.put("a", "1");
  CHECK(overlay.leaf("a").value() == "1");
  CHECK(overlay.leaf("b").error().code == ErrorCode::Io);
  CHECK(overlay.scan("", "\xff", [](auto, auto) { return true; }).error().code == ErrorCode::Io);
}

TEST_CASE("Random changes, stacks and absorptions are those of a map", "[commit][overlay]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 60; ++round) {
    MapView base;
    for (size_t count = random.below(40); count > 0; --count)
      base.rows[random_key(random)] = encode_leaf(random.leaf());
    Overlay group(base);
    Rows expected = base.rows;
    for (int step = 0; step < 25; ++step) {
      if (random.chance(0.5)) {
        change(random, group, expected);
      } else {
        const TreeView& below = group;
        Overlay write(below);
        Rows wanted = expected;
        for (size_t count = random.below(6); count > 0; --count) change(random, write, wanted);
        check_same(random, write, expected, wanted);
        check_same(random, group, base.rows, expected);  // not yet part of it
        if (random.chance(0.6)) {
          group.absorb(std::move(write));
          expected = wanted;
        }
      }
      check_same(random, group, base.rows, expected);
    }
  }
}
