// The small things of db/base that need a system header: the two clocks, the watch on clock steps, random bytes, and
// the end of a process whose invariant broke.
#include <sys/random.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "db/base/clock.h"
#include "db/base/clock_steps.h"
#include "db/base/invariant.h"
#include "db/base/random.h"
#include "db/base/text.h"

namespace hearth::db {

// To stderr: this folder knows no log, and nothing else can be relied on any more.
void invariant_failed(const char* why, const char* file, int line, const char* function) {
  std::fprintf(stderr, "%s:%d: %s: invariant broken: %s\n", file, line, function, why);
  std::abort();
}

Timestamp SystemClock::now() const {
  return std::chrono::duration_cast<Timestamp>(std::chrono::system_clock::now().time_since_epoch());
}

Timestamp SteadyClock::now() const {
  return std::chrono::duration_cast<Timestamp>(std::chrono::steady_clock::now().time_since_epoch());
}

namespace {
constexpr Timestamp kStepMin{
    1'000};  // a clock that is slewed drifts as far in half an hour, and by little from commit to commit
}  // namespace

// Two signs of a step: the distance between the two clocks jumped (it was set ahead or back), or the clock is behind
// the namespace's last commit. Each kind is told once for each step, by whichever namespace is written first; the two
// flags begin anew with every jump.
void ClockSteps::note(std::string_view space, Timestamp last, const Times& now) {
  if (!tell_) return;
  const Timestamp distance = now.wall - steady_.now();
  // exchange(): of several shards that commit at once, one alone sees the jump.
  const Timestamp before(distance_.exchange(distance.count(), std::memory_order_relaxed));
  const bool has_stepped = std::chrono::abs(distance - before) >= kStepMin;
  if (!has_stepped && last <= now.wall) return;
  const bool stands_still = now.server > now.wall;
  {
    const std::lock_guard lock(mutex_);
    if (has_stepped) told_still_ = told_followed_ = false;
    if (last <= now.wall || std::exchange(stands_still ? told_still_ : told_followed_, true)) return;
  }
  // Outside the lock: the callback may log, and must not hold up other shards that commit.
  tell_({stands_still ? ClockStep::Kind::StandsStill : ClockStep::Kind::Followed, last - now.wall, std::string(space)});
}

void random_bytes(void* to, size_t count) {
  auto* at = static_cast<char*>(to);
  while (count > 0) {
    const ssize_t got = getrandom(at, count, 0);
    if (got < 0) continue;  // EINTR; nothing else can happen with valid arguments
    at += got;
    count -= static_cast<size_t>(got);
  }
}

uint64_t random_u64() {
  uint64_t value = 0;
  random_bytes(&value, sizeof value);
  return value;
}

// Two characters for each byte, so 16 bytes make the 32 characters of a store's id.
std::string random_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  random_bytes(raw.data(), bytes);
  return to_hex(raw);
}

}  // namespace hearth::db
