#include "db/base/step.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("Step: work is counted, and is over when any of its three parts is too much", "[base]") {
  const Work limit{10, 1'000, 100};
  for (const Work& work : {Work{10, 0, 0}, Work{0, 1'000, 0}, Work{0, 0, 100}}) {
    Step step;
    step.begin(limit);
    step.count(work);
    CHECK_FALSE(step.is_over());
    step.count({1, 1, 1});
    CHECK(step.is_over());
    step.begin(limit);
    CHECK_FALSE(step.is_over());
    CHECK(step.done().rows == 0);
  }
}

TEST_CASE("Step: what is foreseen is not counted where it would be too much", "[base]") {
  Step step;
  step.begin({10, 1'000, 100});
  step.foresee({10, 0, 0});
  CHECK(step.done().rows == 10);
  CHECK_FALSE(step.is_over());
  step.foresee({1, 0, 0});
  CHECK(step.done().rows == 10);
  CHECK(step.is_over());
  step.begin(kNoLimit);
  step.foresee({1'000'000, 0, 0});
  step.end_early();
  CHECK_FALSE(step.is_over());
}

TEST_CASE("Step: work that would be too much ends it before it is begun, and is not counted", "[base]") {
  Step step;
  step.begin({10, 1'000, 100});
  step.count({4, 0, 0});
  step.end_if_beyond({6, 1'000, 100});
  CHECK_FALSE(step.is_over());
  CHECK(step.done().rows == 4);
  step.end_if_beyond({7, 0, 0});
  CHECK(step.is_over());
  CHECK(step.done().rows == 4);
  step.begin(kNoLimit);
  step.end_if_beyond({1'000'000'000, 0, 0});
  CHECK_FALSE(step.is_over());
}

TEST_CASE("Step: a part that is done as a whole is counted and not ended", "[base]") {
  Step& step = Step::here();
  step.begin({10, 1'000, 100});
  {
    const Step::Whole whole;
    step.count({11, 0, 0});
    step.end_early();
  }
  CHECK_FALSE(step.is_over());
  step.count({1, 0, 0});
  CHECK(step.is_over());
  step.begin(kNoLimit);
}

TEST_CASE("Step: a trial has a limit of its own, and counts for the step around it", "[base]") {
  Step& step = Step::here();
  step.begin({100, 1'000, 1'000});
  step.count({60, 0, 0});
  {
    const Step::Trial trial({10, 1'000, 1'000});
    CHECK(Step::here().is_in_memory());
    Step::here().count({9, 10, 0});
    CHECK_FALSE(Step::here().is_over());
    Step::here().count({2, 0, 0});
    CHECK(Step::here().is_over());
  }
  CHECK_FALSE(step.is_in_memory());
  CHECK_FALSE(step.is_over());
  CHECK(step.done().rows == 71);
  CHECK(step.done().bytes == 10);
  {
    const Step::Trial trial({50, 1'000, 1'000});
    Step::here().count({40, 0, 0});
    CHECK_FALSE(Step::here().is_over());
  }
  CHECK(step.is_over());  // 111 rows of 100
  step.begin(kNoLimit);
}
