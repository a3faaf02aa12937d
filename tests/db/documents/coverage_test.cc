#include "db/documents/coverage.h"

#include "tests/db/documents/vectors.h"

using namespace hearth::db::documents;
using namespace hearth::test;

TEST_CASE("Coverage: an echo adds nothing, and a part of it neither", "[db][documents]") {
  const std::string& all = yjs_vector("merge/A1..A11");
  Coverage coverage;
  CHECK(coverage.has(update_of(yjs_vector("update/empty"))));
  CHECK(coverage.state_vector().encode() == kEmptyStateVector);
  for (const auto& [name, bytes] : yjs_vectors()) {
    if (!name.starts_with("update/A")) continue;
    INFO(name);
    CHECK_FALSE(coverage.has(update_of(bytes)));
  }
  coverage.add(update_of(all));
  CHECK(coverage.has(update_of(all)));
  for (const auto& [name, bytes] : yjs_vectors()) {
    if (!name.starts_with("update/")) continue;
    INFO(name);
    CHECK(coverage.has(update_of(bytes)) == !name.starts_with("update/B"));
  }
  CHECK(coverage.state_vector().encode() == yjs_vector("sv/A"));
  CHECK_FALSE(coverage.has_holes());
  CHECK(coverage.bytes() > 0);
}

TEST_CASE("Coverage: a delete of what is known is news, and of what is not known too", "[db][documents]") {
  const std::string text = from_hex("01 01 07 00 04 01 01 74 06 616263646566 00");
  const std::string cut = from_hex("00 01 07 01 02 02");
  const std::string further = from_hex("00 01 07 01 02 63");
  Coverage coverage;
  coverage.add(update_of(text));
  CHECK_FALSE(coverage.has(update_of(cut)));
  coverage.add(update_of(cut));
  CHECK(coverage.has(update_of(cut)));
  CHECK_FALSE(coverage.has(update_of(further)));
  coverage.add(update_of(further));
  CHECK(coverage.has(update_of(further)));
}

TEST_CASE("Coverage: a hole is not there until it is filled", "[db][documents]") {
  const std::string gap = yjs_vector("merge/A1+A3-gap");
  Coverage coverage;
  coverage.add(update_of(gap));
  CHECK(coverage.has_holes());
  CHECK(coverage.has(update_of(gap)));
  CHECK(coverage.state_vector().clock(1) == 2);
  CHECK_FALSE(coverage.has(update_of(yjs_vector("update/A2-text-append"))));
  coverage.add(update_of(yjs_vector("update/A2-text-append")));
  CHECK_FALSE(coverage.has_holes());
  CHECK(coverage.state_vector().clock(1) == 4);
  Coverage other;
  other.add(update_of(yjs_vector("update/A2-text-append")));
  CHECK(other.has_holes());  // it begins with one
  CHECK_FALSE(other == coverage);
  other.add(update_of(gap));
  CHECK(other == coverage);
}
