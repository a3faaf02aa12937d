// Several nodes in one process, on a MemoryEngine: real Members, GuardedLogs and ShardLogs, over a store that only records what
// it was told. The clock runs kPace times as fast as the world.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "db/cluster/member.h"
#include "tests/support/memory_board.h"

namespace hearth::test {

inline constexpr uint32_t kPace = 8;

// A store that keeps the batches themselves.
class RecordingReplica final : public db::Replica {
 public:
  RecordingReplica(uint32_t shards, db::CommitLog& log) : log_(log), shards_(shards) {}

  uint32_t shards() const override { return static_cast<uint32_t>(shards_.size()); }
  db::LogPosition applied(uint32_t shard) const override {
    const std::lock_guard lock(mutex_);
    return shards_[shard].applied;
  }
  db::Result<void> apply(uint32_t shard, std::string_view batch, const ReadFile&) override {
    const auto head = db::read_batch_head(batch);
    if (!head.ok()) return head.error();
    const std::lock_guard lock(mutex_);
    Shard& at = shards_[shard];
    if (at.log != nullptr) wrong.emplace_back("applied while it is owned");
    if (at.must_be_planted) wrong.emplace_back("applied before it was planted");
    if (head.value().sequence != at.applied.sequence + 1 || head.value().prev != at.applied.id) {
      at.must_be_planted = true;
      return db::Error{db::ErrorCode::Corruption, "the batch does not follow on what is here"};
    }
    keep(at, head.value(), batch);
    return {};
  }
  db::Result<void> own(uint32_t shard, const db::LogPosition& last) override {
    const std::lock_guard lock(mutex_);
    Shard& at = shards_[shard];
    if (at.log != nullptr) wrong.emplace_back("owned twice");
    if (at.applied.sequence != last.sequence) return db::Error{db::ErrorCode::Unavailable, "something is not applied"};
    at.log = std::make_shared<db::ShardLog>(log_, shard, last);
    return {};
  }
  void disown(uint32_t shard, const db::Error&) override {
    std::shared_ptr<db::ShardLog> log;
    {
      const std::lock_guard lock(mutex_);
      log.swap(shards_[shard].log);
    }
    if (log == nullptr) return;
    const auto turn = log->turn();  // until what is under way has an end
  }
  bool owns(uint32_t shard) const override {
    const std::lock_guard lock(mutex_);
    return shards_[shard].log != nullptr;
  }
  db::Result<void> sync_applied() override {
    const std::lock_guard lock(mutex_);
    for (Shard& one : shards_) one.durable = one.applied.sequence;
    return {};
  }
  uint64_t durable(uint32_t shard) const override {
    const std::lock_guard lock(mutex_);
    return shards_[shard].durable;
  }
  db::Result<void> seed(uint32_t shard, const std::function<db::Result<void>(std::string_view)>& take) override {
    std::vector<std::string> pieces;
    {
      const std::lock_guard lock(mutex_);
      if (shards_[shard].must_be_planted) return db::Error{db::ErrorCode::Unavailable, "it is half planted here"};
      for (const auto& [_, batch] : shards_[shard].batches) pieces.push_back(batch);
    }
    for (const std::string& one : pieces) {
      const auto taken = take(one);
      if (!taken.ok()) return taken;
    }
    return {};
  }
  db::Result<std::unique_ptr<db::Planting>> plant(uint32_t shard) override {
    class Recording final : public db::Planting {
     public:
      Recording(RecordingReplica& replica, uint32_t at) : replica_(replica), shard_(at) {}
      db::Result<void> add(std::string_view piece) override {
        pieces_.emplace_back(piece);
        return {};
      }
      db::Result<db::LogPosition> finish() override {
        {
          const std::lock_guard lock(replica_.mutex_);
          replica_.shards_[shard_].must_be_planted = false;
        }
        for (const std::string& piece : pieces_) {
          const auto applied = replica_.apply(shard_, piece, {});
          if (!applied.ok()) return applied.error();
        }
        return replica_.applied(shard_);
      }

     private:
      RecordingReplica& replica_;
      const uint32_t shard_;
      std::vector<std::string> pieces_;
    };
    const std::lock_guard lock(mutex_);
    shards_[shard] = {};
    shards_[shard].must_be_planted = true;
    return std::unique_ptr<db::Planting>(new Recording(*this, shard));
  }
  bool must_be_planted(uint32_t shard) const override {
    const std::lock_guard lock(mutex_);
    return shards_[shard].must_be_planted;
  }

  // As a client's write, of one group. Nothing: it was not acknowledged. Blocks.
  std::optional<db::LogPosition> write(uint32_t shard) {
    std::shared_ptr<db::ShardLog> log;
    {
      const std::lock_guard lock(mutex_);
      log = shards_[shard].log;
    }
    if (log == nullptr) return {};
    const auto turn = log->turn();
    {
      const std::lock_guard lock(mutex_);
      if (shards_[shard].log != log) return {};
    }
    std::string entries;
    db::BatchEntry().append_to(entries);
    const db::LogPosition before = log->last();
    if (!log->append(entries, db::Timestamp(1)).ok()) {
      if (on_lost) on_lost(shard);
      return {};
    }
    const std::lock_guard lock(mutex_);
    db::BatchHead head;
    head.shard = shard;
    head.sequence = log->last().sequence;
    head.epoch = log->last().epoch;
    head.prev = before.id;
    head.id = log->last().id;
    std::string batch;
    head.append_to(batch);
    keep(shards_[shard], head, batch + entries);
    return log->last();
  }
  std::vector<std::string> ids(uint32_t shard) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [id, _] : shards_[shard].batches) found.push_back(id);
    return found;
  }
  // What is on disk: that much is there again after a kill.
  using Disk = std::vector<std::vector<std::string>>;
  Disk disk() const {
    const std::lock_guard lock(mutex_);
    Disk disk(shards_.size());
    for (size_t shard = 0; shard < shards_.size(); ++shard) {
      const Shard& at = shards_[shard];
      if (at.must_be_planted) continue;
      for (size_t i = 0; i < at.durable; ++i) disk[shard].push_back(at.batches[i].second);
    }
    return disk;
  }
  void load(const Disk& disk) {
    for (uint32_t shard = 0; shard < disk.size(); ++shard) {
      for (const std::string& batch : disk[shard]) (void)apply(shard, batch, {});
    }
    (void)sync_applied();
  }

  std::function<void(uint32_t shard)> on_lost;
  std::vector<std::string> wrong;  // Guarded by mutex_; read when all is over.

 private:
  struct Shard {
    db::LogPosition applied;
    uint64_t durable = 0;
    bool must_be_planted = false;
    std::shared_ptr<db::ShardLog> log;
    std::vector<std::pair<std::string, std::string>> batches;  // id, bytes
  };
  static void keep(Shard& at, const db::BatchHead& head, std::string_view batch) {
    at.applied = {head.sequence, head.epoch, head.id};
    at.batches.emplace_back(head.id, batch);
  }

  db::CommitLog& log_;
  mutable std::mutex mutex_;  // Guards all below, and `wrong`.
  std::vector<Shard> shards_;
};

class MemoryBus;

// Where the busses of all nodes meet.
struct MemoryBusHub {
  std::mutex mutex;  // Guards all below.
  std::map<std::string, MemoryBus*> busses;
};

class MemoryBus final : public db::Bus {
 public:
  MemoryBus(MemoryBusHub& hub, std::string node) : hub_(hub), node_(std::move(node)) {}
  ~MemoryBus() override { stop(); }

  void start() override {
    const std::lock_guard lock(hub_.mutex);
    hub_.busses[node_] = this;
  }
  void stop() override {
    const std::lock_guard lock(hub_.mutex);
    const auto found = hub_.busses.find(node_);
    if (found != hub_.busses.end() && found->second == this) hub_.busses.erase(found);
  }
  void set_peers(std::vector<db::BusPeer>) override {}
  void send(db::BusBatch batch) override {
    if (is_dumb) return;
    const std::lock_guard lock(hub_.mutex);
    for (const auto& [name, bus] : hub_.busses) {
      if (name != node_) bus->on_batch(batch);
    }
  }
  void nudge() override {
    if (is_dumb) return;
    const std::lock_guard lock(hub_.mutex);
    for (const auto& [name, bus] : hub_.busses) {
      if (name != node_) bus->on_nudge();
    }
  }
  db::Result<void> ask_seed(const db::BusPeer& peer, uint32_t shard,
                            const std::function<db::Result<void>(std::string_view)>& take) override {
    const std::lock_guard lock(hub_.mutex);
    const auto found = hub_.busses.find(peer.name);
    if (found == hub_.busses.end()) return db::Error{db::ErrorCode::Unavailable, "it is not there"};
    return found->second->give_seed(shard, take);
  }
  db::BusFigures figures() const override { return {}; }

  std::atomic<bool> is_dumb{false};  // says nothing, and so loses what it is given

 private:
  MemoryBusHub& hub_;
  const std::string node_;
};

inline db::BootTime fast_time() {
  return db::BootTime(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count() *
      kPace / 1'000);
}

struct MemoryNode {
  MemoryNode(MemoryEngine& engine, MemoryBusHub& hub, const std::string& name, const std::string& run)
      : board(engine, way), lease_board(engine, way), inner(engine, way, name), bus(hub, name) {
    db::ClusterOptions options;
    options.node = name;
    options.run = run;
    options.peer = "127.0.0.1:1";
    options.pace = kPace;
    options.on_word = [this](db::ClusterOptions::Level level, const std::string& text) {
      const std::lock_guard lock(words_mutex);
      if (level == db::ClusterOptions::Level::Error) loud.push_back(text);
    };
    options.on_out = [this] { is_out = true; };
    replica = std::make_unique<RecordingReplica>(engine.facts.shards, log);
    member = std::make_unique<db::Member>(db::Member::Parts{lease_board, board, log, *replica, bus, standing},
                                          std::move(options));
    replica->on_lost = [this](uint32_t shard) { member->lost(shard, "the log takes nothing from us"); };
  }
  // As a process that is killed: it says nothing more to anybody, and no more than that is known of it.
  void kill() {
    way.is_away = true;
    bus.is_dumb = true;
    bus.stop();
    member->stop();
  }
  size_t owned() const {
    size_t count = 0;
    for (uint32_t shard = 0; shard < replica->shards(); ++shard) count += replica->owns(shard) ? 1 : 0;
    return count;
  }

  MemoryWay way;
  MemoryBoard board, lease_board;
  MemoryShardLog inner;
  db::NodeStanding standing{fast_time};
  db::GuardedLog log{inner, standing};
  MemoryBus bus;
  std::mutex words_mutex;  // Guards loud.
  std::vector<std::string> loud;
  std::atomic<bool> is_out{false};
  std::unique_ptr<RecordingReplica> replica;
  std::unique_ptr<db::Member> member;
};

// Until it is so, or the world has waited for long enough.
inline bool comes_true(const std::function<bool()>& is_so, std::chrono::milliseconds most = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace hearth::test
