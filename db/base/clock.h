// The time of day, as something that is passed in, so that tests own it. Thread: any.
#pragma once

#include <atomic>
#include <chrono>

namespace hearth::db {

using Timestamp = std::chrono::milliseconds;  // since the Unix epoch

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now() const override;
};

// A clock for durations: nobody sets it back, and its zero means nothing.
class SteadyClock final : public Clock {
 public:
  Timestamp now() const override;
};

// Stands still until told otherwise.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_(start.count()) {}
  Timestamp now() const override { return Timestamp(now_.load()); }
  void set(Timestamp now) { now_ = now.count(); }
  void advance(Timestamp by) { now_ += by.count(); }

 private:
  std::atomic<int64_t> now_;
};

// When the clock steps back by at most this much, server times stand still until the clock has caught up. When it steps
// back by more, the clock was wrong before, and server times follow it at once.
inline constexpr Timestamp kClockStepBackMax{10'000};

// The time to give out after `last`, by a clock that says `wall`.
inline Timestamp time_after(Timestamp last, Timestamp wall) {
  return last > wall && last - wall <= kClockStepBackMax ? last : wall;
}

// What time it is to one operation.
struct Times {
  Times() = default;
  Times(Timestamp both) : server(both), wall(both) {}  // NOLINT: a clock that never went back
  Times(Timestamp of_server, Timestamp by_clock) : server(of_server), wall(by_clock) {}
  static Times after(Timestamp last, Timestamp wall) { return {time_after(last, wall), wall}; }

  Timestamp server{};  // every server time of it, and `now` of rules: one number
  Timestamp wall{};    // what the clock says: whether a credential is past its time
};

}  // namespace hearth::db
