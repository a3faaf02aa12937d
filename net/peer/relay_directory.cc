#include "net/peer/relay_directory.h"

#include <functional>

namespace hearth::net::peer {

OwnerSeen RelayDirectory::owner_of(std::string_view space) const {
  const auto owner = directory_.owner_of(space);
  return {.is_here = owner->is_here, .node = owner->node, .peer = owner->peer, .client = owner->client};
}

uint64_t RelayDirectory::fingerprint() const {
  uint64_t all = 0;
  for (uint32_t shard = 0; shard < directory_.shards(); ++shard) {
    const auto owner = directory_.owner(shard);
    const uint64_t one = std::hash<std::string>()(owner->node) + 2 * owner->epoch + (owner->is_here ? 1 : 0);
    all = all * 0x9e3779b97f4a7c15 + one;
  }
  return all;
}

// A node that has sessions owns a shard, or has until a moment ago; one that owns none has none.
std::string RelayDirectory::peer_of(std::string_view node) const {
  for (uint32_t shard = 0; shard < directory_.shards(); ++shard) {
    const auto owner = directory_.owner(shard);
    if (owner->node == node) return owner->peer;
  }
  return "";
}

db::Result<DialedNode> RelayDirectory::dial(const std::string& peer, const std::string& node) {
  ASSIGN_OR_RETURN(PeerSocket socket, dialer_.dial(peer, node, "http"));
  return DialedNode{http::Fd(socket.fd), std::move(socket.early)};
}

}  // namespace hearth::net::peer
