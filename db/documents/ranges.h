// Clocks of one client, as ranges: in order, none empty, none touching the next. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hearth::db::documents {

struct Range {
  uint64_t start;
  uint64_t end;  // not in it

  friend bool operator==(const Range&, const Range&) = default;
};

class Ranges {
 public:
  // Adds some, in any order. Costs as much as they are, and as is there; but for a few at the end, which cost little.
  void add(std::vector<Range> more);
  void add(Range one);

  bool has(Range all) const;  // every clock of it
  // The parts of `of` that are not in this.
  std::vector<Range> missing(Range of) const;
  // The first range that ends after `clock`.
  std::vector<Range>::const_iterator find(uint64_t clock) const;

  const std::vector<Range>& all() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  size_t bytes() const { return ranges_.capacity() * sizeof(Range); }

  friend bool operator==(const Ranges&, const Ranges&) = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace hearth::db::documents
