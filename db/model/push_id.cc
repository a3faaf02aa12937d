#include "db/model/push_id.h"

#include <algorithm>

#include "db/base/random.h"

namespace hearth::db {

// SDK: core/util/NextPushId.ts: 8 characters of time, 12 of chance; within one millisecond the chance counts on.
std::string PushIdGenerator::next(Timestamp now) {
  static constexpr char kCharacters[] = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  const std::lock_guard lock(mutex_);
  now = time_after(Timestamp(last_ms_), now);
  if (now.count() != last_ms_) {
    last_ms_ = now.count();
    random_bytes(last_random_.data(), last_random_.size());
    for (uint8_t& digit : last_random_) digit &= 63;
  } else {
    // The clock stands or went back: the id before plus one.
    auto digit = last_random_.rbegin();
    while (digit != last_random_.rend() && *digit == 63) *digit++ = 0;
    if (digit == last_random_.rend()) {
      ++last_ms_;
    } else {
      ++*digit;
    }
  }
  std::string id(20, '-');
  // Eight digits of six bits: 48 bits of milliseconds last until the year 10889.
  int64_t time = last_ms_;
  for (size_t i = 8; i-- > 0; time /= 64) id[i] = kCharacters[time % 64];
  for (size_t i = 0; i < 12; ++i) id[8 + i] = kCharacters[last_random_[i]];
  return id;
}

}  // namespace hearth::db
