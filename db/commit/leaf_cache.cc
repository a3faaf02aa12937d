// The places of a bucket are compared by their tags first, which are one cache line. A tag is a hash and may be that of
// another key, so the place has both, the tree's number and the key, and they decide.
//
// A key may be in either of two buckets, and goes into the emptier one. With one bucket for each key some are full long
// before others, and a sixth of the rows would be forgotten while a fifth of the places is empty.
#include "db/commit/leaf_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <functional>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {
constexpr size_t kPlaces = 8;

constexpr uint64_t kOther = 0xc2b2ae3d27d4eb4fu;  // odd: the second bucket's hash is another one

// By lot and not in turns: when the same rows come round again and again, and are one too many, those in turns are all
// gone when they come.
size_t draw(uint64_t& lot) {
  lot = lot * 6364136223846793005u + 1442695040888963407u;
  return lot >> 61;
}
static_assert(kPlaces == 8);
}  // namespace

struct LeafCache::Place {
  static constexpr size_t kBytes = kPlaceBytes - sizeof(uint64_t) - sizeof(Kind) - 2;
  uint64_t tree;
  Kind kind;
  uint8_t key_bytes;
  uint8_t leaf_bytes;
  char bytes[kBytes];  // key, leaf

  std::string_view key() const { return {bytes, key_bytes}; }
  std::string_view leaf() const { return {bytes + key_bytes, leaf_bytes}; }
  static bool has_room(std::string_view key, std::string_view leaf) { return key.size() + leaf.size() <= kBytes; }
};

struct LeafCache::Bucket {
  uint64_t tags[kPlaces];  // 0: the place is empty
  Place places[kPlaces];
  uint64_t lot;  // which of the places goes next, by lot
};

void LeafCache::Unmap::operator()(Bucket* buckets) const { (void)::munmap(buckets, bytes); }

LeafCache::LeafCache(size_t bytes_max) : buckets_max_(bytes_max / sizeof(Bucket)), buckets_(nullptr, Unmap()) {
  static_assert(sizeof(Place) == kPlaceBytes);
  begin(std::min(buckets_max_, kFirstBytes / sizeof(Bucket)));
}
LeafCache::~LeafCache() = default;

// With an empty table of that size. Without memory for it everything stays as it is.
void LeafCache::begin(size_t bucket_count) {
  if (bucket_count == 0) return;
  const size_t bytes = bucket_count * sizeof(Bucket);
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return;
  buckets_ = std::unique_ptr<Bucket[], Unmap>(static_cast<Bucket*>(pages), Unmap{bytes});
  bytes_.add(static_cast<int64_t>(bytes) - bytes_.value());
  bucket_count_ = bucket_count;
  filled_ = 0;
}

uint64_t LeafCache::new_tree() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

uint64_t LeafCache::tag_of(uint64_t tree, std::string_view key) const {
  const uint64_t hash = std::hash<std::string_view>()(key) ^ (tree * 0x9e3779b97f4a7c15u);
  return hash == 0 ? 1 : hash;
}

std::array<LeafCache::Bucket*, 2> LeafCache::buckets_of(uint64_t tag) const {
  const auto nth = [this](uint64_t hash) {
    return &buckets_[static_cast<size_t>((static_cast<unsigned __int128>(hash) * bucket_count_) >> 64)];
  };
  return {nth(tag), nth(tag * kOther)};
}

LeafCache::Place* LeafCache::place_of(uint64_t tree, std::string_view key, uint64_t tag) const {
  for (Bucket* bucket : buckets_of(tag)) {
    for (size_t i = 0; i < kPlaces; ++i) {
      if (bucket->tags[i] != tag) continue;
      Place& place = bucket->places[i];
      if (place.tree == tree && place.key() == key) return &place;
    }
  }
  return nullptr;
}

// A place in the emptier of the two buckets. When both are full, one of the first is given up.
LeafCache::Place& LeafCache::new_place(uint64_t tag) {
  if (filled_ > bucket_count_ * kPlaces / 5 * 3 && bucket_count_ < buckets_max_) {
    begin(std::min(buckets_max_, 2 * bucket_count_));
  }
  Bucket* best = nullptr;
  size_t best_empty = 0;
  for (Bucket* bucket : buckets_of(tag)) {
    const auto empty = static_cast<size_t>(std::count(bucket->tags, bucket->tags + kPlaces, 0));
    if (best != nullptr && empty <= best_empty) continue;
    best = bucket;
    best_empty = empty;
  }
  size_t index = 0;
  if (best_empty == 0) {
    index = draw(best->lot);
  } else {
    index = static_cast<size_t>(std::find(best->tags, best->tags + kPlaces, 0) - best->tags);
    ++filled_;
  }
  best->tags[index] = tag;
  return best->places[index];
}

void LeafCache::drop(Place& place, uint64_t tag) {
  for (Bucket* bucket : buckets_of(tag)) {
    if (&place < bucket->places || &place >= bucket->places + kPlaces) continue;
    bucket->tags[&place - bucket->places] = 0;
    --filled_;
    return;
  }
}

std::optional<LeafCache::Known> LeafCache::find(uint64_t tree, std::string_view key) const {
  if (bucket_count_ == 0) return {};
  const Place* place = place_of(tree, key, tag_of(tree, key));
  if (place == nullptr) return {};
  return Known{place->kind, place->leaf()};
}

void LeafCache::learn(uint64_t tree, std::string_view key, Kind kind, std::string_view leaf) {
  if (bucket_count_ == 0) return;
  if (kind == Kind::NoLeaf && !Place::has_room(key, leaf)) leaf = {};
  const uint64_t tag = tag_of(tree, key);
  Place* place = place_of(tree, key, tag);
  if (!Place::has_room(key, leaf)) {
    if (place != nullptr) drop(*place, tag);
    return;
  }
  if (place == nullptr) {
    place = &new_place(tag);
    place->tree = tree;
    place->key_bytes = static_cast<uint8_t>(key.size());
    key.copy(place->bytes, key.size());
  }
  place->kind = kind;
  place->leaf_bytes = static_cast<uint8_t>(leaf.size());
  leaf.copy(place->bytes + key.size(), leaf.size());
}

// A leaf that is erased leaves a place without a leaf; whether something is below is not known, for the same commit may
// have put it there. A row that is put ends what was said of the places above: there is something below them now, and
// so they have no leaf.
void LeafCache::follow(uint64_t tree, std::string_view key, std::optional<std::string_view> leaf) {
  if (bucket_count_ == 0) return;
  if (!leaf) return learn(tree, key, Kind::NoLeaf);
  learn(tree, key, Kind::Leaf, *leaf);
  for (size_t length = 0; length < key.size();) {
    const std::string_view above = key.substr(0, length);
    const size_t next = segment_length(key.substr(length));
    if (Place* place = place_of(tree, above, tag_of(tree, above))) note_child(*place, key.substr(length, next));
    if (next == 0) return;  // behind the last segment: the mark of a priority
    length += next;
  }
}

// Of a place that has a row below it: the one of this child, or, without a segment, that of its priority, which says that
// there is something and may stand beside a leaf.
void LeafCache::note_child(Place& place, std::string_view segment) {
  if (segment.empty()) {
    if (place.kind == Kind::Nothing) place.kind = Kind::NoLeaf;
    return;
  }
  const bool is_first = place.kind != Kind::NoLeaf;  // there was nothing below it
  if (!is_first && (place.leaf_bytes == 0 || segment <= place.leaf())) return;
  place.kind = Kind::NoLeaf;
  const bool fits = Place::has_room(place.key(), segment);
  place.leaf_bytes = fits ? static_cast<uint8_t>(segment.size()) : 0;
  if (fits) segment.copy(place.bytes + place.key_bytes, segment.size());
}

}  // namespace hearth::db
