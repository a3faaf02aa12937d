// Conditions on rows, as the clients of Supabase ask them: of a child of a path, its members being columns. Values and
// pure functions; any thread.
//
//   filter     := column "=" condition ( "," column "=" condition )*               all hold (realtime)
//   logic      := "(" part ( "," part )* ")"     part := column "." condition | [ "not." ] ( "and" | "or" ) logic
//   condition  := [ "not." ] op "." value | [ "not." ] "in.(" list ")" | [ "not." ] op "(" "any" | "all" ").{" list "}"
//   op         := eq neq lt lte gt gte in like ilike match imatch is isdistinct
//   list       := [ value ( "," value )* ]
//   value      := text, up to what ends it | '"' ( character | "\" character )* '"'
//   column     := name ( "->" key )* [ "->>" key ]                                 name, key := text | '"' … '"'
//
// The column `id` is the row's key, whatever the row has under that name; an absent column is null. What the tree has
// decides how a value compares, for a tree has no column types: a number with an operand that is a number, a boolean
// with t, true, f or false, a text with any. The order is the tree's: that of keys for `id`, of UTF-16 units for texts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kRowFilterBytesMax = 64u << 10;    // of one filter's text
inline constexpr size_t kRowConditionsMax = 100;           // of one filter
inline constexpr size_t kRowOperandsMax = 1'000;           // of one condition: `in`
inline constexpr size_t kRowLogicDepthMax = 10;            // "and" in "or" in …
inline constexpr size_t kRowPatternBytesMax = 256;         // of what like, ilike, match and imatch look for
inline constexpr int64_t kRowPatternMemoryMax = 64 << 10;  // of one that is compiled
// Bytes of a row's text, times the steps of the pattern's program (some ten for a word and two wildcards): some 20 ms at
// worst. A longer text is unknown to the pattern.
inline constexpr size_t kPatternWorkMax = 4u << 20;

inline constexpr std::string_view kRowId = "id";
inline constexpr std::string_view kRowValue = "value";  // the column of a row that is a leaf

struct RowColumn {
  std::string name;
  std::vector<std::string> below{};  // keys within the column: a->b
  bool as_text = false;              // ->>
  bool is_id() const { return name == kRowId && below.empty(); }
  friend bool operator==(const RowColumn&, const RowColumn&) = default;
};

class RowPattern;  // compiled; crosses threads freely

struct RowCondition {
  enum class Op : uint8_t { Eq, Neq, Lt, Lte, Gt, Gte, In, Like, ILike, Match, IMatch, Is, IsDistinct };
  enum class Of : uint8_t { One, Any, All };  // which operands have to match: like(any).{a%,b%}
  Op op = Op::Eq;
  bool negated = false;
  RowColumn column{};
  std::vector<std::string> operands{};  // one; of In, and beside Of::One, any number
  Of of = Of::One;
  std::vector<std::shared_ptr<const RowPattern>> patterns{};  // of the four that look for one; for each operand
};

using RowFilter = std::vector<RowCondition>;  // all hold

// A tree of conditions, for `or=(…)` and `and=(…)`.
struct RowExpression {
  enum class Kind : uint8_t { Condition, And, Or };
  Kind kind = Kind::And;
  bool negated = false;
  RowCondition condition{};            // Kind::Condition
  std::vector<RowExpression> parts{};  // the others; And of none holds
};

// "col=op.value,col2=not.in.(a,\"b,c\")"; blank: no conditions. Errors: InvalidArgument, with the place.
Result<RowFilter> parse_row_filter(std::string_view text);
// "op.value", all that follows being the value. Errors: InvalidArgument.
Result<RowCondition> parse_row_condition(std::string_view column, std::string_view text);
// "(a.eq.1,or(b.gt.2,c.is.null))". Errors: InvalidArgument.
Result<RowExpression> parse_row_logic(RowExpression::Kind kind, std::string_view text);
// "a", "a->b->>c". Errors: InvalidArgument.
Result<RowColumn> parse_row_column(std::string_view text);

// What stands in a column of the row `key`; null: nothing.
Value column_of(const RowColumn& column, std::string_view key, const Value& row);

// As SQL: what is compared with null is neither true nor false, and only what is true matches.
bool matches(const RowFilter& filter, std::string_view key, const Value& row);
bool matches(const RowExpression& expression, std::string_view key, const Value& row);

// For an index of filters by what they equal: a row can match only if the key of its column is among `keys`.
struct RowEquality {
  std::string column;
  std::vector<std::string> keys;
};
// Of the first condition `eq` or `in` that is not negated, on a plain column; nothing when there is none.
std::optional<RowEquality> equality(const RowFilter& filter);
// The key of what a row has in a column (column_of). "": nothing equals it.
std::string equality_key(const Value& value);

// The number that an operand is, if it is one.
Value number_of_operand(std::string_view operand);
std::optional<bool> boolean_of_operand(std::string_view operand);

size_t byte_count(const RowFilter& filter);  // about what it holds in memory

}  // namespace hearth::db
