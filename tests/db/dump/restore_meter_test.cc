#include "db/dump/restore_meter.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("restore meter: of a native dump, what is read is done") {
  RestoreMeter meter(200);
  CHECK(meter.part() == 0);
  meter.read(50);
  CHECK(meter.part() == 0.125);  // its head is not understood yet
  meter.stage();
  meter.row();
  CHECK(meter.part() == 0.25);
  meter.read(150);
  CHECK(meter.part() == 1);
  // A file that grew, which none does: never more than all.
  meter.read(1);
  CHECK(meter.part() == 1);
}

TEST_CASE("restore meter: JSON is read and sorted first, then its rows are counted") {
  RestoreMeter meter(200);
  meter.read(100);
  CHECK(meter.part() == 0.25);
  meter.read(100);
  CHECK(meter.part() == 0.5);
  meter.expect(4);
  CHECK(meter.part() == 0.5);
  meter.row();
  CHECK(meter.part() == 0.625);
  for (int i = 0; i < 3; ++i) meter.row();
  CHECK(meter.part() == 1);
}

TEST_CASE("restore meter: what has nothing in it is done at once") {
  RestoreMeter nothing(0);
  nothing.stage();
  CHECK(nothing.part() == 1);
  RestoreMeter meter(4);  // null
  meter.read(4);
  meter.expect(0);
  CHECK(meter.part() == 1);
}

TEST_CASE("restore meter: it is wanted until somebody gives it up") {
  RestoreMeter meter(1);
  CHECK_FALSE(meter.is_given_up());
  meter.give_up();
  CHECK(meter.is_given_up());
}
