// How nodes tell each other of what is in the log already. It is for speed alone: what does not come by it is read from the
// log, so it may lose, and does: to a node that does not keep up it drops what it has, and says no more until that one has
// room again.
//
//   owner ── Accepted ──▶ Bus::send ──▶ each other node ──▶ on_batch ──▶ Replica::apply
//   anybody that has given a shard up ── nudge ──▶ on_nudge ──▶ a look at the board, now and not a quarter second later
//
// net/peer/bus.h is the one over TCP; tests have one in memory. Thread: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/cluster/figures.h"
#include "db/log/commit_log.h"

namespace hearth::db {

struct BusBatch {
  uint32_t shard = 0;
  LogPosition at;  // of this batch
  std::shared_ptr<const std::string> bytes;
};

struct BusPeer {
  std::string name;
  std::string address;  // host:port
};

class Bus {
 public:
  virtual ~Bus() = default;

  // Called back on any thread, and soon back. Set before start().
  std::function<void(BusBatch batch)> on_batch;
  std::function<void()> on_nudge;
  // Gives a shard to a node that asks (Replica::seed). May take long; on a thread of the bus'.
  std::function<Result<void>(uint32_t shard, const std::function<Result<void>(std::string_view piece)>& take)>
      give_seed;

  virtual void start() = 0;
  virtual void stop() = 0;  // nothing is called back any more
  // Who the others are, from now on: connects to them, and lets go of those that are gone.
  virtual void set_peers(std::vector<BusPeer> peers) = 0;
  virtual void send(BusBatch batch) = 0;
  virtual void nudge() = 0;
  // All that a peer has of a shard. Blocks. Errors: Unavailable (it is not there, or has not the shard either), those of
  // `take`.
  virtual Result<void> ask_seed(const BusPeer& peer, uint32_t shard,
                                const std::function<Result<void>(std::string_view piece)>& take) = 0;
  virtual BusFigures figures() const = 0;
};

}  // namespace hearth::db
