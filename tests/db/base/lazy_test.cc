#include "db/base/lazy.h"

#include <catch2/catch.hpp>
#include <set>

using hearth::db::Lazy;

TEST_CASE("Lazy: an empty container until something is put in, and again when all is taken out", "[db][base]") {
  Lazy<std::set<int>> set;
  CHECK(set.empty());
  CHECK(set->empty());
  CHECK(set->begin() == set->end());
  set.make().insert(7);
  CHECK_FALSE(set.empty());
  CHECK(*set == std::set{7});
  set.make().erase(7);
  CHECK(set.empty());
  set.tidy();
  CHECK((*set).empty());
  static_assert(sizeof(set) == sizeof(void*));
}
