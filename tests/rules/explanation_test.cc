#include "rules/explanation.h"

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
  CHECK(to_json(explanation) ==
        R"({"allowed":false,"reason":"no \"rule\"","rules":[{"rule":".validate","pattern":"/a/$b","path":"/a/x","line":3,)"
        R"("column":9,"source":"now\n   > 1","outcome":"failed","why":"because","parts":[{"source":"now","value":"5"},)"
        R"({"source":"now\n > 1","value":"failed"}]}]})");
  CHECK(to_text(Explanation()) == "denied: no rules are set");
}
