// What a shard knows of single rows without asking the store. A write asks whether a leaf stands where it writes or
// above, and a seek for that costs more than the write itself; but mostly the shard has written that place before, or
// a neighbour of it.
//
//   Leaf      a leaf stands here, and this is it
//   NoLeaf    none does; there may be something below, but no child behind the one that is named, if one is
//   Nothing   neither here nor below
//
//   key ─▶ hash ─▶ two buckets   tags   ▪▪▪▪▪▪▪▪       eight places of 128 bytes; what is longer has none
//                                places [tree key leaf] …     a new one takes an empty place, or that of one drawn by lot
//
// The last child matters because clients make keys that ascend with time: a new message comes behind all others, and to
// know the last one is to know that the new one is not there yet. The name stays when the last child goes; it is a bound.
//
// The table begins small and doubles when it is three fifths full, up to its limit. A larger table begins empty: that costs
// each row one more look at the store, and no write has to wait while rows are moved.
//
// It tells what is durable: the committer changes it with each commit (follow()), and what the store is asked meanwhile
// is learned. `tree` is a number that a tree has for as long as its shard knows all that happens to it; with a new
// number (new_tree()) all that was known is forgotten at once.
//
// Thread: its shard's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "db/base/metrics.h"

namespace hearth::db {

class LeafCache {
 public:
  enum class Kind : uint8_t { Leaf, NoLeaf, Nothing };
  struct Known {
    Kind kind;
    // Of a Leaf itself; of NoLeaf the segment of the last child that there may be, or "" when that is not known. Valid
    // until the cache is changed.
    std::string_view leaf;
  };

  explicit LeafCache(size_t bytes_max);  // with too little for one bucket nothing is ever known
  ~LeafCache();
  LeafCache(const LeafCache&) = delete;
  LeafCache& operator=(const LeafCache&) = delete;

  static uint64_t new_tree();  // a number that no tree has had. Thread: any

  // `key`: an encoded path (db/model/key_order.h), or one with its priority mark.
  std::optional<Known> find(uint64_t tree, std::string_view key) const;
  void learn(uint64_t tree, std::string_view key, Kind kind, std::string_view leaf = {});
  // The row was put, or erased when there is no leaf.
  void follow(uint64_t tree, std::string_view key, std::optional<std::string_view> leaf);

  static constexpr size_t kPlaceBytes = 128;
  static constexpr size_t kFirstBytes = 256u << 10;                          // of the table, until it grows
  size_t byte_count() const { return static_cast<size_t>(bytes_.value()); }  // of the table. Thread: any
  // Questions that were answered from here, and those for which the store was asked. Thread of hits(), misses(): any.
  void count(bool is_known) { (is_known ? hits_ : misses_).add(); }
  uint64_t hits() const { return hits_.value(); }
  uint64_t misses() const { return misses_.value(); }

 private:
  struct Place;
  struct Bucket;
  Place* place_of(uint64_t tree, std::string_view key, uint64_t tag) const;
  uint64_t tag_of(uint64_t tree, std::string_view key) const;
  std::array<Bucket*, 2> buckets_of(uint64_t tag) const;
  Place& new_place(uint64_t tag);
  void drop(Place& place, uint64_t tag);
  static void note_child(Place& place, std::string_view segment);

  void begin(size_t bucket_count);

  const size_t buckets_max_;
  // Pages of its own and not malloc's: they come as they are used, are zero, and go back to the system at once.
  struct Unmap {
    size_t bytes = 0;
    void operator()(Bucket* buckets) const;
  };
  std::unique_ptr<Bucket[], Unmap> buckets_;
  size_t bucket_count_ = 0;
  size_t filled_ = 0;  // places
  Counter hits_, misses_;
  Gauge bytes_;
};

}  // namespace hearth::db
