// The value of an expression.
//
//   auth.uid === data.child('owner').val()
//
//            ===                       eval() of each part: spends a step, evaluates its operands, takes its value down
//           ╱   ╲                      for coverage and explanation
//      auth.uid   val()
//        │          │                  'auth' is a pointer into the claims; .uid a view of a string in them
//       auth     child('owner')        a Snapshot is a tree and an encoded path: nothing is read ...
//                   │
//                  data                ... before val() asks for one row
//
// What must hold:
// - There are three outcomes. A part that fails makes everything above it fail at once: no `!`, no `||` and no
//   comparison turns a failure into true or false. Else `!(broken)` would open what was meant to be closed.
// - What could not be looked at is not absent. After an error of the tree (error_), or over the budget (is_spent_),
//   every value is a failure, whatever a method would have answered.
// - The budget is that of one operation, over all of its rules: steps, looks at the tree, bytes of text. It grows
//   with what is written. Over it the operation is refused as too large, which is not the same as denied.
// - Nothing is converted. Values of different types are unequal and have no order (rules/language.md §6).
// - Strings are views: of the source, the claims, or the scratch, which lasts until the rule is evaluated. No rule
//   allocates in the usual case.
// - The same steps count for the shard's step (db/base/step.h): rules that take long are evaluated on a heavy shard.
//
// evaluator_snapshot.cc looks at trees, evaluator_string.cc works on strings.
#include "rules/language/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "db/base/step.h"
#include "db/model/json.h"
#include "db/model/key_order.h"

namespace hearth::rules {

Evaluator::Evaluator(const Question& question, const db::TreeView& before, const db::TreeView* after,
                     const Written& written)
    : question_(question),
      before_(before),
      after_(after),
      steps_max_(kStepsMax + kStepsPerRow * written.rows),
      scan_bytes_max_(kScanBytesMax + kScanBytesPerByte * written.bytes),
      steps_left_(steps_max_),
      scan_bytes_left_(scan_bytes_max_),
      scratch_(Scratch::of_this_thread()) {}
Evaluator::~Evaluator() { scratch_.clear(); }

db::Result<Outcome> Evaluator::evaluate(const Expression& rule, std::string_view source, const Place& place) {
  place_ = place;
  source_ = source;
  why_ = nullptr;
  // The caller has begun this rule in the explanation; its parts go there.
  told_ = question_.explanation != nullptr && !question_.explanation->rules.empty()
              ? &question_.explanation->rules.back()
              : nullptr;
  const Datum result = eval(rule);
  scratch_.clear();
  if (error_) return *error_;
  Outcome outcome = result.is_true() ? Outcome::True : Outcome::False;
  if (result.failed()) outcome = Outcome::Failed;
  if (told_ != nullptr) {
    told_->outcome = outcome;
    if (outcome == Outcome::Failed && why_ != nullptr) told_->why = why_;
  }
  return outcome;
}

Datum Evaluator::fail(const char* why) {
  // The first reason is the cause; what fails above it only follows.
  if (why_ == nullptr) why_ = why;
  return {.kind = Datum::Kind::Failed};
}

std::optional<db::Error> Evaluator::spent() const {
  if (!is_spent_) return {};
  return db::Error{
      db::ErrorCode::TooLarge,
      scanned_out_
          ? fmt::format(
                "The rules searched more than {} bytes of text for this operation, which is the limit for what it "
                "writes; write less at once, or ask the rules for less.",
                scan_bytes_max_)
          : fmt::format(
                "The rules took more than {} steps for this operation, which is the limit for what it writes; write "
                "less at once, or ask the rules for less.",
                steps_max_)};
}

// A step of the operation's budget is an evaluation of the thread's step.
bool Evaluator::spend(uint64_t steps) {
  db::Step& step = db::Step::here();
  step.count({0, 0, steps});
  // Ends the evaluation like an error of the tree; the shard knows that it is none.
  if (step.is_over() && !error_) error_ = db::step_is_over();
  if (is_spent_ || steps > steps_left_) {
    is_spent_ = true;
    return false;
  }
  steps_left_ -= steps;
  return true;
}

bool Evaluator::scan(uint64_t bytes) {
  db::Step::here().count({0, bytes, 0});
  if (is_spent_ || bytes > scan_bytes_left_) {
    scanned_out_ = scanned_out_ || !is_spent_;
    is_spent_ = true;
    return false;
  }
  scan_bytes_left_ -= bytes;
  return true;
}

std::string_view Evaluator::keep(std::string&& text) { return scratch_.next() = std::move(text); }

Datum Evaluator::eval(const Expression& e) {
  if (!spend(1)) return fail("the operation's rules took too many steps");
  Datum value = eval_parts(e);
  // A node that could not be looked at is not absent.
  if (is_spent_ || error_) value = fail("the operation's rules took too many steps, or scanned too many bytes");
  if (question_.coverage != nullptr) {
    question_.coverage->count(e.id, value.failed()                       ? PartCounts::Seen::Failed
                                    : value.kind != Datum::Kind::Boolean ? PartCounts::Seen::Other
                                    : value.boolean                      ? PartCounts::Seen::True
                                                                         : PartCounts::Seen::False);
  }
  if (told_ != nullptr) note(e, value);
  return value;
}

Datum Evaluator::eval_parts(const Expression& e) {
  switch (e.op) {
    case Operator::Null:
      return {};
    case Operator::Boolean:
      return Datum::of(e.boolean);
    case Operator::Number:
      return Datum::of(e.number);
    case Operator::String:
      return Datum::of(std::string_view(e.text));
    case Operator::Auth:
      if (question_.auth == nullptr) return {};
      return {.kind = Datum::Kind::Claims, .claims = &question_.auth->root()};
    case Operator::Now:
      return Datum::of(static_cast<double>(question_.now.count()));
    case Operator::Root:
      return snapshot(before_, {});
    case Operator::Data:
      return snapshot(before_, place_.encoded);
    // Where there is no tree after (a read, or begin()), no rule that is evaluated asks for newData. This is for
    // safety.
    case Operator::NewData:
      return snapshot(after_ != nullptr ? *after_ : before_, place_.encoded);
    case Operator::Query:
      return {.kind = Datum::Kind::Query};
    case Operator::Capture:
      return Datum::of(place_.keys[e.depth]);
    case Operator::QueryField:
      return query_field(e);
    case Operator::Member: {
      const Datum of = eval(*e.operands.front());
      return of.failed() ? of : claim(of, e.text);
    }
    case Operator::Length: {
      const Datum of = eval(*e.operands.front());
      return of.failed() ? of : length(of);
    }
    case Operator::Index:
      return index(e);
    case Operator::Call:
      return call(e);
    case Operator::Not: {
      const Datum operand = eval(*e.operands.front());
      return operand.failed() ? operand : Datum::of(!operand.is_true());
    }
    case Operator::Negate: {
      const Datum operand = eval(*e.operands.front());
      if (operand.failed()) return operand;
      return operand.kind == Datum::Kind::Number ? Datum::of(-operand.number) : fail("- of what is no number");
    }
    case Operator::And:
      return logic(e, false);
    case Operator::Or:
      return logic(e, true);
    case Operator::Equal:
    case Operator::NotEqual:
    case Operator::Less:
    case Operator::LessOrEqual:
    case Operator::Greater:
    case Operator::GreaterOrEqual:
      return compare(e);
    case Operator::Add:
    case Operator::Subtract:
    case Operator::Multiply:
    case Operator::Divide:
    case Operator::Remainder:
      return arithmetic(e);
    case Operator::Choose: {
      const Datum condition = eval(*e.operands[0]);
      if (condition.failed()) return condition;
      return eval(*e.operands[condition.is_true() ? 1 : 2]);
    }
    case Operator::Regex:
    case Operator::Array:
    case Operator::Method:
      break;  // parts of calls, which look at them
  }
  return fail("an expression without a value");
}

// Stops at the first operand that decides, as JavaScript does: what stands behind it may fail, and is not asked.
Datum Evaluator::logic(const Expression& e, bool stops_at) {
  for (const auto& operand : e.operands) {
    const Datum value = eval(*operand);
    if (value.failed()) return value;
    if (value.is_true() == stops_at) return Datum::of(stops_at);
  }
  return Datum::of(!stops_at);
}

// Never converts: of different types nothing is equal, and nothing can be ordered (§6).
Datum Evaluator::compare(const Expression& e) {
  const Datum left = eval(*e.operands[0]);
  if (left.failed()) return left;
  const Datum right = eval(*e.operands[1]);
  if (right.failed()) return right;
  using Kind = Datum::Kind;
  const bool same_kind = left.kind == right.kind;
  // A comparison reads no more than the shorter one.
  if (same_kind && left.kind == Kind::String && !scan(std::min(left.string.size(), right.string.size()))) {
    return fail("the operation's rules scanned too many bytes");
  }
  if (e.op == Operator::Equal || e.op == Operator::NotEqual) {
    bool is_equal = false;
    if (same_kind && left.kind == Kind::Null) is_equal = true;
    if (same_kind && left.kind == Kind::Boolean) is_equal = left.boolean == right.boolean;
    if (same_kind && left.kind == Kind::Number) is_equal = left.number == right.number;
    if (same_kind && left.kind == Kind::String) is_equal = left.string == right.string;
    // Two nodes with children, or two objects of claims, are never equal.
    return Datum::of(is_equal == (e.op == Operator::Equal));
  }
  const bool are_numbers = same_kind && left.kind == Kind::Number;
  const bool are_strings = same_kind && left.kind == Kind::String;
  if (!are_numbers && !are_strings) return fail("only two numbers or two strings can be ordered");
  // IEEE: nothing is less than NaN, nor greater, nor equal.
  if (are_numbers && (std::isnan(left.number) || std::isnan(right.number))) return Datum::of(false);
  const int order = are_strings                  ? db::compare_utf16(left.string, right.string)
                    : left.number < right.number ? -1
                    : left.number > right.number ? 1
                                                 : 0;
  if (e.op == Operator::Less) return Datum::of(order < 0);
  if (e.op == Operator::LessOrEqual) return Datum::of(order <= 0);
  if (e.op == Operator::Greater) return Datum::of(order > 0);
  return Datum::of(order >= 0);
}

Datum Evaluator::arithmetic(const Expression& e) {
  const Datum left = eval(*e.operands[0]);
  if (left.failed()) return left;
  const Datum right = eval(*e.operands[1]);
  if (right.failed()) return right;
  if (e.op == Operator::Add) return add(left, right);
  if (left.kind != Datum::Kind::Number || right.kind != Datum::Kind::Number)
    return fail("arithmetic with what is no number");
  if (e.op == Operator::Subtract) return Datum::of(left.number - right.number);
  if (e.op == Operator::Multiply) return Datum::of(left.number * right.number);
  if (e.op == Operator::Remainder) return Datum::of(std::fmod(left.number, right.number));
  // The service gives NaN for any division by zero (§6).
  return Datum::of(right.number == 0 ? std::nan("") : left.number / right.number);
}

namespace {

// The value of a claim in an expression.
template <typename Datum>
Datum datum_of_claim(const AuthVariable::Node* node) {
  if (node == nullptr) return {};
  switch (node->kind) {
    case AuthVariable::Kind::Null:
      return {};
    case AuthVariable::Kind::Boolean:
      return Datum::of(node->boolean);
    case AuthVariable::Kind::Number:
      return Datum::of(node->number);
    case AuthVariable::Kind::String:
      return Datum::of(std::string_view(node->string));
    case AuthVariable::Kind::Array:
    case AuthVariable::Kind::Object:
      return {.kind = Datum::Kind::Claims, .claims = node};
  }
  return {};
}

}  // namespace

// A member of null is null, to any depth; so is one of a primitive, but for a string's length.
Datum Evaluator::claim(const Datum& of, std::string_view name) {
  if (of.kind == Datum::Kind::Claims) {
    return datum_of_claim<Datum>(of.claims->member(name));
  }
  if (of.kind == Datum::Kind::String && name == "length") return length(of);
  return {};
}

Datum Evaluator::index(const Expression& e) {
  const Datum of = eval(*e.operands[0]);
  if (of.failed()) return of;
  const Datum key = eval(*e.operands[1]);
  if (key.failed()) return key;
  if (key.kind == Datum::Kind::String) return claim(of, key.string);
  if (key.kind != Datum::Kind::Number) return fail("an index is a string or a number");
  if (of.kind != Datum::Kind::Claims) return {};
  // A list has elements by number; of an object a number is the name of a member, as in JavaScript.
  if (of.claims->kind == AuthVariable::Kind::Array) return datum_of_claim<Datum>(of.claims->element(key.number));
  std::string name;
  append_number(key.number, name);
  return datum_of_claim<Datum>(of.claims->member(name));
}

Datum Evaluator::datum_of(const db::Value& value) {
  switch (value.kind()) {
    case db::Value::Kind::Boolean:
      return Datum::of(value.as_boolean());
    case db::Value::Kind::Integer:
    case db::Value::Kind::Double:
      return Datum::of(value.as_double());
    case db::Value::Kind::String:
      return Datum::of(value.as_string());
    case db::Value::Kind::Null:
    case db::Value::Kind::Object:
    case db::Value::Kind::Timestamp:
    case db::Value::Kind::Increment:
      break;
  }
  return {};
}

Datum Evaluator::query_field(const Expression& e) {
  // A plain read: every flag false, the rest null.
  static const QueryFacts kPlain;
  const QueryFacts& query = question_.query != nullptr ? *question_.query : kPlain;
  const auto value = [this](const std::optional<db::Value>& bound) { return bound ? datum_of(*bound) : Datum(); };
  const auto number = [](const std::optional<int64_t>& limit) {
    return limit ? Datum::of(static_cast<double>(*limit)) : Datum();
  };
  switch (e.field) {
    case QueryField::OrderByKey:
      return Datum::of(query.by_key);
    case QueryField::OrderByPriority:
      return Datum::of(query.by_priority);
    case QueryField::OrderByValue:
      return Datum::of(query.by_value);
    case QueryField::OrderByChild:
      return query.by_child ? Datum::of(std::string_view(*query.by_child)) : Datum();
    case QueryField::StartAt:
      return value(query.start_at);
    case QueryField::EndAt:
      return value(query.end_at);
    case QueryField::EqualTo:
      return value(query.equal_to);
    case QueryField::LimitToFirst:
      return number(query.limit_to_first);
    case QueryField::LimitToLast:
      return number(query.limit_to_last);
  }
  return {};
}

Datum Evaluator::call(const Expression& e) {
  const Expression& method = *e.operands.front();
  // The method itself has no value: its receiver is evaluated, then its arguments, each by the method.
  const Datum receiver = eval(*method.operands.front());
  if (receiver.failed()) return receiver;
  if (receiver.kind == Datum::Kind::Snapshot) return snapshot_method(e, receiver);
  if (receiver.kind != Datum::Kind::String) return fail("a method of what is no string");
  return string_method(e, receiver);
}

// --- explanations ---

std::string Evaluator::shown(const Datum& value) const {
  switch (value.kind) {
    case Datum::Kind::Failed:
      return "failed";
    case Datum::Kind::Null:
      return "null";
    case Datum::Kind::Boolean:
      return value.boolean ? "true" : "false";
    case Datum::Kind::Number: {
      std::string text;
      append_number(value.number, text);
      return text;
    }
    case Datum::Kind::String: {
      std::string text;
      size_t end = 0;
      for (size_t shown = 0; end < value.string.size() && shown < kShownCharactersMax; ++shown)
        take_point(value.string, end);
      db::append_json_string(value.string.substr(0, end), text);
      return end < value.string.size() ? text + "…" : text;
    }
    case Datum::Kind::Claims:
      return "{…}";
    case Datum::Kind::Node:
      return "a node with children";
    case Datum::Kind::Snapshot: {
      const auto path = db::decode_path(value.snapshot.path);
      const std::string tree = value.snapshot.tree == after_ ? "new " : "";
      if (value.snapshot.lost > 0 || !path.ok()) return tree + "snapshot of what cannot be";
      return tree + "snapshot of " + path.value().slashed();
    }
    case Datum::Kind::Query:
      return "the query";
  }
  return "";
}

// Literals say nothing that their source does not.
void Evaluator::note(const Expression& e, const Datum& value) {
  const bool is_literal = e.op == Operator::Null || e.op == Operator::Boolean || e.op == Operator::Number ||
                          e.op == Operator::String || e.op == Operator::Data || e.op == Operator::NewData ||
                          e.op == Operator::Root || e.op == Operator::Query;
  if (is_literal) return;
  told_->add(source_.substr(e.begin, e.end - e.begin), shown(value));
}

}  // namespace hearth::rules
