// Connections to other nodes that are being made. A handshake blocks, so it is some threads' work; a node that does not answer
// may hold only a part of them.
//
//   ask(n2) ─┐                 ┌─ kDialsAtOnce for each node ─▶ RelayNodes::dial ─▶ told, on a thread of these
//   ask(n3) ─┴─ waiting, by node ┘
//
// Thread: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "db/base/thread_pool.h"
#include "net/peer/relay_nodes.h"

namespace hearth::net::peer {

inline constexpr size_t kDialThreads = 8;
inline constexpr size_t kDialsAtOnce = 4;           // of one node
inline constexpr size_t kDialsWaitingMax = 20'000;  // of one node; more are refused

class RelayDials {
 public:
  ~RelayDials() { is_closing_ = true; }  // who waits hears that there is no connection
  explicit RelayDials(RelayNodes& nodes) : nodes_(nodes), threads_(kDialThreads, SIZE_MAX) {}

  using Told = std::function<void(db::Result<DialedNode>)>;
  void dial(const std::string& peer, const std::string& node, Told told);

 private:
  struct Waiting {
    std::string node;
    Told told;
  };
  struct Place {
    std::deque<Waiting> waiting{};
    size_t under_way = 0;
  };
  void work(const std::string& peer);

  RelayNodes& nodes_;
  std::mutex mutex_;  // Guards places_.
  std::map<std::string, Place> places_;
  std::atomic<bool> is_closing_ = false;
  db::ThreadPool threads_;  // the last: its threads end before what they use
};

}  // namespace hearth::net::peer
