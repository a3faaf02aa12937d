// The step meter: what one thread has done since its step began, in rows, bytes and evaluations.
//
// A shard's thread serves many namespaces, one request after the other. What it does for one request is a step, and no
// step may keep the others waiting for long. A clock would say how long, but differently each time; so the work is
// counted where it happens:
//
//   db/store     a row that is read            1 row and its bytes
//   db/commit    a row that is put or erased   1 row and its bytes
//   db/events    a listener that is told       1 row
//   rules        a part of an expression       1 evaluation; text that is searched: its bytes
//
//          begin(limit)         count…           is_over()?  ─ no ──▶ done, the request took effect
//   request ────▶ step ─────────▶ … ────────────────┴──── yes ──▶ the readers below fail, nothing took effect, and
//                                                                 the shard does the request elsewhere (shard.h)
//
// Once a step is over its limit, SnapshotView fails each look at the store, so that whatever is under way ends soon. An
// error may be swallowed on its way up, so whoever began the step asks is_over() and believes that alone. What must not
// end half-way is put under a Whole: it is counted, and ends nothing.
//
// Thread: each has its own meter, Step::here().
#pragma once

#include <cstdint>

#include "db/base/error.h"

namespace hearth::db {

struct Work {
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t evaluations = 0;

  Work& operator+=(const Work& more) {
    rows += more.rows;
    bytes += more.bytes;
    evaluations += more.evaluations;
    return *this;
  }
  // Whether any of the three is more than `limit` has.
  bool exceeds(const Work& limit) const {
    return rows > limit.rows || bytes > limit.bytes || evaluations > limit.evaluations;
  }
};

inline constexpr Work kNoLimit{UINT64_MAX, UINT64_MAX, UINT64_MAX};

// The most that a shard's thread does for one request, and about what it does before it commits: some five
// milliseconds (a row read and looked at takes 0.5-1 us, a kilobyte hashed 2 us, an evaluation 0.05-0.1 us).
inline constexpr Work kStepMax{4'000, 4u << 20, 50'000};

// The same with so many rows, and bytes and evaluations in proportion.
inline Work step_of_rows(uint64_t rows) {
  return {rows, rows * (kStepMax.bytes / kStepMax.rows), rows * kStepMax.evaluations / kStepMax.rows};
}

class Step {
 public:
  static Step& here() {
    thread_local Step step;
    return step;
  }

  void begin(const Work& limit) {
    done_ = {};
    limit_ = limit;
    is_over_ = false;
  }
  void count(const Work& work) {
    done_ += work;
    if (!is_over_ && whole_ == 0 && done_.exceeds(limit_)) is_over_ = true;
  }
  void count_row(uint64_t bytes) { count({1, bytes, 0}); }
  // Counts work that is sure to come, before it is done. When the work would exceed the limit, the step is over at
  // once and the work is not counted: it will be done, and counted, elsewhere.
  void foresee(const Work& work) {
    Work all = done_;
    all += work;
    if (whole_ == 0 && all.exceeds(limit_)) {
      is_over_ = true;
    } else {
      count(work);
    }
  }
  // Ends the step now when that work, which is counted where it is done, would end it: nobody begins what can't be done.
  void end_if_beyond(const Work& coming) {
    Work all = done_;
    all += coming;
    if (whole_ == 0 && all.exceeds(limit_)) is_over_ = true;
  }
  void end_early() {  // as if it were over: what follows is known to be long
    if (is_limited()) is_over_ = true;
  }

  // Whether the store may be asked only for what it has in memory (Trial).
  bool is_in_memory() const { return is_in_memory_; }
  bool is_over() const { return is_over_; }
  bool is_limited() const { return whole_ == 0 && limit_.rows != kNoLimit.rows; }
  const Work& done() const { return done_; }

  // While one lives, the step is counted and does not become over.
  class Whole {
   public:
    Whole() { ++here().whole_; }
    ~Whole() { --here().whole_; }
    Whole(const Whole&) = delete;
    Whole& operator=(const Whole&) = delete;
  };

  class Trial;

 private:
  Work done_{};
  Work limit_ = kNoLimit;
  bool is_over_ = false;
  bool is_in_memory_ = false;
  int whole_ = 0;
};

// A step within a step: a short piece of work that may be given up and done elsewhere, and never waits for a disk. It is
// over when it exceeds its limit, or when the store would have to look at a file. What it did counts for the thread's
// step, which goes on when the trial ends.
class Step::Trial {
 public:
  explicit Trial(const Work& limit) : outer_(here()) {
    here() = Step();
    here().begin(limit);
    here().is_in_memory_ = true;
  }
  ~Trial() {
    const Work done = here().done_;
    here() = outer_;
    here().count(done);
  }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

 private:
  const Step outer_;
};

// The error of every look at the store after the end of a step. No client ever sees it: the request is done elsewhere.
inline Error step_is_over() {
  return {ErrorCode::Unavailable, "This takes longer than a shard's thread may work for one request."};
}

}  // namespace hearth::db
