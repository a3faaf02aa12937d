// What this node knows of its cluster, for people and programs: figures, and the JSON of GET /.inspect/cluster.
#include <string>
#include <utility>

#include "db/cluster/member.h"
#include "db/model/json_members.h"

namespace hearth::db {
ClusterFigures Member::figures() const {
  ClusterFigures all;
  const GuardFigures guard = with_.log.figures();
  BusFigures bus = with_.bus.figures();
  const std::lock_guard lock(mutex_);
  all = counts_;
  all.is_good = with_.standing.is_good();
  all.stale = with_.standing.stale().value_or(BootTime{0});
  all.shards = shards_.size();
  all.stopped = all.seeding = 0;
  for (uint32_t number = 0; number < shards_.size(); ++number) {
    const Shard& shard = shards_[number];
    all.owned += shard.here == Here::Owns ? 1 : 0;
    all.stopped += shard.here == Here::Stopped ? 1 : 0;
    all.seeding += shard.here == Here::Seeding ? 1 : 0;
    const uint64_t applied = with_.replica.applied(number).sequence;
    if (shard.seen && shard.seen->last.sequence > applied) all.behind += shard.seen->last.sequence - applied;
  }
  all.nodes = view_.nodes.size();
  for (const ClusterNode& one : view_.nodes) all.alive += watch_.is_alive(one.name) ? 1 : 0;
  all.inbox_bytes = inbox_bytes_;
  all.wrong = check_.wrong.size();
  all.guard = guard;
  all.bus = std::move(bus);
  return all;
}

std::string Member::status_json() const {
  static constexpr std::array<std::string_view, 6> kHere = {"follows", "taking",  "owns",
                                                            "leaving", "seeding", "stopped"};
  const BusFigures bus = with_.bus.figures();
  const std::lock_guard lock(mutex_);
  const BootTime at = now();
  std::string json;
  JsonMembers top(json);
  top.text("id", facts_.id);
  top.text("node", options_.node);
  top.truth("good", with_.standing.is_good());
  top.time("stale_ms", with_.standing.stale().value_or(BootTime{0}));
  top.number("format", facts_.format);
  JsonMembers engine(top.begin("engine"));
  engine.text("durability", check_.durability);
  engine.number("timeline", check_.timeline);
  engine.texts("wrong", check_.wrong);
  engine.texts("warnings", check_.warnings);
  engine.time("checked_ms", at - checked_at_);
  engine.close();
  top.objects("nodes", view_.nodes, [&](const ClusterNode& one, JsonMembers& node) {
    const bool is_self = one.name == options_.node;
    const auto peer = bus.peers.find(one.name);
    node.text("name", one.name);
    node.text("peer", one.peer);
    node.text("client", one.client);
    node.truth("alive", is_self ? with_.standing.is_good() : watch_.is_alive(one.name));
    node.truth("self", is_self);
    node.truth("drained", one.is_drained);
    node.number("formats", one.formats);
    node.number("beat", one.beat);
    node.time("unmoved_ms", watch_.unmoved(one.name).value_or(BootTime{0}));
    node.number("owns", view_.owned_by(one.name));
    node.number("behind", view_.behind(one));
    node.text("bus", is_self ? "self" : peer != bus.peers.end() && peer->second.is_up ? "up" : "down");
  });
  top.objects("shards", view_.shards, [&](const ClusterShard& one, JsonMembers& shard) {
    shard.number("shard", one.shard);
    shard.text("owner", one.owner);
    shard.number("epoch", one.last.epoch);
    shard.number("sequence", one.last.sequence);
    shard.number("cut", one.cut);
    shard.text("wish", one.is_gift ? "" : one.wish);
    if (one.shard < shards_.size()) {
      shard.text("here", kHere[static_cast<size_t>(shards_[one.shard].here)]);
      shard.number("applied", with_.replica.applied(one.shard).sequence);
      shard.text("why", shards_[one.shard].why);
    }
    JsonMembers durable(shard.begin("durable"));
    for (const ClusterNode& node : view_.nodes) {
      durable.number(node.name, node.durable_of(one.shard));
    }
    durable.close();
  });
  top.objects("changes", changes_, [&](const ClusterChange& one, JsonMembers& change) {
    change.time("ago_ms", at - one.at);
    change.number("shard", one.shard);
    change.text("from", one.from);
    change.text("to", one.to);
    change.text("why", one.why);
    change.time("took_ms", one.took);
  });
  top.close();
  return json;
}

}  // namespace hearth::db
