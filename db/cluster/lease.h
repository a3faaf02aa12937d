// Who is alive, as one node can know it: by its own clock alone, and by counters that others move. Pure; the time is passed in.
//
//   own      ──r────r────r─────────────────r──        r: a renewal that was answered, at the moment before it was sent
//            ═══════════════════1.5s]       ══        good: until the last r + 1.5 s
//   another  ──b────b────b  …  the same b at each look for 2 s, of looks that were made while this node was good: expired
//
// Why the looks are counted, and not the time between two of them: a beat stands still as well when the engine pauses, when
// this node's process was stopped, or when its machine slept, and then every node would find every other one dead and take
// its shards. So a look adds the time since the look before it, but half a second at most (nobody was watching for longer
// than that), and nothing when this node was not good all that time (trap 4 of the design: with a pause of the engine of 6 s
// the rival won three of three, and none with this rule).
//
// The clock is CLOCK_BOOTTIME's: it goes on while the machine sleeps, and nobody sets it.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace hearth::db {

using BootTime = std::chrono::milliseconds;  // since the machine started

inline constexpr BootTime kRenewEvery{500};
inline constexpr BootTime kLookEvery{250};
inline constexpr BootTime kGoodFor{1'500};       // from the moment before a renewal was sent
inline constexpr BootTime kExpiresAfter{2'000};  // of looks at a beat that does not move
inline constexpr BootTime kLookCountsMax{500};   // of one look

BootTime boot_time();  // now

class NodeLease {
 public:
  // A renewal that was sent after `sent_at` was answered, at `now`.
  void renewed(BootTime sent_at, BootTime now) {
    if (!is_good(sent_at)) good_since_ = now;  // there was a moment before it at which it was not good
    good_until_ = std::max(good_until_, sent_at + kGoodFor);
    if (!is_good(now)) good_since_ = good_until_;
  }
  void end() { good_until_ = BootTime{0}; }  // this process is no part of the cluster any more
  bool is_good(BootTime now) const { return now < good_until_; }
  // Since when it has been good without a break. Precondition: is_good(now).
  BootTime good_since() const { return good_since_; }
  BootTime good_until() const { return good_until_; }

 private:
  BootTime good_since_{0}, good_until_{0};
};

// The same for all threads of this node: whether it is good, and for how long it has not been.
class NodeStanding {
 public:
  using Clock = std::function<BootTime()>;
  explicit NodeStanding(Clock clock = boot_time) : clock_(std::move(clock)) {}

  bool is_good() const { return is_sound_ && clock_().count() < good_until_; }
  // Nothing: it is good. Else how old what is told here may be.
  std::optional<BootTime> stale() const {
    if (is_good()) return {};
    return std::max(clock_() - BootTime(good_until_), BootTime{1});
  }
  BootTime now() const { return clock_(); }

  void set(const NodeLease& lease) { good_until_ = lease.good_until().count(); }
  void set_sound(bool is_sound) { is_sound_ = is_sound; }  // what is checked of the engine is as it has to be

 private:
  const Clock clock_;
  std::atomic<int64_t> good_until_{0};
  std::atomic<bool> is_sound_{true};
};

class BeatWatch {
 public:
  // A look at the board that was answered at `now`.
  void begin_look(BootTime now, const NodeLease& own);
  void saw(const std::string& name, const std::string& run, uint64_t beat);
  void end_look();  // forgets those that were not seen

  // Nothing: it is not known at all.
  std::optional<BootTime> unmoved(const std::string& name) const;
  bool is_alive(const std::string& name) const;  // known, and not expired
  // For how long it has been alive without a break, as far as was watched.
  BootTime alive_for(const std::string& name) const;

 private:
  struct Seen {
    std::string run;
    uint64_t beat = 0;
    BootTime unmoved{0}, alive{0};
    bool is_unseen = true;  // by the look that is under way
  };
  std::map<std::string, Seen> nodes_;
  std::optional<BootTime> last_look_;
  BootTime counts_{0};  // of the look that is under way
};

}  // namespace hearth::db
