#include "db/cluster/directory.h"

#include <utility>

#include "db/log/commit_log.h"

namespace hearth::db {

Directory::Directory(uint32_t shards) : owners_(shards) {
  for (uint32_t shard = 0; shard < shards; ++shard) {
    ShardOwner nobody;
    nobody.shard = shard;
    owners_[shard] = std::make_shared<const ShardOwner>(std::move(nobody));
  }
}

uint32_t Directory::shard_of(std::string_view namespace_name) const { return db::shard_of(namespace_name, shards()); }

std::shared_ptr<const ShardOwner> Directory::owner(uint32_t shard) const {
  const std::lock_guard lock(mutex_);
  return owners_[shard];
}

std::shared_ptr<const ShardOwner> Directory::owner_of(std::string_view namespace_name) const {
  return owner(shard_of(namespace_name));
}

void Directory::set(ShardOwner owner) {
  const uint32_t shard = owner.shard;
  auto made = std::make_shared<const ShardOwner>(std::move(owner));
  const std::lock_guard lock(mutex_);
  owners_[shard].swap(made);
}

}  // namespace hearth::db
