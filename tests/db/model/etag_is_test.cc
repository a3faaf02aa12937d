#include "db/model/etag_is.h"

#include <catch2/catch.hpp>

#include "db/model/hash.h"
#include "tests/support/moment.h"
#include "tests/support/value_view.h"

using namespace hearth::db;

TEST_CASE("An ETag holds for exactly the value that it names, where an SDK's hash holds for its neighbours too") {
  const Value big = Value::integer((int64_t{1} << 53) + 1);
  const Value near = Value::integer(int64_t{1} << 53);
  const hearth::test::ValueView view(Value::object({{"n", big}, {"m", Value::string("x")}}));
  const auto moment = hearth::test::moment_of(view);
  const Path n = Path::parse("n").value();
  CHECK(EtagIs(n, exact_hash(big)).check(moment).ok());
  CHECK(EtagIs(n, exact_hash(near)).check(moment).error().code == ErrorCode::Stale);
  CHECK(EtagIs(n, node_hash(big)).check(moment).error().code == ErrorCode::Stale);
  CHECK(HashIs(n, node_hash(big)).check(moment).ok());
  CHECK(HashIs(n, exact_hash(near)).check(moment).ok());
  CHECK(EtagIs(n, "").check(moment).error().code == ErrorCode::Stale);
  CHECK(EtagIs(Path::parse("m").value(), node_hash(Value::string("x"))).check(moment).ok());
  const EtagIs nothing(Path::parse("none").value(), "");
  CHECK(nothing.expects_nothing());
  CHECK(nothing.check(moment).ok());
}
