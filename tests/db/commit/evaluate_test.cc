#include "db/commit/evaluate.h"

#include <catch2/catch.hpp>

#include "db/base/step.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/no_rows.h"
#include "tests/support/random_tree.h"
#include "tests/support/reference_tree.h"

using namespace hearth::db;
using namespace hearth::test;

namespace {

Path at(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

// Counts what is asked of the tree below it.
class Looks final : public TreeView {
 public:
  explicit Looks(const TreeView& tree) : tree_(tree) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    ++scans;
    return tree_.scan(from, upto, row);
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    ++leaves;
    return tree_.leaf(key);
  }
  mutable int scans = 0;
  mutable int leaves = 0;

 private:
  const TreeView& tree_;
};

Write write_of(const std::vector<std::pair<std::string, std::string>>& all) {
  Write write;
  write.merge = all.size() > 1;
  for (const auto& [path, text] : all) write.overwrites.push_back(make_overwrite(path, json(text)).value());
  return write;
}

// Judges writes one after the other on a tree in memory.
class Judge {
 public:
  Result<Settled> write(const Write& write, Timestamp now = Timestamp(1'000)) {
    const Looks before(tree_);
    Overlay after(before);
    std::string rules;
    Pending pending{1, after, beside_, rules};
    Result<Settled> settled = evaluate(write, {before, settings_, has_priorities_}, pending, now);
    scans_ = before.scans;
    leaves_ = before.leaves;
    if (settled.ok()) {
      has_priorities_ = has_priorities_ || settled.value().writes_priorities;
      REQUIRE(settled.value().effects.empty() == settled.value().changed.empty());
      REQUIRE(settled.value().effects.empty() == after.empty());
      // The effects alone lead to the same rows.
      Overlay replayed(before);
      Pending copy{1, replayed, beside_, rules};
      REQUIRE(apply(Record{1, now, settled.value().effects}, copy).ok());
      REQUIRE(text(replayed) == text(after));
      tree_.absorb(std::move(after));
    }
    return settled;
  }
  Settled ok(const std::vector<std::pair<std::string, std::string>>& all, Timestamp now = Timestamp(1'000)) {
    Result<Settled> settled = write(write_of(all), now);
    INFO((settled.ok() ? "" : settled.error().message));
    REQUIRE(settled.ok());
    return std::move(settled).value();
  }
  // Of the latest write: how often it looked for rows below a place, and for one leaf.
  int scans() const { return scans_; }
  int leaves() const { return leaves_; }
  std::string text() const { return text(tree_); }
  static std::string text(const TreeView& tree) {
    return to_json(tree.read(Path(), kReadBytesMax).value(), JsonStyle::Export);
  }
  Value value() const { return tree_.read(Path(), kReadBytesMax).value(); }

 private:
  NoRows nothing_;
  Overlay tree_{nothing_};
  Batch beside_;
  NoSettings settings_;
  bool has_priorities_ = false;
  int scans_ = 0;
  int leaves_ = 0;
};

class Always final : public Precondition {
 public:
  explicit Always(Result<void> answer, int& asked) : answer_(std::move(answer)), asked_(asked) {}
  Result<void> check(const Moment&) const override {
    ++asked_;
    return answer_;
  }

 private:
  Result<void> answer_;
  int& asked_;
};

}  // namespace

TEST_CASE("A write that changes nothing has no effects", "[commit][evaluate]") {
  Judge judge;
  CHECK(judge.ok({{"/a", "null"}}).effects.empty());
  CHECK(judge.ok({{"/a", "{}"}}).effects.empty());
  CHECK(judge.ok({{"/a/.priority", "1"}}).effects.empty());  // nothing to have it
  CHECK(judge.ok({{"/a", R"({"x":1,"y":{"z":"s",".priority":2}})"}}).effects.size() == 1);
  for (const auto& [path, text] :
       std::vector<std::pair<std::string, std::string>>{{"/a", R"({"y":{".priority":2,"z":"s"},"x":1.0})"},
                                                        {"/a/x", "1"},
                                                        {"/a/y/.priority", "2"},
                                                        {"/b", "null"}}) {
    INFO(path);
    CHECK(judge.ok({{path, text}}).effects.empty());
  }
  // Fewer, more and other rows are all a change.
  CHECK(!judge.ok({{"/a/y", R"({"z":"s"})"}}).effects.empty());
  CHECK(!judge.ok({{"/a/y", R"({"z":"s","w":1})"}}).effects.empty());
  CHECK(!judge.ok({{"/a/y", R"({"z":"t","w":1})"}}).effects.empty());
}

TEST_CASE("Of a merge only what makes a difference is told", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", R"({"x":1,"y":2})"}});
  const Settled settled = judge.ok({{"/a/x", "1"}, {"/a/y", "3"}, {"/a/z", "null"}});
  REQUIRE(settled.changed.size() == 1);
  CHECK(settled.changed[0].path == at("/a/y"));
  CHECK(settled.changed[0].value == Value::integer(3));
  CHECK(settled.effects.size() == 1);
}

TEST_CASE("A leaf above makes room, and its priority stays", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a/b", R"({".value":1,".priority":7})"}});
  const Settled settled = judge.ok({{"/a/b/c/d", "2"}});
  CHECK(judge.text() == R"({"a":{"b":{".priority":7,"c":{"d":2}}}})");
  REQUIRE(settled.effects.size() == 2);
  CHECK(settled.effects[0].kind == Effect::Kind::Unleaf);
  CHECK(settled.effects[0].path == at("/a/b"));
  // Nothing written below, nothing to make room for.
  judge.ok({{"/e", "1"}});
  CHECK(judge.ok({{"/e/f", "null"}}).effects.empty());
  CHECK(judge.text() == R"({"a":{"b":{".priority":7,"c":{"d":2}}},"e":1})");
}

TEST_CASE("An overwrite of what is there looks once; a new place looks for a leaf above it too", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a/b/c", "1"}});
  CHECK(judge.scans() == 1);
  CHECK(judge.leaves() == 3);  // of /, /a and /a/b
  judge.ok({{"/a/b/c", "2"}});
  CHECK(judge.scans() == 1);
  CHECK(judge.leaves() == 0);
  judge.ok({{"/a", R"({"b":{"d":true}})"}});
  CHECK(judge.scans() == 1);
  CHECK(judge.leaves() == 0);
}

TEST_CASE("A leaf at the root makes room too", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/", "1"}});
  judge.ok({{"/a", "2"}});
  CHECK(judge.text() == R"({"a":2})");
}

TEST_CASE("A node whose last child goes takes its priority along", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", R"({".priority":1,"b":{".priority":2,"c":3}})"}, {"/z", "1"}});
  judge.ok({{"/a/b/c", "null"}});
  CHECK(judge.text() == R"({"z":1})");
  judge.ok({{"/a/b/c", "4"}});
  CHECK(judge.text() == R"({"a":{"b":{"c":4}},"z":1})");  // it does not come back
}

TEST_CASE("A node with other children keeps its priority", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", R"({".priority":1,"b":2,"c":3})"}});
  judge.ok({{"/a/b", "null"}});
  CHECK(judge.text() == R"({"a":{".priority":1,"c":3}})");
}

TEST_CASE("A merge that empties a node and fills it again keeps its priority", "[commit][evaluate]") {
  for (const bool empties_first : {true, false}) {
    Judge judge;
    judge.ok({{"/a", R"({".priority":1,"b":2})"}});
    std::vector<std::pair<std::string, std::string>> merge = {{"/a/b", "null"}, {"/a/c", "3"}};
    if (!empties_first) std::swap(merge[0], merge[1]);
    judge.ok(merge);
    CHECK(judge.text() == R"({"a":{".priority":1,"c":3}})");
  }
}

TEST_CASE("Priorities are set after values, and only on what exists", "[commit][evaluate]") {
  Judge judge;
  const Settled settled = judge.ok({{"/a/.priority", "5"}, {"/a/b", "1"}, {"/gone/.priority", "6"}});
  CHECK(judge.text() == R"({"a":{".priority":5,"b":1}})");
  CHECK(settled.writes_priorities);
  CHECK(settled.changed.size() == 2);
  CHECK(settled.changed.back().slot == Slot::Priority);
  CHECK(settled.changed.back().value.as_double() == 5);
  judge.ok({{"/a/.priority", "null"}});
  CHECK(judge.text() == R"({"a":{"b":1}})");
}

TEST_CASE("Server values see the state before the write, and its time", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/n", "40"}, {"/s", R"("text")"}});
  Settled settled = judge.ok({{"/n", R"({".sv":{"increment":2}})"},
                              {"/s", R"({".sv":{"increment":2}})"},
                              {"/new", R"({".sv":{"increment":2}})"},
                              {"/at", R"({".sv":"timestamp"})"}},
                             Timestamp(123'456));
  CHECK(judge.text() == R"({"at":123456,"n":42,"new":2,"s":2})");
  for (const Effect& effect : settled.effects) CHECK(!effect.value.has_server_values());
  for (const Overwrite& changed : settled.changed) CHECK(!changed.value.has_server_values());
  judge.ok({{"/", R"({"n":{".sv":{"increment":-2}},"p":{".value":1,".priority":{".sv":"timestamp"}}})"}}, Timestamp(9));
  CHECK(judge.text() == R"({"n":40,"p":{".value":1,".priority":9}})");
  CHECK(judge.ok({{"/n", R"({".sv":{"increment":0}})"}}).effects.empty());
}

TEST_CASE("Preconditions are asked first, in order, until one refuses", "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", "1"}});
  int asked = 0;
  Write write = write_of({{"/a", "2"}});
  write.preconditions = {std::make_shared<Always>(Result<void>(), asked),
                         std::make_shared<Always>(Error{ErrorCode::PermissionDenied, "no"}, asked),
                         std::make_shared<Always>(Error{ErrorCode::Stale, "never asked"}, asked)};
  const auto refused = judge.write(write);
  REQUIRE(!refused.ok());
  CHECK(refused.error().code == ErrorCode::PermissionDenied);
  CHECK(asked == 2);
  CHECK(judge.text() == R"({"a":1})");
  // Also when the write would change nothing.
  write = write_of({{"/a", "1"}});
  write.preconditions = {std::make_shared<ValueIs>(at("/a"), Value::integer(2))};
  CHECK(judge.write(write).error().code == ErrorCode::Stale);
  write.preconditions = {std::make_shared<ValueIs>(at("/a"), Value::integer(1))};
  CHECK(judge.write(write).ok());
}

// Notes what it sees of a write.
class Sees final : public Precondition {
 public:
  Result<void> check(const Moment& moment) const override {
    seen =
        Judge::text(moment.before) + " " + Judge::text(*moment.after) + " " + std::to_string(moment.now.server.count());
    for (const Overwrite& overwrite : moment.overwrites) seen += " " + overwrite.path.slashed();
    return verdict;
  }
  mutable std::string seen;
  Result<void> verdict;
};

TEST_CASE("Access is asked of the tree before and the whole tree after, with server values in it",
          "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", R"({"b":1})"}, {"/n", "40"}});
  const auto sees = std::make_shared<Sees>();
  Write write = write_of({{"/a/b", "null"}, {"/n", R"({".sv":{"increment":2}})"}, {"/t", R"({".sv":"timestamp"})"}});
  write.access = sees;
  REQUIRE(judge.write(write, Timestamp(7)).ok());
  CHECK(sees->seen == R"({"a":{"b":1},"n":40} {"n":42,"t":7} 7 /a/b /n /t)");

  // Also when nothing would change, for the answer tells that; and not when a condition failed before.
  write = write_of({{"/n", "42"}});
  write.access = sees;
  sees->verdict = Error{ErrorCode::PermissionDenied, "no"};
  CHECK(judge.write(write).error().code == ErrorCode::PermissionDenied);
  sees->seen.clear();
  write.preconditions = {std::make_shared<ValueIs>(at("/n"), Value::integer(1))};
  CHECK(judge.write(write).error().code == ErrorCode::Stale);
  CHECK(sees->seen.empty());
  CHECK(judge.text() == R"({"n":42,"t":7})");
}

TEST_CASE("judge() says what evaluate() would, and changes nothing", "[commit][evaluate]") {
  const NoSettings settings;
  const NoRows nothing;
  Write write = write_of({{"/a", "1"}});
  CHECK(judge(write, {nothing, settings, false}, Timestamp(1)).ok());
  write.preconditions = {std::make_shared<ValueIs>(at("/a"), Value::integer(1))};
  CHECK(judge(write, {nothing, settings, false}, Timestamp(1)).error().code == ErrorCode::Stale);
}

TEST_CASE("A change past the limit of point rows is still seen as one", "[commit][evaluate]") {
  std::vector<std::pair<std::string, Value>> all;
  for (size_t i = 0; i < kPointRowsMax + 5; ++i) all.emplace_back(std::to_string(i), Value::integer(1));
  Judge judge;
  Write write;
  write.overwrites = {{at("/a"), Slot::Value, Value::object(all)}};
  CHECK(judge.write(write).value().effects.size() == 1);
  all.back().second = Value::integer(2);
  write.overwrites[0].value = Value::object(all);
  CHECK(judge.write(write).value().effects.size() == 1);
  CHECK(judge.value().at(at("/a")) == Value::object(all));
  // As many rows as are looked at, all the same, and yet not all there were.
  all.resize(kPointRowsMax);
  write.overwrites[0].value = Value::object(all);
  CHECK(judge.write(write).value().effects.size() == 1);
  CHECK(judge.value().at(at("/a")) == Value::object(all));
  judge.ok({{"/a", "null"}});
  CHECK(judge.text() == "null");
}

TEST_CASE("A value with more rows than a step may write ends the step before anything is looked at",
          "[commit][evaluate]") {
  Judge judge;
  judge.ok({{"/a", R"({"x":1,"y":2})"}});
  Step::here().begin({8, 1'000, 100});
  const auto fits = judge.write(write_of({{"/b", R"({"1":1,"2":1,"3":1})"}}));
  const bool fitted = !Step::here().is_over();
  Step::here().begin({8, 1'000, 100});
  const auto settled = judge.write(write_of({{"/a", "[1,1,1,1,1,1,1,1,1]"}}));
  const bool is_over = Step::here().is_over();
  Step::here().begin(kNoLimit);
  CHECK(fits.ok());
  CHECK(fitted);
  CHECK_FALSE(settled.ok());
  CHECK(is_over);
  CHECK(judge.scans() == 0);
  CHECK(judge.leaves() == 0);
  CHECK(judge.value().at(at("/a")) == json(R"({"x":1,"y":2})"));
}

TEST_CASE("Random writes leave the tree of the reference", "[commit][evaluate]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  Judge judge;
  ReferenceTree reference;
  for (int step = 0; step < 1500; ++step) {
    Write write;
    write.overwrites = random.overwrites(random.path(2), 1 + random.below(4));
    reference.apply(write.overwrites);
    const Value before = judge.value();
    const auto settled = judge.write(write);
    REQUIRE(settled.ok());
    INFO("step " << step);
    REQUIRE(judge.text() == to_json(reference.value(), JsonStyle::Export));
    REQUIRE((settled.value().effects.empty() == (judge.value() == before)));
  }
}
