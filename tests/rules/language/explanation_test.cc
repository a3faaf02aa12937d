#include "rules/language/explanation.h"

#include <catch2/catch.hpp>

using namespace hearth::rules;

TEST_CASE("Explanation: as text for people and as JSON with stable names", "[rules]") {
  Explanation explanation;
  explanation.allowed = false;
  explanation.reason = "no \"rule\"";
  Explanation::Evaluated rule;
  rule.kind = RuleKind::Validate;
  rule.pattern = "/a/$b";
  rule.path = "/a/x";
  rule.line = 3;
  rule.column = 9;
  rule.source = "now\n   > 1";
  rule.outcome = Outcome::Failed;
  rule.why = "because";
  rule.parts = {{"now", "5"}, {"now\n > 1", "failed"}};
  explanation.rules.push_back(rule);
  CHECK(to_text(explanation) ==
        "denied: no \"rule\"\n"
        "  .validate at /a/$b (line 3, column 9) for /a/x: failed, because\n"
        "    now > 1\n"
        "      now = 5\n"
        "      now > 1 = failed");
  CHECK(
      to_json(explanation) ==
      R"({"allowed":false,"reason":"no \"rule\"","rules":[{"rule":".validate","pattern":"/a/$b","path":"/a/x","line":3,)"
      R"("column":9,"source":"now\n   > 1","outcome":"failed","why":"because","parts":[{"source":"now","value":"5"},)"
      R"({"source":"now\n > 1","value":"failed"}]}]})");
  CHECK(to_text(Explanation()) == "denied: no rules are set");
}

namespace {

Explanation::Evaluated rule_of(RuleKind kind, const std::string& path, Outcome outcome) {
  Explanation::Evaluated rule;
  rule.kind = kind;
  rule.path = path;
  rule.outcome = outcome;
  return rule;
}

size_t text_bytes(const Explanation& explanation) { return to_text(explanation).size(); }

}  // namespace

TEST_CASE("Explanation: at most so many rules, of which those stay that decided", "[rules]") {
  Explanation explanation;
  explanation.add(rule_of(RuleKind::Write, "/grant", Outcome::True), "true");
  for (size_t i = 1; i < kExplainedRulesMax; ++i)
    explanation.add(rule_of(RuleKind::Validate, "/held", Outcome::True), "true");
  CHECK(explanation.rules.size() == kExplainedRulesMax);
  CHECK(explanation.rules_left_out == 0);
  CHECK(to_json(explanation).find("rulesLeftOut") == std::string::npos);
  // One more: a .validate that held goes, and neither the grant nor what did not hold.
  explanation.add(rule_of(RuleKind::Read, "/failed", Outcome::False), "false");
  for (size_t i = 0; i < 100'000; ++i) explanation.add(rule_of(RuleKind::Validate, "/held", Outcome::True), "true");
  explanation.add(rule_of(RuleKind::Validate, "/decided", Outcome::False), "false");
  CHECK(explanation.rules.size() == kExplainedRulesMax);
  CHECK(explanation.rules_left_out == 100'002);
  CHECK(explanation.rules[0].path == "/grant");
  CHECK(explanation.rules[1].path == "/failed");
  CHECK(explanation.rules.back().path == "/decided");
  CHECK(to_text(explanation).find("(100002 rules more left out)") != std::string::npos);
  CHECK(to_json(explanation).ends_with(R"(],"rulesLeftOut":100002})"));
  CHECK(to_text(explanation).find("/failed") != std::string::npos);
}

TEST_CASE("Explanation: of a rule at most so many parts and bytes, of which the newest stay", "[rules]") {
  Explanation explanation;
  explanation.add(rule_of(RuleKind::Read, "/a", Outcome::False), "x");
  Explanation::Evaluated& rule = explanation.rules.back();
  for (size_t i = 0; i < kExplainedPartsMax; ++i) rule.add("part" + std::to_string(i), "1");
  CHECK(rule.parts.size() == kExplainedPartsMax);
  CHECK(rule.parts_left_out == 0);
  rule.add("whole", "false");
  CHECK(rule.parts.size() == kExplainedPartsMax);
  CHECK(rule.parts.front().source == "part1");
  CHECK(rule.parts.back().source == "whole");
  CHECK(to_text(explanation).find("(1 part more left out)") != std::string::npos);
  CHECK(to_json(explanation).find(R"("partsLeftOut":1)") != std::string::npos);
  for (size_t i = 0; i < 1'000; ++i) rule.add(std::string(1'000'000, 'y'), "2");
  CHECK(text_bytes(explanation) < 2 * kExplainedRuleBytesMax);
  CHECK(rule.parts_left_out >= 1'000);
}

TEST_CASE("Explanation: at most so many bytes, whatever the rules' length", "[rules]") {
  Explanation explanation;
  // A character of three bytes is not cut in two.
  std::string long_source = "x";
  while (long_source.size() < 1u << 20) long_source += "\u20ac";
  for (size_t i = 0; i < 1'000; ++i) {
    explanation.add(rule_of(RuleKind::Read, "/a", Outcome::False), long_source);
    for (size_t part = 0; part < 200; ++part) explanation.rules.back().add(long_source, "1");
  }
  CHECK(text_bytes(explanation) <= kExplanationBytesMax);
  CHECK(text_bytes(explanation) > kExplanationBytesMax / 2);
  CHECK(explanation.rules_left_out + explanation.rules.size() == 1'000);
  CHECK(explanation.rules.back().source.size() <= kExplainedSourceBytesMax + 3);
  CHECK(explanation.rules.back().source.ends_with("\u20ac…"));
}
