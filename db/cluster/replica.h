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
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "db/log/commit_log.h"

namespace hearth::db {

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
};

}  // namespace hearth::db
