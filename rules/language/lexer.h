// An expression as tokens (rules/language.md §4). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"

namespace hearth::rules {

struct Token {
  enum class Kind : uint8_t {
    End,
    Number,  // number
    String,  // text: unescaped
    Regex,   // text: the pattern; flags
    Name,    // text: also true, false, null, and with a leading $
    Symbol,  // text: an operator or bracket
  };
  Kind kind = Kind::End;
  size_t begin = 0, end = 0;  // bytes of the expression
  std::string text{};
  std::string flags{};
  double number = 0;
};

// What is wrong with an expression, and at which of its bytes.
struct Mistake {
  size_t at = 0;
  std::string what;
};

struct Tokens {
  std::vector<Token> tokens;      // the last is End
  std::vector<Mistake> mistakes;  // at most one; then the tokens stop before it
};

// Whether a number, as it is written, is octal: 010 is 8.
bool is_octal(std::string_view number);

// Slashes begin a regular expression where a value is expected, else they divide.
Tokens tokenize(std::string_view expression);

}  // namespace hearth::rules
