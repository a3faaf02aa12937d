#include "db/base/clock_steps.h"

#include <catch2/catch.hpp>
#include <vector>

using namespace hearth::db;

namespace {

struct Watched {
  ManualClock clock{Timestamp(1'000'000'000)};
  ManualClock steady{Timestamp(5'000)};
  std::vector<std::string> told{};
  ClockSteps steps{[this](const ClockStep& step) {
                     const char* kind = step.kind == ClockStep::Kind::StandsStill ? "stands still " : "followed ";
                     told.push_back(step.space + " " + kind + std::to_string(step.by.count()));
                   },
                   clock, steady};

  void note(std::string_view space, Timestamp last) { steps.note(space, last, Times::after(last, clock.now())); }
  void pass(Timestamp time) {
    clock.advance(time);
    steady.advance(time);
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("ClockSteps: a clock that goes on is nothing to tell") {
  Watched watched;
  watched.note("a", watched.clock.now());
  watched.pass(Timestamp(1));
  watched.note("a", watched.clock.now() - Timestamp(1));
  CHECK(watched.told.empty());
}

TEST_CASE("ClockSteps: a step is told once, however many namespaces and writes notice it") {
  Watched watched;
  const Timestamp last = watched.clock.now();
  watched.clock.advance(Timestamp(-5'000));
  watched.note("a", last);
  watched.note("a", last);
  watched.pass(Timestamp(3'000));
  watched.note("b", last);
  CHECK(watched.told == Lines{"a stands still 5000"});
  // Further back by more than is waited for: another step, of another kind.
  watched.clock.advance(Timestamp(-3'600'000));
  watched.note("b", last);
  watched.note("a", last);
  CHECK(watched.told == Lines{"a stands still 5000", "b followed 3602000"});
  // The next one, after an hour.
  watched.pass(Timestamp(3'600'000));
  const Timestamp later = watched.clock.now();
  watched.clock.advance(Timestamp(-10'000));
  watched.note("a", later);
  CHECK(watched.told.size() == 3);
  CHECK(watched.told.back() == "a stands still 10000");
  // Ahead, and back to where it was: that is another one too.
  watched.clock.advance(Timestamp(20'000));
  watched.note("a", later);
  watched.clock.advance(Timestamp(-20'000));
  watched.note("a", later + Timestamp(10'000));
  watched.note("b", later);
  CHECK(watched.told.size() == 5);
  CHECK(watched.told.back() == "b stands still 10000");
}
