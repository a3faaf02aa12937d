// Patterns that stall engines which backtrack, on 1 MiB of what they like least: each is refused at upload, stopped by the
// budget, or matched at a cost in proportion to the input. Counted work decides, not a clock.
#include <catch2/catch.hpp>
#include <vector>

#include "db/model/json.h"
#include "rules/ruleset.h"
#include "tests/support/value_view.h"

namespace db = hearth::db;
using namespace hearth::rules;

namespace {

enum class End { Refused, Stopped, InProportion };

// The work of two sizes of input: proportionate when the larger's is at most in proportion.
End run(const std::string& pattern, const std::string& seed, const std::string& tail) {
  std::string quoted;
  db::append_json_string("data.val().matches(/" + pattern + "/)", quoted);
  const auto ruleset = Ruleset::compile("{\"rules\":{\".read\":" + quoted + "}}");
  if (!ruleset.ok()) return End::Refused;
  const Expression& rule = *ruleset.value()->rules().front()->expression;
  uint64_t work[2];
  for (const size_t size : {size_t{1} << 16, size_t{1} << 20}) {
    std::string text;
    while (text.size() < size) text += seed;
    const hearth::test::ValueView tree(db::Value::string(text + tail));
    const Question question;
    Evaluator evaluator(question, tree, nullptr, {});
    const Outcome outcome = evaluator.evaluate(rule, "", {}).value();
    work[size == size_t{1} << 20] = kScanBytesMax - evaluator.scan_bytes_left();
    if (outcome == Outcome::Failed) return End::Stopped;
  }
  CHECK(work[1] <= 17 * work[0]);
  return End::InProportion;
}

}  // namespace

TEST_CASE("ReDoS: no pattern costs more than its size times its input", "[rules]") {
  struct Case {
    std::string pattern, seed, tail;
  };
  const std::vector<Case> cases = {
      {"^(a+)+$", "a", "!"},
      {"^(a*)*$", "a", "!"},
      {"^(a|a)*$", "a", "!"},
      {"^(a|aa)+$", "a", "!"},
      {"^(a|a?)+$", "a", "!"},
      {"(.*a){20}", "a", ""},
      {"^(.*a){20}$", "a", "!"},
      {"(.*)*x", "a", ""},
      {"^(([a-z])+.)+[A-Z]([a-z])+$", "a", ""},
      {"^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}$", "a", "!"},
      {"(x+x+)+y", "x", ""},
      {"(x+x+)+y", "x", "y"},
      {"a*b?a*x", "a", ""},
      {"a*a*a*a*a*x", "a", ""},
      {"^\\s+|\\s+$", " ", "x"},
      {"\\s*$", " ", "x"},
      {"(a|b|ab)*c", "ab", ""},
      {"(0|1)*0(0|1){18}x", "01", ""},
      {"(a|b)*a(a|b){20}c", "ab", ""},
      {"(a|b)*a(a|b){50}c", "ab", ""},
      {"[ab]*a[ab]{100}c", "ab", ""},
      {"(a?){30}a{30}", "a", ""},
      {"(a?){200}a{200}", "a", ""},
      {"((a?){10}){10}a{100}x", "a", ""},
      {"^(\\w+\\s?)*$", "word ", "!"},
      {"^(\\w+\\s?)*\\$$", "aaaa ", "!"},
      {"^((\\w|\\d)+)*$", "a1", "!"},
      {"([^\"]*\"[^\"]*\")*$", "a\"", "x"},
      {"(\\d+)+\\.", "1", ""},
      {"^(\\d+,?)+$", "1,", "x"},
      {"<(.+)+>", "<", ""},
      {"(.+)+@(.+)+\\.(.+)+", "a@", ""},
      {"^(([^<>()]+)|(\".+\"))@", "a", ""},
      {".*.*.*=.*", "x", ""},
      {"(=*)*=$", "=", "x"},
      {"([a-z]+)*\\d", "abc", ""},
      {"^(?:a+)+$", "a", "!"},
      {"(a+){10}b", "a", ""},
      {"(ab*)*c", "abb", ""},
      {"(((((a*)*)*)*)*)*b", "a", ""},
      {"(a{1,100}){1,100}b", "a", ""},
      {"((a{1,100}){1,100}){1,100}b", "a", ""},
      {"é*é*é*x", "é", ""},
      {"(.|\\s)*x", "a\n", ""},
      {"^(a|b|c|d|e|f|g)*h$", "abcdefg", "!"},
  };
  REQUIRE(cases.size() >= 40);
  size_t ends[3] = {};
  for (const Case& c : cases) {
    INFO(c.pattern);
    ++ends[static_cast<size_t>(run(c.pattern, c.seed, c.tail))];
  }
  // Some of each: the table is no table of harmless patterns.
  CHECK(ends[static_cast<size_t>(End::Refused)] >= 2);
  CHECK(ends[static_cast<size_t>(End::Stopped)] >= 2);
  CHECK(ends[static_cast<size_t>(End::InProportion)] >= 20);
}
