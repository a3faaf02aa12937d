// How large a tree is and where, and who listens to it: for those who look after it. Values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "db/model/path.h"

namespace hearth::db {

// Rows read and seeks made for a tree, and as many for its documents; what is larger is estimated.
inline constexpr uint64_t kStatsStepsMax = 200'000;
inline constexpr uint64_t kStatsBytesPerStep = 1'024;  // a long row counts as several
inline constexpr uint64_t kStatsRowsPerNode = 32;      // of a child, before the rest of it is estimated
inline constexpr uint64_t kStatsBytesPerNode = 4u << 20;
inline constexpr size_t kStatsChildrenMax = 10;          // of one node, the largest, that are told
inline constexpr size_t kStatsNodesMax = 60;             // in all
inline constexpr double kStatsShareMin = 0.01;           // of the whole; what is smaller is not told
inline constexpr size_t kStatsListenedMax = 20;          // paths with listeners that are told
inline constexpr size_t kStatsListenedLookMax = 10'000;  // paths with listeners that are looked at

// What lies at a path and below it. Bytes are those of keys and values, as a namespace's quota counts them.
struct SizeAt {
  Path path;
  uint64_t leaves = 0;  // or Yjs documents
  uint64_t bytes = 0;
  uint64_t children = 0;
  bool is_exact = true;         // `leaves` and `bytes`; else they are about right
  bool is_all_children = true;  // `children`; else there are at least as many
};

struct ListenersAt {
  Path path;
  uint64_t listeners = 0;
};

struct Stats {
  std::vector<SizeAt> sizes;  // the path asked for, then below each node its largest children, in their order of size
  std::vector<SizeAt> documents;  // the same of the Yjs documents there; empty: there are none
  uint64_t disk_bytes = 0;        // of the tree there, compressed, about
  uint64_t document_disk_bytes = 0;
  uint64_t index_disk_bytes = 0;    // of the namespace's indexes, and of the ages of children
  uint64_t history_disk_bytes = 0;  // of its log, and of the values of the past
  uint64_t steps = 0;               // rows read and seeks made for it
  uint64_t sequence = 0;
  uint64_t sessions = 0;  // of the namespace
  uint64_t listeners = 0;
  std::vector<ListenersAt> listened;  // the paths with most listeners, of those looked at
};

// {"sequence","diskBytes","documentDiskBytes","indexDiskBytes","historyDiskBytes","connections","listeners",
//  "sizes":[{"path","leaves","bytes","children","exact","allChildren"}…],
//  "documents":[{"path","documents","bytes","children","exact","allChildren"}…],"listened":[{"path","listeners"}…]}
std::string to_json(const Stats& stats);

}  // namespace hearth::db
