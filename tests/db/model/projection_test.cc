#include "db/model/projection.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"

using namespace hearth::db;

namespace {

Value json(std::string text) { return parse_value(std::move(text), Path()).value(); }
std::string text(const Value& value) { return to_json(value, JsonStyle::Export); }

}  // namespace

TEST_CASE("Projection: of each child what is selected, and nothing of what has none", "[model]") {
  const Value all = json(
      R"({"a":{"n":1,"by":{"id":7,"name":"x"},"rest":2},"b":{"rest":3},"c":5,"d":{"n":{".value":1,".priority":2}}})");
  CHECK(text(projected(all, parse_projection("n,by/id").value())) ==
        R"({"a":{"by":{"id":7},"n":1},"d":{"n":{".value":1,".priority":2}}})");
  CHECK(text(projected(all, {})) == text(all));
  CHECK(text(projected(json("5"), parse_projection("n").value())) == "5");
  CHECK(text(projected(all, parse_projection("by/id,by").value())) == R"({"a":{"by":{"id":7,"name":"x"}}})");
  for (const std::string_view bad : {"", ",", "a,", "a,,b", "/", "a.b"}) {
    INFO(bad);
    CHECK_FALSE(parse_projection(bad).ok());
  }
  std::string most = "a0";
  for (size_t i = 1; i < kProjectedPathsMax; ++i) most += ",a" + std::to_string(i);
  CHECK(parse_projection(most).ok());
  CHECK_FALSE(parse_projection(most + ",b").ok());
}
