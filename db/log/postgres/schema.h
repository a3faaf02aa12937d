// The tables of a cluster, in the schema `hearth` of a database of its own. README.md says what stands in them.
#pragma once

#include <cstdint>
#include <string>

#include "db/base/result.h"
#include "db/cluster/board.h"

namespace hearth::db {

inline constexpr uint32_t kClusterShardsMax = 1024;
inline constexpr uint32_t kBatchFormat = 1;  // the first one, of batch.h

// Makes a cluster of that many shards, which it has for ever, with an id and secrets of its own. Blocks.
// Errors: InvalidArgument (a number of shards that is none; there is a cluster already, which is named), Unavailable.
Result<ClusterFacts> init_cluster(const std::string& url, uint32_t shards);

}  // namespace hearth::db
