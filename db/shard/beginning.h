// The store as it was when this process opened it: what clients hold that were connected as the last one ended, however it
// ended. Whoever comes back after a change, with a hash that nobody has noted, is compared with that (Shard::look_back); a hash
// that is found there is noted, and the next client with it needs no look.
//
//   kill ─▶ open ──▶ keep() ─▶ writes ─▶ clients come back, their hashes are of here ─▶ let_go(): after kBeginningKept,
//                                        or kBeginningRowsMax later rows; at a compaction and a purge
//
// A snapshot pins what is overwritten, so it goes early. Without history there is none. Thread: any.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "db/store/snapshot.h"

namespace hearth::db {

inline constexpr std::chrono::minutes kBeginningKept{10};
inline constexpr uint64_t kBeginningRowsMax = 5'000'000;  // written to the store since
inline constexpr size_t kLookedBackMax = 10'000;          // paths of a shard at which somebody looked

class Beginning {
 public:
  void keep(std::shared_ptr<const Snapshot> snapshot) {
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(snapshot);
  }
  void let_go() { keep(nullptr); }
  // Null: it is gone. Whoever has it does not keep it beyond one read.
  std::shared_ptr<const Snapshot> get() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
  }

 private:
  mutable std::mutex mutex_;  // Guards snapshot_.
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace hearth::db
