// Transactions of this process at one path take turns: each would make the others' tries in vain, and whoever is
// slowest to try again would go away empty-handed. A transaction within another takes none, for it might wait for its
// own. Thread: any; blocks.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace hearth::db {

class Turns {
 public:
  // Waits until no other thread has its turn at `place`, and has it until destroyed.
  class Turn {
   public:
    Turn(Turns& of, std::string place) : of_(of), place_(std::move(place)), is_inner_(std::exchange(has_turn, true)) {
      if (is_inner_) return;
      std::unique_lock lock(of_.mutex_);
      of_.ended_.wait(lock, [&] { return of_.taken_.insert(place_).second; });
    }
    ~Turn() {
      if (is_inner_) return;
      has_turn = false;
      {
        const std::lock_guard lock(of_.mutex_);
        of_.taken_.erase(place_);
      }
      of_.ended_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    static inline thread_local bool has_turn = false;
    Turns& of_;
    const std::string place_;
    const bool is_inner_;
  };

 private:
  std::mutex mutex_;  // Guards taken_.
  std::condition_variable ended_;
  std::set<std::string> taken_;
};

}  // namespace hearth::db
