// The text of filters, read from left to right in one pass (the grammar is in row_filter.h). Where a value ends depends
// on where it stands:
//
//   ?n=eq.a,b            Ends::Never     a parameter of its own: all that follows, quotes too
//   n=eq.a,m=eq.b        Ends::AtComma   a filter of realtime
//   or=(n.eq.a,m.eq.b)   Ends::InList    within parentheses, as the values of in.(a,b) do
//
// Errors name the character at which reading stopped; what a client sent is repeated only as far as that.
#include <algorithm>
#include <array>
#include <utility>

#include "db/model/row_filter.h"
#include "db/model/row_pattern.h"

namespace hearth::db {
namespace {

using Op = RowCondition::Op;
using Of = RowCondition::Of;

constexpr std::array<std::pair<std::string_view, Op>, 13> kOps = {{{"eq", Op::Eq},
                                                                   {"neq", Op::Neq},
                                                                   {"lt", Op::Lt},
                                                                   {"lte", Op::Lte},
                                                                   {"gt", Op::Gt},
                                                                   {"gte", Op::Gte},
                                                                   {"in", Op::In},
                                                                   {"like", Op::Like},
                                                                   {"ilike", Op::ILike},
                                                                   {"match", Op::Match},
                                                                   {"imatch", Op::IMatch},
                                                                   {"is", Op::Is},
                                                                   {"isdistinct", Op::IsDistinct}}};
// PostgREST has them, and a tree has nothing that they could ask.
constexpr std::array<std::string_view, 12> kOthers = {"cs",  "cd",  "ov",  "sl",    "sr",    "nxr",
                                                      "nxl", "adj", "fts", "plfts", "phfts", "wfts"};

enum class Ends : uint8_t { Never, AtComma, InList };

bool takes_pattern(Op op) { return op == Op::Like || op == Op::ILike || op == Op::Match || op == Op::IMatch; }
bool takes_several(Op op) { return op != Op::In && op != Op::Is && op != Op::IsDistinct && op != Op::Neq; }

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  Error wrong(std::string_view what) const {
    return {ErrorCode::InvalidArgument, std::string(what) + ", at character " + std::to_string(at_ + 1)};
  }
  Result<void> check_size() const {
    if (text_.size() <= kRowFilterBytesMax) return {};
    return Error{ErrorCode::InvalidArgument,
                 "a filter has at most " + std::to_string(kRowFilterBytesMax) + " bytes, and this one more"};
  }

  // A name of a column or of a key in it, up to one of `ends` or an arrow.
  Result<std::string> name(std::string_view ends) {
    std::string name;
    if (!at_end() && text_[at_] == '"') {
      ASSIGN_OR_RETURN(name, quoted());
    } else {
      const size_t from = at_;
      while (!at_end() && ends.find(text_[at_]) == std::string_view::npos && !text_.substr(at_).starts_with("->"))
        ++at_;
      name = text_.substr(from, at_ - from);
    }
    if (!check_key(name).ok()) return wrong(name.empty() ? "a column is missing" : "no column has such a name");
    return name;
  }

  Result<RowColumn> column(std::string_view ends) {
    RowColumn column;
    ASSIGN_OR_RETURN(column.name, name(ends));
    while (!column.as_text) {
      column.as_text = take("->>");
      if (!column.as_text && !take("->")) break;
      if (column.below.size() >= kDepthMax) return wrong("a column is too deep");
      ASSIGN_OR_RETURN(std::string key, name(ends));
      column.below.push_back(std::move(key));
    }
    return column;
  }

  Result<RowCondition> condition(RowColumn column, Ends ends) {
    if (++conditions_ > kRowConditionsMax) {
      return wrong("a filter has at most " + std::to_string(kRowConditionsMax) + " conditions, and this one more");
    }
    RowCondition condition;
    condition.column = std::move(column);
    condition.negated = take("not.");
    RETURN_IF_ERROR(op(condition));
    if (condition.op == Op::In || condition.of != Of::One) {
      RETURN_IF_ERROR(list(condition));
    } else {
      ASSIGN_OR_RETURN(std::string operand, value(ends));
      condition.operands.push_back(std::move(operand));
    }
    RETURN_IF_ERROR(check_operands(condition));
    return condition;
  }

  Result<RowExpression> logic(RowExpression::Kind kind, size_t depth) {
    RowExpression logic;
    logic.kind = kind;
    if (depth > kRowLogicDepthMax) {
      return wrong("conditions lie at most " + std::to_string(kRowLogicDepthMax) + " deep, and these deeper");
    }
    if (!take("(")) return wrong("expected \"(\"");
    do {
      ASSIGN_OR_RETURN(RowExpression part, this->part(depth));
      logic.parts.push_back(std::move(part));
    } while (take(","));
    if (!take(")")) return wrong("expected \",\" or \")\"");
    return logic;
  }

 private:
  Result<RowExpression> part(size_t depth) {
    while (take(" ")) continue;
    const size_t from = at_;
    const bool negated = take("not.");
    for (const auto& [word, kind] : {std::pair{"and", RowExpression::Kind::And}, {"or", RowExpression::Kind::Or}}) {
      if (!take(word)) continue;
      if (!at_end() && text_[at_] == '(') {
        ASSIGN_OR_RETURN(RowExpression logic, this->logic(kind, depth + 1));
        logic.negated = negated;
        return logic;
      }
      at_ -= std::string_view(word).size();  // a column that begins like it
    }
    at_ = from;
    RowExpression one;
    one.kind = RowExpression::Kind::Condition;
    ASSIGN_OR_RETURN(RowColumn column, this->column(".,)"));
    if (!take(".")) return wrong("expected \".\" and an operator");
    ASSIGN_OR_RETURN(one.condition, condition(std::move(column), Ends::InList));
    return one;
  }

  Result<void> op(RowCondition& condition) {
    const size_t from = at_;
    while (!at_end() && ((text_[at_] >= 'a' && text_[at_] <= 'z') || text_[at_] == '_')) ++at_;
    const std::string_view word = text_.substr(from, at_ - from);
    const auto known =
        std::find_if(kOps.begin(), kOps.end(), [&](const auto& candidate) { return candidate.first == word; });
    if (known == kOps.end()) {
      const bool is_other = std::find(kOthers.begin(), kOthers.end(), word) != kOthers.end();
      at_ = from;
      return wrong(is_other ? "the operator \"" + std::string(word) + "\" is not offered here"
                            : std::string("expected an operator (eq, neq, lt, lte, gt, gte, in, like, ilike, match, "
                                          "imatch, is, isdistinct)"));
    }
    condition.op = known->second;
    if (take("(any)")) condition.of = Of::Any;
    if (take("(all)")) condition.of = Of::All;
    if (condition.of != Of::One && !takes_several(condition.op))
      return wrong("this operator takes no \"any\" or \"all\"");
    if (!take(".")) return wrong("expected \".\" behind the operator");
    return {};
  }

  Result<void> list(RowCondition& condition) {
    const bool is_in = condition.op == Op::In;
    const std::string_view close = is_in ? ")" : "}";
    if (!take(is_in ? "(" : "{")) return wrong(is_in ? "expected \"(\"" : "expected \"{\"");
    if (take(close)) return {};
    do {
      if (condition.operands.size() >= kRowOperandsMax) {
        return wrong("a list has at most " + std::to_string(kRowOperandsMax) + " values, and this one more");
      }
      if (!at_end() && text_[at_] == '"') {
        ASSIGN_OR_RETURN(std::string operand, quoted());
        condition.operands.push_back(std::move(operand));
        continue;
      }
      const size_t from = at_;
      while (!at_end() && text_[at_] != ',' && text_[at_] != close.front()) ++at_;
      condition.operands.emplace_back(text_.substr(from, at_ - from));
    } while (take(","));
    if (!take(close)) return wrong("expected \",\" or \"" + std::string(close) + "\"");
    return {};
  }

  Result<std::string> value(Ends ends) {
    if (ends != Ends::Never && !at_end() && text_[at_] == '"') return quoted();
    const size_t from = at_;
    const std::string_view stops = ends == Ends::Never ? "" : ends == Ends::AtComma ? "," : ",)";
    while (!at_end() && stops.find(text_[at_]) == std::string_view::npos) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }

  Result<std::string> quoted() {
    std::string text;
    ++at_;
    while (!at_end() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      text += text_[at_++];
    }
    if (!take("\"")) return wrong("a quote is not closed");
    return text;
  }

  Result<void> check_operands(RowCondition& condition) {
    if (condition.op == Op::Is) {
      std::string& what = condition.operands.front();
      for (char& c : what) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      for (const std::string_view known : {"null", "not_null", "true", "false", "unknown"}) {
        if (what == known) return {};
      }
      return wrong("expected null, not_null, true, false or unknown behind \"is.\"");
    }
    if (!takes_pattern(condition.op)) return {};
    for (const std::string& operand : condition.operands) {
      auto pattern = RowPattern::compile(condition.op, operand);
      if (!pattern.ok()) return wrong(pattern.error().message);
      condition.patterns.push_back(std::move(pattern).value());
    }
    return {};
  }

  const std::string_view text_;
  size_t at_ = 0;
  size_t conditions_ = 0;
};

}  // namespace

Result<RowFilter> parse_row_filter(std::string_view text) {
  RowFilter filter;
  if (text.find_first_not_of(' ') == std::string_view::npos) return filter;
  Reader reader(text);
  RETURN_IF_ERROR(reader.check_size());
  do {
    ASSIGN_OR_RETURN(RowColumn column, reader.column("=,"));
    if (!reader.take("=")) return reader.wrong("expected \"=\" behind a column");
    ASSIGN_OR_RETURN(RowCondition condition, reader.condition(std::move(column), Ends::AtComma));
    filter.push_back(std::move(condition));
  } while (reader.take(","));
  if (!reader.at_end()) return reader.wrong("expected \",\" or the end");
  return filter;
}

Result<RowCondition> parse_row_condition(std::string_view column, std::string_view text) {
  ASSIGN_OR_RETURN(RowColumn parsed, parse_row_column(column));
  Reader reader(text);
  RETURN_IF_ERROR(reader.check_size());
  ASSIGN_OR_RETURN(RowCondition condition, reader.condition(std::move(parsed), Ends::Never));
  if (!reader.at_end()) return reader.wrong("expected the end");
  return condition;
}

Result<RowExpression> parse_row_logic(RowExpression::Kind kind, std::string_view text) {
  Reader reader(text);
  RETURN_IF_ERROR(reader.check_size());
  ASSIGN_OR_RETURN(RowExpression logic, reader.logic(kind, 1));
  if (!reader.at_end()) return reader.wrong("expected the end");
  return logic;
}

Result<RowColumn> parse_row_column(std::string_view text) {
  Reader reader(text);
  RETURN_IF_ERROR(reader.check_size());
  ASSIGN_OR_RETURN(RowColumn column, reader.column(""));
  if (!reader.at_end()) return reader.wrong("expected the end");
  return column;
}

}  // namespace hearth::db
