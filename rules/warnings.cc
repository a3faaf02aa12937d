#include "rules/warnings.h"

#include <fmt/format.h>

#include "rules/language/lexer.h"
#include "rules/language/text.h"

namespace hearth::rules {
namespace {

class Search {
 public:
  explicit Search(std::string_view document) : document_(document) {}

  // At most as deep as parse_text goes.
  void look_at(const TextNode& node) {
    for (const TextMember& member : node.members) {
      const bool is_rule = member.key == ".read" || member.key == ".write" || member.key == ".validate";
      if (is_rule && member.value.kind == TextNode::Kind::String) look_at_rule(member.value);
      look_at(member.value);
    }
  }

  std::vector<std::string> found;

 private:
  // 010 is 8 in JavaScript's first edition, and so in rules.
  void look_at_rule(const TextNode& rule) {
    for (const Token& token : tokenize(rule.text).tokens) {
      if (token.kind != Token::Kind::Number) continue;
      const std::string_view digits = std::string_view(rule.text).substr(token.begin, token.end - token.begin);
      if (!is_octal(digits)) continue;
      found.push_back(fmt::format("{}: {} is octal, the number {}; without the 0 in front of it, it is decimal.",
                                  line_and_column(document_, rule.origins[token.begin]), digits, token.number));
    }
  }

  const std::string_view document_;
};

}  // namespace

std::vector<std::string> warnings_of(std::string_view document) {
  // A document with mistakes is refused anyway, and Ruleset::compile says why.
  const auto parsed = parse_text(document);
  if (!parsed.ok()) return {};
  Search search(document);
  search.look_at(parsed.value());
  return std::move(search.found);
}

}  // namespace hearth::rules
