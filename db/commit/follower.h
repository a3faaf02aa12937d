// A shard that another node owns, as this store has it: batches come and are applied, until this node owns the shard itself, or
// plants it anew.
//
//              apply() …                own()
//   Follows ◀─────────────── Follows ─────────▶ Owned     its Shard (db/shard) has the namespaces; nothing is applied
//      ▲  ▲──────────────────────────────────────┘
//      │          follow_again()
//   plant() ─▶ Planting ─ finish() ─▶ Follows
//                  └─ given up, or the process died ─▶ MustBePlanted
//   apply(): Corruption ─────────────────────────────▶ MustBePlanted
//   follow_again(): a restore that the log has not ──▶ MustBePlanted
//
// What this store has of the shard is never taken back: where a batch does not follow on what is here, the shard stands still
// until it is planted. An error that may pass (the disk, a file that can't be read now) leaves it as it was, and the batch may
// come again.
//
// Thread: any, one call waits for the other; applied(), must_be_planted() and is_owned() come back at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "db/commit/log_applier.h"
#include "db/commit/seed.h"

namespace hearth::db {

class Follower {
 public:
  // What the store's namespaces are called: whoever has the follower keeps that. Called with the follower's lock held.
  struct Names {
    std::function<std::map<std::string, uint32_t>()> of_shard;
    LogApplier::NumberOf number_of;
    OnNames on;
    // The shard has been planted: these are all that it has now.
    std::function<void(const std::map<std::string, uint32_t>&, const std::map<std::string, uint64_t>& removed)> replace;
  };
  struct Plans {
    HistoryPlan history{};  // of namespaces whose settings name none; the same on all nodes
    uint64_t answers_bytes_max = kAnswersBytesMax;
  };
  Follower(TreeStore& store, uint32_t shard, Plans plans, Names names)
      : store_(store), shard_(shard), plans_(plans), names_(std::move(names)) {}

  Result<void> start();  // what the store has of it. Errors: Io, Corruption
  // A batch that was applied before is passed over. Errors: Unavailable (there is a gap before it, or the shard is owned, or
  // to be planted); Corruption, it does not follow; Unsupported, Io.
  Result<void> apply(std::string_view batch, const LogApplier::ReadFile& read_file);
  // Nothing is applied from here on. Errors: Unavailable, naming both positions, where they differ.
  Result<void> own(const LogPosition& last);
  Result<void> follow_again();  // Errors: Io, Corruption
  Result<void> plant();         // Errors: Unavailable, Io
  Result<void> add(std::string_view piece);
  Result<LogPosition> finish();
  void give_up_planting();
  void close();  // the store goes

  LogPosition applied() const;
  bool must_be_planted() const { return state_ == State::MustBePlanted || state_ == State::Planting; }
  bool is_owned() const { return state_ == State::Owned; }

 private:
  enum class State : uint8_t { Follows, Owned, Planting, MustBePlanted };
  Result<void> begin_applying();
  void stop_applying();
  Result<void> read_position();
  Error not_now() const;

  TreeStore& store_;
  const uint32_t shard_;
  const Plans plans_;
  const Names names_;
  std::atomic<State> state_ = State::Follows;
  std::mutex mutex_;  // Guards all below; held while the disk is waited for.
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<LogApplier> applier_;                // null: nothing was applied since
  const LogApplier::ReadFile* reads_files_ = nullptr;  // of the batch that is being applied
  std::unique_ptr<Planter> planter_;
  std::string why_stopped_;
  mutable std::mutex position_mutex_;  // Guards applied_.
  LogPosition applied_;
};

}  // namespace hearth::db
