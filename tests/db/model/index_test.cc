#include "db/model/index.h"

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

std::string encoded(const Value& value) {
  std::string bytes;
  append_index_value(value, bytes);
  return bytes;
}

IndexSpec spec(const std::vector<std::string>& at, std::string_view by) { return make_index(at, by).value(); }

int sign(int number) { return number < 0 ? -1 : number > 0 ? 1 : 0; }

}  // namespace

TEST_CASE("Index: bytes of values sort as values do, whatever they are", "[model][index]") {
  const std::string same(300, 'x');
  const std::vector<Value> values = {Value(),
                                     Value::boolean(false),
                                     Value::boolean(true),
                                     Value::integer(INT64_MIN),
                                     Value::integer(INT64_MIN + 1),
                                     Value::real(-1e300),
                                     Value::real(-1.5),
                                     Value::integer(-1),
                                     Value::real(-1e-300),
                                     Value::integer(0),
                                     Value::real(5e-324),
                                     Value::integer(1),
                                     Value::integer(9007199254740992),
                                     Value::integer(9007199254740993),
                                     Value::integer(INT64_MAX - 1),
                                     Value::integer(INT64_MAX),
                                     Value::real(9223372036854775808.0),
                                     Value::real(1e300),
                                     Value::string(""),
                                     Value::string(std::string("\0", 1)),
                                     Value::string(std::string("\0a", 2)),
                                     Value::string("\x01"),
                                     Value::string("\x01\x01"),
                                     Value::string("\x02"),
                                     Value::string("a"),
                                     Value::string(std::string("a\0", 2)),
                                     Value::string("aa"),
                                     Value::string("b"),
                                     Value::string("é"),
                                     Value::string("😀"),
                                     Value::string("\uF000"),
                                     Value::string("\uFFFD"),
                                     Value::string(same.substr(0, 254)),
                                     Value::string(same.substr(0, 255)),
                                     Value::string(same.substr(0, 256)),
                                     Value::string(same),
                                     Value::string(same.substr(0, 254) + "y"),
                                     Value::string(std::string(300, '\0')),
                                     json(R"({"a":1})")};
  for (const Value& a : values) {
    for (const Value& b : values) {
      INFO(to_json(a, JsonStyle::Export) << " and " << to_json(b, JsonStyle::Export));
      const int by_bytes = sign(encoded(a).compare(encoded(b)));
      const int by_value = sign(compare_values(a, b));
      std::string bytes;
      const bool may_tie = !append_index_value(a, bytes) && !append_index_value(b, bytes);
      if (!may_tie || by_bytes != 0) CHECK(by_bytes == by_value);
    }
  }
}

TEST_CASE("Index: an entry gives its value and key back", "[model][index]") {
  const uint64_t seed = hearth::test::seed_of_run();
  WARN("TEST_SEED=" << seed);
  RandomTree random(seed);
  for (int i = 0; i < 3'000; ++i) {
    const Value value = random.chance(0.1) ? json(R"({"x":1})") : random.leaf();
    const std::string key = random.key();
    std::string bytes = encoded(value);
    append_segment(key, bytes);
    const auto entry = decode_index_entry(bytes, 1);
    REQUIRE(entry.ok());
    CHECK(compare_values(entry.value().values[0], value) == 0);
    CHECK(decode_segment(entry.value().segment) == key);
    CHECK(entry.value().cut_bytes == 0);
    for (size_t length = 0; length < bytes.size(); ++length)
      CHECK_FALSE(decode_index_entry(bytes.substr(0, length), 1).ok());
  }
  std::string cut = encoded(Value::string(std::string(1'000, 'x')));
  CHECK(cut.size() == 1 + kIndexedTextBytes + 2);
  append_segment("k", cut);
  CHECK(decode_index_entry(cut, 1).value().cut_bytes == 1 + kIndexedTextBytes + 2);
  std::string whole = encoded(Value::string(std::string(kIndexedTextBytes, 'x')));
  append_segment("k", whole);
  CHECK(decode_index_entry(whole, 1).value().cut_bytes == 0);
}

TEST_CASE("Index: numbers that no value has are damage", "[model][index]") {
  const auto entry = [](std::string_view number, std::string_view residual) {
    std::string bytes = "\x04";
    bytes.append(number).append(residual);
    append_segment("k", bytes);
    return decode_index_entry(bytes, 1);
  };
  using std::string_view_literals::operator""sv;
  const auto one = "\xbf\xf0\0\0\0\0\0\0"sv;
  CHECK(entry(one, "\x80\0"sv).ok());
  CHECK(entry(one, "\x80\1"sv).value().values[0] == Value::integer(2));
  CHECK_FALSE(entry("\xff\xff\xff\xff\xff\xff\xff\xff"sv, "\x80\0"sv).ok());  // NaN
  CHECK_FALSE(entry("\xff\xf0\0\0\0\0\0\0"sv, "\x80\0"sv).ok());              // infinity
  CHECK_FALSE(entry("\xfe\x37\xe4\x3c\x88\0\x75\x9c"sv, "\x80\1"sv).ok());    // 1e300, and one more
  const auto limit = "\xc3\xe0\0\0\0\0\0\0"sv;                                // 2^63
  CHECK(entry(limit, "\x80\0"sv).ok());
  CHECK(entry(limit, "\x7f\xff"sv).value().values[0] == Value::integer(INT64_MAX));
  CHECK_FALSE(entry(limit, "\x80\1"sv).ok());
}

TEST_CASE("Index: a plan is stored, and damage to it is noticed", "[model][index]") {
  IndexPlan plan;
  plan.indexes.push_back({spec({"rooms", "$room", "messages"}, "sent/at"), 3, true, {}});
  plan.indexes.push_back({spec({}, ".value"), 7, false,
                          "\x02"
                          "ab"});
  plan.next_id = 8;
  const std::string bytes = plan.encode();
  const IndexPlan back = IndexPlan::decode(bytes).value();
  REQUIRE(back.indexes.size() == 2);
  CHECK(back.next_id == 8);
  CHECK(back.indexes[0].spec == plan.indexes[0].spec);
  CHECK(back.indexes[0].is_complete);
  CHECK(back.indexes[1].spec == plan.indexes[1].spec);
  CHECK(back.indexes[1].built == plan.indexes[1].built);
  CHECK(back.is_building());
  CHECK(back.encode() == bytes);
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto part = IndexPlan::decode(bytes.substr(0, length));
    CHECK((!part.ok() || part.value().indexes.size() < 2));
  }
  Query query;
  query.order = Order::Child;
  query.child = Path::parse("sent/at").value();
  const std::vector<std::string_view> room = {"rooms", "lobby", "messages"};
  CHECK(back.find(room, query) == &back.indexes[0]);
  CHECK(back.find(std::span(room).first(2), query) == nullptr);
  query.child = Path::parse("sent").value();
  CHECK(back.find(room, query) == nullptr);
  query = {};
  query.order = Order::Value;
  CHECK(back.find({}, query) == nullptr);  // it is not complete
}

TEST_CASE("Index: a list of them is read and written", "[model][index]") {
  const auto specs =
      parse_indexes(R"([{"at":"/rooms/$room","by":"a/b"},{"at":"rooms/$r/","by":"a/b"},{"at":"/","by":".value"}])");
  REQUIRE(specs.ok());
  REQUIRE(specs.value().size() == 2);
  CHECK(indexes_text(specs.value()) == "[{\"at\":\"/rooms/$\",\"by\":\"a/b\"},\n {\"at\":\"/\",\"by\":\".value\"}]");
  CHECK(parse_indexes(indexes_text(specs.value())).value() == specs.value());
  CHECK(parse_indexes("").value().empty());
  for (const char* bad : {"{}", "[1]", R"([{"at":"/a"}])", R"([{"at":"/a","by":7}])", R"([{"at":"/a","by":""}])", "[",
                          R"([{"at":"/a","by":"a.b"}])"}) {
    INFO(bad);
    CHECK_FALSE(parse_indexes(bad).ok());
  }
  const auto several = parse_indexes(R"([{"at":"/m","by":["uid","sent/at"]},{"at":"/m","by":["uid"]}])").value();
  CHECK(several[0].then == std::vector<Path>{Path::parse("sent/at").value()});
  CHECK(several[1] == spec({"m"}, "uid"));
  CHECK(several[0].by() == "uid,sent/at");
  CHECK(parse_indexes(indexes_text(several)).value() == several);
  IndexPlan plan;
  plan.indexes.push_back({several[0], 1});
  CHECK(IndexPlan::decode(plan.encode()).value().indexes[0].spec == several[0]);
  for (const char* bad :
       {R"([{"at":"/m","by":[]}])", R"([{"at":"/m","by":["a",1]}])", R"([{"at":"/m","by":["a",".value"]}])",
        R"([{"at":"/m","by":["1","2","3","4","5","6","7","8","9"]}])"}) {
    INFO(bad);
    CHECK_FALSE(parse_indexes(bad).ok());
  }
  CHECK_FALSE(make_index({}, ".priority"));
}

TEST_CASE("Index: one that covers is told from one that does not, in lists and on disk", "[model][index]") {
  const auto specs =
      parse_indexes(R"([{"at":"/m","by":"n","covers":true},{"at":"/m","by":"k","covers":false}])").value();
  CHECK(specs[0].covers);
  CHECK_FALSE(specs[1].covers);
  CHECK(parse_indexes(indexes_text(specs)).value() == specs);
  CHECK_FALSE(specs[0] == spec({"m"}, "n"));
  CHECK(specs[0].is_same_order(spec({"m"}, "n")));
  CHECK_FALSE(parse_indexes(R"([{"at":"/m","by":"n","covers":1}])").ok());
  // Of the same order twice there is one index, and it covers if either says so.
  const auto merged = parse_indexes(R"([{"at":"/m","by":"n"},{"at":"/m","by":"n","covers":true}])").value();
  REQUIRE(merged.size() == 1);
  CHECK(merged[0].covers);

  IndexPlan plan;
  plan.indexes = {{spec({"$"}, "n"), 1, true, {}}, {specs[0], 2, true, {}}, {specs[1], 3, true, {}}};
  const std::string bytes = plan.encode();
  CHECK(bytes.front() == 2);  // no version before this one would keep the copies
  const IndexPlan back = IndexPlan::decode(bytes).value();
  CHECK(back.indexes[1].spec == specs[0]);
  CHECK(back.indexes[2].spec == specs[1]);
  const std::vector<std::string_view> at = {"m"};
  CHECK(back.find(at, Query::by_child("n")) == &back.indexes[1]);  // both have the order
  plan.indexes[1].is_complete = false;
  CHECK(plan.find(at, Query::by_child("n")) == &plan.indexes[0]);
  plan.indexes.erase(plan.indexes.begin() + 1);
  CHECK(plan.encode().front() == 1);
}

TEST_CASE("Index: a copy has a child's rows up to a size, and damage to it is noticed", "[model][index]") {
  const Value tree = json(R"({"m":{"a":{".value":1,".priority":"p"},"b":{"c":"text"},".priority":3},"n":2})");
  const ValueView view(tree);
  for (const char* key : {"m", "n"}) {
    const Path path = Path::parse(key).value();
    const std::string copy = copy_of_child(view, encode_path(path)).value();
    CHECK(copy == copy_of_child(tree.child(key)));
    ValueBuilder builder;
    REQUIRE(read_copy(copy, [&](std::string_view row, std::string_view leaf) { builder.add(row, leaf); }).ok());
    CHECK(std::move(builder).build() == tree.child(key));
    for (size_t length = 1; length < copy.size(); ++length) {
      size_t rows = 0;
      const auto done = read_copy(std::string_view(copy).substr(0, length), [&](auto, auto) { ++rows; });
      CHECK((!done.ok() || rows < tree.child(key).row_count()));
    }
  }
  const size_t beside = copy_of_child(Value::string("")).size();
  const Value fits = Value::string(std::string(kCopyBytesMax - beside, 'x'));
  CHECK(copy_of_child(fits).size() == kCopyBytesMax);
  const Value large = Value::string(std::string(kCopyBytesMax - beside + 1, 'x'));
  CHECK(copy_of_child(large).empty());
  CHECK(copy_of_child(ValueView(large), "").value().empty());
}

TEST_CASE("Index: the children of all collections of a pattern are found, and no others", "[model][index]") {
  const Value tree =
      json(R"({".priority":1,"a":{".value":1,".priority":2},"rooms":{"1":{"m":{"x":1,"y":{"z":{"w":2}}},"n":7},
      "2":{"m":5},"3":8,"4":{"l":{"q":1},"m":{".priority":3,"k":{".value":1,".priority":1}},"z":{"q":1}}},"s":1})");
  const auto found = [&](const IndexSpec& of, const Value& in) {
    const ValueView view(in);
    std::string all;
    std::string from;
    for (;;) {
      const auto child = next_child(view, of, from, std::string(1, kPastChildren)).value();
      if (!child) return all;
      all += decode_path(child->path()).value().slashed() + " ";
      from = child->path() + kPastChildren;
    }
  };
  CHECK(found(spec({"rooms", "$", "m"}, "s"), tree) == "/rooms/1/m/x /rooms/1/m/y /rooms/4/m/k ");
  CHECK(found(spec({"rooms"}, "s"), tree) == "/rooms/1 /rooms/2 /rooms/3 /rooms/4 ");
  CHECK(found(spec({}, "s"), tree) == "/a /rooms /s ");
  CHECK(found(spec({"$", "$"}, "s"), tree) == "/rooms/1/m /rooms/1/n /rooms/2/m /rooms/4/l /rooms/4/m /rooms/4/z ");
  CHECK(found(spec({"none", "$"}, "s"), tree).empty());
  CHECK(found(spec({}, "s"), json("5")).empty());
  CHECK(found(spec({}, "s"), Value()).empty());
}
