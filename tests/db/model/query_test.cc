#include "db/model/query.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::db;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }

// One of each: no two say the same.
std::vector<Query> all_kinds() {
  const Query child = Query::by_child("a");
  Query several = child;
  several.then = {Path::parse("b").value()};
  Query counting = child;
  counting.counts = true;
  const Value one = Value::integer(1);
  Query from_two = several.start_at(one);
  from_two.start->rest = {one};
  return {Query::by_key(),
          Query::by_value(),
          Query::by_priority(),
          child,
          Query::by_child("a/b"),
          several,
          counting,
          child.limit_to_first(1),
          child.limit_to_last(1),
          child.limit_to_last(2),
          child.start_at(one),
          child.start_at(Value::string("1")),
          child.start_at(one, "k"),
          child.start_after(one),
          child.end_at(one),
          child.end_before(one),
          child.equal_to(one),
          several.start_at(one),
          from_two};
}

}  // namespace

TEST_CASE("Query: its text tells queries apart", "[model][query]") {
  const std::vector<Query> all = all_kinds();
  for (size_t i = 0; i < all.size(); ++i) {
    CHECK(check_query(all[i]).ok());
    for (size_t j = 0; j < all.size(); ++j) {
      INFO(all[i].text() << " and " << all[j].text());
      CHECK((all[i].text() == all[j].text()) == (i == j));
      CHECK((all[i] == all[j]) == (i == j));
    }
  }
}

TEST_CASE("Query: an order by several children compares one after the other", "[model][query]") {
  Query query = Query::by_child("u");
  query.then = {Path::parse("t").value()};
  const auto place = [&](std::string child) { return position_of("k", json(std::move(child)), query); };
  const std::vector<Position> sorted = {place("7"),
                                        place(R"({"t":1})"),
                                        place(R"({"u":1})"),
                                        place(R"({"u":1,"t":5})"),
                                        place(R"({"u":1,"t":{"x":1}})"),
                                        place(R"({"u":2,"t":1})")};
  for (size_t i = 0; i + 1 < sorted.size(); ++i) CHECK(compare_places(sorted[i], sorted[i + 1]) < 0);
  const auto within = [&](const Query& asked) {
    std::string found;
    for (const Position& position : sorted) found += in_range(position, asked) ? '1' : '0';
    return found;
  };
  const Value one = Value::integer(1);
  // A bound with fewer values stands for all that begin so.
  CHECK(within(query.equal_to(one)) == "001110");
  CHECK(within(query.start_after(one)) == "000001");
  CHECK(within(query.end_before(one)) == "110000");
  Query from = query.start_at(one);
  from.start->rest = {Value::integer(5)};
  CHECK(within(from) == "000111");
  Query upto = query.end_at(one);
  upto.end->rest = {Value::integer(5)};
  CHECK(within(upto) == "111100");
  upto.end->rest.push_back(one);
  CHECK_FALSE(check_query(upto).ok());
  query.then.resize(kOrderChildrenMax - 1, Path::parse("t").value());
  CHECK(check_query(query).ok());
  query.then.resize(kOrderChildrenMax, Path::parse("t").value());
  CHECK_FALSE(check_query(query).ok());
}

TEST_CASE("Query: integers beyond 2^53 and doubles have one order", "[model][query]") {  // db/model/data-model.md §2.3
  const std::vector<std::string> sorted = {"-9223372036854775808",
                                           "-1",
                                           "-0.5",
                                           "0",
                                           "9007199254740992",
                                           "9007199254740993",
                                           "9007199254740994",
                                           "1e16",
                                           "9223372036854775806",
                                           "9223372036854775807",
                                           "1e300"};
  for (size_t i = 0; i < sorted.size(); ++i) {
    for (size_t j = 0; j < sorted.size(); ++j) {
      INFO(sorted[i] << " and " << sorted[j]);
      const int order = compare_values(json(sorted[i]), json(sorted[j]));
      CHECK((order < 0) == (i < j));
      CHECK((order > 0) == (i > j));
    }
  }
}
