#include "rules/language/evaluator.h"

#include <catch2/catch.hpp>

#include "db/model/json.h"
#include "rules/ruleset.h"
#include "tests/support/value_view.h"

namespace db = hearth::db;
using namespace hearth::rules;
using hearth::test::ValueView;

namespace {

db::Value json(std::string text) { return db::parse_value(std::move(text), db::Path()).value(); }

// The outcome of an expression as a `.read` at /here/$key, for ada at the moment 1000.
struct Asked {
  Outcome outcome;
  uint64_t steps, bytes;
  std::string why;
};
Asked ask(const std::string& expression, const db::TreeView& tree) {
  std::string quoted;
  db::append_json_string(expression, quoted);
  const auto ruleset = Ruleset::compile("{\"rules\":{\"here\":{\"$key\":{\".read\":" + quoted + "}}}}");
  INFO(expression << (ruleset.ok() ? "" : ": " + ruleset.error().message));
  REQUIRE(ruleset.ok());
  const auto auth = AuthVariable::parse(R"({"uid":"ada","token":{"n":3,"list":["a"],"7":"seven"}})");
  Explanation explanation;
  explanation.rules.emplace_back();
  Question question;
  question.auth = auth.get();
  question.now = db::Timestamp(1000);
  question.explanation = &explanation;
  Evaluator evaluator(question, tree, nullptr, {});
  const std::vector<std::string_view> keys = {"here", "k"};
  const std::string encoded = "\x02here" + std::string(1, '\0') + "\x02k" + std::string(1, '\0');
  const auto outcome = evaluator.evaluate(*ruleset.value()->rules().front()->expression, expression, {encoded, keys});
  return {outcome.value(), kStepsMax - evaluator.steps_left(), kScanBytesMax - evaluator.scan_bytes_left(),
          explanation.rules.front().why};
}
Asked ask(const std::string& expression) {
  return ask(expression, ValueView(json(R"({"here":{"k":{"n":5,"s":"héllo😀","t":true,"o":{"x":1,"y":{"z":2}},
      "p":{".value":1,".priority":"hi"},"q":{".priority":2,"r":1}}},"top":"text"})")));
}

}  // namespace

TEST_CASE("Evaluator: a failure is neither true nor false, and nothing hides it", "[rules]") {  // §6, §7
  const std::vector<std::pair<std::string, Outcome>> cases = {
      {"'5' == 5", Outcome::False},
      {"null == false", Outcome::False},
      {"data.child('none').val() == null", Outcome::True},
      {"data.child('o').val() == null", Outcome::False},
      {"data.child('o').val() != 1", Outcome::True},
      {"data.child('none').val() < 1", Outcome::Failed},
      {"data.child('n').val() < 'a'", Outcome::Failed},
      {"!(data.child('none').val() < 1)", Outcome::Failed},
      {"data.child('none').val() < 1 || true", Outcome::Failed},
      {"true || data.child('none').val() < 1", Outcome::True},
      {"false && data.child('none').val() < 1", Outcome::False},
      {"(data.child('none').val() < 1) == false", Outcome::Failed},
      {"(true ? true : data.child('none').val() < 1)", Outcome::True},
      {"data.child('none').val() + 1 == 1", Outcome::Failed},
      {"data.child('t').val() + 'x' == 'truex'", Outcome::Failed},
      {"data.child('none').val().contains('a')", Outcome::Failed},
      {"data.child(auth.token.n).exists()", Outcome::Failed},
      {"root.parent().exists()", Outcome::Failed},
      {"root.child('a/b').parent().parent().child('top').exists()", Outcome::True},
      {"1/0 == 1/0", Outcome::False},
      {"1/0 > 1 || 1/0 <= 1", Outcome::False},
      {"'' + 1/0 == 'NaN'", Outcome::True},
      {"-7 % 3 == -1", Outcome::True},
      {"'' + 1.0 + 2.5 + 1e21 + now == '12.51e+211000'", Outcome::True},
      {"auth.token.missing.deeper == null", Outcome::True},
      {"auth.uid.foo == null", Outcome::True},
      {"auth.uid.length == 3", Outcome::True},
      {"auth.token.list[0] == 'a' && auth.token[7] == 'seven'", Outcome::True},
      {"auth.token.list[1] == null", Outcome::True},
      {"auth.token.list[true] == null", Outcome::Failed},
      {"auth.token == auth.token", Outcome::False},
      {"$key == 'k'", Outcome::True},
  };
  for (const auto& [expression, outcome] : cases) {
    INFO(expression);
    CHECK(ask(expression).outcome == outcome);
  }
}

TEST_CASE("Evaluator: snapshots and strings", "[rules]") {  // §10, §11
  const std::vector<std::string> all_true = {
      "data.hasChildren() && !data.child('n').hasChildren() && data.child('n').hasChildren([])",
      "data.hasChildren(['n', 'o/y/z', $key + 'x']) == false",
      "data.hasChildren(['n', '//o/y//z'])",
      "data.child('').child('/').child('n').val() == 5",
      "data.child('a.b/c').exists() == false && data.child('a.b/c').parent().parent().child('n').exists()",
      "data.child('..').exists() == false",
      "data.child('n').child('below').exists() == false && data.child('n/below').val() == null",
      "data.child('n').isNumber() && data.child('s').isString() && data.child('t').isBoolean()",
      "!data.child('o').isNumber() && !data.child('none').isString()",
      "data.child('p').getPriority() == 'hi' && data.child('q').getPriority() == 2 && data.getPriority() == null",
      "data.child('p').hasChildren() == false && data.child('q').hasChildren()",
      "data.child('s').val().length == 7",  // an emoji counts twice
      "data.child('s').val().contains('llo') && data.child('s').val().beginsWith('h') && 'abab'.endsWith('ab')",
      "'aXbX'.replace('X', '-') == 'a-b-' && 'abc'.replace('', 'x') == 'abc' && 'aaa'.replace('aa', 'b') == 'ba'",
      "'ÀÉstraße'.toLowerCase() == 'àéstraße' && 'éa'.toUpperCase() == 'ÉA'",
      "'\\ue000' > '😀'",  // by UTF-16 units
      "data.parent().child($key).child('n').val() == 5",
      "root.child('top').val() == 'text' && root.hasChild('here/k')",
      "query.orderByKey == false && query.limitToFirst == null",
  };
  for (const std::string& expression : all_true) {
    const Asked asked = ask(expression);
    INFO(expression << ": " << asked.why);
    CHECK(asked.outcome == Outcome::True);
  }
}

TEST_CASE("Evaluator: it reads only what is asked for", "[rules]") {
  std::string data = R"({"here":{"k":1},"users":{)";
  for (int i = 0; i < 3'000; ++i) data += (i > 0 ? ",\"u" : "\"u") + std::to_string(i) + R"(":{"name":"x"})";
  const ValueView tree(json(data + "}}"));
  CHECK(ask("root.child('users').child('u7').child('name').val() == 'x'", tree).outcome == Outcome::True);
  CHECK(tree.looks == 1);
  CHECK(ask("root.child('users').exists()", tree).outcome == Outcome::True);
  CHECK(tree.looks == 3);
  CHECK(ask("false && root.child('users').exists()", tree).outcome == Outcome::False);
  CHECK(tree.looks == 3);
}

TEST_CASE("Evaluator: the budget of steps stops the absurd rule, and a look is not absent for that", "[rules]") {
  const ValueView tree(json(R"({"a":1})"));
  std::string looks;
  // Each costs a look, and a step for each part.
  for (size_t i = 0; i < kStepsMax / kReadSteps; ++i) looks += "!root.child('b').exists() && ";
  const Asked over = ask(looks + "true", tree);
  CHECK(over.outcome == Outcome::Failed);
  CHECK(over.why == "the operation's rules took too many steps, or scanned too many bytes");
  CHECK(over.steps <= kStepsMax);
  // One step past the limit fails, the limit itself does not.
  const std::string chain = "true && true && true";  // four steps
  Question question;
  const auto ruleset = Ruleset::compile("{\"rules\":{\".read\":\"" + chain + "\"}}");
  const Expression& rule = *ruleset.value()->rules().front()->expression;
  Evaluator evaluator(question, tree, nullptr, {});
  uint64_t evaluated = 0;
  while (evaluator.evaluate(rule, chain, {}).value() == Outcome::True) ++evaluated;
  CHECK(evaluated == kStepsMax / 4);
  // From then on everything fails.
  CHECK(evaluator.evaluate(rule, chain, {}).value() == Outcome::Failed);
}

TEST_CASE("Evaluator: the budget of scanned bytes, at the limit and one past it", "[rules]") {
  const size_t mebibyte = size_t{1} << 20;
  const auto with = [&](size_t bytes) {
    const ValueView tree(json("{\"big\":\"" + std::string(bytes, 'a') + "\"}"));
    return ask("root.child('big').val().length > 0", tree);
  };
  CHECK(with(10 * mebibyte - 100).outcome == Outcome::True);  // a legal string
  // Reading a string and counting its length are two scans of it, child() one of the key.
  const ValueView tree(json("{\"big\":\"" + std::string(8 * mebibyte, 'a') + "\"}"));
  std::string expression = "root.child('big').val().length > 0";
  for (int i = 0; i < 6; ++i) expression += " && root.child('big').val().length > 0";
  const Asked seven = ask(expression, tree);
  CHECK(seven.outcome == Outcome::True);
  CHECK(seven.bytes == 7 * (2 * 8 * mebibyte + 1 + 3));
  const Asked eight = ask(expression + " && root.child('big').val().length > 0", tree);
  CHECK(eight.outcome == Outcome::Failed);
  CHECK(eight.bytes <= kScanBytesMax);
  // Doubled five times it would be a quarter of a gigabyte.
  const ValueView parts(json("{\"big\":\"" + std::string(8 * mebibyte, 'a') + "\",\"part\":\"" +
                             std::string(mebibyte, 'a') + "\",\"twice\":\"" + std::string(2 * mebibyte, 'a') + "\"}"));
  std::string doubled = "root.child('big').val()";
  for (int i = 0; i < 5; ++i) doubled += ".replace(root.child('part').val(), root.child('twice').val())";
  CHECK(ask(doubled + " == ''", parts).outcome == Outcome::Failed);
}

TEST_CASE("Evaluator: an error of the disk is no verdict", "[rules]") {
  class Broken final : public db::TreeView {
   public:
    db::Result<void> scan(std::string_view, std::string_view, const RowFunction&) const override {
      return db::Error{db::ErrorCode::Io, "the disk is gone"};
    }
    db::Result<std::optional<std::string>> leaf(std::string_view) const override {
      return db::Error{db::ErrorCode::Io, "the disk is gone"};
    }
  };
  const auto ruleset = Ruleset::compile(R"({"rules":{".read":"!data.child('a').exists() || true"}})");
  const auto verdict = ruleset.value()->may_read(Broken(), db::Path(), {});
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().message == "the disk is gone");
}
