// How much of a database's memory its clients hold, in all shards together, and how often a client reached a limit.
// Thread: any.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "db/base/metrics.h"
#include "db/base/result.h"
#include "db/events/listener_registry.h"
#include "db/model/memory_limits.h"
#include "db/shard/story.h"
#include "db/topics/topics.h"

namespace hearth::db {

struct Memory {
  explicit Memory(const MemoryLimits& most)
      : limits(most), events(std::make_shared<EventBudget>(most.event_bytes_max)) {}

  // Counts a refusal and returns its error: the request would bring `of` ("The listeners of this connection") to
  // `bytes`, or to that number, and `most` is allowed. TooLarge where the client itself can make room, else
  // Unavailable.
  Error refuse(MemoryLimit limit, std::string_view of, uint64_t bytes, uint64_t most);
  void add_to(MemoryLimitsReached& counts) const;

  const MemoryLimits limits;
  ListenerRegistry::Count listeners;
  Gauge disconnect_bytes;
  Topics::Count topics;
  const std::shared_ptr<EventBudget> events;  // stories may outlive us
  void count_forgotten() { reached_[static_cast<size_t>(MemoryLimit::RememberedSize)].add(); }

 private:
  std::array<Counter, kMemoryLimitNames.size()> reached_;
};

}  // namespace hearth::db
