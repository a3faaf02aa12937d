#include "db/base/budget.h"

#include <catch2/catch.hpp>

using hearth::db::Budget;
using hearth::db::Lease;

TEST_CASE("Budget: as much as may be is given, one byte more is not, and what is given back is there again",
          "[base][limits]") {
  Budget budget(100);
  Lease first = budget.take(60);
  REQUIRE(first != nullptr);
  Lease second = budget.take(40);
  REQUIRE(second != nullptr);
  CHECK(budget.bytes() == 100);
  CHECK(budget.take(1) == nullptr);
  CHECK(budget.refused() == 1);
  const Lease shared = first;
  first.reset();
  CHECK(budget.take(1) == nullptr);
  second.reset();
  CHECK(budget.bytes() == 60);
  CHECK(budget.take(41) == nullptr);
  CHECK(budget.take(40) != nullptr);
}

TEST_CASE("Budget: what is larger than all there is may be had alone", "[base][limits]") {
  Budget budget(100);
  const Lease all = budget.take(101);
  CHECK(all != nullptr);
  CHECK(budget.take(1) == nullptr);
}

TEST_CASE("Budget: leases may outlive it", "[base]") {
  Lease lease;
  {
    Budget budget(100);
    lease = budget.take(10);
  }
  lease.reset();
}
