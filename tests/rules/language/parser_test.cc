#include "rules/language/parser.h"

#include <catch2/catch.hpp>

using namespace hearth::rules;

namespace {
// The tree in brackets.
std::string shape(const Expression& e) {
  static const std::vector<std::string> kNames = {"null", "bool",    "num",   "str", "re", "[]", "auth", "now", "root",
                                                  "data", "newData", "query", "$",   ".",  "?f", "len",  "m",   "at",
                                                  "call", "!",       "neg",   "&&",  "||", "==", "!=",   "<",   "<=",
                                                  ">",    ">=",      "+",     "-",   "*",  "/",  "%",    "?:"};
  std::string text = kNames[static_cast<size_t>(e.op)];
  if (e.op == Operator::Member || e.op == Operator::Capture) text += e.text;
  if (e.operands.empty()) return text;
  text += "(";
  for (const auto& operand : e.operands) text += (text.back() == '(' ? "" : ",") + shape(*operand);
  return text + ")";
}
std::string parsed(std::string_view text) {
  const Parsed result = parse_expression(text);
  if (result.expression != nullptr) return shape(*result.expression);
  return std::to_string(result.mistakes.front().at) + ": " + result.mistakes.front().what;
}
}  // namespace

TEST_CASE("Parser: precedence and association", "[rules]") {  // rules/language.md §4
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"true || false && true || null", "||(bool,&&(bool,bool),null)"},
      {"1 - 2 - 3 * 4", "-(-(num,num),*(num,num))"},
      {"1 < 2 == true", "==(<(num,num),bool)"},
      {"!a.b['c'](1)[$k]", "!(at(call(.c(.b($a)),num),$$k))"},
      {"- -1 + !true", "+(neg(neg(num)),!(bool))"},
      {"true || false ? 1 : now ? 2 : 3", "?:(||(bool,bool),num,?:(now,num,num))"},
      {"data.hasChildren(['a', $b])", "call(.hasChildren(data),[](str,$$b))"},
      {"(true);", "bool"},
      {"'a'.matches(/b/)", "call(.matches(str),re)"},
  };
  for (const auto& [text, tree] : cases) {
    INFO(text);
    CHECK(parsed(text) == tree);
  }
}

TEST_CASE("Parser: what is no rule expression is refused, with its place", "[rules]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "0: Unexpected end of expression"},
      {"1 +", "3: Unexpected end of expression"},
      {"(true", "5: missing ) in parenthetical"},
      {"f(1", "3: missing ) after argument list"},
      {"[1 2]", "3: missing ] after element list"},
      {"a[1", "3: missing ] in index expression"},
      {"a ? 1", "5: missing : in conditional expression"},
      {"a.1", "1: missing ; before statement"},
      {"a . ", "4: missing name after . operator"},
      {"a = 1", "2: Rule expressions may not contain assignments."},
      {"a & b", "2: Rule expressions may not contain bitwise operators."},
      {"typeof a", "0: Rule expressions may not contain 'typeof'."},
      {"a in b", "2: Rule expressions may not contain 'in'."},
      {"{}", "0: Rule expressions may not contain object literals."},
      {"a++", "1: Rule expressions may not contain increments."},
      {"+1", "0: syntax error"},
      {"true; false", "6: missing ; before statement"},
      {"1, 2", "1: syntax error"},
      {"`a`", "0: syntax error"},
  };
  for (const auto& [text, what] : cases) {
    INFO(text);
    CHECK(parsed(text) == what);
  }
}
