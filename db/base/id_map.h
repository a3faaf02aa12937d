// Values by ids that mostly grow. For what there are many maps of, most with one value or none: one list in the order
// of the ids, without a node for each, and no memory at all while it is empty.
//
//   entries_   | gone | gone | 7: a | gone | 9: b |     what is erased leaves a gap, and gaps go when there are
//                            ^ first_                   more of them than values
//
// To find costs O(log n), to erase and to add an id above all others the same, spread over all calls; to add one below
// them O(n). Entries move with both, so pointers and iterators are good until the next of either.
//
//   id := 0 to 2^63 - 1
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "db/base/invariant.h"

namespace hearth::db {

template <typename Value>
class IdMap {
 public:
  struct Entry {
    uint64_t id;
    Value value;
  };

 private:
  using Entries = std::vector<Entry>;
  static constexpr uint64_t kGap = uint64_t{1} << 63;  // in the id of one that is gone
  static bool is_gap(const Entry& entry) { return (entry.id & kGap) != 0; }

  template <typename At>
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = typename std::iterator_traits<At>::pointer;
    using reference = typename std::iterator_traits<At>::reference;

    Iterator(At at, At end) : at_(at), end_(end) {}
    reference operator*() const { return *at_; }
    pointer operator->() const { return &*at_; }
    Iterator& operator++() {
      do {
        ++at_;
      } while (at_ != end_ && is_gap(*at_));
      return *this;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    friend class IdMap;
    At at_, end_;
  };

 public:
  using iterator = Iterator<typename Entries::iterator>;
  using const_iterator = Iterator<typename Entries::const_iterator>;

  IdMap() = default;
  IdMap(IdMap&& other) noexcept
      : entries_(std::exchange(other.entries_, {})),
        first_(std::exchange(other.first_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  IdMap& operator=(IdMap&& other) noexcept {
    entries_ = std::exchange(other.entries_, {});
    first_ = std::exchange(other.first_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // The first and the last of the entries are values, so both ends are found at once.
  iterator begin() { return {entries_.begin() + first_, entries_.end()}; }
  iterator end() { return {entries_.end(), entries_.end()}; }
  const_iterator begin() const { return {entries_.begin() + first_, entries_.end()}; }
  const_iterator end() const { return {entries_.end(), entries_.end()}; }

  iterator find(uint64_t id) {
    const auto at = place_of(id);
    return at != entries_.end() && at->id == id ? iterator(at, entries_.end()) : end();
  }
  const_iterator find(uint64_t id) const {
    const auto at = place_in(entries_.begin() + first_, entries_.end(), id);
    return at != entries_.end() && at->id == id ? const_iterator(at, entries_.end()) : end();
  }
  bool contains(uint64_t id) const { return !(find(id) == end()); }

  // The value of `id`; a new one, if there is none.
  Value& operator[](uint64_t id) {
    invariant((id & kGap) == 0, "an id has 63 bits");
    if (entries_.empty() || (entries_.back().id & ~kGap) < id) return push_back(id);
    const auto at = place_of(id);
    if ((at->id & ~kGap) != id) {
      ++size_;
      return entries_.insert(at, {id, Value()})->value;
    }
    if (is_gap(*at)) ++size_;
    at->id = id;
    return at->value;
  }

  void erase(iterator which) {
    Entry& entry = *which;
    entry.value = Value();
    entry.id |= kGap;
    if (--size_ == 0) return clear();
    while (is_gap(entries_.back())) entries_.pop_back();
    while (is_gap(entries_[first_])) ++first_;
    if (entries_.size() - size_ <= size_) return;
    entries_.erase(entries_.begin(), entries_.begin() + first_);
    std::erase_if(entries_, is_gap);
    first_ = 0;
  }
  size_t erase(uint64_t id) {
    const iterator which = find(id);
    if (which == end()) return 0;
    erase(which);
    return 1;
  }
  void clear() {
    entries_ = Entries();
    first_ = 0;
    size_ = 0;
  }

 private:
  Value& push_back(uint64_t id) {
    ++size_;
    entries_.push_back({id, Value()});
    return entries_.back().value;
  }
  // The first entry, gap or not, whose id is not below.
  template <typename At>
  static At place_in(At begin, At end, uint64_t id) {
    return std::lower_bound(begin, end, id, [](const Entry& entry, uint64_t of) { return (entry.id & ~kGap) < of; });
  }
  auto place_of(uint64_t id) { return place_in(entries_.begin() + first_, entries_.end(), id); }

  Entries entries_;
  uint32_t first_ = 0;  // what is before it is gone
  uint32_t size_ = 0;   // values
};

}  // namespace hearth::db
