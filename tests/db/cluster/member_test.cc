#include "db/cluster/member.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "db/cluster/placement.h"
#include "tests/support/cluster_nodes.h"
#include "tests/support/random_tree.h"

using namespace hearth::db;
using namespace hearth::test;
using namespace std::chrono_literals;

namespace {

constexpr uint32_t kShards = 8;

struct Cluster {
  MemoryNode& add(const std::string& name, const RecordingReplica::Disk& disk = {}) {
    auto& node = nodes[name];
    node = std::make_unique<MemoryNode>(engine, hub, name, name + "-" + std::to_string(++runs));
    node->replica->load(disk);
    const auto started = node->member->start();
    INFO((started.ok() ? "" : started.error().message));
    REQUIRE(started.ok());
    return *node;
  }
  size_t owned() const {
    size_t count = 0;
    for (const auto& [_, node] : nodes) count += node->owned();
    return count;
  }
  // Each shard has exactly one node that serves it.
  bool is_whole() const {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      size_t owners = 0;
      for (const auto& [_, node] : nodes) owners += node->replica->owns(shard) && node->standing.is_good() ? 1 : 0;
      if (owners != 1) return false;
    }
    return true;
  }
  LogPosition last(uint32_t shard) {
    const std::lock_guard lock(engine.mutex);
    return engine.view.shards[shard].last;
  }
  std::string owner(uint32_t shard) {
    const std::lock_guard lock(engine.mutex);
    return engine.view.shards[shard].owner;
  }
  bool all_have_applied() {
    for (uint32_t shard = 0; shard < kShards; ++shard) {
      for (const auto& [_, node] : nodes) {
        if (node->replica->applied(shard).id != last(shard).id) return false;
      }
    }
    return true;
  }
  // Writes once to that shard, wherever it is served.
  bool write(uint32_t shard) {
    for (auto& [_, node] : nodes) {
      if (node->replica->owns(shard) && node->replica->write(shard)) return true;
    }
    return false;
  }

  MemoryEngine engine{kShards};
  MemoryBusHub hub;
  std::map<std::string, std::unique_ptr<MemoryNode>> nodes;
  int runs = 0;
};

}  // namespace

TEST_CASE("Member: the first node takes all shards; a second one is given half of them, one at a time",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  for (uint32_t shard = 0; shard < kShards; ++shard) REQUIRE(cluster.write(shard));
  MemoryNode& n2 = cluster.add("n2");
  REQUIRE(comes_true([&] { return n2.owned() >= kShards / 2 - 1 && cluster.is_whole(); }));
  CHECK(n1.owned() + n2.owned() == kShards);
  for (uint32_t shard = 0; shard < kShards; ++shard) CHECK(comes_true([&] { return cluster.write(shard); }));
  CHECK(comes_true([&] { return cluster.all_have_applied(); }));
  CHECK(n1.replica->wrong.empty());
  CHECK(n2.replica->wrong.empty());
}

TEST_CASE("Member: what a node owned is taken when it dies, and it takes it again when it starts and is asked to",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  for (uint32_t shard = 0; shard < kShards; ++shard) REQUIRE(cluster.write(shard));
  MemoryNode& n2 = cluster.add("n2");
  REQUIRE(comes_true([&] { return cluster.all_have_applied(); }));
  n1.kill();
  const std::string killed_run = "n1-1";
  cluster.nodes.erase("n1");
  REQUIRE(comes_true([&] { return n2.owned() == kShards; }));
  {
    const std::lock_guard lock(cluster.engine.mutex);
    CHECK(std::count(cluster.engine.ended.begin(), cluster.engine.ended.end(), killed_run) ==
          1);  // once, before the takes
  }
  for (uint32_t shard = 0; shard < kShards; ++shard) REQUIRE(cluster.write(shard));
  MemoryNode& again = cluster.add("n1");
  REQUIRE(comes_true([&] { return cluster.all_have_applied(); }));
  REQUIRE(n2.member->move(3, "n1").ok());
  CHECK(comes_true([&] { return again.replica->owns(3); }));
  CHECK(comes_true([&] {
    const std::lock_guard lock(cluster.engine.mutex);
    return cluster.engine.view.shards[3].wish.empty();
  }));
  CHECK_FALSE(n2.member->move(3, "n9").ok());
  CHECK_FALSE(n2.member->move(kShards, "n1").ok());
}

TEST_CASE("Member: who stands still again has new connections, and these are ended as well", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  MemoryNode& n2 = cluster.add("n2");
  const auto ended = [&] {
    const std::lock_guard lock(cluster.engine.mutex);
    return std::count(cluster.engine.ended.begin(), cluster.engine.ended.end(), "n1-1");
  };
  for (int times = 1; times <= 2; ++times) {
    REQUIRE(n2.member->move(3, "n1").ok());
    REQUIRE(comes_true([&] { return n1.replica->owns(3) && cluster.is_whole(); }));
    n1.way.is_away = true;
    REQUIRE(comes_true([&] { return n2.owned() == kShards; }));
    CHECK(ended() == times);
    n1.way.is_away = false;
    REQUIRE(comes_true([&] { return n1.standing.is_good() && n1.owned() == 0; }));
  }
}

TEST_CASE("Member: a shard that was asked to go somewhere goes there, whatever else is asked at once",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  for (uint32_t shard = 0; shard < kShards; ++shard) REQUIRE(cluster.write(shard));
  cluster.add("n2");
  cluster.add("n3");
  REQUIRE(comes_true([&] { return cluster.is_whole() && cluster.all_have_applied() && n1.owned() <= kShards / 2; }));
  // Each shard of n1 goes to the node that would have it last.
  std::map<uint32_t, std::string> wishes;
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    if (!n1.replica->owns(shard)) continue;
    wishes[shard] = ranking(shard, {"n2", "n3"}).back();
  }
  REQUIRE_FALSE(wishes.empty());
  SECTION("of the node that has it") {
    n1.member->reseed();
    REQUIRE(n1.member->drain("n1", true).ok());
    for (const auto& [shard, to] : wishes) REQUIRE(n1.member->move(shard, to).ok());
  }
  SECTION("of the node that shall have it") {
    for (const auto& [shard, to] : wishes) REQUIRE(n1.member->move(shard, to).ok());
    cluster.nodes["n2"]->member->reseed();
    cluster.nodes["n3"]->member->reseed();
  }
  CHECK(comes_true([&] {
    return std::all_of(wishes.begin(), wishes.end(),
                       [&](const auto& one) { return cluster.nodes[one.second]->replica->owns(one.first); });
  }));
  CHECK(comes_true([&] {
    const std::lock_guard lock(cluster.engine.mutex);
    return std::all_of(cluster.engine.view.shards.begin(), cluster.engine.view.shards.end(),
                       [](const ClusterShard& one) { return one.wish.empty(); });
  }));
  CHECK(comes_true([&] { return cluster.is_whole() && cluster.all_have_applied(); }));
}

TEST_CASE("Member: a wish for a node that is away waits for it, and hinders nobody meanwhile", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  MemoryNode& n2 = cluster.add("n2");
  REQUIRE(comes_true([&] { return cluster.is_whole() && n1.owned() > 0 && n2.owned() > 0; }));
  n2.way.is_away = true;
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  REQUIRE(n1.member->move(3, "n2").ok());
  for (int i = 0; i < 5; ++i) REQUIRE(cluster.write(3));
  CHECK(n1.replica->owns(3));
  n2.way.is_away = false;
  CHECK(comes_true([&] { return n2.replica->owns(3); }));
}

TEST_CASE("Directory: of what nobody is known to have the shard is right all the same", "[cluster][member]") {
  const Directory directory(16);
  for (const char* name : {"chat", "shop", "game", "notes"}) {
    CHECK(directory.shard_of(name) == shard_of(name, 16));
    CHECK(directory.owner_of(name)->shard == shard_of(name, 16));
    CHECK(directory.owner_of(name)->node.empty());
  }
}

TEST_CASE("Member: a node that was killed and comes back takes its own shards under a new epoch", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  const uint64_t epoch = cluster.last(0).epoch;
  n1.kill();
  cluster.nodes.erase("n1");
  MemoryNode& again = cluster.add("n1");
  REQUIRE(comes_true([&] { return again.owned() == kShards; }, 2s));
  CHECK(cluster.last(0).epoch == epoch + 1);
  const std::lock_guard lock(cluster.engine.mutex);
  CHECK(cluster.engine.ended == std::vector<std::string>{"n1-1"});
}

TEST_CASE("Member: a node that stops gives all up, and nobody waits for its lease", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  MemoryNode& n2 = cluster.add("n2");
  for (int i = 0; i < 20; ++i) cluster.write(static_cast<uint32_t>(i) % kShards);
  REQUIRE(comes_true([&] { return cluster.all_have_applied() && n2.owned() >= 1; }));
  n1.member->stop();
  CHECK(n1.owned() == 0);
  REQUIRE(comes_true([&] { return n2.owned() == kShards; }));
  CHECK(n2.member->status_json().find("it was given up") != std::string::npos);
  CHECK(n2.member->status_json().find("was not heard of") == std::string::npos);
  // n1 counts as alive for a while, and has none: it is given none all the same.
  std::this_thread::sleep_for(kExpiresAfter + kLookEvery);
  CHECK(n2.member->status_json().find("has fewer") == std::string::npos);
  CHECK(n2.owned() == kShards);
  cluster.nodes.erase("n1");
  for (uint32_t shard = 0; shard < kShards; ++shard) CHECK(cluster.write(shard));
}

TEST_CASE("Member: a drained node owns nothing, unless nobody else is there", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  REQUIRE(n1.member->drain("n1", true).ok());
  std::this_thread::sleep_for(200ms);
  CHECK(n1.owned() == kShards);
  MemoryNode& n2 = cluster.add("n2");
  CHECK(comes_true([&] { return n2.owned() == kShards; }));
  REQUIRE(n2.member->drain("n1", false).ok());
  CHECK(comes_true([&] { return n1.owned() > 0; }));
  CHECK_FALSE(n2.member->drain("n7", true).ok());
}

TEST_CASE("Member: a pause of the engine changes no owner, and what waited is acknowledged afterwards",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  MemoryNode& n2 = cluster.add("n2");
  REQUIRE(comes_true([&] { return n2.owned() == kShards / 2; }));
  std::map<uint32_t, std::string> owners;
  for (uint32_t shard = 0; shard < kShards; ++shard) owners[shard] = cluster.owner(shard);
  n1.way.is_away = n2.way.is_away = true;
  std::atomic<bool> is_answered{false};
  bool is_acknowledged = false;
  std::thread writer([&] {
    is_acknowledged = cluster.write(0);
    is_answered = true;
  });
  std::this_thread::sleep_for(6'000ms / kPace);
  CHECK_FALSE(is_answered);
  CHECK_FALSE(n1.standing.is_good());
  CHECK(n1.standing.stale());
  n1.way.is_away = n2.way.is_away = false;
  writer.join();
  CHECK(is_acknowledged);
  REQUIRE(comes_true([&] { return cluster.is_whole(); }));
  for (uint32_t shard = 0; shard < kShards; ++shard) CHECK(cluster.owner(shard) == owners[shard]);
}

TEST_CASE("Member: after too long without the engine a node serves nothing, and goes on when it is back",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  n1.way.is_away = true;
  REQUIRE(comes_true([&] { return n1.owned() == 0; }, 30'000ms / kPace + 5s));
  n1.way.is_away = false;
  CHECK(comes_true([&] { return n1.owned() == kShards; }));
  CHECK(cluster.write(0));
}

TEST_CASE("Member: without the bus a node follows by the log, and one that the log has left behind is seeded",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  MemoryNode& n2 = cluster.add("n2");
  n1.bus.is_dumb = n2.bus.is_dumb = true;
  REQUIRE(comes_true([&] { return cluster.is_whole(); }));
  for (int i = 0; i < 100; ++i) cluster.write(static_cast<uint32_t>(i) % kShards);
  CHECK(comes_true([&] { return cluster.all_have_applied(); }));
  CHECK(n2.member->figures().from_log + n1.member->figures().from_log > 0);
  // Two nodes have it on disk, so the log loses it, and a third one cannot read it there.
  REQUIRE(comes_true([&] {
    const std::lock_guard lock(cluster.engine.mutex);
    return std::all_of(cluster.engine.view.shards.begin(), cluster.engine.view.shards.end(),
                       [](const ClusterShard& one) { return one.last.sequence == 0 || one.cut > 0; }) &&
           cluster.engine.tidied.size() == kShards;  // and who owns a shard has erased what others left of theirs
  }));
  MemoryNode& n3 = cluster.add("n3");
  CHECK(comes_true([&] { return cluster.all_have_applied(); }));
  CHECK(n3.member->figures().seeded == kShards);
  CHECK(n3.replica->wrong.empty());
}

TEST_CASE("Member: a log that ends before what is applied stops the shard, loudly, and rolls nothing back",
          "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  for (int i = 0; i < 5; ++i) REQUIRE(cluster.write(2));
  {
    // The engine is put back to an older state.
    const std::lock_guard lock(cluster.engine.mutex);
    ClusterShard& shard = cluster.engine.view.shards[2];
    shard.last.sequence = 3;
    cluster.engine.batches[2].erase(4);
    cluster.engine.batches[2].erase(5);
  }
  CHECK(comes_true([&] { return !n1.replica->owns(2); }));
  CHECK(n1.replica->applied(2).sequence == 5);
  CHECK(n1.member->figures().stopped == 1);
  CHECK(n1.member->status_json().find("\"here\":\"stopped\"") != std::string::npos);
  CHECK(comes_true([&] { return cluster.owner(2).empty(); }));  // for whoever may have it
  CHECK(n1.replica->owns(1));
  const std::lock_guard lock(n1.words_mutex);
  REQUIRE_FALSE(n1.loud.empty());
  CHECK(n1.loud.front().find("shard 2") != std::string::npos);
}

TEST_CASE("Member: whose row is another run's is out of the cluster", "[cluster][member]") {
  Cluster cluster;
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  MemoryNode twin(cluster.engine, cluster.hub, "n1", "another run");
  REQUIRE(twin.member->start().ok());
  CHECK(comes_true([&] { return n1.is_out.load(); }));
  CHECK(comes_true([&] { return n1.owned() == 0 && twin.owned() == kShards; }));
  CHECK_FALSE(n1.standing.is_good());
}

TEST_CASE("Member: an engine that is not as it has to be is refused at the start, and stops writes while running",
          "[cluster][member]") {
  Cluster cluster;
  {
    const std::lock_guard lock(cluster.engine.mutex);
    cluster.engine.check.wrong = {"fsync is off: set it on."};
  }
  MemoryNode refused(cluster.engine, cluster.hub, "n2", "run");
  const auto started = refused.member->start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message == "fsync is off: set it on.");
  {
    const std::lock_guard lock(cluster.engine.mutex);
    CHECK(cluster.engine.view.nodes.empty());  // it has not entered
    cluster.engine.check.wrong.clear();
  }
  MemoryNode& n1 = cluster.add("n1");
  REQUIRE(comes_true([&] { return n1.owned() == kShards; }));
  {
    const std::lock_guard lock(cluster.engine.mutex);
    cluster.engine.check.wrong = {"fsync is off: set it on."};
  }
  CHECK(comes_true([&] { return !n1.standing.is_good(); }));
  {
    const std::lock_guard lock(cluster.engine.mutex);
    cluster.engine.check.wrong.clear();
  }
  CHECK(comes_true([&] { return n1.standing.is_good(); }));
  CHECK(cluster.write(0));
}

// Three nodes, writers on each, and whatever may happen to a node: killed, cut off from the engine, slow, its answers lost,
// silent to the others. Afterwards: no two nodes were acknowledged anything in one epoch, everything that was acknowledged
// is in the log and on every node, in one order, and every shard has an owner.
TEST_CASE("Member: whatever happens to nodes, what was acknowledged is everywhere, once", "[cluster][member][random]") {
  const uint64_t seed = seed_of_run();
  INFO("TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  Cluster cluster;
  struct Acknowledged {
    uint32_t shard;
    LogPosition at;
    std::string node;
  };
  std::mutex mutex;  // Guards acknowledged.
  std::vector<Acknowledged> acknowledged;
  const std::vector<std::string> names = {"n1", "n2", "n3"};
  std::map<std::string, std::unique_ptr<std::atomic<bool>>> stops;
  std::map<std::string, std::thread> writers;
  std::map<std::string, RecordingReplica::Disk> disks;
  const auto begin = [&](const std::string& name) {
    MemoryNode& node = cluster.add(name, disks[name]);
    auto& stop = stops[name] = std::make_unique<std::atomic<bool>>(false);
    writers[name] = std::thread([&, name, flag = stop.get(), at = &node] {
      uint32_t shard = 0;
      while (!*flag) {
        shard = (shard + 1) % kShards;
        if (const auto written = at->replica->write(shard)) {
          const std::lock_guard lock(mutex);
          acknowledged.push_back({shard, *written, name});
        } else {
          std::this_thread::sleep_for(1ms);
        }
      }
    });
  };
  const auto end = [&](const std::string& name, bool is_killed) {
    *stops[name] = true;
    if (is_killed) {
      cluster.nodes[name]->kill();
    } else {
      cluster.nodes[name]->member->stop();
    }
    writers[name].join();
    CHECK(cluster.nodes[name]->replica->wrong.empty());
    disks[name] = cluster.nodes[name]->replica->disk();
    cluster.nodes.erase(name);
  };
  for (const std::string& name : names) begin(name);
  REQUIRE(comes_true([&] { return cluster.is_whole(); }));
  for (int step = 0; step < 14; ++step) {
    const std::string name = names[random() % names.size()];
    MemoryNode& node = *cluster.nodes[name];
    const auto time = std::chrono::milliseconds(random() % 700);
    switch (random() % 7) {
      case 0:
      case 1:
        end(name, true);
        std::this_thread::sleep_for(time);
        begin(name);
        break;
      case 2:
        end(name, false);
        std::this_thread::sleep_for(time / 4);
        begin(name);
        break;
      case 3:
        node.way.is_away = true;
        std::this_thread::sleep_for(time);
        node.way.is_away = false;
        break;
      case 4:
        node.way.loses_answers = true;
        std::this_thread::sleep_for(time);
        node.way.loses_answers = false;
        break;
      case 5:
        node.way.slow_ms = 120;
        std::this_thread::sleep_for(time);
        node.way.slow_ms = 0;
        break;
      case 6:
        node.bus.is_dumb = true;
        std::this_thread::sleep_for(time / 2);
        node.bus.is_dumb = false;
        break;
    }
  }
  CHECK(comes_true([&] { return cluster.is_whole(); }));
  for (auto& [_, stop] : stops) *stop = true;
  for (auto& [_, writer] : writers) writer.join();
  CHECK(comes_true([&] { return cluster.all_have_applied(); }));
  std::map<std::pair<uint32_t, uint64_t>, std::set<std::string>> owners;
  std::vector<std::string> lost;
  for (const auto& [name, node] : cluster.nodes) {
    for (uint32_t shard = 0; shard < kShards; ++shard)
      CHECK(node->replica->ids(shard) == cluster.nodes["n1"]->replica->ids(shard));
    CHECK(node->replica->wrong == std::vector<std::string>());
    CHECK(node->loud == std::vector<std::string>());
  }
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    const auto ids = cluster.nodes["n1"]->replica->ids(shard);
    CHECK(ids.size() == cluster.last(shard).sequence);
    for (const Acknowledged& one : acknowledged) {
      if (one.shard != shard) continue;
      owners[{shard, one.at.epoch}].insert(one.node);
      if (one.at.sequence > ids.size() || ids[one.at.sequence - 1] != one.at.id) lost.push_back(one.node);
    }
  }
  CHECK(lost.empty());
  CHECK(acknowledged.size() > 100);
  for (const auto& [at, nodes] : owners) {
    INFO("shard " << at.first << " epoch " << at.second);
    CHECK(nodes.size() == 1);
  }
  for (auto& [_, node] : cluster.nodes) node->member->stop();
}
