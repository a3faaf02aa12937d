#include "db/cluster/board.h"

#include <algorithm>

namespace hearth::db {

const ClusterNode* ClusterView::node(const std::string& name) const {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const ClusterNode& one) { return one.name == name; });
  return found == nodes.end() ? nullptr : &*found;
}

size_t ClusterView::owned_by(const std::string& name) const {
  return static_cast<size_t>(
      std::count_if(shards.begin(), shards.end(), [&](const ClusterShard& one) { return one.owner == name; }));
}

uint64_t ClusterView::behind(const ClusterNode& node) const {
  uint64_t batches = 0;
  for (const ClusterShard& one : shards) {
    const uint64_t durable = node.durable_of(one.shard);
    if (one.last.sequence > durable) batches += one.last.sequence - durable;
  }
  return batches;
}

}  // namespace hearth::db
