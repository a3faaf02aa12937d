#include "db/model/json_members.h"

#include <catch2/catch.hpp>
#include <vector>

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
  top.text_or_null("nobody", "");
  top.text_or_null("somebody", "ada");
  top.texts("none", std::vector<std::string>());
  top.texts("some", std::vector<std::string>{"x", "\"y\""});
  top.objects("list", std::vector<int>{1, 2}, [](int one, JsonMembers& member) { member.number("one", one); });
  top.close();
  CHECK(json == R"(before:{"na\"me":"a\nb","good":false,"n":18446744073709551615,"ms":-7,"empty":{},"nobody":null,)"
                R"("somebody":"ada","none":[],"some":["x","\"y\""],"list":[{"one":1},{"one":2}]})");
}
