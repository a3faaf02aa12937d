// An expression of a rule as a tree: what the parser makes, the checker completes and the evaluator walks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rules/language/regex.h"

namespace hearth::rules {

// Static types (rules/language.md §5).
enum class Type : uint8_t {
  Boolean,
  Number,
  String,
  Null,
  Regex,
  Array,
  Snapshot,
  SnapshotMethod,
  Query,
  Value,       // a stored primitive of unknown type
  Auth,        // `auth` and whatever lies in it
  QueryValue,  // what a query gives, if it does
  Mixed,       // of a ternary
};

enum class Operator : uint8_t {
  // Leaves.
  Null,
  Boolean,
  Number,
  String,
  Regex,
  Array,
  Auth,
  Now,
  Root,
  Data,
  NewData,
  Query,
  Capture,
  // Of one operand and a name.
  Member,      // before the check: any; after it: a member of an Auth
  QueryField,  // Expression::field
  Length,      // of a string
  Method,      // Expression::method; not called
  // Of several.
  Index,  // of an Auth
  Call,   // the Method that is called, then arguments
  Not,
  Negate,
  And,
  Or,  // two or more operands
  Equal,
  NotEqual,
  Less,
  LessOrEqual,
  Greater,
  GreaterOrEqual,
  Add,
  Subtract,
  Multiply,
  Divide,
  Remainder,
  Choose,  // condition ? one : other
};

enum class Method : uint8_t {
  Val,
  Child,
  Parent,
  HasChild,
  HasChildren,
  Exists,
  IsString,
  IsNumber,
  IsBoolean,
  GetPriority,  // of snapshots
  Contains,
  BeginsWith,
  EndsWith,
  Replace,
  ToLowerCase,
  ToUpperCase,
  Matches,  // of strings
};

enum class QueryField : uint8_t {
  OrderByKey,
  OrderByPriority,
  OrderByValue,
  OrderByChild,
  StartAt,
  EndAt,
  EqualTo,
  LimitToFirst,
  LimitToLast,
};

struct Expression {
  Operator op = Operator::Null;
  Type type = Type::Null;     // by the checker
  uint32_t id = 0;            // of its ruleset, counted through
  uint32_t height = 1;        // of the tree below, this included
  size_t begin = 0, end = 0;  // bytes of the source
  std::vector<std::unique_ptr<Expression>> operands{};
  std::string text{};    // String; Member: its name; Capture and unknown variables: the name
  double number = 0;     // Number
  bool boolean = false;  // Boolean
  uint32_t depth = 0;    // Capture: which key of the path, from 0
  Method method{};
  QueryField field{};
  std::shared_ptr<const hearth::rules::Regex> regex{};
};

}  // namespace hearth::rules
