#include "db/model/tree_view.h"

#include <catch2/catch.hpp>

#include "db/model/hash.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/precondition.h"
#include "db/model/write.h"
#include "tests/support/moment.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using hearth::test::moment_of;
using hearth::test::RandomTree;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }
Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

// The rows of a value, as a store would give them. Fails with `failure` at the row of that number, counted from 0.
class RowsView final : public TreeView {
 public:
  explicit RowsView(Value value) : value_(std::move(value)) {}

  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    ++scans;
    for (size_t i = 0; i < value_.row_count(); ++i) {
      const Value::Row at = value_.row(i);
      if (at.key < from || at.key >= upto) continue;
      if (rows++ == fails_at) return Error{ErrorCode::Io, "the disk said no"};
      if (!row(at.key, at.leaf)) return {};
    }
    return {};
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    for (size_t i = 0; i < value_.row_count(); ++i) {
      if (value_.row(i).key == key) return std::optional<std::string>(value_.row(i).leaf);
    }
    return std::optional<std::string>();
  }

  size_t fails_at = SIZE_MAX;
  mutable size_t rows = 0;
  mutable size_t scans = 0;

 private:
  Value value_;
};

constexpr size_t kPlenty = 1 << 20;

}  // namespace

TEST_CASE("A view reads the subtree at a path, with its priority and without its namesakes") {
  const RowsView view(json(
      R"({".priority":9,"a":{".priority":"p","b":{"c":1},"d":{".value":2,".priority":3}},"ab":4,"a!":5,"007":6})"));
  struct {
    const char* at;
    const char* value;
  } const cases[] = {
      {"a", R"({".priority":"p","b":{"c":1},"d":{".value":2,".priority":3}})"},
      {"a/b", R"({"c":1})"},
      {"a/b/c", "1"},
      {"a/d", R"({".value":2,".priority":3})"},
      {"007", "6"},
      {"7", "null"},
      {"a/b/c/x", "null"},
      {"b", "null"},
      {"", R"({".priority":9,"007":6,"a":{".priority":"p","b":{"c":1},"d":{".value":2,".priority":3}},"a!":5,"ab":4})"},
  };
  for (const auto& c : cases) {
    INFO("'" << c.at << "'");
    const auto read = view.read(path(c.at), kPlenty);
    REQUIRE(read.ok());
    CHECK(text(read.value()) == c.value);
    CHECK(view.exists(path(c.at)).value() == (std::string_view(c.value) != "null"));
    CHECK(view.hash(path(c.at), kPlenty).value() == node_hash(json(c.value)));
  }
}

TEST_CASE("A shallow read tells the keys, or the leaf itself") {
  const RowsView view(json(
      R"({".priority":9,"a":{".priority":"p","b":{"c":1}},"ab":4,"10":{"x":1,"y":{"z":2}},"9":"s","l":{".value":2,".priority":3}})"));
  CHECK(text(view.shallow(Path(), kPlenty).value()) == R"({"9":true,"10":true,"a":true,"ab":true,"l":true})");
  CHECK(text(view.shallow(path("10"), kPlenty).value()) == R"({"x":true,"y":true})");
  CHECK(text(view.shallow(path("l"), kPlenty).value()) == "2");
  CHECK(text(view.shallow(path("ab"), kPlenty).value()) == "4");
  CHECK(text(view.shallow(path("none"), kPlenty).value()) == "null");
}

TEST_CASE("A shallow read seeks past a child's rows instead of reading them") {
  std::vector<std::pair<std::string, Value>> many;
  for (int i = 0; i < 1'000; ++i) many.emplace_back(std::to_string(i), Value::boolean(true));
  const RowsView view(Value::object({{"a", Value::object(many)}, {"b", Value::object(many)}}));
  CHECK(text(view.shallow(Path(), kPlenty).value()) == R"({"a":true,"b":true})");
  CHECK(view.rows <= 4);
  CHECK(view.scans <= 4);
}

TEST_CASE("Reads at random places agree with the value") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int round = 0; round < 500; ++round) {
    const Value value = random.value(4);
    const RowsView view(value);
    const Path at = random.path();
    INFO(text(value) << " at " << at.slashed());
    const Value expected = value.at(at);
    REQUIRE(view.read(at, kPlenty).value() == expected);
    REQUIRE(view.exists(at).value() == !expected.is_null());
    std::vector<std::pair<std::string, Value>> keys;
    for (auto child = expected.children(); !child.done(); child.next())
      keys.emplace_back(child.key(), Value::boolean(true));
    const Value shallow = view.shallow(at, kPlenty).value();
    REQUIRE(shallow == (expected.is_object() ? Value::object(keys) : expected.without_priority()));
  }
}

TEST_CASE("A read larger than asked for is refused, and stops there") {
  std::vector<std::pair<std::string, Value>> many;
  for (int i = 0; i < 1'000; ++i) many.emplace_back("key" + std::to_string(i), Value::string("text"));
  const Value value = Value::object(many);
  const RowsView view(value);
  CHECK(view.read(Path(), value.byte_count()).ok());
  view.rows = 0;
  const auto refused = view.read(Path(), 100);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error() ==
        Error{ErrorCode::TooLarge,
              "Data requested exceeds the maximum size that can be accessed with a single request."});
  CHECK(view.rows < 20);
  CHECK(view.shallow(Path(), 100).error().code == ErrorCode::TooLarge);
  CHECK(view.hash(Path(), 100).error().code == ErrorCode::TooLarge);
  CHECK(view.read(Path(), value.byte_count() - 1).error().code == ErrorCode::TooLarge);
}

TEST_CASE("An error of the disk comes through every read, whichever row it meets") {
  const Value value = json(R"({"a":{"b":1,"c":2},"d":{"e":3}})");
  for (size_t at = 0; at < 3; ++at) {
    RowsView view(value);
    view.fails_at = at;
    INFO("row " << at);
    CHECK(view.read(Path(), kPlenty).error().code == ErrorCode::Io);
    view.rows = 0;
    CHECK(view.hash(Path(), kPlenty).error().code == ErrorCode::Io);
    view.rows = 0;
    CHECK(HashIs(Path(), "x").check(moment_of(view)).error().code == ErrorCode::Io);
    view.rows = 0;
    CHECK(ValueIs(Path(), value).check(moment_of(view)).error().code == ErrorCode::Io);
  }
  for (size_t at = 0; at < 2; ++at) {
    RowsView view(value);
    view.fails_at = at;
    CHECK(view.shallow(Path(), kPlenty).error().code == ErrorCode::Io);
  }
  RowsView view(value);
  view.fails_at = 0;
  CHECK(view.exists(Path()).error().code == ErrorCode::Io);
}

TEST_CASE("A hash precondition holds for the value at its path and its priorities, null being the empty hash") {
  const RowsView view(json(R"({"a":{".value":1,".priority":2},"b":{"c":"x"},"d":1})"));
  const auto holds = [&](const char* at, const std::string& hash) {
    return HashIs(path(at), hash).check(moment_of(view));
  };
  CHECK(holds("a", node_hash(json(R"({".value":1,".priority":2})"))).ok());
  CHECK(holds("b", node_hash(json(R"({"c":"x"})"))).ok());
  CHECK(holds("none", "").ok());
  CHECK(holds("a", node_hash(json("1"))).error() == Error{ErrorCode::Stale, "Transaction hash does not match"});
  CHECK(holds("d", "").error().code == ErrorCode::Stale);
  CHECK(holds("none", node_hash(json("1"))).error().code == ErrorCode::Stale);
  CHECK(holds("none", "nonsense").error().code == ErrorCode::Stale);
}

TEST_CASE("A hash precondition accepts the JavaScript SDK's way with some doubles") {  // net/wire/protocol.md §7.2
  const Value quirky = json(R"({"n":1.862645149230957e-09})");
  const RowsView view(quirky);
  CHECK(node_hash(quirky) != node_hash(quirky, NumberHex::JavaScript));
  CHECK(HashIs(Path(), node_hash(quirky)).check(moment_of(view)).ok());
  CHECK(HashIs(Path(), node_hash(quirky, NumberHex::JavaScript)).check(moment_of(view)).ok());
}

TEST_CASE("A value precondition tells apart what one hash cannot") {
  const Value big = Value::integer((int64_t{1} << 53) + 1);
  const Value near = Value::integer(int64_t{1} << 53);
  REQUIRE(node_hash(big) == node_hash(near));
  const RowsView view(Value::object({{"n", big}}));
  CHECK(ValueIs(path("n"), big).check(moment_of(view)).ok());
  CHECK(ValueIs(path("n"), near).check(moment_of(view)).error() ==
        Error{ErrorCode::Stale, "Another value stands at /n"});
  CHECK(ValueIs(path("n"), big.with_priority(Value::integer(1))).check(moment_of(view)).error().code ==
        ErrorCode::Stale);
  CHECK(ValueIs(path("none"), Value()).check(moment_of(view)).ok());
  CHECK(ValueIs(path("none"), big).check(moment_of(view)).error().code == ErrorCode::Stale);
}
