// Whether a row matches. Three-valued, as SQL:
//
//   row             condition       says
//   n: 5            n=eq.5          True         5 is a number, and so is the operand
//   n: "5"          n=eq.5          True         a text equals every operand that is spelled like it
//   n: 5            n=eq.five       False        nothing of a row's kind is spelled like that
//   n: 5            n=lt.five       Unknown      and what cannot be compared is neither before nor behind
//   (no n)          n=neq.5         Unknown      not.eq and neq alike: null is not told from anything
//   (no n)          n=isdistinct.5  True
//   n: {"a": 1}     n=eq.…          Unknown      an object has no order here; n->a=eq.1 asks what is in it
//
// Patterns are RE2's, because strangers write them and others write the texts: RE2 takes time in proportion to the
// text, never exponential, and its memory has a limit. Where its automaton does not fit into that memory it takes 5 ns for
// each byte and step of its program, so the product of the two has a limit too. `like` is translated: % and * are ".*", _ is ".", the rest is
// quoted. Backreferences and look-around, which PostgreSQL has, RE2 has not: such a filter is refused when it is read.
#include "db/model/row_filter.h"

#include <algorithm>
#include <charconv>

#include "db/model/json.h"
#include "db/model/key_order.h"
#include "db/model/query.h"
#include "db/model/row_pattern.h"

namespace hearth::db {
namespace {

using Op = RowCondition::Op;

enum class Truth : uint8_t { False, Unknown, True };
Truth truth(bool is_true) { return is_true ? Truth::True : Truth::False; }
Truth negation(Truth of) { return of == Truth::Unknown ? of : truth(of == Truth::False); }

// <0, 0 or >0; nothing: they cannot be compared.
std::optional<int> compare(const RowColumn& column, const Value& value, std::string_view operand) {
  switch (value.kind()) {
    case Value::Kind::String:
      return column.is_id() ? compare_keys(value.as_string(), operand) : compare_utf16(value.as_string(), operand);
    case Value::Kind::Integer:
    case Value::Kind::Double: {
      const Value number = number_of_operand(operand);
      if (number.is_null()) return {};
      return compare_values(value, number);
    }
    case Value::Kind::Boolean: {
      const auto boolean = boolean_of_operand(operand);
      if (!boolean) return {};
      return static_cast<int>(value.as_boolean()) - static_cast<int>(*boolean);
    }
    case Value::Kind::Null:
    case Value::Kind::Object:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      break;
  }
  return {};
}

Truth equals(const RowColumn& column, const Value& value, std::string_view operand) {
  if (!value.is_leaf()) return Truth::Unknown;
  return truth(compare(column, value, operand) == 0);
}

Truth is(const Value& value, std::string_view what) {
  if (what == "null" || what == "unknown") return truth(value.is_null());
  if (what == "not_null") return truth(!value.is_null());
  return truth(value.kind() == Value::Kind::Boolean && value.as_boolean() == (what == "true"));
}

Truth by_pattern(const RowPattern& pattern, const Value& value) {
  if (value.kind() != Value::Kind::String) return Truth::Unknown;
  const std::optional<bool> found = pattern.occurs_in(value.as_string());
  return found ? truth(*found) : Truth::Unknown;
}

Truth judge_one(const RowCondition& condition, const Value& value, size_t operand) {
  const std::string& text = condition.operands[operand];
  if (condition.op == Op::Is) return is(value, text);
  if (condition.op == Op::IsDistinct) return truth(equals(condition.column, value, text) != Truth::True);
  if (value.is_null()) return Truth::Unknown;
  const auto ordered = [&](auto holds) {
    const std::optional<int> order = compare(condition.column, value, text);
    return order ? truth(holds(*order)) : Truth::Unknown;
  };
  switch (condition.op) {
    case Op::Eq:
    case Op::In:
      return equals(condition.column, value, text);
    case Op::Neq:
      return negation(equals(condition.column, value, text));
    case Op::Lt:
      return ordered([](int order) { return order < 0; });
    case Op::Lte:
      return ordered([](int order) { return order <= 0; });
    case Op::Gt:
      return ordered([](int order) { return order > 0; });
    case Op::Gte:
      return ordered([](int order) { return order >= 0; });
    case Op::Like:
    case Op::ILike:
    case Op::Match:
    case Op::IMatch:
      return by_pattern(*condition.patterns[operand], value);
    case Op::Is:
    case Op::IsDistinct:
      break;
  }
  return Truth::Unknown;
}

// Of several truths: one that is True makes an "any", one that is False breaks an "all"; else Unknown stays.
class Gathered {
 public:
  explicit Gathered(bool any) : decisive_(any ? Truth::True : Truth::False), result_(negation(decisive_)) {}
  bool add(Truth one) {  // whether the rest can be left out
    if (one == decisive_ || (one == Truth::Unknown && result_ != decisive_)) result_ = one;
    return result_ == decisive_;
  }
  Truth result() const { return result_; }

 private:
  const Truth decisive_;
  Truth result_;
};

Truth judge(const RowCondition& condition, std::string_view key, const Value& row) {
  const Value value = column_of(condition.column, key, row);
  Gathered all(condition.of != RowCondition::Of::All);
  if (condition.op == Op::In && value.is_null()) return Truth::Unknown;
  for (size_t i = 0; i < condition.operands.size(); ++i) {
    if (all.add(judge_one(condition, value, i))) break;
  }
  return condition.negated ? negation(all.result()) : all.result();
}

Truth judge(const RowExpression& expression, std::string_view key, const Value& row) {
  if (expression.kind == RowExpression::Kind::Condition) return judge(expression.condition, key, row);
  Gathered all(expression.kind == RowExpression::Kind::Or);
  for (const RowExpression& part : expression.parts) {
    if (all.add(judge(part, key, row))) break;
  }
  return expression.negated ? negation(all.result()) : all.result();
}

std::string text_of(const Value& value) {
  if (value.kind() == Value::Kind::String) return std::string(value.as_string());
  std::string text;
  append_json(value, JsonStyle::Plain, text);
  return text;
}

}  // namespace

Value number_of_operand(std::string_view operand) {
  const char* const end = operand.data() + operand.size();
  int64_t integer = 0;
  if (const auto read = std::from_chars(operand.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
    return Value::integer(integer);
  }
  // Neither a sign in front nor a name of what is no number.
  if (operand.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return {};
  double real = 0;
  const auto read = std::from_chars(operand.data(), end, real);
  return read.ec == std::errc() && read.ptr == end ? Value::real(real) : Value();
}

std::optional<bool> boolean_of_operand(std::string_view operand) {
  if (operand == "true" || operand == "t") return true;
  if (operand == "false" || operand == "f") return false;
  return {};
}

Value column_of(const RowColumn& column, std::string_view key, const Value& row) {
  Value value = column.name == kRowId      ? Value::string(key)
                : !row.is_leaf()           ? row.child(column.name)
                : column.name == kRowValue ? row.without_priority()
                                           : Value();
  for (const std::string& below : column.below) value = value.child(below);
  if (column.as_text && !value.is_null()) value = Value::string(text_of(value));
  return value;
}

bool matches(const RowFilter& filter, std::string_view key, const Value& row) {
  return std::all_of(filter.begin(), filter.end(),
                     [&](const RowCondition& condition) { return judge(condition, key, row) == Truth::True; });
}

bool matches(const RowExpression& expression, std::string_view key, const Value& row) {
  return judge(expression, key, row) == Truth::True;
}

std::string equality_key(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Boolean:
      return value.as_boolean() ? "t" : "f";
    case Value::Kind::Integer:
    case Value::Kind::Double: {
      std::string key = "n";
      append_json(value.without_priority(), JsonStyle::Plain, key);
      return key;
    }
    case Value::Kind::String:
      return "s" + std::string(value.as_string());
    case Value::Kind::Null:
    case Value::Kind::Object:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      break;
  }
  return {};
}

std::optional<RowEquality> equality(const RowFilter& filter) {
  for (const RowCondition& condition : filter) {
    const bool is_equal = condition.op == Op::Eq || condition.op == Op::In;
    if (!is_equal || condition.negated || condition.of == RowCondition::Of::All || !condition.column.below.empty()) {
      continue;
    }
    RowEquality equality{condition.column.name, {}};
    for (const std::string& operand : condition.operands) {
      // Whatever kind the row's value has, its spelling has a key of that kind.
      equality.keys.push_back("s" + operand);
      if (const Value number = number_of_operand(operand); !number.is_null()) {
        equality.keys.push_back(equality_key(number));
      }
      if (const auto boolean = boolean_of_operand(operand)) equality.keys.push_back(*boolean ? "t" : "f");
    }
    std::sort(equality.keys.begin(), equality.keys.end());
    equality.keys.erase(std::unique(equality.keys.begin(), equality.keys.end()), equality.keys.end());
    return equality;
  }
  return {};
}

size_t byte_count(const RowFilter& filter) {
  size_t bytes = sizeof(filter);
  for (const RowCondition& condition : filter) {
    bytes += sizeof(condition) + condition.column.name.size();
    for (const std::string& operand : condition.operands) bytes += sizeof(operand) + operand.size();
    for (const std::string& key : condition.column.below) bytes += sizeof(key) + key.size();
    bytes += condition.patterns.size() * static_cast<size_t>(kRowPatternMemoryMax);
  }
  return bytes;
}

}  // namespace hearth::db
