#include "db/model/json_members.h"

#include <catch2/catch.hpp>

using hearth::db::JsonMembers;

TEST_CASE("JsonMembers: members stand in the order in which they were added, and texts are quoted", "[db][model]") {
  std::string json = "before:";
  JsonMembers top(json);
  top.text("na\"me", "a\nb");
  top.truth("good", false);
  top.number("n", uint64_t{18'446'744'073'709'551'615u});
  top.time("ms", std::chrono::milliseconds(-7));
  JsonMembers empty(top.begin("empty"));
  empty.close();
  top.texts("none", {});
  top.texts("some", {"x", "\"y\""});
  top.list("list", std::vector<int>{1, 2}, [](int one, std::string& to) {
    JsonMembers member(to);
    member.number("one", one);
    member.close();
  });
  top.close();
  CHECK(json == R"(before:{"na\"me":"a\nb","good":false,"n":18446744073709551615,"ms":-7,"empty":{},"none":[],)"
                R"("some":["x","\"y\""],"list":[{"one":1},{"one":2}]})");
}
