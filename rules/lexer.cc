#include "rules/lexer.h"

#include <algorithm>
#include <charconv>

#include "rules/text.h"

namespace hearth::rules {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (c & 0x80) != 0; }
// A captured key may hold what no name of JavaScript may: `$room-id` is not one, for it reads as a difference.
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

// Longest first.
constexpr std::string_view kSymbols[] = {
    "===", "!==", ">>>", "**=", "<<=", ">>=", "==", "!=", "<=", ">=", "&&", "||", "++", "--",
    "<<",  ">>",  "**",  "+=",  "-=",  "*=",  "/=", "%=", "&=", "|=", "^=", "=>", "??", "?.",
    "<",   ">",   "+",   "-",   "*",   "/",   "%",  "!",  "?",  ":",  "(",  ")"};
constexpr std::string_view kSingles = "[],.;={}&|^~`@#\\";

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Tokens run() {
    while (to_.mistakes.empty() && skip() && at_ < text_.size()) next();
    Token end;
    end.begin = end.end = text_.size();
    to_.tokens.push_back(std::move(end));
    return std::move(to_);
  }

 private:
  bool fail(size_t at, std::string what) {
    to_.mistakes.push_back({at, std::move(what)});
    return false;
  }

  bool skip() {
    for (;;) {
      at_ = std::min(text_.find_first_not_of(" \t\r\n\f\v", at_), text_.size());
      if (text_.substr(at_, 2) != "/*") return true;
      const size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) return fail(at_, "unterminated comment");
      at_ = end + 2;
    }
  }

  // Whether a value may stand here: not right behind one.
  bool expects_value() const {
    if (to_.tokens.empty()) return true;
    const Token& last = to_.tokens.back();
    if (last.kind != Token::Kind::Symbol) return false;
    return last.text != ")" && last.text != "]";
  }

  void add(Token::Kind kind, size_t begin, std::string text) {
    Token token;
    token.kind = kind;
    token.begin = begin;
    token.end = at_;
    token.text = std::move(text);
    to_.tokens.push_back(std::move(token));
  }

  void next() {
    const char c = text_[at_];
    const size_t begin = at_;
    if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) return number();
    if (c == '"' || c == '\'') return string(c);
    if (c == '/' && expects_value()) return regex();
    if (is_name_start(c)) {
      while (at_ < text_.size() && is_name(text_[at_])) ++at_;
      return add(Token::Kind::Name, begin, std::string(text_.substr(begin, at_ - begin)));
    }
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_, symbol.size()) != symbol) continue;
      at_ += symbol.size();
      return add(Token::Kind::Symbol, begin, std::string(symbol));
    }
    if (kSingles.find(c) == std::string_view::npos) {
      fail(at_, "syntax error");
      return;
    }
    ++at_;
    add(Token::Kind::Symbol, begin, std::string(1, c));
  }

  void number() {
    const size_t begin = at_;
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    at_ = static_cast<size_t>(end - text_.data());
    const bool is_octal = text_[begin] == '0' && begin + 1 < text_.size() && is_digit(text_[begin + 1]);
    if (error != std::errc() || is_octal || (at_ < text_.size() && is_name(text_[at_]))) {
      fail(begin, "syntax error");
      return;
    }
    add(Token::Kind::Number, begin, "");
    to_.tokens.back().number = value;
  }

  void string(char quote) {
    const size_t begin = at_++;
    std::string value;
    for (;;) {
      if (at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r') {
        fail(begin, "unterminated string literal");
        return;
      }
      const char c = text_[at_++];
      if (c == quote) break;
      if (c != '\\') {
        value += c;
      } else if (!escape(value)) {
        return;
      }
    }
    add(Token::Kind::String, begin, std::move(value));
  }

  // Behind a backslash. JavaScript's escapes; of others the character stays.
  bool escape(std::string& to) {
    if (at_ >= text_.size()) return fail(at_, "unterminated string literal");
    const char c = text_[at_++];
    static constexpr std::string_view kNames = "bfnrtv0";
    static constexpr std::string_view kMeanings("\b\f\n\r\t\v\0", 7);
    if (const size_t index = kNames.find(c); index != std::string_view::npos) {
      to += kMeanings[index];
      return true;
    }
    if (c != 'u' && c != 'x') {
      to += c;
      return true;
    }
    const size_t digits = c == 'u' ? 4 : 2;
    uint32_t point = 0;
    if (!hex(digits, point)) return fail(at_, "syntax error");
    if (point >= 0xd800 && point < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      uint32_t low = 0;
      if (!hex(4, low)) return fail(at_, "syntax error");
      point = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : 0xfffd;
    }
    if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
    append_utf8(point, to);
    return true;
  }

  bool hex(size_t digits, uint32_t& value) {
    if (at_ + digits > text_.size()) return false;
    value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + digits, value, 16);
    if (error != std::errc() || end != text_.data() + at_ + digits) return false;
    at_ += digits;
    return true;
  }

  // `/` within a set or behind a backslash does not end it (§4).
  void regex() {
    const size_t begin = at_++;
    bool in_set = false;
    for (;; ++at_) {
      if (at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r') {
        fail(begin, "unterminated regular expression literal");
        return;
      }
      const char c = text_[at_];
      if (c == '/' && !in_set) break;
      if (c == '[') in_set = true;
      if (c == ']') in_set = false;
      if (c == '\\' && at_ + 1 < text_.size()) ++at_;
    }
    const std::string pattern(text_.substr(begin + 1, at_ - begin - 1));
    const size_t flags = ++at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    add(Token::Kind::Regex, begin, pattern);
    to_.tokens.back().flags = text_.substr(flags, at_ - flags);
  }

  const std::string_view text_;
  size_t at_ = 0;
  Tokens to_;
};

}  // namespace

Tokens tokenize(std::string_view expression) { return Lexer(expression).run(); }

}  // namespace hearth::rules
