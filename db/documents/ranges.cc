// Ranges are sorted, none is empty, and no two of them touch: [3, 5) and [5, 8) are kept as [3, 8). So one range
// answers has(), and two sets of clocks are equal exactly when their ranges are.
//
// Adding has two ways. A few ranges are put in one by one: a binary search finds the place, and the ranges behind it
// move. Clients mostly write on where they were, so the place is mostly the end, and nothing moves. More than kFew at
// once are sorted and merged with what is there in one pass: one by one they could move the same ranges many times.
#include "db/documents/ranges.h"

#include <algorithm>

namespace hearth::db::documents {
namespace {

constexpr size_t kFew = 4;  // so many are put in one by one

}  // namespace

std::vector<Range>::const_iterator Ranges::find(uint64_t clock) const {
  return std::upper_bound(ranges_.begin(), ranges_.end(), clock,
                          [](uint64_t at, const Range& range) { return at < range.end; });
}

void Ranges::add(Range one) {
  if (one.start >= one.end) return;
  // Those that it touches or overlaps become one with it.
  auto first = std::lower_bound(ranges_.begin(), ranges_.end(), one.start,
                                [](const Range& range, uint64_t at) { return range.end < at; });
  if (first == ranges_.end() || first->start > one.end) {
    ranges_.insert(first, one);
    return;
  }
  auto last = first;
  while (last != ranges_.end() && last->start <= one.end) {
    one = {std::min(one.start, last->start), std::max(one.end, last->end)};
    ++last;
  }
  *first = one;
  ranges_.erase(first + 1, last);
}

void Ranges::add(std::vector<Range> more) {
  if (more.size() <= kFew) {
    for (const Range& range : more) add(range);
    return;
  }
  const auto by_start = [](const Range& a, const Range& b) { return a.start < b.start; };
  std::erase_if(more, [](const Range& range) { return range.start >= range.end; });
  std::sort(more.begin(), more.end(), by_start);
  std::vector<Range> both;
  both.reserve(ranges_.size() + more.size());
  std::merge(ranges_.begin(), ranges_.end(), more.begin(), more.end(), std::back_inserter(both), by_start);
  ranges_.clear();
  for (const Range& range : both) {
    if (ranges_.empty() || ranges_.back().end < range.start) {
      ranges_.push_back(range);
    } else {
      ranges_.back().end = std::max(ranges_.back().end, range.end);
    }
  }
}

bool Ranges::has(Range all) const {
  if (all.start >= all.end) return true;
  const auto found = find(all.start);
  return found != ranges_.end() && found->start <= all.start && all.end <= found->end;
}

std::vector<Range> Ranges::missing(Range of) const {
  std::vector<Range> rest;
  uint64_t at = of.start;
  for (auto range = find(of.start); range != ranges_.end() && range->start < of.end && at < of.end; ++range) {
    if (at < range->start) rest.push_back({at, range->start});
    at = range->end;
  }
  if (at < of.end) rest.push_back({at, of.end});
  return rest;
}

}  // namespace hearth::db::documents
