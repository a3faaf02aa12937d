// Where nothing is: ranges of keys in which readers went through nothing but erased rows. RocksDB keeps an erased row and its
// tombstone until compaction meets both, and a seek goes through them one by one. Readers that know of a run step over it.
//
//   in the store     x x x x x x x x x m7 m8        x: erased, and still there
//   a scan           ─ 1,200 x ───────▶ m7          it tells of [begin, m7): a guess, for a commit may have come since
//   the next one     ─ 1,200 x ───────▶ m7          tells of it again, and no commit has put a row there: a run
//   all later ones   ────────────────▶ m7           one seek
//   m3 is put                                       before it is written the run is parted: [begin, m3), (m3, m7)
//
// So the removal of very many rows one by one, a queue's work or children that become too old, asks RocksDB for no flush and
// no compaction of its own. Nothing of this is on disk: after a restart the first readers find it out anew.
//
// What must hold: a run is used by snapshots that are not older than the one that found it empty, and no row is put into it
// from then on. A guess is confirmed by a snapshot that has all commits that were under way when the guess was made; those
// that began later have said what they put.
//
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::db {

// Erased rows, and what they hide, that one step of a scan goes through before it tells of them.
inline constexpr uint64_t kRunSkipsMin = 1'000;
// What is known at most: about so many bytes of keys. What was of no use for longest is forgotten.
inline constexpr size_t kEmptyRunsMax = 512;
inline constexpr size_t kEmptyRunBytesMax = 256u << 10;
inline constexpr size_t kEmptyGuessesMax = 16;

class EmptyRuns {
 public:
  // `latest`: the sequence of the store's last row. Called with a lock held.
  explicit EmptyRuns(std::function<uint64_t()> latest) : latest_(std::move(latest)) {}

  // A commit, from before its rows are written until they are.
  class Writing {
   public:
    explicit Writing(EmptyRuns& runs) : runs_(runs), number_(runs.begin()) {}
    ~Writing() { runs_.end(number_); }
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
    void put(std::string_view key) {
      if (runs_.has_any_.load(std::memory_order_relaxed)) runs_.put(key);
    }
    void put_anywhere() { runs_.forget_all(); }

   private:
    EmptyRuns& runs_;
    const uint64_t number_;
  };

  struct Run {
    std::string from, upto;
  };
  bool any() const { return has_any_.load(std::memory_order_acquire); }
  // The runs that have some of [from, upto), in ascending order, for a snapshot of that sequence.
  std::vector<Run> within(std::string_view from, std::string_view upto, uint64_t sequence) const;
  // A snapshot of that sequence has no row in [from, upto), and it was hard to find out.
  void tell(std::string_view from, std::string_view upto, uint64_t sequence);

  size_t count() const;
  size_t byte_count() const;

 private:
  struct Held {
    std::string from;
    uint64_t since;         // the snapshot's sequence
    mutable uint64_t used;  // by uses_
  };
  using Runs = std::map<std::string, Held, std::less<>>;  // by `upto`; apart from one another
  struct Guess {
    std::string from, upto;
    uint64_t after;              // the last commit that had begun
    bool is_settled = false;     // all of those have ended
    uint64_t settled_since = 0;  // the store's sequence then
  };

  uint64_t begin();
  void end(uint64_t number);
  void put(std::string_view key);
  void forget_all();
  // With mutex_ held.
  void settle(uint64_t oldest);
  void take(std::string from, std::string upto, uint64_t since);
  void drop(Runs::iterator run);
  Runs::iterator hold(std::string from, std::string upto, uint64_t since, uint64_t used);
  void forget_some();
  void note_whether_any();

  const std::function<uint64_t()> latest_;
  std::atomic<bool> has_any_{false};  // runs or guesses
  mutable std::mutex mutex_;          // Guards all below.
  Runs runs_;
  size_t bytes_ = 0;
  std::deque<Guess> guesses_;  // the oldest first
  uint64_t commits_ = 0;
  std::set<uint64_t> under_way_;
  mutable uint64_t uses_ = 0;
};

}  // namespace hearth::db
