// Nodes of a cluster for tests: databases that share a log in memory, and what is asked of them.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "db/cluster/replica.h"
#include "db/log/commit_log.h"
#include "tests/db/stores.h"
#include "tests/db/talk.h"
#include "tests/support/memory_log.h"
#include "tests/support/random_tree.h"

namespace hearth::test::cluster {

inline constexpr uint32_t kShards = 2;
inline constexpr const char* kCluster = "0123456789abcdef";
inline const Error kMoved{ErrorCode::NotOwner, "The shard moves to another node."};
inline constexpr std::chrono::seconds kPatience{60};

inline HistoryPlan a_day() {
  HistoryPlan history;
  history.age = std::chrono::hours(24);
  history.bytes = 1u << 30;
  return history;
}

class Node {
 public:
  Node(MemoryLog& log, HistoryPlan history = {}, std::chrono::milliseconds grace = std::chrono::hours(1))
      : log_(log), history_(history), grace_(grace) {
    open();
  }
  void open() {
    Database::Options options;
    options.folder = folder_.path();
    options.shards = kShards;
    options.disconnect_grace = grace_;
    options.log = &log_;
    options.history = history_;
    options.follows = true;
    options.cluster_id = kCluster;
    options.on_lost = [this](uint32_t shard, const Error&) {
      const std::lock_guard lock(mutex_);
      lost_.push_back(shard);
    };
    auto opened = Host::open(options);
    INFO((opened.ok() ? "" : opened.error().message));
    REQUIRE(opened.ok());
    host = std::move(opened).value();
    replica = host->replica();
    REQUIRE(replica != nullptr);
  }
  // As a process that ends: what sessions have queued stays.
  void close() {
    host->close();
    host.reset();
    replica = nullptr;
  }
  void catch_up(uint32_t shard) {
    const std::vector<std::string> batches = log_.batches(shard);
    const auto read_file = [this](const std::string& file, const auto& part) { return log_.read_file(file, part); };
    for (size_t next = replica->applied(shard).sequence; next < batches.size(); ++next) {
      const Result<void> applied = replica->apply(shard, batches[next], read_file);
      INFO((applied.ok() ? "" : applied.error().message));
      REQUIRE(applied.ok());
    }
  }
  // As who has it is gone, or has not heard of it yet.
  void take(uint32_t shard) {
    const LogPosition last = log_.take(shard).value();
    catch_up(shard);
    const Result<void> owned = replica->own(shard, last);
    INFO((owned.ok() ? "" : owned.error().message));
    REQUIRE(owned.ok());
  }
  std::vector<uint32_t> lost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }
  Answer write(const std::string& space, Write write) {
    std::promise<Answer> told;
    host->write(space, std::move(write), [&](Answer answer) { told.set_value(std::move(answer)); });
    return told.get_future().get();
  }
  Answer read(const std::string& space, std::string_view path) {
    std::promise<Answer> told;
    host->read(space, get(path), [&](Answer answer) { told.set_value(std::move(answer)); });
    return told.get_future().get();
  }
  std::string said(const std::string& space, std::string_view path) {
    const Answer answer = read(space, path);
    return answer.status.ok() ? text(answer.value) : "refused";
  }
  const std::string& folder() const { return folder_.path(); }

  std::unique_ptr<Host> host;
  Replica* replica = nullptr;

 private:
  MemoryLog& log_;
  const HistoryPlan history_;
  const std::chrono::milliseconds grace_;
  const TempFolder folder_;
  mutable std::mutex mutex_;  // Guards lost_.
  std::vector<uint32_t> lost_;
};

inline std::string name_in(uint32_t shard, int which = 0) {
  for (int i = 0;; ++i) {
    std::string name = "space" + std::to_string(i);
    if (shard_of(name, kShards) == shard && which-- == 0) return name;
  }
}

inline bool becomes(const std::function<bool()>& is_so) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

inline Listen resumed_at(std::string_view path, uint64_t sequence) {
  Listen listen = listen_to(path);
  listen.wants_ids = true;
  listen.resume = std::string(kCluster) + ":" + std::to_string(sequence);
  return listen;
}

}  // namespace hearth::test::cluster
