#include "rules/coverage.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "tests/support/value_view.h"

namespace db = hearth::db;
using namespace hearth::rules;

TEST_CASE("Coverage: counts what was evaluated, in every form", "[rules]") {
  const auto ruleset = Ruleset::compile(
      "{\"rules\":{\n\"a\":{\".read\":\"data.exists() && data.val() > 1\"},\n\"b\":{\".write\":\"true < "
      "'<'\"==\"\"}}}");
  const auto good = Ruleset::compile(
      "{\"rules\":{\n\"a\":{\".read\":\"data.exists() && data.val() > 1\"},\n\"b\":{\".write\":\"'<' == ''\"}}}");
  CHECK_FALSE(ruleset.ok());
  REQUIRE(good.ok());
  Coverage coverage(good.value());
  Question question;
  question.coverage = &coverage;
  for (const char* data : {"{}", R"({"a":1})", R"({"a":2})", R"({"a":true})"}) {
    const hearth::test::ValueView tree(db::parse_value(data, db::Path()).value());
    REQUIRE(good.value()->may_read(tree, db::Path::parse("a").value(), question).ok());
  }
  const Rule& rule = *good.value()->rules().front();
  CHECK(coverage.evaluations(rule) == 4);
  CHECK(coverage.of(rule.expression->id, Coverage::Seen::True) == 1);
  CHECK(coverage.of(rule.expression->id, Coverage::Seen::False) == 2);
  CHECK(coverage.of(rule.expression->id, Coverage::Seen::Failed) == 1);
  const auto json = db::JsonDocument::parse(coverage.to_json());
  REQUIRE(json.ok());
  const auto rules = json.value().root().field("rules")->elements();
  REQUIRE(rules.size() == 2);
  CHECK(rules[0].field("true")->integer() == 1);
  CHECK(rules[0].field("parts")->elements()[1].field("source")->string() == "data.exists()");
  CHECK(rules[0].field("parts")->elements()[1].field("false")->integer() == 1);
  CHECK(coverage.to_text() ==
        "    2        1 true       2 false       1 failed  /a .read\n"
        "    3        0 true       0 false       0 failed  /b .write\n"
        "1 of 2 rules were evaluated\n");
  CHECK(coverage.to_lcov("r.json") ==
        "TN:\nSF:r.json\nBRDA:2,0,0,1\nBRDA:2,0,1,3\nBRDA:3,1,0,0\nBRDA:3,1,1,0\nDA:2,4\nDA:3,0\nBRF:4\nBRH:2\nLF:"
        "2\nLH:1\nend_of_record\n");
  const std::string page = coverage.to_html();
  CHECK(page.find("class=\"both\"") != std::string::npos);
  CHECK(page.find("class=\"never\"") != std::string::npos);
  CHECK(page.find("'&lt;' == ''") != std::string::npos);
}
