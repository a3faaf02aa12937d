#include "db/cluster/board.h"

#include <catch2/catch.hpp>

using namespace hearth::db;

TEST_CASE("ClusterView: who is there, what a node owns, and how far its disk is behind the log", "[cluster]") {
  ClusterView view;
  for (const char* name : {"n1", "n2"}) {
    ClusterNode node;
    node.name = name;
    view.nodes.push_back(node);
  }
  view.nodes[0].durable = {7, 4};
  view.nodes[1].durable = {9};  // it has never told of the second shard
  for (uint32_t number = 0; number < 2; ++number) {
    ClusterShard shard;
    shard.shard = number;
    shard.owner = "n1";
    shard.last.sequence = 5 + number;
    view.shards.push_back(shard);
  }
  CHECK(view.node("n2") == &view.nodes[1]);
  CHECK(view.node("n3") == nullptr);
  CHECK(view.owned_by("n1") == 2);
  CHECK(view.owned_by("n2") == 0);
  CHECK(view.nodes[0].durable_of(1) == 4);
  CHECK(view.nodes[1].durable_of(1) == 0);
  CHECK(view.behind(view.nodes[0]) == 2);  // being ahead in one shard makes up for nothing in another
  CHECK(view.behind(view.nodes[1]) == 6);
}
