#include "rules/rulebook.h"

#include <catch2/catch.hpp>

#include "db/model/hash.h"

namespace db = hearth::db;
using namespace hearth::rules;

namespace {

class Texts final : public db::Settings {
 public:
  explicit Texts(std::optional<std::string> rules) : rules_(std::move(rules)) {}
  db::Result<std::string> rules_digest() const override { return rules_ ? db::text_digest(*rules_) : std::string(); }
  db::Result<std::optional<std::string>> text(std::string_view) const override {
    ++read;
    return rules_;
  }
  mutable int read = 0;

 private:
  std::optional<std::string> rules_;
};

std::string rules(int number) { return "{\"rules\":{\"a" + std::to_string(number) + "\":{}}}"; }

}  // namespace

TEST_CASE("Rulebook: a text is read and compiled once, whoever uses it", "[rules]") {
  Rulebook book({});
  const Texts one(rules(1)), same(rules(1)), other(rules(2)), none(std::nullopt);
  const auto first = book.in_force(one).value();
  CHECK(first->text() == rules(1));
  CHECK(book.in_force(same).value() == first);
  CHECK(book.in_force(other).value() != first);
  CHECK(one.read == 1);
  CHECK(same.read == 0);
  CHECK(book.in_force(none).value() == nullptr);
}

TEST_CASE("Rulebook: only so many are kept, those used last", "[rules]") {
  Rulebook book({});
  const Texts first(rules(0));
  REQUIRE(book.in_force(first).ok());
  for (size_t i = 1; i < kRulesetsKept; ++i) REQUIRE(book.in_force(Texts(rules(static_cast<int>(i)))).ok());
  REQUIRE(book.in_force(first).ok());
  CHECK(first.read == 1);
  const Texts second(rules(1));
  REQUIRE(book.in_force(Texts(rules(-1))).ok());  // one too many: the second goes
  REQUIRE(book.in_force(first).ok());
  CHECK(first.read == 1);
  REQUIRE(book.in_force(second).ok());
  CHECK(second.read == 1);
}

TEST_CASE("Rulebook: stored rules that do not compile let nobody in, and say so", "[rules]") {
  Rulebook book({.is_open = true});
  const auto found = book.in_force(Texts("{"));
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == db::ErrorCode::Corruption);
}

TEST_CASE("Rulebook: namespaces without rules have the fallback; coverage begins anew with new rules", "[rules]") {
  const auto fallback = Ruleset::compile(rules(1)).value();
  Rulebook book({.fallback = fallback, .covers = true});
  CHECK(book.in_force(Texts(std::nullopt)).value() == fallback);
  CHECK(book.coverage("space") == nullptr);
  const auto counts = book.coverage("space", fallback);
  CHECK(book.coverage("space", fallback) == counts);
  CHECK(book.coverage("space") == counts);
  CHECK(book.coverage("space", Ruleset::compile(rules(2)).value()) != counts);
  CHECK(Rulebook({}).coverage("space", fallback) == nullptr);
}
