// Refusals, counted by limit. Where the client itself can make room (fewer listeners, a smaller query) the error is
// TooLarge; where others hold the memory it is Unavailable, and trying later may help.
#include "db/shard/memory.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::db {
namespace {

bool is_own(MemoryLimit limit) {
  switch (limit) {
    case MemoryLimit::QuerySize:
    case MemoryLimit::ListenersSize:
    case MemoryLimit::DisconnectSize:
    case MemoryLimit::DocumentSize:
      return true;
    case MemoryLimit::NamespaceListeners:
    case MemoryLimit::NamespaceListenersSize:
    case MemoryLimit::TotalListeners:
    case MemoryLimit::TotalListenersSize:
    case MemoryLimit::NamespaceDisconnectSize:
    case MemoryLimit::TotalDisconnectSize:
    case MemoryLimit::RememberedSize:
    case MemoryLimit::NamespaceTopicsSize:
    case MemoryLimit::TotalTopicsSize:
    case MemoryLimit::EventsSize:
    case MemoryLimit::EphemeralSize:
      return false;
  }
  return false;
}

bool counts_bytes(MemoryLimit limit) {
  return limit != MemoryLimit::NamespaceListeners && limit != MemoryLimit::TotalListeners;
}

}  // namespace

Error Memory::refuse(MemoryLimit limit, std::string_view of, uint64_t bytes, uint64_t most) {
  reached_[static_cast<size_t>(limit)].add();
  std::string flag = "--max-" + std::string(kMemoryLimitNames[static_cast<size_t>(limit)]);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return {
      is_own(limit) ? ErrorCode::TooLarge : ErrorCode::Unavailable,
      fmt::format("{} would be {}{}, and may be {} ({}).", of, bytes, counts_bytes(limit) ? " bytes" : "", most, flag)};
}

void Memory::add_to(MemoryLimitsReached& counts) const {
  for (size_t i = 0; i < counts.size(); ++i) counts[i] += reached_[i].value();
  counts[static_cast<size_t>(MemoryLimit::EventsSize)] += events->reached.value();
}

}  // namespace hearth::db
