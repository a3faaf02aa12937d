#include "rules/language/types.h"

#include <catch2/catch.hpp>

#include "rules/language/parser.h"

using namespace hearth::rules;

namespace {
// What the check says of a `.write` where `$id` is bound: the message, or nothing.
std::string told(std::string_view text, RuleKind kind = RuleKind::Write) {
  const Parsed parsed = parse_expression(text);
  REQUIRE(parsed.expression != nullptr);
  uint32_t next = 0;
  const auto mistakes = check_rule(*parsed.expression, kind, {{"$id", 1}}, next);
  CHECK(mistakes.size() <= 1);
  return mistakes.empty() ? "" : mistakes.front().what;
}
}  // namespace

// rules/language.md §5: each static type in each position.
TEST_CASE("Types: what each operator takes", "[rules]") {
  struct Part {
    std::string text;
    bool comparable, ordered, number, string;
  };
  const std::vector<Part> parts = {
      {"true", true, false, false, false},        {"1", true, true, true, false},
      {"'a'", true, true, false, true},           {"null", true, false, false, false},
      {"data", false, false, false, false},       {"data.exists", false, false, false, false},
      {"data.val()", true, true, true, true},     {"auth.x.y", true, true, true, true},
      {"query.startAt", true, true, true, false}, {"(now > 1 ? 1 : 'a')", true, true, true, true},
      {"query", false, false, false, false},      {"$id", true, true, false, true},
  };
  for (const Part& part : parts) {
    INFO(part.text);
    CHECK(told(part.text + " == 1").empty() == part.comparable);
    CHECK(told("1 !== " + part.text).empty() == part.comparable);
    CHECK(told(part.text + " < 1").empty() == part.ordered);
    CHECK(told("'a' >= " + part.text).empty() == part.ordered);
    CHECK(told(part.text + " + 1 == 1").empty() == part.ordered);
    CHECK(told(part.text + " * 2 == 1").empty() == part.number);
    CHECK(told("-" + part.text + " == 1").empty() == part.number);
    CHECK(told("data.child(" + part.text + ").exists()").empty() == part.string);
    CHECK(told("'a'.contains(" + part.text + ")").empty() == part.string);
  }
}

TEST_CASE("Types: sums, names of methods, and messages that say === as ==", "[rules]") {
  CHECK(told("(1 + 2).length > 1") == "Invalid property access: target is not an object.");
  CHECK(told("('a' + 2).length > 1").empty());
  CHECK(told("(data.val() + 2).length > 1").empty());
  CHECK(told("data === 1") == "Invalid == expression: left operand is not a number, boolean, string, null.");
  CHECK(told("data !== 1") == "Invalid != expression: left operand is not a number, boolean, string, or null.");
  CHECK(told("$id.toLowerCase('x') == 'a'") == "toLowerCase() expects no arguments.");
  CHECK(told("$id.replace('a', 1) == 'a'") == "Argument 2 of replace() must be a string.");
  CHECK(told("$id.matches(/a/, /b/)") == "matches() expects 1 regular expression literal argument.");
  CHECK(told("auth.toUpperCase() == 'A'").empty());
  CHECK(told("auth.token.name.length > 3").empty());
  CHECK(told("newData.exists()", RuleKind::Read) == "newData is invalid in .read expressions.");
  CHECK(told("newData.exists()", RuleKind::Validate).empty());
  CHECK(told("$other == 'a'") == "Unknown variable '$other'.");
  CHECK(told("now()") == "Type error: Function call on target that is not a function.");
  CHECK(name_of(RuleKind::Validate) == ".validate");
}
