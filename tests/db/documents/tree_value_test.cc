#include "db/documents/tree_value.h"

#include <catch2/catch.hpp>
#include <random>

#include "db/model/document_plan.h"
#include "db/model/json.h"
#include "tests/db/talk.h"

using namespace hearth::test;
using namespace hearth::db::documents;

namespace {

Value tree(std::string_view json) { return tree_value(json).value(); }

std::vector<Overwrite> difference(const Value& from, const Value& to) {
  std::vector<Overwrite> writes;
  REQUIRE(append_differences(from, to, Path::parse("at").value(), writes).ok());
  return writes;
}

struct Dice {
  std::mt19937_64 engine;
  uint64_t below(uint64_t bound) { return engine() % bound; }
};

// A random tree without priorities: few keys, so that two of them have places in common.
Value random_tree(Dice& random, size_t depth) {
  const uint64_t kind = random.below(depth == 0 ? 3 : 5);
  if (kind == 0) return {};
  if (kind == 1) return Value::integer(static_cast<int64_t>(random.below(3)));
  if (kind == 2) return Value::string("x");
  std::vector<std::pair<std::string, Value>> children;
  for (uint64_t i = random.below(4); i > 0; --i) {
    children.emplace_back(std::to_string(random.below(5)) + (random.below(2) == 0 ? "" : "a"),
                          random_tree(random, depth - 1));
  }
  return Value::object(children);
}

}  // namespace

TEST_CASE("Tree value: keys that no child may have are escaped, each to another one", "[documents]") {
  CHECK(tree_key("plain é") == "plain é");
  CHECK(tree_key("") == "%");
  CHECK(tree_key("%") == "%25");
  CHECK(tree_key("a.b/$[x]#\n\x7f") == "a%2Eb%2F%24%5Bx%5D%23%0A%7F");
  for (const std::string_view key : {"", ".", "..", "a/b", "\x01", "%2E"}) CHECK(check_key(tree_key(key)).ok());
}

TEST_CASE("Tree value: JSON as a tree has it", "[documents]") {
  CHECK(tree(R"({"a":[1,null,{"b":"x"}],"e":{},"f":[],"n":null,".sv":"timestamp","d":1.5})") ==
        Value::object(
            {{"a", Value::object({{"0", Value::integer(1)}, {"2", Value::object({{"b", Value::string("x")}})}})},
             {"%2Esv", Value::string("timestamp")},
             {"d", Value::real(1.5)}}));
  CHECK(tree("[]").is_null());
  CHECK(tree(R"("text")") == Value::string("text"));
  CHECK_FALSE(tree_value("{").ok());
  CHECK(tree_value("{\"" + std::string(800, 'k') + "\":1}").error().code == ErrorCode::InvalidPath);
}

TEST_CASE("Tree value: differences are few, and lead from one value to the other", "[documents]") {
  const Value from = tree(R"({"a":{"x":1,"y":2},"b":1,"c":{"d":1}})");
  const auto writes = difference(from, tree(R"({"a":{"x":1,"y":3,"z":{"q":1}},"c":5})"));
  REQUIRE(writes.size() == 4);
  CHECK(writes[0].path.text() == "at/a/y");
  CHECK(writes[1].path.text() == "at/a/z");
  CHECK((writes[2].path.text() == "at/b" && writes[2].value.is_null()));
  CHECK((writes[3].path.text() == "at/c" && writes[3].value == Value::integer(5)));
  CHECK(difference(from, from).empty());

  Dice random{std::mt19937_64(20261130)};
  for (int i = 0; i < 3'000; ++i) {
    const Value a = random_tree(random, 4), b = random_tree(random, 4);
    Value reached = a;
    for (const Overwrite& write : difference(a, b)) {
      CHECK(check_overlap({write}).ok());
      reached = reached.with(write.path.relative_to(Path::parse("at").value()), write.value);
    }
    CHECK(reached == b);
  }
}

TEST_CASE("Tree value: of many differences there is one, of the whole", "[documents]") {
  std::vector<std::pair<std::string, Value>> children;
  for (size_t i = 0; i <= kDifferencesMax; ++i) children.emplace_back(std::to_string(i), Value::integer(1));
  const auto writes = difference({}, Value::object(children));
  REQUIRE(writes.size() == 1);  // nothing stood there
  const auto changed = [&](size_t count) {
    auto other = children;
    for (size_t i = 0; i < count; ++i) other[i].second = Value::integer(2);
    return difference(Value::object(children), Value::object(other)).size();
  };
  CHECK(changed(kDifferencesMax) == kDifferencesMax);
  CHECK(changed(kDifferencesMax + 1) == 1);
}

TEST_CASE("Document plan: the longest path counts, and its text is read again", "[documents]") {
  const auto plan = parse_document_plan(R"({"/notes":{"t":"text"},"/notes/none":{},"/":{"m":"map"}})");
  REQUIRE(plan.ok());
  const auto of = [&](std::string_view path) { return plan.value().of(Path::parse(path).value()); };
  REQUIRE(of("notes/a") != nullptr);
  CHECK(of("notes/a")->at("t") == "text");
  CHECK(of("notes/none/a") == nullptr);
  CHECK(of("else")->contains("m"));
  CHECK(document_plan_text(parse_document_plan(document_plan_text(plan.value())).value()) ==
        document_plan_text(plan.value()));
  CHECK(document_plan_text({}).empty());
  CHECK(parse_document_plan("").value().places.empty());
  CHECK_FALSE(parse_document_plan("{").ok());
}
