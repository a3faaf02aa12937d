// All that a store has of a shard at one moment, as a stream of pieces: for a store that has nothing of it, or something that the
// log does not lead on from. What comes out is the same store, but for the numbers of namespaces, which are each store's own.
//
//   checkpoint ─▶ seed_shard() ─ piece ─ piece ─ … ─▶ Planter::add() ─▶ rows of new numbers ─▶ finish(): the position, on disk
//
//   piece := 'S' format:varint = 1  shards:varint  shard:varint  sequence:varint epoch:varint id:bytes
//                removed:count ( name:bytes sequence:varint )*                 the first one
//          | 'N' ( name:bytes rows:bytes )*                                   some rows of some namespaces, in order
//          | 'E' digest:bytes                                                 the last one
//   rows  := ( row:bytes value:bytes )*                                       row := table:1 key, without a number (batch.h)
//   digest   of the pieces before: d0 = "", d(n) = text_digest(d(n-1) piece(n)); the last one
//
// Nodes of different versions speak it with each other: never renumber; who finds a format that it does not know refuses it.
//
// Half planted. A row of the store, written and synced before anything is erased, says that the shard is being planted. It goes
// with the commit that ends the planting. A process that dies between has a shard that is known to be none. The same row stands
// while a restore is in this store and not yet in the log (Committer::begin_restoring): what is here then, no other node has.
//
//   planting := row "planting" shard:4 BE                                     on disk
//
// Thread: one at a time. Blocks on disk.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "db/log/commit_log.h"
#include "db/store/tree_store.h"

namespace hearth::db {

inline constexpr size_t kSeedPieceBytes = 256u << 10;  // at which a piece ends; one row may be larger
inline constexpr size_t kUprootedMax = 100;            // namespaces that are erased by one commit

// Calls `take` with each piece. Errors: Unavailable (the shard is half planted there), Io, and of `take`.
Result<void> seed_shard(const Frozen& from, uint32_t shard, uint32_t shards,
                        const std::function<Result<void>(std::string_view piece)>& take);

std::string planting_row(uint32_t shard);
Result<bool> is_half_planted(const Snapshot& snapshot, uint32_t shard);

class Planter {
 public:
  // `number_of`: a new number for a namespace of that name.
  using NumberOf = std::function<uint32_t(const std::string& name)>;
  Planter(TreeStore& store, uint32_t shard, NumberOf number_of)
      : store_(store), shard_(shard), number_of_(std::move(number_of)) {}

  // Erases what the store has of the shard, half planted or whole. Errors: Io, Corruption.
  Result<void> begin();
  // Errors: Corruption, Unsupported, Io, Unavailable (the disk is too full). After one only another Planter helps.
  Result<void> add(std::string_view piece);
  Result<LogPosition> finish();  // Errors: Corruption, the last piece has not come; Io

  // Once it is finished.
  const std::map<std::string, uint32_t>& names() const { return names_; }
  const std::map<std::string, uint64_t>& removed() const { return removed_; }

 private:
  Result<void> add_first(std::string_view piece);
  Result<void> add_rows(std::string_view piece);

  TreeStore& store_;
  const uint32_t shard_;
  const NumberOf number_of_;
  LogPosition position_;
  std::map<std::string, uint32_t> names_;
  std::map<std::string, uint64_t> removed_;
  std::string digest_;
  bool has_begun_ = false, is_whole_ = false;
};

}  // namespace hearth::db
