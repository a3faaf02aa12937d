// Three nodes of a cluster under random writes, while their shards change owners in every way.
#include <atomic>
#include <set>

#include "tests/db/cluster_node.h"

using namespace hearth::test;
using namespace hearth::test::cluster;

namespace {

// Three nodes under random writes, whose owners change in every way, on a log that does what it wants.
class Campaign {
 public:
  Campaign(uint64_t seed, HistoryPlan history) : random_(seed), behaves_(seed + 1) {
    for (int i = 0; i < 3; ++i) nodes_.push_back(std::make_unique<Node>(log_, history));
    owners_.assign(kShards, nullptr);
    log_.behave = [this] { return behaviour(); };
  }
  void run(int steps) {
    for (int i = 0; i < steps; ++i) step();
    is_calm_ = true;
    REQUIRE(becomes([&] { return told_ == asked_; }));
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      change_owner(shard);
      for (const int number : taken_of(shard)) {
        INFO("the acknowledged write " << number << " of " << kSteady[shard]);
        REQUIRE(owners_[shard]->said(kSteady[shard], std::to_string(number)) == "true");
      }
      for (const auto& node : nodes_) {
        if (node.get() != owners_[shard]) settle(*node, shard);
      }
    }
    CHECK(log_.wrong == 0);
    CHECK(changes_ > 5);
    CHECK(losses_ > 0);
    CHECK(refused_ > 0);
    for (const auto& node : nodes_) node->close();
    for (size_t i = 1; i < nodes_.size(); ++i) {
      CHECK(difference_of(nodes_[0]->folder(), nodes_[i]->folder()).empty());
      CHECK(digests_of(nodes_[0]->folder()) == digests_of(nodes_[i]->folder()));
      CHECK(histories_of(nodes_[0]->folder()) == histories_of(nodes_[i]->folder()));
    }
  }

 private:
  MemoryLog::Behaviour behaviour() {
    using Behaviour = MemoryLog::Behaviour;
    if (is_calm_ || !behaves_.chance(0.2)) return Behaviour::Honest;
    static constexpr Behaviour kAll[] = {Behaviour::Forgets,        Behaviour::LandsUnknown, Behaviour::Delays,
                                         Behaviour::AnswersTwice,   Behaviour::Taken,        Behaviour::Taken,
                                         Behaviour::UnknownThenLate};
    return kAll[behaves_.below(std::size(kAll))];
  }
  std::set<int> taken_of(uint32_t shard) {
    const std::lock_guard lock(mutex_);
    return taken_[shard];
  }
  // A node that had the shard, or follows it: it follows it now, with all that there is.
  void settle(Node& node, uint32_t shard) {
    node.replica->disown(shard, kMoved);
    node.catch_up(shard);
  }
  void change_owner(uint32_t shard) {
    Node* old = owners_[shard];
    Node* next = nodes_[random_.below(nodes_.size())].get();
    const size_t how = random_.below(3);
    if (old != nullptr && (how == 0 || old == next)) old->replica->disown(shard, kMoved);
    if (old != nullptr && how == 1 && old != next) {  // it dies
      old->close();
      for (Node*& owner : owners_) owner = owner == old ? nullptr : owner;
      old->open();
    }
    // Else it does not know that it is over, until its next append.
    for (const auto& node : nodes_) {
      if (node.get() == next && next->replica->owns(shard)) next->replica->disown(shard, kMoved);
    }
    next->take(shard);
    owners_[shard] = next;
    ++changes_;
    if (old == nullptr || old == next || how != 2) return;
    // What it takes for its own still is refused, and then it steps down.
    const std::string name = kSteady[shard];
    if (old->replica->owns(shard)) {
      const Answer late = old->write(name, set("late", Value::integer(1)));
      CHECK_FALSE(late.status.ok());
    }
    old->replica->disown(shard, kMoved);
  }

  void step() {
    const auto shard = static_cast<uint32_t>(random_.below(kShards));
    Node*& owner = owners_[shard];
    if (owner == nullptr || random_.chance(0.03)) return change_owner(shard);
    const size_t what = random_.below(100);
    if (what < 10) {  // some follower hears of what there is
      Node& node = *nodes_[random_.below(nodes_.size())];
      if (!node.replica->owns(shard)) node.catch_up(shard);
      return;
    }
    if (what < 50) return add(*owner, shard);
    const std::string name = name_in(shard, static_cast<int>(random_.below(2)));
    Node& whose = *owner;
    if (what < 54) return count(whose.host->create(name), shard);
    if (what < 57) return count(whose.host->remove(name), shard);
    if (what < 60) {
      BesideWrite rows;
      rows.rows["cursor"] = std::to_string(random_.below(100));
      return count(whose.host->keep_beside(name, rows), shard);
    }
    Write write;
    if (what < 63) {
      write.settings = {{std::string(kRulesSetting), R"({"rules":{".read":true}})"}};
    } else {
      write.base = random_.path(2);
      write.overwrites = random_.overwrites(write.base, 1);
      write.base = write.overwrites.front().path;
    }
    count(whose.write(name, std::move(write)).status, shard);
  }
  // Written without waiting: some are under way when the owner changes.
  void add(Node& owner, uint32_t shard) {
    const int number = ++asked_;
    owner.host->write(kSteady[shard], set(std::to_string(number), Value::boolean(true)),
                      [this, shard, number](const Answer& answer) {
                        const std::lock_guard lock(mutex_);
                        if (answer.status.ok()) {
                          taken_[shard].insert(number);
                        } else {
                          ++refused_;
                        }
                        ++told_;
                      });
  }
  // Who is refused for that looks for another owner.
  void count(const Result<void>& done, uint32_t shard) {
    if (done.ok()) return;
    const ErrorCode code = done.error().code;
    if (code != ErrorCode::NotOwner && code != ErrorCode::Unavailable) return;
    ++losses_;
    owners_[shard]->replica->disown(shard, kMoved);
    owners_[shard] = nullptr;
  }

  const std::vector<std::string> kSteady = {name_in(0, 2), name_in(1, 2)};
  RandomTree random_, behaves_;
  std::atomic<bool> is_calm_{false};
  MemoryLog log_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Node*> owners_;
  int changes_ = 0, losses_ = 0;
  std::atomic<int> asked_{0}, told_{0}, refused_{0};
  std::mutex mutex_;  // Guards taken_.
  std::map<uint32_t, std::set<int>> taken_;
};

}  // namespace

TEST_CASE(
    "Replica: whatever the log does and however owners change, all nodes have what was acknowledged, and the same",
    "[db][cluster]") {
  const char* given = std::getenv("TEST_SEED");
  const std::vector<uint64_t> seeds =
      given != nullptr ? std::vector<uint64_t>{seed_of_run()} : std::vector<uint64_t>{1, 2, 3, 4};
  for (const uint64_t seed : seeds) {
    INFO("TEST_SEED=" << seed);
    Campaign(seed, seed % 2 == 0 ? a_day() : HistoryPlan{}).run(400);
  }
}
