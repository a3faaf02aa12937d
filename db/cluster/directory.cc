#include "db/cluster/directory.h"

#include <utility>

#include "db/log/commit_log.h"

namespace hearth::db {

std::shared_ptr<const ShardOwner> Directory::owner(uint32_t shard) const {
  const std::lock_guard lock(mutex_);
  if (owners_[shard] == nullptr) {
    static const auto nobody = std::make_shared<const ShardOwner>();
    return nobody;
  }
  return owners_[shard];
}

std::shared_ptr<const ShardOwner> Directory::owner_of(std::string_view namespace_name) const {
  return owner(shard_of(namespace_name, shards()));
}

void Directory::set(ShardOwner owner) {
  const uint32_t shard = owner.shard;
  auto made = std::make_shared<const ShardOwner>(std::move(owner));
  const std::lock_guard lock(mutex_);
  owners_[shard].swap(made);
}

}  // namespace hearth::db
