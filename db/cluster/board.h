// What the nodes of a cluster know of each other: two small tables that all of them read and write. Nodes never compare clocks;
// each has a counter, its beat, and whoever sees it stand still by an own clock knows enough.
//
//   node  n1  beat 8123  run 5f0c…  peer 10.0.0.1:9100     ◀── renew(), every 0.5 s ── n1
//         n2  beat 8120  …                                 ── look(), every 0.25 s ──▶ all
//   shard 0   owner n1  epoch 7  sequence 812
//         1   owner n2  epoch 3  sequence 99               ◀── take(): one more epoch, if nothing has moved ── n2
//
// A lease is a hint that keeps two nodes from working at once. That only one can append is the epoch's doing (commit_log.h).
// The interface is PostgreSQL's (db/log/postgres), or a fake's in tests. Every function blocks, and may be called from one
// thread at a time. Errors of all: Unavailable, when the engine does not answer; then nothing is known of what was asked.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/log/commit_log.h"

namespace hearth::db {

inline constexpr size_t kNodeNameBytesMax = 40;  // it is part of application_name, which ends at 63

// Written once, by `hearth cluster init`.
struct ClusterFacts {
  std::string id;  // 16 hex digits: the life in event ids, the same on all nodes
  uint32_t shards = 0;
  uint32_t format = 0;       // of batches that owners may write now
  std::string secret;        // proves one node to another; never told
  std::string admin_secret;  // the same on all nodes
};

struct ClusterNode {
  std::string name;
  std::string run;       // random, new at each start of the process
  std::string peer;      // host:port, for nodes
  std::string client;    // host:port, how clients may reach it directly; "": they may not
  uint32_t formats = 0;  // the highest format of a batch that it can read
  uint64_t beat = 0;
  bool is_drained = false;          // it shall own nothing
  std::vector<uint64_t> durable{};  // by shard: applied, and synced in its store

  uint64_t durable_of(uint32_t shard) const { return shard < durable.size() ? durable[shard] : 0; }
};

struct ClusterShard {
  uint32_t shard = 0;
  LogPosition last;   // of the last batch, and the epoch of who may append behind it
  std::string owner;  // name of a node; "": it was given up
  std::string wish;   // name of the node that shall have it; "": whoever
  // Nobody asked for that: it is whom the last owner gave it to, and over when anybody has it.
  bool is_gift = false;
  uint64_t cut = 0;  // batches up to here may be gone from the log
};

struct ClusterView {
  std::vector<ClusterNode> nodes;    // by name
  std::vector<ClusterShard> shards;  // by number

  const ClusterNode* node(const std::string& name) const;  // null: there is none of that name
  size_t owned_by(const std::string& name) const;          // shards
  uint64_t behind(const ClusterNode& node) const;          // batches of all shards that are not on its disk
};

// What is true of the engine, asked anew every 10 s. Each of `wrong` is a sentence for the operator that says what to do.
struct EngineCheck {
  std::vector<std::string> wrong;  // a node does not start with it, and stops writing
  std::vector<std::string> warnings;
  std::string durability;  // "verified", "attested"
  uint32_t timeline = 0;
};

class Board {
 public:
  virtual ~Board() = default;

  virtual Result<ClusterFacts> facts() = 0;
  virtual Result<EngineCheck> check() = 0;
  // Registers this node, or takes its row over from its run before. Errors: InvalidArgument (a name that is none).
  virtual Result<void> enter(const ClusterNode& node) = 0;
  // One more beat. False: the row is another run's, or gone; then this process is no part of the cluster any more.
  virtual Result<bool> renew(const std::string& name, const std::string& run, const std::vector<uint64_t>& durable) = 0;
  virtual Result<ClusterView> look() = 0;

  // Ends the connections of a run to the engine, so that nothing it began holds a lock (spec trap 1). Before take().
  virtual Result<void> end_connections(const std::string& name, const std::string& run) = 0;
  struct Take {
    uint32_t shard = 0;
    uint64_t epoch = 0;  // as it was seen
    std::string from;    // its owner as it was seen; "": it was given up
    uint64_t beat = 0;   // of that owner, as it was seen to stand still; nothing is asked of one that gave up
    std::string to;      // this node
  };
  // The shard is ours from now on, behind that position. Nothing: something has moved meanwhile.
  virtual Result<std::optional<LogPosition>> take(const Take& take) = 0;
  // The shard is nobody's, if it still is `name`'s of that epoch. Its last round is finished before.
  virtual Result<void> give_up(uint32_t shard, const std::string& name, uint64_t epoch) = 0;

  // Operators' wishes. One of a shard holds until it is fulfilled, another one is made, or its node is forgotten.
  virtual Result<void> wish(uint32_t shard, const std::string& node) = 0;
  // Whom its owner gives it to; an operator's wish stands before that.
  virtual Result<void> gift(uint32_t shard, const std::string& node) = 0;
  // The wish or gift that was seen is over, unless there is another by now.
  virtual Result<void> end_wish(const ClusterShard& seen) = 0;
  virtual Result<void> drain(const std::string& node, bool is_drained) = 0;
  virtual Result<void> forget(const std::string& node) = 0;  // its row goes; the log is not kept for it any more
  virtual Result<void> set_format(uint32_t format) = 0;      // Errors: InvalidArgument: a node reads less

  // Reading the log, of the primary alone: batches behind `sequence`, some of them, in order. What was read is durable
  // once renew() was answered afterwards.
  virtual Result<std::vector<std::string>> batches(uint32_t shard, uint64_t behind, size_t bytes_max) = 0;
  virtual Result<void> read_file(const std::string& file,
                                 const std::function<Result<void>(std::string_view part)>& part) = 0;
  // Batches up to `upto` are of no use any more. Some of them go with each call; the answer says if there are more.
  virtual Result<bool> cut(uint32_t shard, uint64_t epoch, uint64_t upto) = 0;
  // Erases the files of the shard that no batch names, and none will: other runs have left them, of restores that came to no
  // end. False: the shard is not ours by that epoch, and nothing was done.
  virtual Result<bool> erase_left(uint32_t shard, uint64_t epoch) = 0;
};

}  // namespace hearth::db
