// Keys that sort by the time they were made (db/model/data-model.md §8). Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

#include "db/base/clock.h"

namespace hearth::db {

class PushIdGenerator {
 public:
  // 20 characters, greater than every one before, also within one millisecond and when the clock goes back by at most
  // kClockStepBackMax. By more: it was wrong, and ids are of the right time again.
  std::string next(Timestamp now);

 private:
  std::mutex mutex_;  // Guards both.
  int64_t last_ms_ = -1;
  std::array<uint8_t, 12> last_random_{};
};

}  // namespace hearth::db
