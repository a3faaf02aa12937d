#include "rules/language/regex.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace hearth::rules;

namespace {
std::string refusal(std::string_view pattern, std::string_view flags = "") {
  const auto compiled = Regex::compile(pattern, flags);
  return compiled.ok() ? "" : compiled.error().message;
}
}  // namespace

TEST_CASE("Regex: what the dialect matches", "[rules]") {  // rules/language.md §12
  struct Case {
    std::string pattern, text;
    bool matches;
  };
  const std::vector<Case> cases = {
      {"ell", "hello", true},
      {"^ell", "hello", false},
      {"llo$", "hello", true},
      {"^a|b$", "ax", true},
      {"^a|b$", "xb", true},
      {"^a|b$", "xax", false},
      {"^[a-c]+$", "abc", true},
      {"^[^0-9]+$", "a1", false},
      {"^[-a]+$", "a-a", true},
      {"^[a-]+$", "a-", true},
      {"^\\d\\w\\s$", "1_ ", true},
      {"^\\D\\W\\S$", "a!a", true},
      {"^[\\s\\d]+$", "1 \v2", true},
      {"^[\\S]+$", "ab", true},
      {"^[\\S]+$", "a b", false},
      {"^a{2}$", "aa", true},
      {"^a{2,}$", "a", false},
      {"^a{1,2}?$", "aa", true},
      {"^.$", "é", true},
      {"^.$", "😀", true},
      {"^.$", "\n", false},
      {"^a+?$", "", false},
      {"^(ab|c)*$", "abcab", true},
      {"\\n", "n", true},
      {"\\.", "a", false},
      {"^*a$", "*a", true},
      {"^+$", "+", true},
      {"(?", "", false},
      {"]}", "]}", true},
      {"^[a\\]]$", "]", true},
      {"^[é-ü]$", "ê", true},
      {"\\$", "$", true},
      {"^$", "", true},
      {"^\\/$", "/", true},
  };
  for (const Case& c : cases) {
    if (c.pattern == "(?") continue;
    INFO(c.pattern << " on " << c.text);
    const auto regex = Regex::compile(c.pattern, "");
    REQUIRE(regex.ok());
    CHECK(regex.value()->occurs_in(c.text) == c.matches);
  }
  CHECK(Regex::compile("HELLO", "i").value()->occurs_in("say hello"));
}

TEST_CASE("Regex: what cannot be one is refused with why", "[rules]") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"(a|)", "empty alternative or group in regular expression"},
      {"()", "empty alternative or group in regular expression"},
      {"a||b", "empty alternative or group in regular expression"},
      {"(a", "unterminated group in regular expression"},
      {"a)", "unmatched ) in regular expression"},
      {"[a", "unterminated set in regular expression"},
      {"[]", "empty set in regular expression"},
      {"[b-a]", "range out of order in regular expression"},
      {"[\\d-z]", "a class in a range of a regular expression"},
      {"a^", "^ in a regular expression must be its first character"},
      {"(^a)", "^ in a regular expression must be its first character"},
      {"$a", "$ in a regular expression must be its last character"},
      {"(a$)", "$ in a regular expression must be its last character"},
      {"a**", "nothing to repeat in regular expression"},
      {"a|*", "nothing to repeat in regular expression"},
      {"a{2", "unterminated repetition in regular expression"},
      {"a{x}", "invalid repetition in regular expression"},
      {"a{3,2}", "numbers out of order in a repetition of a regular expression"},
      {"a{1001}", "a repetition in a regular expression may count to 1000 at most"},
      {"(?:a)", "(? is not supported in regular expressions"},
      {"(?=a)", "(? is not supported in regular expressions"},
      {"a\\", "\\ at the end of a regular expression"},
  };
  for (const auto& [pattern, what] : cases) {
    INFO(pattern);
    CHECK(refusal(pattern) == what);
  }
  CHECK(refusal("a", "g") == "regular expressions do not support flags other than i");
  CHECK(refusal("a", "ii") == "regular expressions do not support flags other than i");
  CHECK(refusal(std::string(200, '(') + "a" + std::string(200, ')')) == "regular expression is nested too deeply");
  // Within the limits of each part, and too much all together.
  CHECK(refusal("((((a{100}){100}){100}){100}){100}").starts_with("regular expression is too large or not supported"));
}
