// Nodes of one process: a directory that a test writes, and dials that end at another node of it.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "net/peer/relay_nodes.h"

namespace hearth::test {

class TestNodes final : public net::peer::RelayNodes {
 public:
  using Adopt = std::function<void(int socket, std::string heard)>;
  explicit TestNodes(std::string name) : name_(std::move(name)) {}

  // Where connections to a node end; null: it cannot be reached.
  void connect(const std::string& node, Adopt adopt) {
    const std::lock_guard lock(mutex_);
    doors_[node] = std::move(adopt);
  }
  // Who owns `space`, as this node knows; "": nobody. `client`: as OwnerSeen's.
  void give(const std::string& space, const std::string& node, const std::string& client = "") {
    const std::lock_guard lock(mutex_);
    ++changes_;
    owners_[space] = {
        .is_here = node == name_, .node = node, .peer = node.empty() ? "" : address_of(node), .client = client};
  }
  // It is being taken by this node, and not here yet.
  void take(const std::string& space) {
    const std::lock_guard lock(mutex_);
    ++changes_;
    owners_[space] = {.node = name_, .peer = address_of(name_)};
  }
  void forget(const std::string& node) {
    const std::lock_guard lock(mutex_);
    ++changes_;
    doors_.erase(node);
  }
  size_t dials() const { return dials_; }
  size_t looks() const { return looks_; }      // for a change
  size_t answers() const { return answers_; }  // of who owns what

  const std::string& own_name() const override { return name_; }
  net::peer::OwnerSeen owner_of(std::string_view space) const override {
    const std::lock_guard lock(mutex_);
    ++answers_;
    const auto found = owners_.find(std::string(space));
    return found == owners_.end() ? net::peer::OwnerSeen{} : found->second;
  }
  uint64_t fingerprint() const override {
    ++looks_;
    return changes_;
  }
  std::optional<std::chrono::milliseconds> stale() const override {
    const int64_t time = stale_;
    return time == 0 ? std::nullopt : std::optional(std::chrono::milliseconds(time));
  }
  void set_stale(std::chrono::milliseconds time) { stale_ = time.count(); }  // 0: it is sure
  std::string peer_of(std::string_view node) const override {
    const std::lock_guard lock(mutex_);
    return doors_.contains(std::string(node)) ? address_of(std::string(node)) : "";
  }
  db::Result<net::peer::DialedNode> dial(const std::string&, const std::string& node) override {
    Adopt adopt;
    {
      const std::lock_guard lock(mutex_);
      const auto found = doors_.find(node);
      if (found == doors_.end()) return db::Error{db::ErrorCode::Unavailable, "nobody is there"};
      adopt = found->second;
    }
    ++dials_;
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return db::Error{db::ErrorCode::Unavailable, "no descriptors"};
    }
    adopt(ends[1], "");
    return net::peer::DialedNode{net::http::Fd(ends[0]), ""};
  }

 private:
  static std::string address_of(const std::string& node) { return node + ".test:1"; }

  const std::string name_;
  mutable std::mutex mutex_;  // Guards what follows.
  std::map<std::string, Adopt> doors_;
  std::map<std::string, net::peer::OwnerSeen> owners_;
  std::atomic<size_t> dials_ = 0;
  std::atomic<uint64_t> changes_ = 0;
  mutable std::atomic<size_t> looks_ = 0, answers_ = 0;
  std::atomic<int64_t> stale_ = 0;
};

}  // namespace hearth::test
