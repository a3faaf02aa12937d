// Who is told first, when several clients change one value by compare-and-set.
//
// A transaction reads, writes on the condition that nothing has changed, and when something has, tries again with what is
// there now. Left alone all try at once: of N tries one wins, and who hears the new value first is always the same one,
// the winner, whose answer leaves with its own group and the refusals of the others with the next.
//
//   group n     A wins; B, C, D are stale  ─▶  B is called: it hears the new value and its refusal, and tries   A, C, D sleep
//   group n+1   B wins                     ─▶  C is called, and hears both new values in one go                 A, B, D sleep
//   group n+2   C wins                     ─▶  D, then A, then B …
//
// So a contest, which is a path where a write was stale a short while ago, is a queue: one who has tried is left asleep until it is its
// turn, who has lost before who has won. One try for each win is then under way instead of N; where a commit waits for the
// disk, up to kContestCalled, so that the next group has one whoever is slow. Nothing is held back
// but the waking: what each is told is in its story already, in its order, and it hears all of it at once.
//
// Nobody is waited for in vain. Who is called and does not try within kContestWait, because it is far away or has given up, is
// passed over at the end of the next group; when there is no group for so long, all are woken. Who has slept for
// kContestSleepMax is woken too.
//
// Only sessions contend so. A request by itself (REST) is answered at once.
//
// Thread: the shard's.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "db/shard/namespace_state.h"

namespace hearth::db {

// How long a contest is remembered after the last stale write, in groups; how long who is called is waited for; and the
// most that one sleeps.
inline constexpr uint64_t kContestGroups = 8;
inline constexpr std::chrono::microseconds kContestWait{300};
inline constexpr size_t kContestCalled = 3;  // at once, where a commit waits for the disk
inline constexpr std::chrono::milliseconds kContestSleepMax{5};

class Contests {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Told = std::vector<std::shared_ptr<Conversation>>;

  // A conditional write of `one` was judged in this group: taken, or stale. `space`: tells namespaces apart.
  enum class Verdict : unsigned char { Taken, Stale };
  void judged(Conversation& one, const void* space, const Path& path, Verdict verdict, uint64_t group);

  // Of those who were told something in this group: who is to be woken now, in this order. The others sleep on.
  // `at_once`: so many may be called and not have tried yet.
  Told wake_now(Told told, uint64_t group, Time now, size_t at_once = 1);
  // All who sleep.
  Told wake_all();
  bool has_sleepers() const { return sleepers_ > 0; }
  bool empty() const { return contests_.empty(); }

 private:
  struct Contest {
    uint64_t stale_in = 0;  // the last group with a stale write
    size_t called = 0;      // who have not tried yet
    Time called_at{};
    std::deque<std::shared_ptr<Conversation>> losers, winners;  // who sleep, the longest first
  };
  void take(std::deque<std::shared_ptr<Conversation>>& from, Told& to);
  void call(Contest& contest, std::deque<std::shared_ptr<Conversation>>& from, Told& to, Time now);

  std::unordered_map<size_t, Contest> contests_;  // by namespace and path, hashed
  size_t sleepers_ = 0;
};

}  // namespace hearth::db
