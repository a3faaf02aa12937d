#include "rules/unindexed.h"

#include <catch2/catch.hpp>

namespace db = hearth::db;
using namespace hearth::rules;

namespace {

db::Query query_by(const char* child) {
  db::Query query;
  query.order = db::Order::Child;
  query.child = db::Path::parse(child).value();
  return query;
}

}  // namespace

TEST_CASE("Unindexed: a query is kept once, with how often and when, the latest first, by namespace", "[rules]") {
  UnindexedQueries queries;
  const db::Path rooms = db::Path::parse("rooms/tea").value();
  queries.note("a", rooms, query_by("sent"), db::Timestamp(1));
  queries.note("a", rooms, query_by("author/id"), db::Timestamp(2));
  queries.note("a", rooms, query_by("sent"), db::Timestamp(3));
  queries.note("b", db::Path(), query_by("x"), db::Timestamp(4));
  db::Query several = query_by("x");
  several.then = {db::Path::parse("y/z").value()};
  queries.note("b", db::Path(), several, db::Timestamp(5));
  db::Query by_value;
  by_value.order = db::Order::Value;
  queries.note("b", db::Path(), by_value, db::Timestamp(6));
  CHECK(unindexed_text(queries.of("a")) ==
        R"({"total":2,"queries":[{"path":"/rooms/tea","by":"sent","times":2,"last":3},)"
        R"({"path":"/rooms/tea","by":"author/id","times":1,"last":2}]})");
  CHECK(unindexed_text(queries.of("b")) == R"({"total":3,"queries":[{"path":"/","by":".value","times":1,"last":6},)"
                                           R"({"path":"/","by":["x","y/z"],"times":1,"last":5},)"
                                           R"({"path":"/","by":"x","times":1,"last":4}]})");
  CHECK(unindexed_text(queries.of("c")) == R"({"total":0,"queries":[]})");
}

TEST_CASE("Unindexed: of many the one that was asked longest ago goes; a long one is not kept", "[rules]") {
  UnindexedQueries queries;
  const db::Path at = db::Path::parse("list").value();
  queries.note("a", at, query_by("first"), db::Timestamp(0));
  for (size_t i = 1; i < kUnindexedMax; ++i) {
    queries.note("a", at, query_by(("n" + std::to_string(i)).c_str()), db::Timestamp(i));
  }
  queries.note("a", at, query_by("first"), db::Timestamp(1000));  // it moves to the front
  queries.note("a", at, query_by("last"), db::Timestamp(1001));
  const auto all = queries.of("a");
  REQUIRE(all.size() == kUnindexedMax);
  CHECK(all[0].by == std::vector<std::string>{"last"});
  CHECK(all[1].by == std::vector<std::string>{"first"});
  CHECK(all[1].times == 2);
  CHECK(all.back().by == std::vector<std::string>{"n2"});
  db::Query long_one = query_by("x");
  long_one.then.assign(3, db::Path::parse(std::string(700, 'k')).value());
  queries.note("a", at, long_one, db::Timestamp(2000));
  CHECK(queries.of("a")[0].by == std::vector<std::string>{"last"});
}
