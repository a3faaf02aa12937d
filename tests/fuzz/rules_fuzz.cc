// Rules documents, and what they say of data and an operation.
#include "db/commit/evaluate.h"
#include "db/model/json.h"
#include "rules/language/parser.h"
#include "rules/language/text.h"
#include "rules/ruleset.h"
#include "rules/trial.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/value_view.h"

using namespace hearth;

FUZZ_TARGET(rules_text) {
  rules::parse_expression(bytes);
  if (const auto strict = rules::strict_json(bytes); strict.ok()) {
    // Depth alone may still be too much for the other parser.
    const auto again = rules::strict_json(strict.value());
    test::invariant(again.ok() && again.value() == strict.value(), "strict JSON is strict already");
  }
  const auto compiled = rules::Ruleset::compile(std::string(bytes));
  test::invariant(compiled.ok() || compiled.error().message.ends_with('\n'), "a mistake is a line");
  if (compiled.ok()) test::invariant(compiled.value()->text() == bytes, "the text is kept");
}

namespace {

// Judges and explains: both ways come to one verdict.
class Both final : public db::Precondition {
 public:
  Both(const rules::Ruleset& ruleset, rules::Question question) : ruleset_(ruleset), question_(question) {}
  db::Result<void> check(const db::Moment& moment) const override {
    std::vector<rules::Target> targets;
    for (const db::Overwrite& one : moment.overwrites) targets.push_back({&one.path, one.slot, &one.value});
    const auto verdict = ruleset_.may_write(moment.before, *moment.after, targets, question_);
    rules::Explanation explanation;
    rules::Question slow = question_;
    slow.explanation = &explanation;
    const auto again = ruleset_.may_write(moment.before, *moment.after, targets, slow);
    test::invariant(verdict.ok() && again.ok() && verdict.value() == again.value(), "an explanation changes nothing");
    rules::to_json(explanation);
    return {};
  }

 private:
  const rules::Ruleset& ruleset_;
  const rules::Question question_;
};

}  // namespace

// Three documents, each behind a line "---": rules, data, and a question (rules/trial.h).
FUZZ_TARGET(rules_verdict) {
  constexpr std::string_view kLine = "\n---\n";
  const size_t first = bytes.find(kLine);
  const size_t second = first == std::string_view::npos ? first : bytes.find(kLine, first + kLine.size());
  if (second == std::string_view::npos) return;
  const auto ruleset = rules::Ruleset::compile(std::string(bytes.substr(0, first)));
  if (!ruleset.ok()) return;
  const auto data =
      db::parse_value(std::string(bytes.substr(first + kLine.size(), second - first - kLine.size())), db::Path());
  auto question = rules::read_trial(std::string(bytes.substr(second + kLine.size())));
  if (!data.ok() || !question.ok()) return;
  const test::ValueView tree(data.value());
  const auto auth = rules::AuthVariable::parse(question.value().as.variable);
  rules::Question asked;
  asked.auth = auth.get();
  asked.now = db::Timestamp(1000);
  rules::Trial& trial = question.value().trial;
  if (trial.kind == rules::Trial::Kind::Read) {
    test::invariant(ruleset.value()->may_read(tree, trial.path, asked).ok(), "a tree in memory can be read");
    return;
  }
  trial.write.access = std::make_shared<Both>(*ruleset.value(), asked);
  const db::NoSettings settings;
  (void)db::judge(trial.write, {tree, settings, true}, asked.now);
}
