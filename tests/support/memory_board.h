// A cluster's engine in memory: its tables and its log, for several nodes of one process, each with its own way of being cut
// off. MemoryBoard and MemoryShardLog are one node's connections to it; what they are told to do to calls they do to that
// node alone.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "db/cluster/board.h"
#include "db/log/commit_log.h"

namespace hearth::test {

// What every connection reads and writes. Thread: any.
struct MemoryEngine {
  explicit MemoryEngine(uint32_t shards) {
    facts = {.id = "0123456789abcdef", .shards = shards, .format = 1, .secret = "secret", .admin_secret = "admin"};
    view.shards.resize(shards);
    for (uint32_t shard = 0; shard < shards; ++shard) view.shards[shard].shard = shard;
    batches.resize(shards);
  }
  db::ClusterNode* node(const std::string& name) {
    for (db::ClusterNode& one : view.nodes) {
      if (one.name == name) return &one;
    }
    return nullptr;
  }

  std::mutex mutex;  // Guards all below.
  db::ClusterFacts facts;
  db::ClusterView view;
  db::EngineCheck check{.wrong = {}, .warnings = {}, .durability = "verified", .timeline = 1};
  std::vector<std::map<uint64_t, std::string>> batches;  // by shard, by sequence
  std::vector<std::string> ended;                        // runs whose connections were ended
  std::map<uint32_t, int> tidied;                        // by shard, how often what was left there was erased
};

// How the way to the engine is, for one node.
struct MemoryWay {
  std::atomic<bool> is_away{false};
  std::atomic<int> slow_ms{0};
  std::atomic<bool> loses_answers{false};  // what was asked is done, and the answer does not come
};

class MemoryBoard final : public db::Board {
 public:
  MemoryBoard(MemoryEngine& engine, MemoryWay& way) : engine_(engine), way_(way) {}

  db::Result<db::ClusterFacts> facts() override {
    return call<db::ClusterFacts>([&] { return engine_.facts; });
  }
  db::Result<db::EngineCheck> check() override {
    return call<db::EngineCheck>([&] { return engine_.check; });
  }
  db::Result<void> enter(const db::ClusterNode& node) override {
    return act([&] {
      db::ClusterNode* found = engine_.node(node.name);
      if (found == nullptr) {
        engine_.view.nodes.push_back(node);
        std::sort(engine_.view.nodes.begin(), engine_.view.nodes.end(),
                  [](const auto& a, const auto& b) { return a.name < b.name; });
        return;
      }
      const uint64_t beat = found->beat + 1;
      const bool is_drained = found->is_drained;
      *found = node;
      found->beat = beat;
      found->is_drained = is_drained;
    });
  }
  db::Result<bool> renew(const std::string& name, const std::string& run,
                         const std::vector<uint64_t>& durable) override {
    return call<bool>([&] {
      db::ClusterNode* found = engine_.node(name);
      if (found == nullptr || found->run != run) return false;
      ++found->beat;
      found->durable = durable;
      return true;
    });
  }
  db::Result<db::ClusterView> look() override {
    return call<db::ClusterView>([&] { return engine_.view; });
  }
  db::Result<void> end_connections(const std::string&, const std::string& run) override {
    return act([&] { engine_.ended.push_back(run); });
  }
  db::Result<std::optional<db::LogPosition>> take(const Take& take) override {
    return call<std::optional<db::LogPosition>>([&]() -> std::optional<db::LogPosition> {
      db::ClusterShard& shard = engine_.view.shards[take.shard];
      if (shard.last.epoch != take.epoch || shard.owner != take.from) return {};
      const db::ClusterNode* owner = take.from.empty() ? nullptr : engine_.node(take.from);
      if (owner != nullptr && take.from != take.to && owner->beat != take.beat) return {};
      ++shard.last.epoch;
      shard.owner = take.to;
      return shard.last;
    });
  }
  db::Result<void> give_up(uint32_t number, const std::string& name, uint64_t epoch) override {
    return act([&] {
      db::ClusterShard& shard = engine_.view.shards[number];
      if (shard.owner == name && shard.last.epoch == epoch) shard.owner.clear();
    });
  }
  db::Result<void> wish(uint32_t shard, const std::string& node) override {
    return act([&] {
      engine_.view.shards[shard].wish = node;
      engine_.view.shards[shard].is_gift = false;
    });
  }
  db::Result<void> gift(uint32_t number, const std::string& node) override {
    return act([&] {
      db::ClusterShard& shard = engine_.view.shards[number];
      if (!shard.wish.empty() && !shard.is_gift) return;
      shard.wish = node;
      shard.is_gift = true;
    });
  }
  db::Result<void> end_wish(const db::ClusterShard& seen) override {
    return act([&] {
      db::ClusterShard& shard = engine_.view.shards[seen.shard];
      if (shard.wish == seen.wish && shard.is_gift == seen.is_gift) shard.wish.clear();
    });
  }
  db::Result<void> drain(const std::string& node, bool is_drained) override {
    return act([&] {
      if (db::ClusterNode* found = engine_.node(node)) found->is_drained = is_drained;
    });
  }
  db::Result<void> forget(const std::string& name) override {
    return act([&] { std::erase_if(engine_.view.nodes, [&](const auto& one) { return one.name == name; }); });
  }
  db::Result<void> set_format(uint32_t format) override {
    return act([&] { engine_.facts.format = format; });
  }
  db::Result<std::vector<std::string>> batches(uint32_t shard, uint64_t behind, size_t bytes_max) override {
    return call<std::vector<std::string>>([&] {
      std::vector<std::string> found;
      size_t bytes = 0;
      const auto& all = engine_.batches[shard];
      for (auto at = all.upper_bound(behind); at != all.end() && bytes < bytes_max; ++at) {
        found.push_back(at->second);
        bytes += at->second.size();
      }
      return found;
    });
  }
  db::Result<void> read_file(const std::string&, const std::function<db::Result<void>(std::string_view)>&) override {
    return {};
  }
  db::Result<bool> cut(uint32_t number, uint64_t epoch, uint64_t upto) override {
    return call<bool>([&] {
      db::ClusterShard& shard = engine_.view.shards[number];
      if (shard.last.epoch != epoch) return false;
      shard.cut = std::max(shard.cut, upto);
      auto& all = engine_.batches[number];
      all.erase(all.begin(), all.upper_bound(upto));
      return false;
    });
  }
  db::Result<bool> erase_left(uint32_t number, uint64_t epoch) override {
    return call<bool>([&] {
      const bool is_ours = engine_.view.shards[number].last.epoch == epoch;
      if (is_ours) ++engine_.tidied[number];
      return is_ours;
    });
  }

 private:
  static db::Error away() { return {db::ErrorCode::Unavailable, "the engine is away"}; }
  template <typename T, typename Do>
  db::Result<T> call(Do what) {
    if (const int slow = way_.slow_ms; slow > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow));
    if (way_.is_away) return away();
    T answer = [&]() -> T {
      const std::lock_guard lock(engine_.mutex);
      return what();
    }();
    if (way_.loses_answers) return away();
    return answer;
  }
  template <typename Do>
  db::Result<void> act(Do what) {
    const auto done = call<bool>([&] {
      what();
      return true;
    });
    if (!done.ok()) return done.error();
    return {};
  }

  MemoryEngine& engine_;
  MemoryWay& way_;
};

class MemoryShardLog final : public db::CommitLog {
 public:
  MemoryShardLog(MemoryEngine& engine, MemoryWay& way, std::string node)
      : engine_(engine), way_(way), node_(std::move(node)) {}

  void append(uint32_t number, const db::LogPosition& last, const std::string& id, db::SealedBatch batch,
              std::function<void(Appended)> done) override {
    if (const int slow = way_.slow_ms; slow > 0) std::this_thread::sleep_for(std::chrono::milliseconds(slow));
    if (way_.is_away) return done(Appended::Unknown);
    bool is_taken = false;
    {
      const std::lock_guard lock(engine_.mutex);
      db::ClusterShard& shard = engine_.view.shards[number];
      is_taken = shard.last.sequence == last.sequence && shard.last.epoch == last.epoch;
      if (is_taken) {
        ++shard.last.sequence;
        shard.last.id = id;
        engine_.batches[number][shard.last.sequence] = *batch;
      }
    }
    done(way_.loses_answers ? Appended::Unknown : is_taken ? Appended::Accepted : Appended::Conflict);
  }
  db::Result<db::LogPosition> take(uint32_t) override {
    return db::Error{db::ErrorCode::Unsupported, "members take on the board"};
  }
  db::Result<std::optional<db::LogPosition>> begin_epoch(uint32_t number, uint64_t epoch) override {
    if (way_.is_away) return db::Error{db::ErrorCode::Unavailable, "the engine is away"};
    const std::lock_guard lock(engine_.mutex);
    db::ClusterShard& shard = engine_.view.shards[number];
    if (shard.last.epoch != epoch || shard.owner != node_) return std::optional<db::LogPosition>();
    ++shard.last.epoch;
    return std::optional(shard.last);
  }
  db::Result<void> add_file_part(uint32_t, const std::string&, std::string_view) override { return {}; }

 private:
  MemoryEngine& engine_;
  MemoryWay& way_;
  const std::string node_;
};

}  // namespace hearth::test
