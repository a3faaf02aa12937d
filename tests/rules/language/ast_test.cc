#include "rules/language/ast.h"

#include <catch2/catch.hpp>

#include "rules/language/parser.h"

using namespace hearth::rules;

TEST_CASE("Expression: knows its bytes of the source and the height below it", "[rules]") {
  const Parsed parsed = parse_expression("  true && (1 + 2 > now)");
  REQUIRE(parsed.expression != nullptr);
  const Expression& root = *parsed.expression;
  CHECK(root.op == Operator::And);
  CHECK(root.height == 4);
  CHECK(root.begin == 2);
  const Expression& greater = *root.operands[1];
  CHECK(greater.begin == 11);
  CHECK(greater.end == 22);
  CHECK(greater.height == 3);
}
