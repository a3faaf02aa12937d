// An expression's text to its tree (rules/language.md §4). Pure; the stack is bounded by kExpressionDepthMax.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "rules/language/ast.h"
#include "rules/language/lexer.h"

namespace hearth::rules {

inline constexpr size_t kExpressionDepthMax = 256;  // of operators within operators

struct Parsed {
  std::unique_ptr<Expression> expression;  // null when there is a mistake
  std::vector<Mistake> mistakes;
};

Parsed parse_expression(std::string_view text);

}  // namespace hearth::rules
