// How much of a database's memory its clients may hold at a time, beside the answers to their reads. Past a limit a
// client's request is refused, with a sentence that names the limit; what is only remembered is forgotten, oldest
// first. A value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::db {

struct MemoryLimits {
  // Listeners: how many there are, and the bytes of their paths, their queries, what of a query's order is known (its
  // window) and what their read checks watch. How many one session may have, its transport says (net/wire/limits.h).
  uint64_t query_bytes_max = 64u << 10;  // of one listener's query: its paths, bounds and keys
  uint64_t session_listener_bytes_max = 64u << 20;
  uint64_t space_listeners_max = 500'000;
  uint64_t space_listener_bytes_max = 512u << 20;
  uint64_t listeners_max = 1'000'000;  // in all
  uint64_t listener_bytes_max = 1024u << 20;

  // What sessions want written when they end. It is in memory and on disk.
  uint64_t session_disconnect_bytes_max = 16u << 20;
  uint64_t space_disconnect_bytes_max = 64u << 20;
  uint64_t disconnect_bytes_max = 256u << 20;

  // What is kept of namespaces to spare work: first values, hashes, and the paths that changed, for streams that come
  // back. Each shard has its part of it, and forgets first what belongs to the namespace that was used longest ago.
  uint64_t remembered_bytes_max = 256u << 20;

  // Of hashes by which clients name the value that they had when they left (db/shard/resume_points.h), of namespaces that
  // keep history; each shard has its part of it.
  uint64_t resume_bytes_max = 32u << 20;

  // Of what shards know of single rows, to spare a write its look at the store (db/commit/leaf_cache.h); each shard has
  // its part of it.
  uint64_t leaf_cache_bytes_max = 64u << 20;

  // Topics: who is in them, what they say of themselves, and what is kept of what was said (db/topics/topics.h).
  uint64_t space_topic_bytes_max = 64u << 20;
  uint64_t topic_bytes_max = 256u << 20;

  // What lies at ephemeral paths (db/model/path_plan.h), of one namespace.
  uint64_t space_ephemeral_bytes_max = 16u << 20;

  // Of one Yjs document, as it is stored: it is read as a whole for each client that opens it.
  uint64_t document_bytes_max = 64u << 20;

  // Events that sessions have not taken, of all together. Past it a session that has more than a little waiting is
  // ended.
  uint64_t event_bytes_max = 1024u << 20;
};

// Whichever of them was reached. The names are those of the flags of `hearth serve`, --max-…, with underscores.
enum class MemoryLimit : uint8_t {
  QuerySize,
  ListenersSize,
  NamespaceListeners,
  NamespaceListenersSize,
  TotalListeners,
  TotalListenersSize,
  DisconnectSize,
  NamespaceDisconnectSize,
  TotalDisconnectSize,
  RememberedSize,
  NamespaceTopicsSize,
  TotalTopicsSize,
  DocumentSize,
  EventsSize,
  EphemeralSize,
};
inline constexpr std::array<std::string_view, 15> kMemoryLimitNames = {
    "query_size",
    "listeners_size",
    "namespace_listeners",
    "namespace_listeners_size",
    "total_listeners",
    "total_listeners_size",
    "disconnect_size",
    "namespace_disconnect_size",
    "total_disconnect_size",
    "remembered_size",
    "namespace_topics_size",
    "total_topics_size",
    "document_size",
    "events_size",
    "ephemeral_size",
};
using MemoryLimitsReached = std::array<uint64_t, kMemoryLimitNames.size()>;  // how often

// By MemoryLimit.
inline std::array<uint64_t, kMemoryLimitNames.size()> values_of(const MemoryLimits& limits) {
  return {limits.query_bytes_max,
          limits.session_listener_bytes_max,
          limits.space_listeners_max,
          limits.space_listener_bytes_max,
          limits.listeners_max,
          limits.listener_bytes_max,
          limits.session_disconnect_bytes_max,
          limits.space_disconnect_bytes_max,
          limits.disconnect_bytes_max,
          limits.remembered_bytes_max,
          limits.space_topic_bytes_max,
          limits.topic_bytes_max,
          limits.document_bytes_max,
          limits.event_bytes_max,
          limits.space_ephemeral_bytes_max};
}

}  // namespace hearth::db
