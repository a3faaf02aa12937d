// The static check. The parser knows shapes, this pass knows meanings: it finds the type of each part, turns `.name`
// into a method, a property or a field, binds `$names`, and numbers the expressions.
//
//   data.child('a').val() > 3          Member "child" of a Snapshot ─▶ Method::Child, called ─▶ Snapshot
//                                      Member "val"   of that       ─▶ Method::Val, called   ─▶ Value
//                                      Value > Number ─▶ Boolean
//
// A mistake has no type (MaybeType), and whatever contains it is left alone: one mistake is one message. The messages
// are the service's, word for word where they are known.
//
// Types are loose where data decide: a stored primitive (Value), a claim (Auth), a ternary with two types (Mixed) may
// be whatever the place asks for, and the evaluator fails at run time when it is something else.
#include "rules/language/types.h"

#include <array>
#include <optional>

namespace hearth::rules {
namespace {

using MaybeType = std::optional<Type>;  // nothing: there was a mistake in it

struct MethodName {
  std::string_view name;
  Method method;
  Type result;
  size_t arguments;  // of hasChildren: up to
};
constexpr std::array<MethodName, 10> kSnapshotMethods = {{{"val", Method::Val, Type::Value, 0},
                                                          {"child", Method::Child, Type::Snapshot, 1},
                                                          {"parent", Method::Parent, Type::Snapshot, 0},
                                                          {"hasChild", Method::HasChild, Type::Boolean, 1},
                                                          {"hasChildren", Method::HasChildren, Type::Boolean, 1},
                                                          {"exists", Method::Exists, Type::Boolean, 0},
                                                          {"isString", Method::IsString, Type::Boolean, 0},
                                                          {"isNumber", Method::IsNumber, Type::Boolean, 0},
                                                          {"isBoolean", Method::IsBoolean, Type::Boolean, 0},
                                                          {"getPriority", Method::GetPriority, Type::Value, 0}}};
constexpr std::array<MethodName, 7> kStringMethods = {{{"contains", Method::Contains, Type::Boolean, 1},
                                                       {"beginsWith", Method::BeginsWith, Type::Boolean, 1},
                                                       {"endsWith", Method::EndsWith, Type::Boolean, 1},
                                                       {"replace", Method::Replace, Type::String, 2},
                                                       {"toLowerCase", Method::ToLowerCase, Type::String, 0},
                                                       {"toUpperCase", Method::ToUpperCase, Type::String, 0},
                                                       {"matches", Method::Matches, Type::Boolean, 1}}};

struct FieldName {
  std::string_view name;
  QueryField field;
};
constexpr std::array<FieldName, 9> kQueryFields = {{{"orderByKey", QueryField::OrderByKey},
                                                    {"orderByPriority", QueryField::OrderByPriority},
                                                    {"orderByValue", QueryField::OrderByValue},
                                                    {"orderByChild", QueryField::OrderByChild},
                                                    {"startAt", QueryField::StartAt},
                                                    {"endAt", QueryField::EndAt},
                                                    {"equalTo", QueryField::EqualTo},
                                                    {"limitToFirst", QueryField::LimitToFirst},
                                                    {"limitToLast", QueryField::LimitToLast}}};

template <typename List>
const typename List::value_type* find(const List& list, std::string_view name) {
  for (const auto& one : list) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

// The parser's tree keeps the method only; what it takes and gives stands in the tables.
const MethodName& method_named(Method method) {
  for (const auto& one : kSnapshotMethods) {
    if (one.method == method) return one;
  }
  for (const auto& one : kStringMethods) {
    if (one.method == method) return one;
  }
  return kSnapshotMethods.front();
}

// What may stand where a string is wanted: a string, or something whose type only the data decide. Likewise below.
bool is_string_like(Type type) {
  return type == Type::String || type == Type::Value || type == Type::Auth || type == Type::Mixed;
}
bool is_number_like(Type type) {
  return type == Type::Number || type == Type::Value || type == Type::Auth || type == Type::QueryValue ||
         type == Type::Mixed;
}
bool is_ordered(Type type) { return is_number_like(type) || type == Type::String; }
bool is_comparable(Type type) { return is_ordered(type) || type == Type::Boolean || type == Type::Null; }

struct SymbolOf {
  Operator op;
  std::string_view symbol;
};
constexpr std::array<SymbolOf, 13> kSymbols = {{{Operator::Equal, "=="},
                                                {Operator::NotEqual, "!="},
                                                {Operator::Less, "<"},
                                                {Operator::LessOrEqual, "<="},
                                                {Operator::Greater, ">"},
                                                {Operator::GreaterOrEqual, ">="},
                                                {Operator::Add, "+"},
                                                {Operator::Subtract, "-"},
                                                {Operator::Multiply, "*"},
                                                {Operator::Divide, "/"},
                                                {Operator::Remainder, "%"},
                                                {Operator::And, "&&"},
                                                {Operator::Or, "||"}}};

// As the service prints it: `===` is `==`.
std::string symbol_of(Operator op) {
  for (const SymbolOf& one : kSymbols) {
    if (one.op == op) return std::string(one.symbol);
  }
  return "";
}

class Checker {
 public:
  Checker(RuleKind kind, const std::vector<CaptureName>& captures, uint32_t& next_id)
      : kind_(kind), captures_(captures), next_id_(next_id) {}

  std::vector<Mistake> run(Expression& root) {
    const MaybeType type = check(root);
    // The whole rule only: parts may have any type that their place takes.
    if (type && *type != Type::Boolean) fail(root, "Expression must evaluate to a boolean.");
    return std::move(mistakes_);
  }

 private:
  MaybeType fail(const Expression& at, std::string what) {
    mistakes_.push_back({at.begin, std::move(what)});
    return {};
  }

  MaybeType check(Expression& e) {
    // Also of parts with mistakes: the document is refused then, and the numbers with it.
    e.id = next_id_++;
    const MaybeType type = check_parts(e);
    if (type) e.type = *type;
    return type;
  }

  MaybeType check_parts(Expression& e) {
    switch (e.op) {
      case Operator::Null:
        return Type::Null;
      case Operator::Boolean:
        return Type::Boolean;
      case Operator::Number:
      case Operator::Now:
        return Type::Number;
      case Operator::String:
        return Type::String;
      case Operator::Regex:
        return Type::Regex;
      case Operator::Array:
        return fail(e, "Unexpected array literal.");
      case Operator::Auth:
        return Type::Auth;
      case Operator::Root:
      case Operator::Data:
        return Type::Snapshot;
      case Operator::NewData:
        if (kind_ == RuleKind::Read) return fail(e, "newData is invalid in .read expressions.");
        return Type::Snapshot;
      case Operator::Query:
        return Type::Query;
      case Operator::Capture:
        return capture(e);
      case Operator::Member:
        return member(e);
      case Operator::Index:
        return index(e);
      case Operator::Call:
        return call(e);
      case Operator::Not:
      case Operator::Negate:
        return unary(e);
      case Operator::And:
      case Operator::Or:
        return logic(e);
      case Operator::Equal:
      case Operator::NotEqual:
      case Operator::Less:
      case Operator::LessOrEqual:
      case Operator::Greater:
      case Operator::GreaterOrEqual:
      case Operator::Add:
      case Operator::Subtract:
      case Operator::Multiply:
      case Operator::Divide:
      case Operator::Remainder:
        return binary(e);
      case Operator::Choose:
        return choose(e);
      case Operator::QueryField:
      case Operator::Length:
      case Operator::Method:
        break;  // made here, not by the parser
    }
    return {};
  }

  MaybeType capture(Expression& e) {
    // From the innermost outwards: the same name further in hides the outer one.
    for (auto one = captures_.rbegin(); one != captures_.rend(); ++one) {
      if (one->name != e.text) continue;
      e.depth = one->depth;
      return Type::String;
    }
    return fail(e, "Unknown variable '" + e.text + "'.");
  }

  MaybeType no_such(const Expression& e) { return fail(e, "No such method/property '" + e.text + "'."); }

  MaybeType method(Expression& e, Method which) {
    e.op = Operator::Method;
    e.method = which;
    return Type::SnapshotMethod;
  }

  MaybeType member(Expression& e) {
    const MaybeType receiver = check(*e.operands.front());
    if (!receiver) return {};
    switch (*receiver) {
      case Type::Snapshot: {
        const MethodName* found = find(kSnapshotMethods, e.text);
        return found != nullptr ? method(e, found->method) : no_such(e);
      }
      case Type::String:
      // A stored value has the methods of strings. When it is none, calling one fails at run time.
      case Type::Value: {
        if (e.text == "length") {
          e.op = Operator::Length;
          return Type::Number;
        }
        const MethodName* found = find(kStringMethods, e.text);
        return found != nullptr ? method(e, found->method) : no_such(e);
      }
      // A claim may be a string or an object: what is no method of strings is a member.
      case Type::Auth: {
        const MethodName* found = find(kStringMethods, e.text);
        return found != nullptr ? method(e, found->method) : MaybeType(Type::Auth);
      }
      case Type::Query: {
        const FieldName* found = find(kQueryFields, e.text);
        if (found == nullptr) return no_such(e);
        e.op = Operator::QueryField;
        e.field = found->field;
        // The first three fields are true or false; all others are a value or null.
        const bool is_flag = found->field <= QueryField::OrderByValue;
        return is_flag ? Type::Boolean : Type::QueryValue;
      }
      case Type::Boolean:
      case Type::Number:
      case Type::Null:
      case Type::Regex:
      case Type::Array:
      case Type::SnapshotMethod:
      case Type::QueryValue:
      case Type::Mixed:
        break;
    }
    return fail(e, "Invalid property access: target is not an object.");
  }

  MaybeType index(Expression& e) {
    const MaybeType receiver = check(*e.operands[0]);
    const MaybeType key = receiver ? check(*e.operands[1]) : MaybeType();
    // Only claims have an index of any kind; x['name'] with a literal is a Member already (parser.cc).
    if (!receiver || !key) return {};
    if (*receiver != Type::Auth) return fail(e, "Invalid property access.");
    return Type::Auth;
  }

  MaybeType call(Expression& e) {
    Expression& target = *e.operands.front();
    const MaybeType callee = check(target);
    if (!callee) return {};
    // Only a method can be called, and only directly: (x ? a.val : b.val)() is no call.
    if (*callee != Type::SnapshotMethod || target.op != Operator::Method) {
      return fail(e, "Type error: Function call on target that is not a function.");
    }
    const MethodName& called = method_named(target.method);
    const std::string name = std::string(called.name) + "()";
    const size_t given = e.operands.size() - 1;
    if (called.method == Method::HasChildren) {
      if (given > 1) return fail(e, name + " expects only a single argument (containing an array of child names).");
      if (given == 1 && !child_names(*e.operands[1])) return {};
      return called.result;
    }
    // The two methods whose argument is no expression have checks of their own.
    if (called.method == Method::Matches) return matches(e, name);
    if (given != called.arguments) {
      // The service's words: a figure for one, a word for two.
      static constexpr std::array<std::string_view, 3> kExpects = {" expects no arguments.", " expects 1 argument.",
                                                                   " expects two arguments."};
      return fail(e, name + std::string(kExpects[called.arguments]));
    }
    for (size_t i = 1; i <= given; ++i) {
      const MaybeType argument = check(*e.operands[i]);
      if (!argument) return {};
      if (is_string_like(*argument)) continue;
      if (given == 1) return fail(*e.operands[i], name + " expects a string argument.");
      return fail(*e.operands[i], "Argument " + std::to_string(i) + " of " + name + " must be a string.");
    }
    return called.result;
  }

  bool child_names(Expression& array) {
    if (array.op != Operator::Array) {
      if (!check(array)) return false;
      fail(array, "hasChildren() expects an array of child names.");
      return false;
    }
    // A list is no value of its own (check_parts refuses it): it gets its number and type here.
    array.id = next_id_++;
    array.type = Type::Array;
    for (const auto& element : array.operands) {
      const MaybeType type = check(*element);
      if (!type) return false;
      if (is_string_like(*type)) continue;
      fail(*element, "hasChildren() expects an array of strings.");
      return false;
    }
    return true;
  }

  MaybeType matches(Expression& e, const std::string& name) {
    if (e.operands.size() != 2) return fail(e, name + " expects 1 regular expression literal argument.");
    const MaybeType argument = check(*e.operands[1]);
    if (!argument) return {};
    if (*argument != Type::Regex) return fail(*e.operands[1], name + " expects a regular expression literal argument.");
    return Type::Boolean;
  }

  MaybeType unary(Expression& e) {
    const MaybeType operand = check(*e.operands.front());
    if (!operand) return {};
    if (e.op == Operator::Not) {
      if (*operand != Type::Boolean) return fail(e, "! only operates on booleans.");
      return Type::Boolean;
    }
    if (!is_number_like(*operand)) return fail(e, "- only operates on numbers.");
    return Type::Number;
  }

  MaybeType logic(Expression& e) {
    for (size_t i = 0; i < e.operands.size(); ++i) {
      const MaybeType operand = check(*e.operands[i]);
      if (!operand) return {};
      if (*operand == Type::Boolean) continue;
      return fail(*e.operands[i],
                  std::string(i == 0 ? "Left" : "Right") + " operand of " + symbol_of(e.op) + " must be boolean.");
    }
    return Type::Boolean;
  }

  MaybeType binary(Expression& e) {
    const MaybeType left = check(*e.operands[0]);
    const MaybeType right = left ? check(*e.operands[1]) : MaybeType();
    if (!left || !right) return {};  // one mistake is one message
    const std::string start = "Invalid " + symbol_of(e.op) + " expression: ";
    const auto fail_left = [&](std::string_view text) {
      return fail(*e.operands[0], start + "left operand " + std::string(text));
    };
    const auto fail_right = [&](std::string_view text) {
      return fail(*e.operands[1], start + "right operand " + std::string(text));
    };
    if (e.op == Operator::Equal || e.op == Operator::NotEqual) {
      // The service's texts differ by one word.
      constexpr std::string_view kNot = "is not a number, boolean, string, or null.";
      if (!is_comparable(*left))
        return fail_left(e.op == Operator::Equal ? "is not a number, boolean, string, null." : kNot);
      if (!is_comparable(*right)) return fail_right(kNot);
      return Type::Boolean;
    }
    if (e.op >= Operator::Less && e.op <= Operator::GreaterOrEqual) {
      if (!is_ordered(*left)) return fail_left("must be a number or string.");
      if (!is_ordered(*right)) return fail_right("must be a number or string.");
      return Type::Boolean;
    }
    if (e.op == Operator::Add) {
      if (!is_ordered(*left)) return fail_left("is not a number or string.");
      if (!is_ordered(*right)) return fail_right("is not a number or string.");
      // A string on either side makes the sum one. Else only two known numbers make a number.
      if (*left == Type::String || *right == Type::String) return Type::String;
      return *left == Type::Number && *right == Type::Number ? Type::Number : Type::Value;
    }
    if (!is_number_like(*left)) return fail_left("is not a number.");
    if (!is_number_like(*right)) return fail_right("is not a number.");
    return Type::Number;
  }

  MaybeType choose(Expression& e) {
    const MaybeType condition = check(*e.operands[0]);
    if (!condition) return {};
    if (*condition != Type::Boolean) return fail(*e.operands[0], "condition of ? must be boolean.");
    const MaybeType one = check(*e.operands[1]);
    const MaybeType other = one ? check(*e.operands[2]) : MaybeType();
    if (!one || !other) return {};
    // Which branch it is, only the data can tell.
    return *one == *other ? *one : Type::Mixed;
  }

  const RuleKind kind_;
  const std::vector<CaptureName>& captures_;
  uint32_t& next_id_;
  std::vector<Mistake> mistakes_;
};

}  // namespace

std::string_view name_of(RuleKind kind) {
  switch (kind) {
    case RuleKind::Read:
      return ".read";
    case RuleKind::Write:
      return ".write";
    case RuleKind::Validate:
      return ".validate";
  }
  return "";
}

std::vector<Mistake> check_rule(Expression& expression, RuleKind kind, const std::vector<CaptureName>& captures,
                                uint32_t& next_id) {
  return Checker(kind, captures, next_id).run(expression);
}

}  // namespace hearth::rules
