#include "db/model/row_pattern.h"

#include <re2/re2.h>

#include <algorithm>

namespace hearth::db {
namespace {

using Op = RowCondition::Op;

// `%` and `*` are any text, `_` is one character, and a backslash takes what follows for itself. Runs of the first are
// one: each would make an automaton of its own.
std::string of_like(std::string_view pattern) {
  std::string to;
  std::string literal;
  const auto add_literal = [&] {
    to += re2::RE2::QuoteMeta(literal);
    literal.clear();
  };
  bool was_any = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool is_any = c == '%' || c == '*';
    if (is_any) {
      add_literal();
      if (!was_any) to += ".*";
    } else if (c == '_') {
      add_literal();
      to += '.';
    } else {
      if (c == '\\' && i + 1 < pattern.size()) ++i;
      literal += pattern[i];
    }
    was_any = is_any;
  }
  add_literal();
  return to;
}

}  // namespace

RowPattern::RowPattern(std::unique_ptr<const re2::RE2> compiled, bool is_whole)
    : compiled_(std::move(compiled)),
      steps_(static_cast<size_t>(std::max(1, compiled_->ProgramSize()))),
      is_whole_(is_whole) {}
RowPattern::~RowPattern() = default;

Result<std::shared_ptr<const RowPattern>> RowPattern::compile(Op op, std::string_view pattern) {
  if (pattern.size() > kRowPatternBytesMax) {
    return Error{ErrorCode::InvalidArgument,
                 "a pattern has at most " + std::to_string(kRowPatternBytesMax) + " bytes, and this one more"};
  }
  const bool is_like = op == Op::Like || op == Op::ILike;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(op == Op::Like || op == Op::Match);
  options.set_never_capture(true);
  options.set_dot_nl(true);
  options.set_max_mem(kRowPatternMemoryMax);
  auto compiled = std::make_unique<const re2::RE2>(is_like ? of_like(pattern) : std::string(pattern), options);
  if (!compiled->ok()) {
    return Error{ErrorCode::InvalidArgument, "the pattern is too large, or no expression of RE2: " + compiled->error()};
  }
  return std::shared_ptr<const RowPattern>(new RowPattern(std::move(compiled), is_like));
}

std::optional<bool> RowPattern::occurs_in(std::string_view text) const {
  if (text.size() > kPatternWorkMax / steps_) return {};
  const re2::StringPiece piece(text.data(), text.size());
  return is_whole_ ? re2::RE2::FullMatch(piece, *compiled_) : re2::RE2::PartialMatch(piece, *compiled_);
}

}  // namespace hearth::db
