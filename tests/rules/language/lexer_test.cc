#include "rules/language/lexer.h"

#include <catch2/catch.hpp>

using namespace hearth::rules;

namespace {
// Each token by a letter for its kind and its text.
std::string words(std::string_view text) {
  const Tokens scanned = tokenize(text);
  std::string all;
  for (const Token& token : scanned.tokens) {
    if (token.kind == Token::Kind::End) break;
    static constexpr std::string_view kLetters = "ENSRWO";
    all += all.empty() ? "" : " ";
    all += kLetters[static_cast<size_t>(token.kind)];
    all += token.kind == Token::Kind::Number ? std::to_string(token.number) : token.text;
    if (!token.flags.empty()) all += "/" + token.flags;
  }
  for (const Mistake& mistake : scanned.mistakes) all += "!" + std::to_string(mistake.at) + " " + mistake.what;
  return all;
}
}  // namespace

TEST_CASE("Lexer: tokens of expressions", "[rules]") {  // rules/language.md §4
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"auth.uid===$id", "Wauth O. Wuid O=== W$id"},
      {"1.5e2+.5", "N150.000000 O+ N0.500000"},
      {R"('a\'b\n\u00e9\x41\q' "c")", "Sa'b\néAq Sc"},
      {"a /* b */ / c", "Wa O/ Wc"},
      {"x.matches(/[/]\\/$/i)", "Wx O. Wmatches O( R[/]\\/$/i O)"},
      {"(1)/2", "O( N1.000000 O) O/ N2.000000"},
      {"a<=b>=c!==d", "Wa O<= Wb O>= Wc O!== Wd"},
      {"", ""},
      {"'abc", "!0 unterminated string literal"},
      {"'a\nb'", "!0 unterminated string literal"},
      {"/a", "!0 unterminated regular expression literal"},
      {"/* a", "!0 unterminated comment"},
      {"010 08 0x1F 09.5 00", "N8.000000 N8.000000 N31.000000 N9.500000 N0.000000"},
      {"1e-999", "N0.000000"},
      {"07.5", "N7.000000 N0.500000"},  // which no expression is
      {"08e1", "N80.000000"},
      {"a // b\n c", "Wa Wc"},
      {"// a\r b // c\u2028 d //", "Wb Wd"},
      {"'//' /* // */ \u00a0b", "S// Wb"},
      {R"('\101\0\u{1f600}')", std::string("SA\0😀", 7)},
      {"'a\\\nb'", "Sab"},
      {"01e1", "!0 syntax error"},
      {"0x", "!0 syntax error"},
      {"0x1g", "!0 syntax error"},
      {"1_000", "!0 syntax error"},
      {"'\\u{}'", "!4 syntax error"},
      {"'\\u{110000}'", "!10 syntax error"},
      {"3px", "!0 syntax error"},
      {"'\\u12'", "!3 syntax error"},
      {"a \x01", "Wa!2 syntax error"},
  };
  for (const auto& [text, tokens] : cases) {
    INFO(text);
    CHECK(words(text) == tokens);
  }
}
