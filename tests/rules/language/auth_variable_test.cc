#include "rules/language/auth_variable.h"

#include <catch2/catch.hpp>

using namespace hearth::rules;

TEST_CASE("AuthVariable: claims by name, to any depth, whatever they are called", "[rules]") {
  const auto auth = AuthVariable::parse(
      R"({"uid":"ada","token":{"https://x.org/role":"boss","list":[1,"b"],"twice":1,"twice":2,"":0},"z":null})");
  REQUIRE(auth != nullptr);
  const auto& root = auth->root();
  CHECK(root.member("uid")->string == "ada");
  CHECK(root.member("nobody") == nullptr);
  const auto& token = *root.member("token");
  CHECK(token.member("https://x.org/role")->string == "boss");
  CHECK(token.member("twice")->number == 2);
  CHECK(token.member("")->number == 0);
  const auto& list = *token.member("list");
  CHECK(list.element(1)->string == "b");
  for (const double index : {-1.0, 2.0, 0.5, 1e300}) CHECK(list.element(index) == nullptr);
  CHECK(root.member("z")->kind == AuthVariable::Kind::Null);
}

TEST_CASE("AuthVariable: what is no object is nobody; what is absurdly deep is cut", "[rules]") {
  for (const char* text : {"", "null", "1", "[]", "{", "\"ada\""}) CHECK(AuthVariable::parse(text) == nullptr);
  std::string deep = "1";
  for (int i = 0; i < 1'000; ++i) deep = "{\"a\":" + deep + "}";
  const auto auth = AuthVariable::parse(deep);
  REQUIRE(auth != nullptr);
  const auto* at = &auth->root();
  size_t depth = 0;
  for (; at->member("a") != nullptr; at = at->member("a")) ++depth;
  CHECK(depth == 65);
  CHECK(at->kind == AuthVariable::Kind::Null);
}
