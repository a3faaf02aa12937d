// How many of a process's file descriptors belong to the store; sockets and everything else share the others. Pure.
#pragma once

#include <algorithm>
#include <cstddef>

namespace hearth::db {

// The store's share is a quarter of all, and at most this many. Half of the share is for tables that stay open, the
// rest for the log, the manifest, and files that are being written, dumped or uploaded.
inline constexpr size_t kStoreDescriptorsMax = 4'000;
inline constexpr size_t kTablesOpenMin = 20;  // what RocksDB takes at least

inline size_t store_descriptors(size_t descriptors) { return std::min(descriptors / 4, kStoreDescriptorsMax); }
// About how many tables RocksDB keeps open at a time.
inline size_t tables_open_max(size_t descriptors) {
  return std::max(store_descriptors(descriptors) / 2, kTablesOpenMin);
}

}  // namespace hearth::db
