// Reports each step back of the clock once, although every namespace that is written notices the step. A step, ahead or
// back, shows in the distance between the clock and a steady clock, which nobody sets. Thread: any.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "db/base/clock.h"

namespace hearth::db {

struct ClockStep {
  enum class Kind : uint8_t {
    StandsStill,  // server times do, until the clock has caught up
    Followed,     // it was too far ahead before (kClockStepBackMax): server times are the clock's again
  };
  Kind kind = Kind::StandsStill;
  Timestamp by{};     // how far it is behind the last server time
  std::string space;  // of which namespace: the first that noticed
};

class ClockSteps {
 public:
  using Tell = std::function<void(const ClockStep&)>;  // on the thread that noticed
  ClockSteps(Tell tell, const Clock& clock, const Clock& steady)
      : tell_(std::move(tell)), steady_(steady), distance_((clock.now() - steady.now()).count()) {}

  // `space` is to be written at `now`; its last commit was at `last`.
  void note(std::string_view space, Timestamp last, const Times& now);

 private:
  const Tell tell_;  // may be empty
  const Clock& steady_;
  std::atomic<Timestamp::rep> distance_;             // of the clock from the steady one, at the last commit
  std::mutex mutex_;                                 // Guards the rest.
  bool told_still_ = false, told_followed_ = false;  // since the last step
};

}  // namespace hearth::db
