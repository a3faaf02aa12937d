// Files. The store is fastest when its files do not overlap, and each file costs something. So namespaces share files:
//
//   in the order of their numbers (is_sorted_)      rows go to the shared file as they come
//   in another order:  small, ≤ 1 MB                held, then sorted; staged at the end into shared files
//                      larger                       files of its own, at once (stage_held)
//   Between two small ones that would share a file there may be a large one: the file is sealed there (finish).
#include "db/dump/lane.h"

#include <algorithm>

namespace hearth::db {

Result<void> Lane::begin(std::string from, std::string upto) {
  range_ = {std::move(from), std::move(upto)};
  is_held_ = !is_sorted_;
  held_.clear();
  held_bytes_ = 0;
  return is_held_ ? Result<void>() : staged_->begin(range_.from, range_.upto);
}

Result<void> Lane::put(std::string_view key, std::string_view value) {
  if (!is_held_) return staged_->put(key, value);
  held_.emplace_back(key, value);
  held_bytes_ += key.size() + value.size();
  return held_bytes_ > kSharedSpaceBytesMax ? stage_held() : Result<void>();
}

Result<void> Lane::stage_held() {
  is_held_ = false;
  large_.push_back(range_.from);
  RETURN_IF_ERROR(staged_->begin(range_.from, range_.upto, Staged::Sharing::No));
  for (const auto& [key, value] : held_) RETURN_IF_ERROR(staged_->put(key, value));
  held_.clear();
  return {};
}

Result<void> Lane::end() {
  // Small ones end here in the sorter, whose rows are staged by finish().
  if (!is_held_) return staged_->end();
  for (const auto& [key, value] : held_) RETURN_IF_ERROR(sorter_.add(key, value));
  small_.push_back(range_);
  return {};
}

// No file reaches over another's rows: RocksDB could not put those where they are read fastest.
Result<void> Lane::finish() {
  std::sort(small_.begin(), small_.end(), [](const Range& a, const Range& b) { return a.from < b.from; });
  std::sort(large_.begin(), large_.end());
  size_t begun = 0, passed = 0;
  const auto begin_next = [&]() -> Result<void> {
    if (begun > 0) RETURN_IF_ERROR(staged_->end());
    const Range& range = small_[begun++];
    const size_t before = passed;
    while (passed < large_.size() && large_[passed] < range.from) ++passed;
    if (passed > before) RETURN_IF_ERROR(staged_->seal());
    return staged_->begin(range.from, range.upto);
  };
  RETURN_IF_ERROR(sorter_.drain([&](std::string_view key, std::string_view value) -> Result<void> {
    // An empty namespace has a range and no row: it is begun and ended, so that its old rows go.
    while (begun == 0 || key >= small_[begun - 1].upto) RETURN_IF_ERROR(begin_next());
    return staged_->put(key, value);
  }));
  while (begun < small_.size()) RETURN_IF_ERROR(begin_next());
  if (begun > 0) RETURN_IF_ERROR(staged_->end());
  return staged_->seal();
}

}  // namespace hearth::db
