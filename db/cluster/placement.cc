#include "db/cluster/placement.h"

#include <algorithm>
#include <utility>

#include "db/model/hash.h"

namespace hearth::db {
namespace {

// The digest is the same on all machines, and nobody can choose names that win.
std::string score(uint32_t shard, const std::string& node) { return text_digest(std::to_string(shard) + "/" + node); }

}  // namespace

std::vector<std::string> ranking(uint32_t shard, std::vector<std::string> names) {
  std::vector<std::pair<std::string, std::string>> scored;
  scored.reserve(names.size());
  for (std::string& name : names) scored.emplace_back(score(shard, name), std::move(name));
  std::sort(scored.begin(), scored.end(), std::greater<>());
  names.clear();
  for (auto& [_, name] : scored) names.push_back(std::move(name));
  return names;
}

std::optional<Gift> surplus_of(const std::string& giver, const std::vector<Holding>& holdings,
                               const std::vector<uint32_t>& kept) {
  const auto mine =
      std::find_if(holdings.begin(), holdings.end(), [&](const Holding& one) { return one.node == giver; });
  if (mine == holdings.end() || mine->shards.empty()) return {};
  const auto poorest = std::min_element(holdings.begin(), holdings.end(), [](const Holding& a, const Holding& b) {
    return std::make_pair(a.shards.size(), a.node) < std::make_pair(b.shards.size(), b.node);
  });
  if (mine->shards.size() < poorest->shards.size() + 2) return {};
  std::vector<uint32_t> given = mine->shards;
  std::erase_if(given, [&](uint32_t one) { return std::find(kept.begin(), kept.end(), one) != kept.end(); });
  if (given.empty()) return {};
  const uint32_t best = *std::max_element(given.begin(), given.end(), [&](uint32_t a, uint32_t b) {
    return score(a, poorest->node) < score(b, poorest->node);
  });
  return Gift{best, poorest->node};
}

}  // namespace hearth::db
