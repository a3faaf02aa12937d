// The static check of an expression (rules/language.md §5): finds each part's type, turns names into what they mean,
// and says with the service's messages what does not fit. Pure.
#pragma once

#include <string>
#include <vector>

#include "rules/language/ast.h"
#include "rules/language/lexer.h"

namespace hearth::rules {

enum class RuleKind : uint8_t { Read, Write, Validate };
std::string_view name_of(RuleKind kind);  // ".read"

// A `$name` that is bound where the rule stands. `depth`: of the key that it captures, from 0.
struct CaptureName {
  std::string name;
  uint32_t depth;
};

// Checks a rule and returns its mistakes. Without any, the expression can be evaluated. `captures`: the innermost last.
// `next_id`: the first free id of the ruleset's expressions; counted on.
std::vector<Mistake> check_rule(Expression& expression, RuleKind kind, const std::vector<CaptureName>& captures,
                                uint32_t& next_id);

}  // namespace hearth::rules
