// Who owns what, as the last look at the board said: for the relay, which asks for each request.
//
// Thread: any. owner_of() takes no lock that anybody holds for long, and waits for nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::db {

struct ShardOwner {
  uint32_t shard = 0;
  bool is_here =
      false;           // this node serves it now. False as well while it is being taken: then `node` is this one's name
  std::string node;    // "": nobody has it at the moment; ask again soon
  std::string peer;    // host:port, for nodes
  std::string client;  // host:port, for clients; "": they go by way of us
  uint64_t epoch = 0;  // of who owns it; a higher one is newer knowledge
};

class Directory {
 public:
  explicit Directory(uint32_t shards);  // nobody owns any

  uint32_t shards() const { return static_cast<uint32_t>(owners_.size()); }
  uint32_t shard_of(std::string_view namespace_name) const;
  std::shared_ptr<const ShardOwner> owner(uint32_t shard) const;
  std::shared_ptr<const ShardOwner> owner_of(std::string_view namespace_name) const;

  void set(ShardOwner owner);

 private:
  mutable std::mutex mutex_;  // Guards owners_.
  std::vector<std::shared_ptr<const ShardOwner>> owners_;
};

}  // namespace hearth::db
