// What a node's life in a cluster counts, for /.metrics. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "db/base/metrics.h"

namespace hearth::db {

struct GuardFigures {
  uint64_t appends = 0, held = 0, released = 0, doubted = 0, unanswered = 0, cut_off = 0;
};

// What went into the engine's log, appended in rounds: each is one transaction, of all shards that had something.
struct RoundFigures {
  uint64_t rounds = 0, batches = 0;  // that were accepted; in their rounds, refused ones too
  uint64_t bytes = 0;                // of those batches, as they are stored
  Distribution append_time{};        // nanoseconds, of an accepted batch from its shard's asking to the answer
};

struct BusFigures {
  struct Peer {
    bool is_up = false;
    uint64_t queued_bytes = 0;
    uint64_t sent = 0;     // batches
    uint64_t dropped = 0;  // batches that it has to read from the log
  };
  std::map<std::string, Peer> peers;
  uint64_t received = 0;
};

struct ClusterFigures {
  bool is_good = false;
  std::chrono::milliseconds stale{0};
  uint64_t shards = 0, owned = 0, stopped = 0, seeding = 0;
  uint64_t nodes = 0, alive = 0;
  uint64_t behind = 0;  // batches that others have and this node has not applied
  uint64_t inbox_bytes = 0;
  uint64_t taken = 0, given_up = 0, lost = 0, seeded = 0;
  uint64_t told = 0, from_log = 0;  // batches, by how they came
  uint64_t renewals = 0, renewals_failed = 0;
  std::chrono::milliseconds renewal_took{0};  // the last one
  uint64_t wrong = 0;                         // sentences of the last check
  GuardFigures guard;
  RoundFigures engine;
  BusFigures bus;
};

}  // namespace hearth::db
