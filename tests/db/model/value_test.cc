#include "db/model/value.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using hearth::test::RandomTree;

namespace {

Path path(std::string_view text) { return Path::parse(text).value(); }

Value json(std::string text) {
  const auto parsed = parse_value(std::move(text), Path());
  INFO((parsed.ok() ? "" : parsed.error().message));
  REQUIRE(parsed.ok());
  return parsed.value();
}

std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

// A tree as plainly as can be: nodes in a map ordered by key, each with a leaf, a priority, or children.
struct KeyLess {
  bool operator()(const std::string& a, const std::string& b) const { return compare_keys(a, b) < 0; }
};
struct Node {
  Value leaf;
  Value priority;
  std::map<std::string, Node, KeyLess> children;
  bool exists() const { return !leaf.is_null() || !children.empty(); }
};

Node node_of(const Value& value) {
  Node node;
  if (value.is_null()) return node;
  node.priority = value.priority();
  if (value.is_leaf()) node.leaf = value.without_priority();
  for (auto child = value.children(); !child.done(); child.next()) node.children[child.key()] = node_of(child.value());
  return node;
}

// db/model/data-model.md §1, word by word.
void set(Node& node, const Path& at, const Value& value) {
  if (at.is_root()) {
    node = node_of(value);
    return;
  }
  const std::string key(at.keys().front());
  const Path rest = at.relative_to(at.prefix(1));
  if (value.is_null()) {
    const auto child = node.children.find(key);
    if (child == node.children.end()) return;
    set(child->second, rest, value);
    if (child->second.exists()) return;
    node.children.erase(child);
    if (!node.exists()) node.priority = Value();
    return;
  }
  node.leaf = Value();  // its priority is kept
  set(node.children[key], rest, value);
}

std::string text(const Node& node) {
  if (!node.exists()) return "null";
  if (!node.leaf.is_null() && node.priority.is_null()) return text(node.leaf);
  std::string out = "{";
  const auto add = [&](const std::string& key, const std::string& value) {
    if (out.size() > 1) out += ',';
    append_json_string(key, out);
    out += ":" + value;
  };
  if (!node.leaf.is_null()) add(".value", text(node.leaf));
  if (!node.priority.is_null()) add(".priority", text(node.priority));
  for (const auto& [key, child] : node.children) add(key, text(child));
  return out + "}";
}

}  // namespace

TEST_CASE("A leaf tells its kind and its value") {
  CHECK(Value().is_null());
  CHECK(Value().kind() == Value::Kind::Null);
  CHECK(Value::boolean(true).as_boolean());
  CHECK_FALSE(Value::boolean(false).as_boolean());
  CHECK(Value::string("").as_string().empty());
  CHECK(Value::string("é😀").as_string() == "é😀");
  CHECK(Value::string(std::string_view("a\0b", 3)).as_string() == std::string_view("a\0b", 3));
  CHECK(Value::real(1.5).as_double() == 1.5);
  CHECK(Value::server_timestamp().kind() == Value::Kind::Timestamp);
  CHECK(Value::increment(Value::integer(-2)).kind() == Value::Kind::Increment);
  CHECK(Value::increment(Value::integer(-2)).increment_by() == Value::integer(-2));
  CHECK(Value::increment(Value::real(0.5)).increment_by() == Value::real(0.5));
  for (const int64_t number : {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{63}, int64_t{64}, int64_t{-64},
                               int64_t{-65}, INT64_MAX, INT64_MIN, (int64_t{1} << 53) + 1}) {
    INFO(number);
    const Value value = Value::integer(number);
    CHECK(value.kind() == Value::Kind::Integer);
    CHECK(value.as_integer() == number);
    CHECK(value.as_double() == static_cast<double>(number));
    CHECK(value.is_number());
    CHECK(value.is_leaf());
    CHECK(decode_leaf(encode_leaf(value)).value() == value);
  }
}

TEST_CASE("An integral double within int64 is an integer; -0 is 0") {
  struct {
    double number;
    std::optional<int64_t> integer;
  } const cases[] = {
      {0.0, 0},
      {-0.0, 0},
      {2147483648.0, 2147483648},
      {-9223372036854775808.0, INT64_MIN},
      {9223372036854774784.0, 9223372036854774784},  // the last double below 2^63
      {9223372036854775808.0, {}},
      {-9223372036854777856.0, {}},
      {0.5, {}},
      {1e300, {}},
      {5e-324, {}},
  };
  for (const auto& c : cases) {
    INFO(c.number);
    const Value value = Value::real(c.number);
    CHECK(value.as_double() == c.number);
    CHECK((value.kind() == Value::Kind::Integer) == c.integer.has_value());
    if (c.integer) {
      CHECK(value == Value::integer(*c.integer));
      CHECK_FALSE(std::signbit(value.as_double()) != (c.number < 0));
    }
  }
}

TEST_CASE("An object's children come in key order, of equal keys the last counts, nulls are none") {
  const Value value = Value::object({{"b", Value::integer(1)},
                                     {"10", Value::integer(2)},
                                     {"9", Value::integer(3)},
                                     {"gone", Value()},
                                     {"b", Value::object({{"x", Value::boolean(true)}})},
                                     {"\uFFFF", Value::integer(4)},
                                     {"😀", Value::integer(5)}});
  std::vector<std::string> keys;
  for (auto child = value.children(); !child.done(); child.next()) keys.push_back(child.key());
  CHECK(keys == std::vector<std::string>{"9", "10", "b", "😀", "\uFFFF"});
  CHECK(value.child_count() == 5);
  CHECK(value.leaf_count() == 5);
  CHECK(text(value) == R"({"9":3,"10":2,"b":{"x":true},"😀":5,"￿":4})");
  CHECK(Value::object({}).is_null());
  CHECK(Value::object({{"a", Value()}}).is_null());
}

TEST_CASE("A child or a path below is a slice, and equal to the same value made alone") {
  const Value value = json(R"({"a":{"b":{"c":1,"d":"x"},"e":true},"ab":2})");
  CHECK(value.child("a") == json(R"({"b":{"c":1,"d":"x"},"e":true})"));
  CHECK(value.at(path("a/b")) == json(R"({"c":1,"d":"x"})"));
  CHECK(value.at(path("a/b")).child("c") == Value::integer(1));
  CHECK(value.at(path("a/b")).at(path("d")) == Value::string("x"));
  CHECK(value.at(Path()) == value);
  CHECK(value.child("ab") == Value::integer(2));
  CHECK(value.child("b").is_null());
  CHECK(value.at(path("a/b/c/d")).is_null());
  CHECK(value.at(path("ab/x")).is_null());
  CHECK(Value().child("a").is_null());
  CHECK_FALSE(value.child("a") == value.child("ab"));
  CHECK_FALSE(value.at(path("a/b")) == value.child("a"));
}

TEST_CASE("A slice lives on when the value it was cut from is gone") {
  Value slice;
  {
    const Value whole = json(R"({"a":{"b":"kept"}})");
    slice = whole.child("a");
  }
  CHECK(text(slice) == R"({"b":"kept"})");
}

TEST_CASE("A priority belongs to a node that exists, and its number is a double") {
  const Value leaf = Value::integer(5).with_priority(Value::integer(3));
  CHECK(leaf.priority().kind() == Value::Kind::Double);
  CHECK(leaf.priority().as_double() == 3);
  CHECK(leaf.as_integer() == 5);
  CHECK(leaf.without_priority() == Value::integer(5));
  CHECK_FALSE(leaf == Value::integer(5));
  CHECK(leaf.with_priority(Value::string("p")).priority() == Value::string("p"));
  CHECK(Value().with_priority(Value::integer(1)).is_null());

  const Value object = json(R"({".priority":"top","a":{".value":1,".priority":2},"b":{"c":3}})");
  CHECK(object.priority() == Value::string("top"));
  CHECK(object.child("a").priority().as_double() == 2);
  CHECK(object.child("b").priority().is_null());
  CHECK(object.leaf_count() == 2);
  CHECK(object.row_count() == 4);
  CHECK(object.child_count() == 2);
  CHECK(object.has_priorities());
  CHECK_FALSE(object.child("b").has_priorities());
  CHECK_FALSE(object.without_priority().priority().kind() == Value::Kind::String);
  CHECK(object.without_priority().has_priorities());  // a's
  CHECK(text(object.without_priority()) == R"({"a":{".value":1,".priority":2},"b":{"c":3}})");
}

TEST_CASE("A key's own zero byte at the end is not taken for a priority") {
  for (const char* key : {"a", "007", "5", "-2147483648", "256", "😀"}) {
    INFO(key);
    std::string segment;
    append_segment(key, segment);
    CHECK_FALSE(is_priority_key(segment));
    CHECK(is_priority_key(segment + '\0'));
    const Value value = Value::object({{key, Value::string("v")}});
    CHECK_FALSE(value.has_priorities());
    CHECK(value.leaf_count() == 1);
  }
  CHECK_FALSE(is_priority_key(""));
  CHECK(is_priority_key(std::string(1, '\0')));
}

TEST_CASE("A set follows the rules of db/model/data-model.md §1") {
  struct {
    const char* name;
    const char* before;
    const char* at;
    const char* value;
    const char* after;
  } const cases[] = {
      {"replaces the subtree and its priority", R"({"a":{".value":1,".priority":2}})", "a", "3", R"({"a":3})"},
      {"a leaf becomes an object", R"({"a":1})", "a/b", "2", R"({"a":{"b":2}})"},
      {"whose priority is kept", R"({"a":{".value":1,".priority":"p"}})", "a/b/c", "2",
       R"({"a":{".priority":"p","b":{"c":2}}})"},
      {"null below a leaf changes nothing", R"({"a":{".value":1,".priority":"p"}})", "a/b", "null",
       R"({"a":{".value":1,".priority":"p"}})"},
      {"null where nothing is", R"({"a":1})", "b/c", "null", R"({"a":1})"},
      {"a leaf over an object", R"({"a":{"b":{"c":1},"d":2}})", "a", "true", R"({"a":true})"},
      {"the last child takes its parents along", R"({"a":{"b":{"c":1}},"d":2})", "a/b/c", "null", R"({"d":2})"},
      {"and their priorities", R"({"a":{".priority":1,"b":{".priority":2,"c":1}},"d":2})", "a/b/c", "null",
       R"({"d":2})"},
      {"past nodes that have none", R"({"a":{".priority":1,"b":{"c":{"e":1}}},"d":2})", "a/b/c/e", "null",
       R"({"d":2})"},
      {"up to the root", R"({".priority":9,"a":{".priority":1,"b":1}})", "a/b", "null", "null"},
      {"a sibling keeps the parent", R"({".priority":9,"a":{".priority":1,"b":1,"c":2}})", "a/b", "null",
       R"({".priority":9,"a":{".priority":1,"c":2}})"},
      {"at the root", R"({".priority":9,"a":1})", "", R"({"b":1})", R"({"b":1})"},
      {"into nothing", "null", "x/y", R"({".value":1,".priority":2})", R"({"x":{"y":{".value":1,".priority":2}}})"},
      {"below the root's leaf", R"({".value":1,".priority":2})", "a", "3", R"({".priority":2,"a":3})"},
      {"an object with a priority", R"({"a":1})", "b", R"({".priority":5,"c":1})",
       R"({"a":1,"b":{".priority":5,"c":1}})"},
      {"a namesake is left alone", R"({"a":1,"ab":2,"a b":3})", "a", "null", R"({"a b":3,"ab":2})"},
  };
  for (const auto& c : cases) {
    INFO(c.name << ": " << c.before << " with " << c.at << " = " << c.value);
    const Value before = json(c.before);
    const Value after = before.with(path(c.at), json(c.value));
    CHECK(text(after) == c.after);
    CHECK(after == json(c.after));
    CHECK(before == json(c.before));
  }
}

TEST_CASE("Random sets, at any depth of any slice, agree with a tree of maps") {
  const uint64_t seed = hearth::test::seed_of_run();
  INFO("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int history = 0; history < 150; ++history) {
    Value value = random.value();
    if (random.chance(0.5))
      value = Value::object({{"outer", value}, {"p", Value::integer(1)}}).child("outer");  // a slice
    Node node = node_of(value);
    for (int step = 0; step < 20; ++step) {
      const Path at = random.path();
      const Value written = random.chance(0.3) ? Value() : random.value(2);
      const std::string before = text(value);
      value = value.with(at, written);
      set(node, at, written);
      INFO(before << " with " << at.slashed() << " = " << text(written));
      REQUIRE(text(value) == text(node));
      REQUIRE(value == json(text(node)));  // and has no row that says nothing
      const Path looked = random.path();
      Value by_children = value;
      for (const std::string_view key : looked.keys()) by_children = by_children.child(key);
      REQUIRE(value.at(looked) == by_children);
    }
  }
}

TEST_CASE("Many children are stepped through whatever their sizes") {
  std::vector<std::pair<std::string, Value>> children;
  size_t leaves = 0;
  for (size_t i = 0; i < 200; ++i) {
    std::vector<std::pair<std::string, Value>> inner;
    for (size_t k = 0; k <= i * i % 37; ++k)
      inner.emplace_back(std::to_string(k), Value::integer(static_cast<int64_t>(k)));
    leaves += inner.size();
    children.emplace_back(std::to_string(i), Value::object(inner));
  }
  const Value value = Value::object(children);
  CHECK(value.leaf_count() == leaves);
  size_t index = 0;
  for (auto child = value.children(); !child.done(); child.next(), ++index) {
    INFO(index);
    REQUIRE(child.key() == std::to_string(index));
    REQUIRE(child.value() == children[index].second);
  }
  CHECK(index == 200);
}

TEST_CASE("Leaf bytes are as documented, for they are on disk") {
  using namespace std::string_literals;
  struct {
    Value value;
    std::string bytes;
  } const cases[] = {
      {Value::boolean(false), "f"},
      {Value::boolean(true), "t"},
      {Value::integer(0), "i\0"s},
      {Value::integer(-1), "i\x01"},
      {Value::integer(1), "i\x02"},
      {Value::integer(64), "i\x80\x01"},
      {Value::integer(INT64_MAX), "i\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
      {Value::integer(INT64_MIN), "i\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
      {Value::real(1.5), "d\x3F\xF8\0\0\0\0\0\0"s},
      {Value::string(""), "s"},
      {Value::string("é"), "s\xC3\xA9"},
      {Value::server_timestamp(), "T"},
      {Value::increment(Value::integer(2)), "Ii\x04"},
      {Value::increment(Value::real(0.5)), "Id\x3F\xE0\0\0\0\0\0\0"s},
  };
  for (const auto& c : cases) {
    INFO(text(c.value));
    CHECK(encode_leaf(c.value) == c.bytes);
    const auto decoded = decode_leaf(c.bytes);
    REQUIRE(decoded.ok());
    CHECK(decoded.value() == c.value);
    CHECK(decoded.value().kind() == c.value.kind());
  }
  CHECK(encode_leaf(Value::integer(1).with_priority(Value::integer(2))) == "i\x02");
}

TEST_CASE("Damaged leaf bytes are corruption") {
  using namespace std::string_literals;
  const std::string cases[] = {
      "",
      "x",
      "\0"s,
      "ff",
      "t\0"s,
      "TT",
      "i",
      "i\x80",
      "i\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
      "i\x01\x01",
      "d",
      "d\x3F\xF8\0\0\0\0\0"s,
      "d\x3F\xF8\0\0\0\0\0\0\0"s,
      "I",
      "Ii",
      "Ii\x80",
      "Ii\x02\x02",
      "Id\0"s,
      "Is1",
      "IT",
      "IIi\x02",
      "It",
      "d\x7F\xF0\0\0\0\0\0\0"s,
      "d\x7F\xF8\0\0\0\0\0\0"s,
      "Id\xFF\xF0\0\0\0\0\0\0"s,
      "i\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02",
  };
  for (const std::string& bytes : cases) {
    std::string shown;
    for (const char c : bytes) shown += "\\" + std::to_string(static_cast<unsigned char>(c));
    INFO(shown);
    const auto decoded = decode_leaf(bytes);
    REQUIRE_FALSE(decoded.ok());
    CHECK(decoded.error().code == ErrorCode::Corruption);
  }
}

TEST_CASE("Server values are found wherever they stand") {
  CHECK(json(R"({"a":{"b":{".sv":"timestamp"}}})").has_server_values());
  CHECK(json(R"({"a":{".value":1,".priority":{".sv":"timestamp"}}})").has_server_values());
  CHECK(json(R"({".sv":{"increment":1}})").has_server_values());
  CHECK_FALSE(json(R"({"a":{"b":"T"},"T":1})").has_server_values());
  CHECK_FALSE(json(R"({"a":{"b":{".sv":"timestamp"}},"c":1})").child("c").has_server_values());
}
