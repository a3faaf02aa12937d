// The dialect of rules, translated for RE2. RE2 would take most of it as it is, but with other meanings: its `\s` has
// other characters, its `.` other exceptions, and it lets `^` and `$` stand anywhere. So the pattern is read
// character by character and written anew, and whatever the dialect does not have is refused instead of being passed
// on.
//
//   ^a.c|[^\s]$     ─▶     \Aa[^\n\r\x{2028}\x{2029}]c|[^\t\n\v\f\r ]\z
//
// RE2 and not backtracking: rules are written by some and fed by others, and no string may make a match slow.
#include "rules/language/regex.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

namespace hearth::rules {
namespace {

using db::Error;
using db::ErrorCode;

constexpr std::string_view kSpace = "\\t\\n\\v\\f\\r ";
constexpr std::string_view kNotSpace = "\\x{0}-\\x{8}\\x{e}-\\x{1f}!-\\x{10ffff}";
constexpr std::string_view kNotBreak = "[^\\n\\r\\x{2028}\\x{2029}]";

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  db::Result<std::string> run() {
    if (peek() == '^') {
      to_ += "\\A";
      ++at_;
    }
    RETURN_IF_ERROR(alternatives(0));
    if (at_ < pattern_.size()) return fail("unmatched ) in regular expression");
    return std::move(to_);
  }

 private:
  Error fail(std::string text) const { return {ErrorCode::InvalidData, std::move(text)}; }
  bool done() const { return at_ >= pattern_.size(); }
  char peek() const { return done() ? '\0' : pattern_[at_]; }

  // One whole character.
  std::string_view take() {
    size_t end = at_ + 1;
    while (end < pattern_.size() && (pattern_[end] & 0xc0) == 0x80) ++end;
    const std::string_view character = pattern_.substr(at_, end - at_);
    at_ = end;
    return character;
  }
  // RE2 knows what has to be quoted.
  void add_literal(std::string_view character) { to_ += re2::RE2::QuoteMeta({character.data(), character.size()}); }

  db::Result<void> alternatives(size_t depth) {
    // This parser is recursive, and RE2's own limit would come later.
    if (depth > 64) return fail("regular expression is nested too deeply");
    bool is_first = true;
    for (;;) {
      ASSIGN_OR_RETURN(const bool is_empty, branch(depth, is_first));
      const bool is_whole = is_first && peek() != '|' && depth == 0;
      // The empty pattern as a whole is allowed; an empty branch or group is not.
      if (is_empty && !is_whole) return fail("empty alternative or group in regular expression");
      if (peek() != '|') return {};
      to_ += '|';
      ++at_;
      is_first = false;
    }
  }

  // Returns whether the branch is empty.
  db::Result<bool> branch(size_t depth, bool is_start) {
    bool is_empty = true;
    while (!done() && peek() != '|' && peek() != ')') {
      if (peek() == '$') {
        if (at_ + 1 != pattern_.size()) return fail("$ in a regular expression must be its last character");
        ++at_;
        to_ += "\\z";
        return false;
      }
      RETURN_IF_ERROR(element(depth, is_start && is_empty));
      is_empty = false;
    }
    return is_empty;
  }

  db::Result<void> element(size_t depth, bool is_start) {
    const char c = peek();
    const bool is_operator = c == '*' || c == '+' || c == '?' || c == '{';
    if (is_operator && !is_start) return fail("nothing to repeat in regular expression");
    switch (c) {
      case '^':
        return fail("^ in a regular expression must be its first character");
      case '(':
        ++at_;
        if (peek() == '?') return fail("(? is not supported in regular expressions");
        to_ += "(?:";
        RETURN_IF_ERROR(alternatives(depth + 1));
        if (peek() != ')') return fail("unterminated group in regular expression");
        ++at_;
        to_ += ')';
        break;
      case '[':
        RETURN_IF_ERROR(set());
        break;
      case '.':
        ++at_;
        to_ += kNotBreak;
        break;
      case '\\':
        RETURN_IF_ERROR(escape());
        break;
      default:
        add_literal(take());  // an operator at the start stands for itself
    }
    return repetition();
  }

  db::Result<void> escape() {
    ++at_;
    if (done()) return fail("\\ at the end of a regular expression");
    const std::string_view character = take();
    if (character == "s" || character == "S") {
      to_ += character == "s" ? "[" : "[^";
      to_.append(kSpace).append("]");
    } else if (character == "d" || character == "D" || character == "w" || character == "W") {
      to_.append("\\").append(character);
    } else {
      add_literal(character);
    }
    return {};
  }

  db::Result<void> repetition() {
    const char c = peek();
    if (c == '*' || c == '+' || c == '?') {
      to_ += c;
      ++at_;
    } else if (c == '{') {
      RETURN_IF_ERROR(counted());
    } else {
      return {};
    }
    // Lazy or greedy is the same for yes or no.
    if (peek() == '?') ++at_;
    return {};
  }

  db::Result<void> counted() {
    const size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) return fail("unterminated repetition in regular expression");
    const std::string_view counts = pattern_.substr(at_ + 1, end - at_ - 1);
    const size_t comma = std::min(counts.find(','), counts.size());
    ASSIGN_OR_RETURN(const int least, count(counts.substr(0, comma)));
    // {2} and {2,} have no upper bound to check.
    if (comma + 1 < counts.size()) {
      ASSIGN_OR_RETURN(const int most, count(counts.substr(comma + 1)));
      if (most < least) return fail("numbers out of order in a repetition of a regular expression");
    }
    to_.append(pattern_.substr(at_, end + 1 - at_));
    at_ = end + 1;
    return {};
  }

  db::Result<int> count(std::string_view digits) {
    int value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    const bool is_number = error == std::errc() && end == digits.data() + digits.size() && value >= 0;
    if (!is_number || digits.front() == '-') return fail("invalid repetition in regular expression");
    // RE2's own limit, told in our words and before the pattern is compiled.
    if (value > kRegexRepeatMax) return fail("a repetition in a regular expression may count to 1000 at most");
    return value;
  }

  db::Result<void> set() {
    ++at_;
    to_ += '[';
    if (peek() == '^') {
      to_ += '^';
      ++at_;
    }
    if (peek() == ']') return fail("empty set in regular expression");
    while (!done() && peek() != ']') {
      ASSIGN_OR_RETURN(const std::string_view low, member());
      const bool is_range = peek() == '-' && at_ + 1 < pattern_.size() && pattern_[at_ + 1] != ']';
      if (!is_range) continue;
      if (low.empty()) return fail("a class in a range of a regular expression");
      ++at_;
      to_ += '-';
      ASSIGN_OR_RETURN(const std::string_view high, member());
      if (high.empty()) return fail("a class in a range of a regular expression");
      if (high < low) return fail("range out of order in regular expression");  // UTF-8 sorts by code point
    }
    if (done()) return fail("unterminated set in regular expression");
    ++at_;
    to_ += ']';
    return {};
  }

  // A member of a set: its character, or "" for a class.
  db::Result<std::string_view> member() {
    if (done()) return fail("unterminated set in regular expression");
    std::string_view character = take();
    if (character == "\\") {
      if (done()) return fail("unterminated set in regular expression");
      character = take();
      if (character == "s" || character == "S") {
        // Within a set there is no set: the opposite of a class is written as its ranges.
        to_ += character == "s" ? kSpace : kNotSpace;
        return std::string_view();
      }
      if (character == "d" || character == "D" || character == "w" || character == "W") {
        to_.append("\\").append(character);
        return std::string_view();
      }
    }
    add_literal(character);
    return character;
  }

  const std::string_view pattern_;
  size_t at_ = 0;
  std::string to_;
};

}  // namespace

Regex::Regex(std::unique_ptr<re2::RE2> compiled)
    // The size of the program bounds what a byte can cost, and so what matches() is charged for one.
    : compiled_(std::move(compiled)), cost_(static_cast<size_t>(std::max(1, compiled_->ProgramSize()))) {}
Regex::~Regex() = default;

db::Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern, std::string_view flags) {
  if (!flags.empty() && flags != "i") {
    return Error{ErrorCode::InvalidData, "regular expressions do not support flags other than i"};
  }
  ASSIGN_OR_RETURN(const std::string translated, Translator(pattern).run());
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_case_sensitive(flags.empty());
  // Only yes or no is asked, so groups need not be remembered.
  options.set_never_capture(true);
  options.set_max_mem(static_cast<int64_t>(kRegexBytesMax));
  auto compiled = std::make_unique<re2::RE2>(translated, options);
  if (!compiled->ok()) {
    return Error{ErrorCode::InvalidData, "regular expression is too large or not supported: " + compiled->error()};
  }
  return std::shared_ptr<const Regex>(new Regex(std::move(compiled)));
}

bool Regex::occurs_in(std::string_view utf8) const {
  return re2::RE2::PartialMatch({utf8.data(), utf8.size()}, *compiled_);
}

}  // namespace hearth::rules
