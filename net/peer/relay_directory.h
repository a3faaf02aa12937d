// What the relay knows of a real cluster: its directory says who owns what, and the dialer of the peer port makes connections.
// Thread: any.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "db/cluster/directory.h"
#include "net/peer/peer_port.h"
#include "net/peer/relay_nodes.h"

namespace hearth::net::peer {

class RelayDirectory final : public RelayNodes {
 public:
  using Stale = std::function<std::optional<std::chrono::milliseconds>()>;
  // All outlive it. `node`: this one's name. `stale`: as RelayNodes'.
  RelayDirectory(std::string node, const db::Directory& directory, PeerDialer& dialer, Stale stale)
      : node_(std::move(node)), directory_(directory), dialer_(dialer), stale_(std::move(stale)) {}

  const std::string& own_name() const override { return node_; }
  OwnerSeen owner_of(std::string_view space) const override;
  std::optional<std::chrono::milliseconds> stale() const override { return stale_(); }
  uint64_t fingerprint() const override;
  std::string peer_of(std::string_view node) const override;
  db::Result<DialedNode> dial(const std::string& peer, const std::string& node) override;

 private:
  const std::string node_;
  const db::Directory& directory_;
  PeerDialer& dialer_;
  const Stale stale_;
};

}  // namespace hearth::net::peer
