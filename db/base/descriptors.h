// Of the descriptors that a process may have those that are the store's, whoever else wants some. Pure.
#pragma once

#include <algorithm>
#include <cstddef>

namespace hearth::db {

// A quarter, at most so many. Of them half are for tables that stay open, the rest for the log, the manifest, and what is
// being written, dumped or uploaded.
inline constexpr size_t kStoreDescriptorsMax = 4'000;
inline constexpr size_t kTablesOpenMin = 20;  // what RocksDB takes at least

inline size_t store_descriptors(size_t descriptors) { return std::min(descriptors / 4, kStoreDescriptorsMax); }
// At a time, about.
inline size_t tables_open_max(size_t descriptors) { return std::max(store_descriptors(descriptors) / 2, kTablesOpenMin); }

}  // namespace hearth::db
