// Tokens of an expression. The language is a part of JavaScript, read as the service reads it; what is refused there
// for its syntax is refused here, and so are the numbers and literals that later editions of JavaScript added.
//
// The one place where a token depends on its neighbours is the slash: where a value may stand it begins a regular
// expression, behind a value it divides (expects_value). Every other token is the longest that fits.
//
//   a / b         Name  Symbol /  Name               data.val().matches(/^[a-z/]+$/i)
//                                                                      └ Regex "^[a-z/]+$", flags "i"
//
// At the first mistake the tokens end. One mistake in a rule is one message.
#include "rules/language/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "rules/language/text.h"

namespace hearth::rules {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (c & 0x80) != 0;
}
// A captured key may hold what no name of JavaScript may: `$room-id` is not one, for it reads as a difference.
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

// Longest first.
constexpr std::string_view kSymbolTokens[] = {
    "===", "!==", ">>>", "**=", "<<=", ">>=", "==", "!=", "<=", ">=", "&&", "||", "++", "--",
    "<<",  ">>",  "**",  "+=",  "-=",  "*=",  "/=", "%=", "&=", "|=", "^=", "=>", "??", "?.",
    "<",   ">",   "+",   "-",   "*",   "/",   "%",  "!",  "?",  ":",  "(",  ")"};
// Symbols that the language does not have are tokens too, so that the parser can say which of them is wrong.
constexpr std::string_view kSingles = "[],.;={}&|^~`@#\\";

// ECMA-262, "White Space" and "Line Terminators".
constexpr std::string_view kLineEnds[] = {"\n", "\r", "\u2028", "\u2029"};
constexpr std::string_view kBlanks[] = {" ",      "\t",     "\f",     "\v",     "\u00a0", "\ufeff", "\u1680",
                                        "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
                                        "\u2007", "\u2008", "\u2009", "\u200a", "\u202f", "\u205f", "\u3000"};

// Bytes of the one that `text` begins with; 0: with none.
template <typename List>
size_t begins_with(std::string_view text, const List& list) {
  for (const std::string_view one : list) {
    if (text.starts_with(one)) return one.size();
  }
  return 0;
}

bool is_octal_digit(char c) { return c >= '0' && c <= '7'; }

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

  std::string_view rest() const { return text_.substr(at_); }
  // Whether a character of a name stands here. It continues a name, and must not touch a number.
  bool goes_on() const {
    if (at_ >= text_.size() || !is_name(text_[at_])) return false;
    return (text_[at_] & 0x80) == 0 || begins_with(rest(), kBlanks) + begins_with(rest(), kLineEnds) == 0;
  }

  // Between tokens: blanks, ends of lines, comments. False: a comment has no end.
  bool skip() {
    for (;;) {
      if (const size_t blank = begins_with(rest(), kBlanks) + begins_with(rest(), kLineEnds); blank > 0) {
        at_ += blank;
      } else if (rest().starts_with("//")) {
        while (at_ < text_.size() && begins_with(rest(), kLineEnds) == 0) ++at_;
      } else if (rest().starts_with("/*")) {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return fail(at_, "unterminated comment");
        at_ = end + 2;
      } else {
        return true;
      }
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
      while (goes_on()) ++at_;
      return add(Token::Kind::Name, begin, std::string(text_.substr(begin, at_ - begin)));
    }
    for (const std::string_view symbol : kSymbolTokens) {
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

  // JavaScript's, those of its first days too: 0x10 is 16, 010 is 8 (warnings.h), 08 is 8.
  void number() {
    const size_t begin = at_;
    double value = 0;
    const std::string_view digits = rest().substr(0, std::min(rest().find_first_not_of("0123456789"), rest().size()));
    const bool is_hex = rest().starts_with("0x") || rest().starts_with("0X");
    const bool is_fine = is_hex             ? decimal(2, std::chars_format::hex, value)
                         : is_octal(digits) ? octal(digits, value)
                                            : decimal(0, std::chars_format::general, value);
    // 1a and 0x1g are no number followed by a name.
    if (!is_fine || goes_on()) {
      fail(begin, "syntax error");
      return;
    }
    add(Token::Kind::Number, begin, "");
    to_.tokens.back().number = value;
  }

  bool octal(std::string_view digits, double& value) {
    for (const char digit : digits) value = value * 8 + (digit - '0');
    at_ += digits.size();
    return true;
  }

  // Behind `prefix` bytes. What no double holds is infinite, or 0.
  bool decimal(size_t prefix, std::chars_format format, double& value) {
    const bool is_hex = format == std::chars_format::hex;
    const std::string_view text = rest().substr(prefix);
    const size_t length = is_hex ? text.find_first_not_of("0123456789abcdefABCDEF") : std::string_view::npos;
    const char* const upto = text.data() + std::min(length, text.size());
    const auto [end, error] = std::from_chars(text.data(), upto, value, format);
    if (error == std::errc::result_out_of_range) {
      value = std::strtod(std::string(text.data(), end).c_str(), nullptr);
    } else if (error != std::errc()) {
      return false;
    }
    at_ = static_cast<size_t>(end - text_.data());
    return true;
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

  // Behind a backslash. JavaScript's escapes; of others the character stays, and an escaped end of a line is nothing.
  bool escape(std::string& to) {
    if (at_ >= text_.size()) return fail(at_, "unterminated string literal");
    if (const size_t line_end = rest().starts_with("\r\n") ? 2 : begins_with(rest(), kLineEnds); line_end > 0) {
      at_ += line_end;
      return true;
    }
    if (is_octal_digit(text_[at_])) {
      uint32_t point = 0;
      for (size_t most = text_[at_] <= '3' ? 3 : 2; most > 0 && at_ < text_.size() && is_octal_digit(text_[at_]);
           --most) {
        point = point * 8 + static_cast<uint32_t>(text_[at_++] - '0');
      }
      append_utf8(point, to);
      return true;
    }
    const char c = text_[at_++];
    static constexpr std::string_view kNames = "bfnrtv";
    static constexpr std::string_view kMeanings = "\b\f\n\r\t\v";
    if (const size_t index = kNames.find(c); index != std::string_view::npos) {
      to += kMeanings[index];
      return true;
    }
    if (c != 'u' && c != 'x') {
      to += c;
      return true;
    }
    uint32_t point = 0;
    if (c == 'u' && rest().starts_with('{')) {
      const size_t end = rest().find('}');
      ++at_;
      // One to six digits between the braces.
      if (end == std::string_view::npos || end < 2 || end > 7 || !hex(end - 1, point) || point > 0x10ffff)
        return fail(at_, "syntax error");
      ++at_;
      append_utf8(point >= 0xd800 && point < 0xe000 ? 0xfffd : point, to);
      return true;
    }
    if (!hex(c == 'u' ? 4 : 2, point)) return fail(at_, "syntax error");
    // Two escapes may be one character. A half alone becomes U+FFFD, as in all text here.
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
    while (goes_on()) ++at_;
    add(Token::Kind::Regex, begin, pattern);
    to_.tokens.back().flags = text_.substr(flags, at_ - flags);
  }

  const std::string_view text_;
  size_t at_ = 0;
  Tokens to_;
};

}  // namespace

bool is_octal(std::string_view number) {
  return number.size() > 1 && number.front() == '0' && std::all_of(number.begin(), number.end(), is_octal_digit);
}

Tokens tokenize(std::string_view expression) { return Lexer(expression).run(); }

}  // namespace hearth::rules
