// Which node shall have which shard: by rendezvous hash, so that all nodes come to the same answer without asking each other,
// and a node that goes moves its own shards alone.
//
//   shard 5:   n2 ▓▓▓▓▓▓▓▓  n1 ▓▓▓▓▓  n3 ▓▓      score(shard, node); the best one that is there has it, the next one if it goes
//
// A hash spreads 16 shards unevenly over three nodes. So those who have many give one at a time to those who have few, and of
// theirs the one that ranks the other highest. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hearth::db {

// The names, the best for this shard first.
std::vector<std::string> ranking(uint32_t shard, std::vector<std::string> names);

struct Holding {
  std::string node;
  std::vector<uint32_t> shards;  // that it owns
};

struct Gift {
  uint32_t shard = 0;
  std::string to;
};

// What `giver` should give to whom so that nobody has two more than another; nothing: all is even enough. `holdings`: of all
// that may own, the giver's among them. `kept`: of its shards, those that are counted and not given.
std::optional<Gift> surplus_of(const std::string& giver, const std::vector<Holding>& holdings,
                               const std::vector<uint32_t>& kept = {});

}  // namespace hearth::db
