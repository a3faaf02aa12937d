#include "db/cluster/lease.h"

#include <ctime>

namespace hearth::db {

BootTime boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<BootTime>(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

void BeatWatch::begin_look(BootTime now, const NodeLease& own) {
  const bool was_good = last_look_ && own.is_good(now) && own.good_since() <= *last_look_;
  counts_ = was_good ? std::min(now - *last_look_, kLookCountsMax) : BootTime{0};
  last_look_ = now;
  for (auto& [_, node] : nodes_) node.is_unseen = true;  // until it is seen
}

void BeatWatch::saw(const std::string& name, const std::string& run, uint64_t beat) {
  const auto [found, is_first] = nodes_.try_emplace(name);
  Seen& node = found->second;
  node.is_unseen = false;
  if (is_first || node.run != run || node.beat != beat) {
    if (node.unmoved >= kExpiresAfter || node.run != run) node.alive = BootTime{0};
    node.run = run;
    node.beat = beat;
    node.unmoved = BootTime{0};
  } else {
    node.unmoved += counts_;
  }
  if (!is_first) node.alive += counts_;
}

void BeatWatch::end_look() {
  std::erase_if(nodes_, [](const auto& one) { return one.second.is_unseen; });
}

std::optional<BootTime> BeatWatch::unmoved(const std::string& name) const {
  const auto found = nodes_.find(name);
  if (found == nodes_.end()) return {};
  return found->second.unmoved;
}

bool BeatWatch::is_alive(const std::string& name) const {
  const auto found = nodes_.find(name);
  return found != nodes_.end() && found->second.unmoved < kExpiresAfter;
}

BootTime BeatWatch::alive_for(const std::string& name) const {
  return is_alive(name) ? nodes_.at(name).alive : BootTime{0};
}

}  // namespace hearth::db
