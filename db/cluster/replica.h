// A store as part of a cluster, shard by shard: it follows a shard, or owns it, and nothing else.
//
//            apply() batch by batch              writes, reads, listens of clients
//   Follows ────────── own() ──────────▶ Owns ─────────────────────────────────────
//      ▲                                  │
//      └──────────── disown() ────────────┘   conversations end, what was not answered is refused with NotOwner
//
// While a shard is followed, its namespaces are known by name and number alone: nobody reads or writes there but the applier
// of its batches (db/commit/log_applier.h). Engine is the Replica; db/cluster/member.h is who calls it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/log/commit_log.h"

namespace hearth::db {

// A shard that is being planted. Destroyed before finish(), what was added stays half planted: the shard is known to be that,
// here and after a restart, and neither applies nor owns until it is planted anew. Thread: one at a time.
class Planting {
 public:
  virtual ~Planting() = default;
  // The next piece, as seed() gave it. Blocks. Errors: Corruption (not what seed() makes, or of another shard), Io.
  virtual Result<void> add(std::string_view piece) = 0;
  // All pieces were added: the shard is followed from that position on, on disk. Errors: Corruption (some are missing), Io.
  virtual Result<LogPosition> finish() = 0;
};

class Replica {
 public:
  using ReadFile = std::function<Result<void>(const std::string& file,
                                              const std::function<Result<void>(std::string_view part)>& part)>;
  virtual ~Replica() = default;

  virtual uint32_t shards() const = 0;
  virtual LogPosition applied(uint32_t shard) const = 0;  // Thread: any
  // Applies what stands in the log behind what is applied. Blocks. Precondition: the shard is followed. Errors: Corruption,
  // where it does not follow on what is here: then the shard stops, loudly, until it is seeded anew; Io.
  virtual Result<void> apply(uint32_t shard, std::string_view batch, const ReadFile& read_file) = 0;
  // From here on clients are served. `last`: as the log was taken; all of it is applied. Queues of sessions whose owner died
  // are adopted. Blocks. Errors: Unavailable (something is not applied), Io.
  virtual Result<void> own(uint32_t shard, const LogPosition& last) = 0;
  // When it returns nothing of this shard is told any more, and none of its writes is under way. Blocks.
  virtual void disown(uint32_t shard, const Error& why) = 0;
  virtual bool owns(uint32_t shard) const = 0;  // Thread: any, and soon back
  // Syncs what was applied; afterwards durable() is what applied() was. Blocks on the disk.
  virtual Result<void> sync_applied() = 0;
  virtual uint64_t durable(uint32_t shard) const = 0;

  // All that this store has of a shard at one moment, with the position of that moment, in pieces of some hundred kB, for a
  // new node or one that was away for too long. Whether it is followed or owned, it goes on meanwhile. Blocks for as long as
  // `take` does. Thread: any. Errors: Unavailable (it is half planted here), Io, and what `take` says.
  virtual Result<void> seed(uint32_t shard, const std::function<Result<void>(std::string_view piece)>& take) = 0;
  // Erases what this store has of a shard, and writes what seed() gave elsewhere. Until finish() it takes no batches.
  // Precondition: the shard is not owned; there is one Planting of a shard at a time. Errors: Unavailable (it is owned), Io.
  virtual Result<std::unique_ptr<Planting>> plant(uint32_t shard) = 0;
  // It takes neither batches nor owning until it is planted: a planting was not finished, or a batch did not follow on
  // what is here. Thread: any.
  virtual bool must_be_planted(uint32_t shard) const = 0;
};

}  // namespace hearth::db
