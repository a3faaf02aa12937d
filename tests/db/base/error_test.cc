#include "db/base/error.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("Error: is equal when code and sentence are", "[db][base]") {
  const Error stale{ErrorCode::Stale, "another value"};
  CHECK(stale == Error{ErrorCode::Stale, "another value"});
  CHECK_FALSE(stale == Error{ErrorCode::Stale, "another sentence"});
  CHECK_FALSE(stale == Error{ErrorCode::Io, "another value"});
}
