#include "db/base/result.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

using namespace hearth::db;

namespace {

const Error kStale{ErrorCode::Stale, "Another value stands there."};

Result<int> number(bool ok) {
  if (!ok) return kStale;
  return 7;
}

Result<void> nothing(bool ok) {
  if (!ok) return kStale;
  return {};
}

struct Trace {
  Result<std::string> run(bool first, bool second) {
    ASSIGN_OR_RETURN(const int got, number(first));
    steps += "assigned ";
    RETURN_IF_ERROR(nothing(second));
    steps += "returned ";
    return std::to_string(got);
  }
  std::string steps;
};

}  // namespace

TEST_CASE("The value of a result that ends is given away whole, so a loop over it walks what lives") {
  STATIC_REQUIRE(std::is_same_v<decltype(number(true).value()), int>);
  struct Items {
    static Result<std::vector<std::string>> of() { return std::vector<std::string>{"one", "two"}; }
  };
  std::string heard;
  for (const std::string& item : Items::of().value()) heard += item;
  CHECK(heard == "onetwo");
}

TEST_CASE("A result holds a value or an error, never both") {
  const Result<int> good = number(true);
  REQUIRE(good.ok());
  CHECK(good.value() == 7);
  const Result<int> bad = number(false);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error() == kStale);
  CHECK(nothing(true).ok());
  CHECK(nothing(false).error() == kStale);
}

TEST_CASE("The propagating statements leave the function at the first error and run what comes before it") {
  struct {
    bool first, second, ok;
    const char* steps;
  } const cases[] = {
      {true, true, true, "assigned returned "},
      {true, false, false, "assigned "},
      {false, true, false, ""},
      {false, false, false, ""},
  };
  for (const auto& c : cases) {
    INFO("first " << c.first << ", second " << c.second);
    Trace trace;
    const Result<std::string> result = trace.run(c.first, c.second);
    CHECK(result.ok() == c.ok);
    CHECK(trace.steps == c.steps);
    if (c.ok) {
      CHECK(result.value() == "7");
    } else {
      CHECK(result.error() == kStale);
    }
  }
}

TEST_CASE("A value that only moves goes through a result") {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(3); };
  const auto pass = [&]() -> Result<std::unique_ptr<int>> {
    ASSIGN_OR_RETURN(auto made, make());
    *made += 1;
    return made;
  };
  Result<std::unique_ptr<int>> result = pass();
  REQUIRE(result.ok());
  const std::unique_ptr<int> owned = std::move(result).value();
  CHECK(*owned == 4);
}

TEST_CASE("Errors are equal when code and sentence are") {
  CHECK(kStale == Error{ErrorCode::Stale, "Another value stands there."});
  CHECK_FALSE(kStale == Error{ErrorCode::Stale, "Another."});
  CHECK_FALSE(kStale == Error{ErrorCode::Io, "Another value stands there."});
}
