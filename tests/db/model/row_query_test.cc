#include "db/model/row_query.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "db/model/index.h"
#include "db/model/json.h"
#include "db/model/key_order.h"
#include "tests/support/value_view.h"

using namespace hearth::db;
using hearth::test::ValueView;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

// A tree that has the rows of some indexes, and counts what is read.
class IndexedView final : public TreeView {
 public:
  IndexedView(const Value& value, std::set<std::string> by) : tree_(value), value_(value), by_(std::move(by)) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return tree_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
      ++rows;
      return row(key, leaf);
    });
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override { return tree_.leaf(key); }
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override {
    if (query.order != Order::Child || !by_.contains(query.child.text())) return std::optional<IndexRows>();
    std::vector<std::pair<std::string, Value>> rows;
    const Value table = value_.at(collection);
    for (auto child = table.children(); !child.done(); child.next()) {
      std::string key;
      append_index_place(position_of(child.key(), child.value(), query), key);
      append_segment(child.key(), key);
      rows.emplace_back(std::move(key), Value());
    }
    struct Rows final : TreeView {
      Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
        for (auto at = keys.lower_bound(std::string(from)); at != keys.end() && *at < upto; ++at) {
          if (!row(*at, "")) break;
        }
        return {};
      }
      Result<std::optional<std::string>> leaf(std::string_view) const override { return std::optional<std::string>(); }
      std::set<std::string> keys;
    };
    auto of = std::make_shared<Rows>();
    for (auto& row : rows) of->keys.insert(std::move(row.first));
    return std::optional(IndexRows{std::move(of), ""});
  }
  mutable size_t rows = 0;

 private:
  const ValueView tree_;
  const Value value_;
  const std::set<std::string> by_;
};

class SeesSome final : public RowSight {
 public:
  bool sees_all() const override { return false; }
  Result<bool> sees(std::string_view key) const override { return key.size() % 2 == 0; }
};

RowExpression all_of(const std::string& text) { return parse_row_logic(RowExpression::Kind::And, text).value(); }
RowColumn column(const std::string& text) { return parse_row_column(text).value(); }

std::string keys_of(const FoundRows& found) {
  std::string keys;
  for (const FoundRow& one : found.rows) keys += (keys.empty() ? "" : " ") + one.key;
  return found.total ? keys + " of " + std::to_string(*found.total) : keys;
}

std::string found(const TreeView& view, const RowQuery& query, const RowSight& sight = SeesAll()) {
  const auto rows = find_rows(view, Path::parse("t").value(), query, sight, false, 1u << 20);
  return rows.ok() ? keys_of(rows.value()) : rows.error().message;
}

// What the definition says, without any thrift.
FoundRows by_definition(const Value& table, const RowQuery& query, const RowSight& sight) {
  std::vector<FoundRow> all;
  for (auto child = table.children(); !child.done(); child.next()) {
    if (matches(query.where, child.key(), child.value()) && (sight.sees_all() || sight.sees(child.key()).value())) {
      all.push_back({child.key(), child.value()});
    }
  }
  std::sort(all.begin(), all.end(), [&](const FoundRow& a, const FoundRow& b) {
    for (const RowOrder& order : query.order) {
      const Value left = column_of(order.column, a.key, a.row);
      const Value right = column_of(order.column, b.key, b.row);
      if (left.is_null() != right.is_null()) return left.is_null() == order.nulls_first;
      const int compared = order.column.is_id() ? compare_keys(a.key, b.key)
                           : left.is_null()     ? 0
                                                : compare_values(left, right);
      if (compared != 0) return (compared < 0) != order.descending;
    }
    const bool is_down = !query.order.empty() && query.order.front().descending;
    return is_down ? compare_keys(a.key, b.key) > 0 : compare_keys(a.key, b.key) < 0;
  });
  FoundRows found;
  if (query.counts) found.total = all.size();
  for (size_t i = query.offset; i < all.size() && i - query.offset < query.limit.value_or(UINT64_MAX); ++i) {
    if (query.wants_rows) found.rows.push_back(all[i]);
  }
  return found;
}

Value many(size_t rows, const std::string& row = R"({"n":1})") {
  std::vector<std::pair<std::string, Value>> all;
  for (size_t i = 0; i < rows; ++i) all.emplace_back("k" + std::to_string(i), json(row));
  return Value::object({{"t", Value::object(all)}});
}

}  // namespace

TEST_CASE("RowQuery: order, nulls, offset, limit and count", "[model]") {
  const Value tree = json(R"({"t":{"a":{"n":2},"b":{"n":1},"c":{"x":1},"d":{"n":2},"2":{"n":"x"},"10":{"n":true}}})");
  const ValueView view(tree);
  RowQuery query;
  CHECK(found(view, query) == "2 10 a b c d");
  query.order = {{column("n"), false, false}};
  CHECK(found(view, query) == "10 b a d 2 c");
  query.order = {{column("n"), true, true}};
  CHECK(found(view, query) == "c 2 d a b 10");
  query.order = {{column("n"), true, false}, {column("id"), false, false}};
  CHECK(found(view, query) == "2 a d b 10 c");
  query.order = {{column("id"), true, true}};
  query.limit = 2;
  query.offset = 1;
  query.counts = true;
  CHECK(found(view, query) == "c b of 6");
  query.wants_rows = false;
  CHECK(found(view, query) == " of 6");
  query.where = all_of("(n.eq.2)");
  CHECK(found(view, query) == " of 2");
  CHECK(found(view, query, SeesSome()) == " of 0");
}

TEST_CASE("RowQuery: whatever way is chosen, what is found is what the definition says", "[model]") {
  std::mt19937 random(20260302);
  const auto one_of = [&](const std::vector<std::string>& of) { return of[random() % of.size()]; };
  const std::vector<std::string> values = {"1",   "2",    "\"1\"", "\"b\"",     "true", "false",   "null",
                                           "1.5", "\"\"", "\"é\"", "{\"m\":1}", "-3",   "\"true\""};
  const std::vector<std::string> columns = {"n", "m", "o->p", "id"};
  const std::vector<std::string> operands = {"1", "2", "b", "true", "f", "", "é", "k1", "k3", "10", "-3", "1.0"};
  size_t found_rows = 0;
  for (int round = 0; round < 3'000; ++round) {
    std::string text = "{\"t\":{\"k0\":{\"z\":1}";
    const size_t rows = random() % 12;
    for (size_t i = 0; i < rows; ++i) {
      const std::string key = random() % 3 == 0 ? std::to_string(random() % 12) : "k" + std::to_string(random() % 12);
      text += ",\"" + key + "\":{\"z\":1,\"n\":" + one_of(values) + ",\"m\":" + one_of(values) +
              ",\"o\":{\"p\":" + one_of(values) + "}}";
    }
    const Value tree = json(text + "},\"u\":{\"a\":1}}");
    RowQuery query;
    const auto condition = [&] {
      const std::string op = one_of({"eq", "neq", "gt", "gte", "lt", "lte", "in", "is", "not.eq", "eq", "gt"});
      const std::string operand = op == "is"   ? one_of({"null", "true", "not_null"})
                                  : op == "in" ? "(" + one_of(operands) + "," + one_of(operands) + ")"
                                               : one_of(operands);
      return one_of(columns) + "." + op + "." + operand;
    };
    if (random() % 4 != 0) {
      std::string where = "(" + condition();
      if (random() % 2 == 0) where += "," + condition();
      if (random() % 4 == 0) where += ",or(" + condition() + "," + condition() + ")";
      query.where = all_of(where + ")");
    }
    for (size_t i = random() % 3; i > 0; --i) {
      query.order.push_back({column(one_of(columns)), random() % 2 == 0, random() % 2 == 0});
    }
    if (random() % 2 == 0) query.limit = random() % 5;
    if (random() % 3 == 0) query.offset = random() % 4;
    query.counts = random() % 3 == 0;
    const SeesAll all;
    const SeesSome some;
    const RowSight& sight = random() % 2 == 0 ? static_cast<const RowSight&>(all) : some;
    const FoundRows expected = by_definition(tree.child("t"), query, sight);
    found_rows += expected.rows.size();
    for (const std::set<std::string>& by :
         std::vector<std::set<std::string>>{{}, {"n"}, {"m", "o/p"}, {"n", "m", "o/p"}}) {
      INFO("round " << round << ", " << to_json(tree, JsonStyle::Export) << ", indexes " << by.size());
      CHECK(found(IndexedView(tree, by), query, sight) == keys_of(expected));
    }
  }
  CHECK(found_rows > 1'000);
}

TEST_CASE("RowQuery: keys, an index or a limit spare the rest of the table", "[model]") {
  const Value tree = many(5'000, R"({"n":1,"m":2})");
  const auto looks = [&](const RowQuery& query) {
    const IndexedView view(tree, {"n"});
    static_cast<void>(find_rows(view, Path::parse("t").value(), query, SeesAll(), false, 8u << 20).value());
    return view.rows;
  };
  RowQuery query;
  CHECK(looks(query) >= 10'000);
  query.limit = 10;
  CHECK(looks(query) < 100);
  query.order = {{column("n"), true, true}};
  CHECK(looks(query) < 100);
  query.order = {{column("m"), false, false}};
  CHECK(looks(query) >= 10'000);
  query = {};
  query.where = all_of("(id.in.(k7,k8,none),m.eq.2)");
  CHECK(looks(query) < 20);
  query.where = all_of("(n.eq.2,m.eq.2)");
  CHECK(looks(query) < 20);
  query.where = all_of("(n.gt.1)");
  CHECK(looks(query) < 20);
  query.where = all_of("(id.gt.k4998,id.lt.k5)");
  CHECK(looks(query) < 100);
}

TEST_CASE("RowQuery: more rows than may be looked at are refused, with the index that would help", "[model]") {
  const Value most = many(kRowsLookedAtMax);
  const Value more = many(kRowsLookedAtMax + 1);
  RowQuery query;
  query.wants_rows = false;
  query.counts = true;
  query.where = all_of("(n.eq.1)");
  CHECK(found(ValueView(most), query) == " of 10000");
  CHECK(found(ValueView(more), query) ==
        "This looks at more than 10000 rows of /t, and no index helps yet: add \".indexOn\": \"n\", for path \"/t\", "
        "to the "
        "rules");
  CHECK(found(IndexedView(more, {"n"}), query).find("ask for fewer at a time") != std::string::npos);
  query.where = {};
  CHECK(found(ValueView(more), query) == " of 10001");  // a plain count
  query.counts = false;
  query.wants_rows = true;
  CHECK(found(ValueView(more), query).find("ask for fewer at a time") != std::string::npos);
  query.limit = 3;
  CHECK(found(ValueView(more), query) == "k0 k1 k10");
  query.order = {{column("m"), false, false}};
  CHECK(found(ValueView(more), query).find("\".indexOn\": \"m\"") != std::string::npos);
  // What is not seen is looked at all the same.
  query.order = {};
  query.where = all_of("(n.eq.2)");
  CHECK(found(ValueView(more), query).find("\".indexOn\": \"n\"") != std::string::npos);
  const auto large = find_rows(ValueView(most), Path::parse("t").value(), RowQuery(), SeesAll(), false, 10'000);
  REQUIRE_FALSE(large.ok());
  CHECK(large.error().code == ErrorCode::TooLarge);
}

TEST_CASE("RowQuery: a priority of the table, leaves and deep rows are rows as others", "[model]") {
  const Value tree = json(R"({"t":{".priority":3,"a":5,"b":{"x":{"y":{"z":1}}},"c":{".priority":1,"n":2}},"u":7})");
  CHECK(found(ValueView(tree), RowQuery()) == "a b c");
  CHECK(find_rows(ValueView(tree), Path::parse("u").value(), RowQuery(), SeesAll(), true, 100).value().rows.empty());
  const auto rows = find_rows(ValueView(tree), Path::parse("t").value(), RowQuery(), SeesAll(), true, 10'000).value();
  CHECK(rows.rows[1].row == tree.at(Path::parse("t/b").value()));
  CHECK(rows.rows[2].row == tree.at(Path::parse("t/c").value()));
  const FoundRows back = found_rows_of(to_value({rows.rows, 7}));
  CHECK(keys_of(back) == "a b c of 7");
  CHECK(back.rows[1].row == rows.rows[1].row);
  CHECK(found_rows_of(to_value({})).rows.empty());
}
