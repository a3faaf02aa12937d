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

}  // namespace hearth::db
