#include "rules/ruleset.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "db/commit/evaluate.h"
#include "db/model/json.h"
#include "rules/coverage.h"
#include "tests/support/value_view.h"

namespace db = hearth::db;
using namespace hearth::rules;
using hearth::test::ValueView;

namespace {

db::Path at(std::string_view text) { return db::Path::parse(text).value(); }
db::Value json(std::string text) { return db::parse_value(std::move(text), db::Path()).value(); }

std::shared_ptr<const Ruleset> rules(const std::string& text) {
  auto compiled = Ruleset::compile(text);
  INFO((compiled.ok() ? "" : compiled.error().message));
  REQUIRE(compiled.ok());
  return compiled.value();
}
std::string mistakes(const std::string& text) {
  const auto compiled = Ruleset::compile(text);
  return compiled.ok() ? "" : compiled.error().message;
}

// Judges a write as db/commit does: on the tree before, and on the overlay that the write makes.
class Judge final : public db::Precondition {
 public:
  Judge(const Ruleset& ruleset, Question question) : ruleset_(ruleset), question_(question) {}
  db::Result<void> check(const db::Moment& moment) const override {
    std::vector<Target> targets;
    for (const db::Overwrite& one : moment.overwrites) targets.push_back({&one.path, one.slot, &one.value});
    Question question = question_;
    question.now = moment.now.server;
    ASSIGN_OR_RETURN(const bool is_allowed, ruleset_.may_write(moment.before, *moment.after, targets, question));
    if (is_allowed) return {};
    return db::Error{db::ErrorCode::PermissionDenied, "Permission denied"};
  }

 private:
  const Ruleset& ruleset_;
  const Question question_;
};

bool allows(const Ruleset& ruleset, const db::TreeView& tree, std::vector<db::Overwrite> overwrites,
            Question question) {
  db::Write write;
  write.overwrites = std::move(overwrites);
  write.access = std::make_shared<Judge>(ruleset, question);
  const db::NoSettings settings;
  const auto verdict = db::judge(write, {tree, settings, true}, question.now);
  if (!verdict.ok()) CHECK(verdict.error().code == db::ErrorCode::PermissionDenied);
  return verdict.ok();
}
bool allows(const Ruleset& ruleset, const std::string& data, const std::string& path, const std::string& value,
            Question question = {}) {
  return allows(ruleset, ValueView(json(data)), {db::make_overwrite(path, json(value)).value()}, question);
}
bool reads(const Ruleset& ruleset, const std::string& data, const std::string& path, Question question = {}) {
  return ruleset.may_read(ValueView(json(data)), at(path), question).value();
}

db::JsonDocument conformance() {
  std::ifstream file(HEARTH_SOURCE_DIR "/tests/data/rules-cases.json");
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  return db::JsonDocument::parse(text.str()).value();
}

QueryFacts facts_of(const db::JsonNode& query) {
  QueryFacts facts;
  const auto value = [](const db::JsonNode& node) { return node.to_value(db::Path()).value(); };
  for (const auto& [name, node] : query.fields()) {
    if (name == "orderByKey") facts.by_key = *node.boolean();
    if (name == "orderByValue") facts.by_value = *node.boolean();
    if (name == "orderByPriority") facts.by_priority = *node.boolean();
    if (name == "orderByChild") facts.by_child = *node.string();
    if (name == "startAt") facts.start_at = value(node);
    if (name == "endAt") facts.end_at = value(node);
    if (name == "equalTo") facts.equal_to = value(node);
    if (name == "limitToFirst") facts.limit_to_first = *node.integer();
    if (name == "limitToLast") facts.limit_to_last = *node.integer();
  }
  return facts;
}

}  // namespace

TEST_CASE("Conformance: every case has the service's verdict", "[rules]") {  // tests/data/rules-cases.json
  const auto document = conformance();
  size_t count = 0;
  for (const db::JsonNode& one : document.root().field("cases")->elements()) {
    const db::JsonNode op = *one.field("op");
    const std::string type(*op.field("type")->string()), path(*op.field("path")->string());
    INFO(*one.field("name")->string() << ": " << op.to_text());
    const auto ruleset = rules(one.field("rules")->to_text());
    const ValueView tree(json(one.field("data")->to_text()));
    const auto auth = AuthVariable::parse(one.field("auth")->to_text());
    const auto now = one.field("now");
    Question question;
    question.auth = auth.get();
    question.now = db::Timestamp(now ? *now->integer() : 1'700'000'000'000);
    bool is_allowed = false;
    if (type == "read") {
      const auto query = op.field("query");
      const QueryFacts facts = query ? facts_of(*query) : QueryFacts();
      question.query = &facts;
      is_allowed = ruleset->may_read(tree, at(path), question).value();
    } else if (type == "write") {
      const db::Value value = op.field("value")->to_value(db::Path()).value();
      is_allowed = allows(*ruleset, tree, {db::make_overwrite(path, value).value()}, question);
    } else {
      std::vector<db::Overwrite> overwrites;
      const auto entries = op.field("values")->to_entries(at(path));
      for (const db::JsonEntry& entry : entries.value()) {
        overwrites.push_back(db::make_overwrite(path + "/" + entry.path, entry.value).value());
      }
      is_allowed = allows(*ruleset, tree, std::move(overwrites), question);
    }
    CHECK(std::string(is_allowed ? "allow" : "deny") == *one.field("expect")->string());
    ++count;
  }
  CHECK(count == 349);
}

TEST_CASE("Conformance: every document compiles, or is refused with the service's words", "[rules]") {
  const auto document = conformance();
  size_t count = 0;
  for (const db::JsonNode& one : document.root().field("compile")->elements()) {
    INFO(*one.field("name")->string());
    const auto raw = one.field("rulesText");
    const std::string told = mistakes(raw ? std::string(*raw->string()) : one.field("rules")->to_text());
    INFO(told);
    CHECK(told.empty() == (*one.field("expect")->string() == "valid"));
    if (const auto message = one.field("message")) {
      // One mistake, one line: "LINE:COLUMN: message\n".
      CHECK(told.substr(std::min(told.size(), told.find(": ") + 2)) == std::string(*message->string()) + "\n");
    }
    ++count;
  }
  CHECK(count == 82);
}

TEST_CASE("Ruleset: all mistakes are told at once, each with its line and column", "[rules]") {
  CHECK(mistakes("{\n \"rules\": {\n  \"a\": {\".read\": \"true && x\"},\n  \"b\": {\".write\": 1, \".validate\": "
                 "\"now\"}}}") ==
        "3:27: Unknown variable 'x'.\n"
        "4:19: Invalid rule expression.  Expected 'true', 'false', or an expression string.\n"
        "4:36: Expression must evaluate to a boolean.\n");
  // An escape before the mistake moves it in the text, not in the expression.
  CHECK(mistakes(R"({"rules":{".read":"'\u0041' == y"}})") == "1:32: Unknown variable 'y'.\n");
  CHECK(mistakes(R"({"rules":{".read":true,".read":false}})") == "1:24: Duplicate key '.read'.\n");
  CHECK(mistakes(R"({"rules":{},"more":1})") == "1:13: Expected 'rules' property.\n");
  CHECK(mistakes(R"([])") == "1:1: Expected '{'.\n");
  CHECK(mistakes(R"({"rules":{".indexOn":["a", 1]}})") ==
        "1:28: Invalid indexOn expression. Must be either a string or an array of strings\n");
  CHECK(mistakes("{\"rules\":{\"\xff\":{}}}") == "1:1: The document is not UTF-8.\n");
}

TEST_CASE("Ruleset: hostile documents are refused in bounded stack", "[rules]") {
  const std::string many(100'000, '[');
  CHECK(mistakes(many).find("nested too deeply") != std::string::npos);
  std::string nodes = "{\"rules\":";
  for (int i = 0; i < 10'000; ++i) nodes += "{\"a\":";
  CHECK(mistakes(nodes).find("nested too deeply") != std::string::npos);
  const auto with = [](const std::string& expression) { return "{\"rules\":{\".read\":\"" + expression + "\"}}"; };
  const auto repeated = [](std::string_view part, size_t times) {
    std::string all;
    for (size_t i = 0; i < times; ++i) all += part;
    return all;
  };
  for (const char* part : {"(", "!", "-", "[", "data.child(", "true ? ", "1 + "}) {
    INFO(part);
    CHECK(mistakes(with(repeated(part, 30'000))).size() > 0);
  }
  // A chain is no nesting.
  CHECK(mistakes(with(repeated("true && ", 20'000) + "true")).empty());
  CHECK(mistakes(with(repeated("(", 250) + "true" + repeated(")", 250))).empty());
  CHECK(mistakes(with(repeated("(", 257) + "true" + repeated(")", 257))).find("nested too deeply") !=
        std::string::npos);
  CHECK(mistakes(with("1" + repeated(" + 1", 250) + " > 0")).empty());
  CHECK(mistakes(with("1" + repeated(" + 1", 257) + " > 0")).find("nested too deeply") != std::string::npos);
}

TEST_CASE("Ruleset: the text comes back as it was, and strictly as plain JSON", "[rules]") {
  const std::string text = "{ // one\n \"rules\": { /* two */ \".read\": \"true\n && true\", \"a//b\": 1.50, },}";
  const auto strict =
      hearth::rules::Ruleset::compile("{ // one\n \"rules\": { /* two */ \".read\": \"true\n && true\", }, }");
  REQUIRE(strict.ok());
  CHECK(strict.value()->text() == "{ // one\n \"rules\": { /* two */ \".read\": \"true\n && true\", }, }");
  const auto parsed = db::JsonDocument::parse(strict.value()->strict_text());
  REQUIRE(parsed.ok());
  CHECK(*parsed.value().root().field("rules")->field(".read")->string() == "true\n && true");
}

TEST_CASE("Ruleset: a priority is judged as a write of its node, and does not validate what lies below", "[rules]") {
  const auto ruleset =
      rules(R"x({"rules":{"a":{".write":true,".validate":"newData.getPriority() == 5 || newData.getPriority() == null",
      "x":{".validate":false}}}})x");
  CHECK(allows(*ruleset, R"({"a":{"x":1}})", "/a/.priority", "5"));
  CHECK_FALSE(allows(*ruleset, R"({"a":{"x":1}})", "/a/.priority", "6"));
  CHECK_FALSE(allows(*ruleset, R"({"a":{"x":1}})", "/a/x", "2"));
  CHECK(allows(*ruleset, R"({"a":{"x":1}})", "/a/x", "null"));
}

TEST_CASE("Ruleset: emptied ancestors are gone for the rules too", "[rules]") {
  const auto ruleset =
      rules(R"x({"rules":{".write":"newData.child('a').exists() == false","a":{".validate":"false"}}})x");
  CHECK(allows(*ruleset, R"({"a":{"b":{"c":1}},"z":1})", "/a/b/c", "null"));
  CHECK_FALSE(allows(*ruleset, R"({"a":{"b":{"c":1},"d":1},"z":1})", "/a/b/c", "null"));
}

TEST_CASE("Ruleset: validating a large write reads what was written, and nothing beside it", "[rules]") {
  const auto ruleset = rules(R"x({"rules":{"log":{".write":true,"$k":{".validate":"newData.isNumber()"}},"big":{}}})x");
  std::string data = R"({"log":{)";
  for (int i = 0; i < 2'000; ++i) data += (i > 0 ? ",\"old" : "\"old") + std::to_string(i) + "\":true";
  const ValueView tree(json(data + "}}"));
  REQUIRE(allows(*ruleset, tree, {db::make_overwrite("/log/new", db::Value::integer(1)).value()}, {}));
  CHECK(tree.looks < 20);
  CHECK_FALSE(allows(*ruleset, tree, {db::make_overwrite("/log/new", db::Value::boolean(true)).value()}, {}));
}

TEST_CASE("Ruleset: .indexOn by pattern", "[rules]") {
  const auto ruleset = rules(
      R"({"rules":{".indexOn":"x","rooms":{"$r":{"msgs":{".indexOn":["at","by/name",".value"]}}},"e":{".indexOn":[]}}})");
  REQUIRE(ruleset->indexes().size() == 2);
  CHECK(ruleset->indexes()[0].pattern.empty());
  CHECK(ruleset->indexes()[1].pattern == std::vector<std::string>{"rooms", "$r", "msgs"});
  CHECK(ruleset->indexes()[1].orders == std::vector<std::string>{"at", "by/name", ".value"});
}

TEST_CASE("Ruleset: an explanation names the rule, its place and the value of each part", "[rules]") {
  const auto ruleset = rules(
      "{\"rules\":{\n\"rooms\":{\"$r\":{\n  \".write\":\"auth.uid == 'ada' && data.child('n').val() + 1 > now\"}}}}");
  const auto auth = AuthVariable::parse(R"({"uid":"ada"})");
  Explanation explanation;
  Question question;
  question.auth = auth.get();
  question.explanation = &explanation;
  CHECK_FALSE(allows(*ruleset, R"({"rooms":{"tea":{"n":"x"}}})", "/rooms/tea/n", "1", question));
  CHECK(explanation.reason == "no .write rule from the root to /rooms/tea/n grants it");
  REQUIRE(explanation.rules.size() == 1);
  const Explanation::Evaluated& rule = explanation.rules.front();
  CHECK(rule.pattern == "/rooms/$r");
  CHECK(rule.path == "/rooms/tea");
  CHECK(rule.line == 3);
  CHECK(rule.column == 12);
  CHECK(rule.outcome == Outcome::Failed);
  CHECK(rule.why == "only two numbers or two strings can be ordered");
  std::string parts;
  for (const auto& part : rule.parts) parts += part.source + " = " + part.value + "\n";
  CHECK(parts ==
        "auth = {…}\nauth.uid = \"ada\"\nauth.uid == 'ada' = true\ndata.child('n') = snapshot of /rooms/tea/n\n"
        "data.child('n').val() = \"x\"\ndata.child('n').val() + 1 = \"x1\"\nnow = 0\n"
        "data.child('n').val() + 1 > now = failed\n"
        "auth.uid == 'ada' && data.child('n').val() + 1 > now = failed\n");
  CHECK(db::JsonDocument::parse(to_json(explanation)).ok());
}

TEST_CASE("Ruleset: an explanation of a large write is bounded, and says what decided", "[rules]") {
  const auto ruleset = rules(
      R"x({"rules":{"i":{".write":true,"$k":{".validate":"newData.child('n').isNumber() && newData.child('s').isString()"}}}})x");
  std::string value = "{";
  for (int i = 0; i < 10'000; ++i) value += "\"k" + std::to_string(i) + "\":{\"n\":1,\"s\":\"x\"},";
  value += R"("z":{"n":"none","s":"x"}})";
  Explanation explanation;
  Question question;
  question.explanation = &explanation;
  CHECK_FALSE(allows(*ruleset, "{}", "/i", value, question));
  CHECK(explanation.reason == "the .validate rule at /i/$k does not hold for /i/z");
  CHECK(explanation.rules.size() <= kExplainedRulesMax);
  CHECK(explanation.rules.size() + explanation.rules_left_out == 10'002);
  CHECK(explanation.rules.front().kind == RuleKind::Write);
  CHECK(explanation.rules.back().path == "/i/z");
  CHECK(explanation.rules.back().outcome == Outcome::False);
  CHECK(to_text(explanation).size() <= kExplanationBytesMax);
}

TEST_CASE("Ruleset: a read is granted on the way, and never below", "[rules]") {
  const auto ruleset =
      rules(R"x({"rules":{"a":{"b":{".read":"data.exists()","c":{".read":false}}},"$k":{".read":"$k == 'open'"}}})x");
  const std::string data = R"({"a":{"b":{"c":1}}})";
  CHECK(reads(*ruleset, data, "a/b/c"));
  CHECK(reads(*ruleset, data, "open/anything"));
  for (const char* path : {"", "a", "a/x", "shut"}) CHECK_FALSE(reads(*ruleset, data, path));
  CHECK_FALSE(reads(*ruleset, "{}", "a/b"));
}
