// What the relay has to know of the cluster, and the one thing it asks of it. tools give it the cluster's directory and the
// dialer of the peer port; tests give it two servers of one process. Thread: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/base/result.h"
#include "net/io/addresses.h"

namespace hearth::net::peer {

struct OwnerSeen {
  bool is_here = false;  // this node serves the namespace now
  std::string node{};    // "": nobody does at the moment; this node's own name while it is about to
  std::string peer{};    // HOST:PORT of that node, for nodes
  std::string client{};  // HOST:PORT for clients; "": they go by way of any node
};

// A connection that the other node has accepted for HTTP.
struct DialedNode {
  http::Fd socket;
  std::string heard{};  // what was read of it already
};

class RelayNodes {
 public:
  virtual ~RelayNodes() = default;
  virtual const std::string& own_name() const = 0;
  // Soon back, and waits for nothing.
  virtual OwnerSeen owner_of(std::string_view space) const = 0;
  // Nothing: this node is sure of what it serves. Else for how long it has not been, for the engine does not answer.
  virtual std::optional<std::chrono::milliseconds> stale() const = 0;
  // Another number whenever somebody else owns something.
  virtual uint64_t fingerprint() const = 0;
  // Where the node of that name is reached by nodes; "": nobody knows.
  virtual std::string peer_of(std::string_view node) const = 0;
  // Blocks, for some seconds at most.
  virtual db::Result<DialedNode> dial(const std::string& peer, const std::string& node) = 0;
};

}  // namespace hearth::net::peer
