// Tokens to a tree, by recursive descent: one function for each level of the grammar, from the loosest operator
// inwards.
//
//   condition   logic [ "?" condition ":" condition ]
//   logic       ||, then &&; a chain of one operator is one node with many operands
//   binary      == and !=, then < <= > >=, then + -, then * / %        left to right, by level
//   unary       ! and -
//   postfix     a value, then any number of .name  [index]  (arguments)
//   primary     a literal, a name, a parenthesis, a list
//
// After a mistake every function returns null up to the root, and only the first mistake is kept. Depth is bounded
// twice: depth_ counts the recursion of the parser, `height` that of everything that walks the tree later (checker,
// evaluator, coverage), so that no document can exhaust a stack.
#include "rules/language/parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace hearth::rules {
namespace {

using ExpressionPointer = std::unique_ptr<Expression>;

struct BinaryOperator {
  std::string_view symbol;
  Operator op;
};
// By level, the loosest first; && and || are read apart.
constexpr std::array<BinaryOperator, 4> kEquality = {
    {{"==", Operator::Equal}, {"===", Operator::Equal}, {"!=", Operator::NotEqual}, {"!==", Operator::NotEqual}}};
constexpr std::array<BinaryOperator, 4> kRelation = {
    {{"<", Operator::Less}, {"<=", Operator::LessOrEqual}, {">", Operator::Greater}, {">=", Operator::GreaterOrEqual}}};
constexpr std::array<BinaryOperator, 2> kSum = {{{"+", Operator::Add}, {"-", Operator::Subtract}}};
constexpr std::array<BinaryOperator, 3> kProduct = {
    {{"*", Operator::Multiply}, {"/", Operator::Divide}, {"%", Operator::Remainder}}};

constexpr std::array<std::string_view, 12> kAssignments = {
    "=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>=", "**="};
constexpr std::array<std::string_view, 7> kBitwise = {"&", "|", "^", "~", "<<", ">>", ">>>"};
constexpr std::array<std::string_view, 10> kWords = {"typeof", "instanceof", "in",       "new",    "var",
                                                     "let",    "const",      "function", "delete", "void"};

template <typename List>
bool has(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

class Parser {
 public:
  explicit Parser(std::string_view text) : scanned_(tokenize(text)) {}

  Parsed run() {
    Parsed parsed;
    if (!scanned_.mistakes.empty()) {
      parsed.mistakes = std::move(scanned_.mistakes);
      return parsed;
    }
    ExpressionPointer root = peek().kind == Token::Kind::End ? fail(0, "Unexpected end of expression") : condition();
    // The service takes one semicolon at the end.
    if (root != nullptr && is(";")) next();
    if (root != nullptr && peek().kind != Token::Kind::End) root = unexpected();
    if (mistake_) {
      parsed.mistakes.push_back(std::move(*mistake_));
    } else {
      parsed.expression = std::move(root);
    }
    return parsed;
  }

 private:
  const Token& peek() const { return scanned_.tokens[at_]; }
  // Stays at the last token, which is End: nobody reads past it.
  const Token& next() { return scanned_.tokens[at_ + 1 < scanned_.tokens.size() ? at_++ : at_]; }
  bool is(std::string_view symbol) const { return peek().kind == Token::Kind::Symbol && peek().text == symbol; }

  ExpressionPointer fail(size_t at, std::string what) {
    if (!mistake_) mistake_ = Mistake{at, std::move(what)};
    return nullptr;
  }

  // What people try that JavaScript has and rules have not is told by its name.
  ExpressionPointer unexpected() {
    const Token& token = peek();
    if (token.kind == Token::Kind::End) return fail(token.begin, "Unexpected end of expression");
    if (token.kind == Token::Kind::Symbol) {
      if (has(kAssignments, token.text)) return fail(token.begin, "Rule expressions may not contain assignments.");
      if (has(kBitwise, token.text)) return fail(token.begin, "Rule expressions may not contain bitwise operators.");
      if (token.text == "++" || token.text == "--")
        return fail(token.begin, "Rule expressions may not contain increments.");
      if (token.text == "{") return fail(token.begin, "Rule expressions may not contain object literals.");
      if (token.text == "**") return fail(token.begin, "Rule expressions may not contain exponentiation.");
      if (token.text == "=>") return fail(token.begin, "Rule expressions may not contain functions.");
      return fail(token.begin, "syntax error");
    }
    if (token.kind == Token::Kind::Name && has(kWords, token.text)) {
      return fail(token.begin, "Rule expressions may not contain '" + token.text + "'.");
    }
    return fail(token.begin, "missing ; before statement");
  }

  ExpressionPointer make(Operator op, size_t begin) const {
    auto made = std::make_unique<Expression>();
    made->op = op;
    made->begin = begin;
    made->end = at_ > 0 ? scanned_.tokens[at_ - 1].end : begin;
    return made;
  }
  // Null when an operand is, or the tree is too high.
  // The height is known as the tree grows, from the operands' heights: nobody has to walk it.
  ExpressionPointer node(Operator op, size_t begin, std::vector<ExpressionPointer> operands) {
    ExpressionPointer made = make(op, begin);
    for (ExpressionPointer& operand : operands) {
      if (operand == nullptr) return nullptr;
      made->height = std::max(made->height, operand->height + 1);
    }
    if (made->height > kExpressionDepthMax) return fail(begin, "The expression is nested too deeply.");
    made->operands = std::move(operands);
    return made;
  }
  ExpressionPointer node(Operator op, size_t begin, ExpressionPointer one) {
    std::vector<ExpressionPointer> operands;
    operands.push_back(std::move(one));
    return node(op, begin, std::move(operands));
  }
  ExpressionPointer node(Operator op, size_t begin, ExpressionPointer one, ExpressionPointer other) {
    std::vector<ExpressionPointer> operands;
    operands.push_back(std::move(one));
    operands.push_back(std::move(other));
    return node(op, begin, std::move(operands));
  }

  ExpressionPointer condition() {
    if (++depth_ > kExpressionDepthMax) return fail(peek().begin, "The expression is nested too deeply.");
    const size_t begin = peek().begin;
    ExpressionPointer first = logic("||", Operator::Or);
    if (first != nullptr && is("?")) {
      next();
      std::vector<ExpressionPointer> operands;
      operands.push_back(std::move(first));
      operands.push_back(condition());
      if (operands.back() == nullptr) return nullptr;
      if (!is(":")) return fail(peek().begin, "missing : in conditional expression");
      next();
      operands.push_back(condition());
      first = node(Operator::Choose, begin, std::move(operands));
    }
    --depth_;
    return first;
  }

  // A chain of one logical operator is one node, so that a long one is not a high one.
  ExpressionPointer logic(std::string_view symbol, Operator op) {
    const size_t begin = peek().begin;
    std::vector<ExpressionPointer> operands;
    for (;;) {
      operands.push_back(op == Operator::Or ? logic("&&", Operator::And) : binary(0));
      if (operands.back() == nullptr) return nullptr;
      if (!is(symbol)) break;
      next();
    }
    if (operands.size() == 1) return std::move(operands.front());
    return node(op, begin, std::move(operands));
  }

  // The operator that stands here, if it belongs to that level; nothing is taken.
  std::optional<Operator> binary_here(size_t level) const {
    if (peek().kind != Token::Kind::Symbol) return {};
    const auto find = [&](const auto& list) -> std::optional<Operator> {
      for (const BinaryOperator& one : list) {
        if (one.symbol == peek().text) return one.op;
      }
      return {};
    };
    switch (level) {
      case 0:
        return find(kEquality);
      case 1:
        return find(kRelation);
      case 2:
        return find(kSum);
    }
    return find(kProduct);
  }

  ExpressionPointer binary(size_t level) {
    if (level == 4) return unary();
    const size_t begin = peek().begin;
    ExpressionPointer left = binary(level + 1);
    while (left != nullptr) {
      const auto op = binary_here(level);
      if (!op) break;
      next();
      // In a loop, and so left to right: a - b - c is (a - b) - c.
      left = node(*op, begin, std::move(left), binary(level + 1));
    }
    return left;
  }

  ExpressionPointer unary() {
    const size_t begin = peek().begin;
    if (!is("!") && !is("-")) return postfix();
    const Operator op = is("!") ? Operator::Not : Operator::Negate;
    next();
    if (++depth_ > kExpressionDepthMax) return fail(begin, "The expression is nested too deeply.");
    ExpressionPointer made = node(op, begin, unary());
    --depth_;
    return made;
  }

  ExpressionPointer postfix() {
    const size_t begin = peek().begin;
    ExpressionPointer left = primary();
    while (left != nullptr) {
      if (is(".")) {
        next();
        if (peek().kind != Token::Kind::Name) return fail(peek().begin, "missing name after . operator");
        std::string name = next().text;
        left = node(Operator::Member, begin, std::move(left));
        if (left != nullptr) left->text = std::move(name);
      } else if (is("[")) {
        next();
        ExpressionPointer index = condition();
        if (index == nullptr) return nullptr;
        if (!is("]")) return fail(peek().begin, "missing ] in index expression");
        next();
        if (index->op == Operator::String) {  // x['name'] is x.name
          std::string name = std::move(index->text);
          left = node(Operator::Member, begin, std::move(left));
          if (left != nullptr) left->text = std::move(name);
        } else {
          left = node(Operator::Index, begin, std::move(left), std::move(index));
        }
      } else if (is("(")) {
        next();
        std::vector<ExpressionPointer> operands;
        operands.push_back(std::move(left));
        if (!list(operands, ")", "missing ) after argument list")) return nullptr;
        left = node(Operator::Call, begin, std::move(operands));
      } else {
        break;
      }
    }
    return left;
  }

  // Up to and with `end`. False after a mistake.
  bool list(std::vector<ExpressionPointer>& to, std::string_view end, const char* missing) {
    if (is(end)) {
      next();
      return true;
    }
    for (;;) {
      to.push_back(condition());
      if (to.back() == nullptr) return false;
      if (is(end)) break;
      if (!is(",")) {
        if (peek().kind == Token::Kind::End || peek().kind != Token::Kind::Symbol) fail(peek().begin, missing);
        unexpected();
        return false;
      }
      next();
      if (end == "]" && is(end)) break;  // ['a', 'b',]
    }
    next();
    return true;
  }

  ExpressionPointer primary() {
    const Token& token = peek();
    const size_t begin = token.begin;
    switch (token.kind) {
      case Token::Kind::End:
        return unexpected();
      case Token::Kind::Number: {
        next();
        ExpressionPointer made = make(Operator::Number, begin);
        made->number = token.number;
        return made;
      }
      case Token::Kind::String: {
        next();
        ExpressionPointer made = make(Operator::String, begin);
        made->text = token.text;
        return made;
      }
      case Token::Kind::Regex:
        return regex(token);
      case Token::Kind::Name:
        return name(token);
      case Token::Kind::Symbol:
        break;
    }
    if (is("(")) {
      next();
      ExpressionPointer inner = condition();
      if (inner == nullptr) return nullptr;
      // A comma in a parenthesis is JavaScript's comma operator, which rules do not have.
      if (!is(")")) return is(",") ? unexpected() : fail(peek().begin, "missing ) in parenthetical");
      next();
      return inner;
    }
    if (is("[")) {
      next();
      std::vector<ExpressionPointer> operands;
      if (!list(operands, "]", "missing ] after element list")) return nullptr;
      return node(Operator::Array, begin, std::move(operands));
    }
    return unexpected();
  }

  ExpressionPointer regex(const Token& token) {
    next();
    // Compiled once, with the document: a pattern that is none is a mistake of the document.
    auto compiled = Regex::compile(token.text, token.flags);
    if (!compiled.ok()) return fail(token.begin, compiled.error().message);
    ExpressionPointer made = make(Operator::Regex, token.begin);
    made->regex = std::move(compiled).value();
    return made;
  }

  ExpressionPointer name(const Token& token) {
    if (has(kWords, token.text)) return unexpected();
    next();
    struct Word {
      std::string_view text;
      Operator op;
    };
    static constexpr std::array<Word, 9> kNamed = {{{"null", Operator::Null},
                                                    {"true", Operator::Boolean},
                                                    {"false", Operator::Boolean},
                                                    {"auth", Operator::Auth},
                                                    {"now", Operator::Now},
                                                    {"root", Operator::Root},
                                                    {"data", Operator::Data},
                                                    {"newData", Operator::NewData},
                                                    {"query", Operator::Query}}};
    for (const Word& word : kNamed) {
      if (word.text != token.text) continue;
      ExpressionPointer made = make(word.op, token.begin);
      made->boolean = token.text == "true";
      return made;
    }
    // Any other name: the checker knows whether a `$name` is bound here.
    ExpressionPointer made = make(Operator::Capture, token.begin);
    made->text = token.text;
    return made;
  }

  Tokens scanned_;
  size_t at_ = 0;
  size_t depth_ = 0;
  std::optional<Mistake> mistake_;
};

}  // namespace

Parsed parse_expression(std::string_view text) { return Parser(text).run(); }

}  // namespace hearth::rules
