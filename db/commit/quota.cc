// A limit on the size of a namespace that costs almost nothing until the limit is near.
//
//   limit ───────────────────────────────────────────────────────────────────────────
//   near  ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┌─ size_ comes here: look closely, count again
//                                       ┌─────┘ │
//              size_, an upper bound ───┘       ▼ the bound falls to the truth (is_loose_ = false)
//                      ┌────┘                   └──────────
//   ───────────────────┴──── the truth ────────────────────
//   writes ─▶    each adds all that it puts, as if none of it had been there
//
// To know the exact size after each write, every overwritten row would have to be read. So between two counts there
// is only a bound. Far below the limit (15/16 of it, or 7/8 while the size is exact) a write is charged what it puts.
// Near the limit a write is looked at closely (removed_by), and a loose bound is counted again.
//
//   unknown ── ≤ 10,000 rows: counted here ──▶ exact ── a write far from the limit ──▶ loose ── near: counted ──▶ exact
//           └─ more: wants_count_ ─▶ another thread counts the durable snapshot; since_ sums what comes meanwhile
//
// - The thread's count must begin when the tree is at rest (nothing of it pending): what is pending would be in
//   neither the snapshot nor since_.
// - Nothing is refused on a bound, nor while a count is under way: a namespace may go over its limit for that long,
//   but no write is refused that would have fitted.
// - What makes a full namespace smaller, or no larger, is always taken (worsens), or nobody could get out of it.
#include "db/commit/quota.h"

#include <fmt/format.h>

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

namespace hearth::db {
namespace {

constexpr size_t kLookRowsMax = 100'000;  // of what a write removes
constexpr std::string_view kAfterAllRows = "\xff";

Size size_of(std::string_view key, std::string_view leaf) {
  return {1, static_cast<int64_t>(key.size() + leaf.size())};
}

// The size of all that a write puts.
Size put_by(const Overlay& after) {
  Size added;
  after.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
    if (leaf) added.add(size_of(key, *leaf));
  });
  return added;
}

// Adds the size of all that a write takes away. False when that is too much to look at.
Result<bool> add_removed(const TableChange& change, size_t& looked_at, Size& removed) {
  const auto& [before, after] = change;
  const auto ranges = after.emptied();
  for (const auto& [from, upto] : ranges) {
    RETURN_IF_ERROR(before.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
      removed.add(size_of(key, leaf));
      return ++looked_at <= kLookRowsMax;
    }));
    if (looked_at > kLookRowsMax) return false;
  }
  Result<void> read;
  auto range = ranges.begin();  // the first that may hold the key: both come in order
  after.changes([&](std::string_view key, std::optional<std::string_view>) {
    // Rows within an emptied range were counted with the range.
    while (range != ranges.end() && range->second <= key) ++range;
    const bool in_range = range != ranges.end() && range->first <= key;
    if (in_range || !read.ok()) return;
    const auto leaf = before.leaf(key);
    if (!leaf.ok()) {
      read = leaf.error();
    } else if (leaf.value()) {
      removed.add(size_of(key, *leaf.value()));
    }
  });
  RETURN_IF_ERROR(read);
  return true;
}

// Nothing when it is too much to look at.
Result<std::optional<Size>> removed_by(std::span<const TableChange> changes) {
  Size removed;
  size_t looked_at = 0;
  for (const TableChange& change : changes) {
    ASSIGN_OR_RETURN(const bool is_all, add_removed(change, looked_at, removed));
    if (!is_all) return std::optional<Size>();
  }
  return std::optional<Size>(removed);
}

bool fits(const Quota& quota, const Size& size) {
  return (quota.rows_max == 0 || size.rows <= static_cast<int64_t>(quota.rows_max)) &&
         (quota.bytes_max == 0 || size.bytes <= static_cast<int64_t>(quota.bytes_max));
}

// Far from the limit a write is not looked at closely. An exact size is kept exact from 7/8 of the limit on, a loose
// one is made exact from 15/16 on: so a namespace that goes back and forth near the limit is not counted each time. A
// limit of 0, which is none, stays 0 here.
bool is_far_from(const Quota& quota, const Size& size, bool is_loose) {
  const uint64_t part = is_loose ? 16 : 8;
  return fits({quota.rows_max - quota.rows_max / part, quota.bytes_max - quota.bytes_max / part}, size);
}

// Whether the write increases something that is over its limit.
bool worsens(const Quota& quota, const Size& size, const Size& by) {
  return (quota.rows_max > 0 && size.rows > static_cast<int64_t>(quota.rows_max) && by.rows > 0) ||
         (quota.bytes_max > 0 && size.bytes > static_cast<int64_t>(quota.bytes_max) && by.bytes > 0);
}

Error too_large(const Quota& quota, const std::string& name, const Size& size) {
  const bool rows = quota.rows_max > 0 && size.rows > static_cast<int64_t>(quota.rows_max);
  return {ErrorCode::TooLarge,
          fmt::format(
              "The namespace {} is full: with this it would have {} {}, and may have {}. Remove something first.", name,
              rows ? size.rows : size.bytes, rows ? "values" : "bytes", rows ? quota.rows_max : quota.bytes_max)};
}

}  // namespace

// Filled in by another thread, which then drops its reference.
struct Usage::Count {
  Size size;
  Result<void> status;
  std::atomic<bool> is_done = false;
};

// The count was of the snapshot at the beginning; what was accepted since then is in since_.
void Usage::take_count() {
  if (count_ == nullptr || !count_->is_done.load(std::memory_order_acquire)) return;
  const auto count = std::exchange(count_, nullptr);
  if (!count->status.ok()) return;  // the next write that comes to the limit has it counted again
  size_ = count->size;
  size_.add(since_);
  is_known_ = true;
  is_loose_ = is_since_loose_;
}

Result<void> Usage::count_here(std::span<const TreeView* const> tables) {
  Size size;
  for (const TreeView* table : tables) {
    RETURN_IF_ERROR(table->scan("", kAfterAllRows, [&](std::string_view key, std::string_view leaf) {
      size.add(size_of(key, leaf));
      return size.rows <= static_cast<int64_t>(kCountHereRowsMax);
    }));
  }
  if (size.rows > static_cast<int64_t>(kCountHereRowsMax)) {
    wants_count_ = true;
    return {};
  }
  size_ = size;
  is_known_ = true;
  is_loose_ = false;
  return {};
}

Result<void> Usage::admit(const Quota& quota, const std::string& name, std::span<const TableChange> changes,
                          bool at_rest, const std::function<Scan()>& scan, const InBackground& in_background) {
  std::vector<const TreeView*> tables;
  for (const TableChange& change : changes) tables.push_back(&change.before);
  take_count();
  if (!is_known_ && count_ == nullptr && !wants_count_) RETURN_IF_ERROR(count_here(tables));
  if (wants_count_ && at_rest && count_ == nullptr) {
    wants_count_ = false;
    since_ = {};
    is_since_loose_ = false;
    count_ = std::make_shared<Count>();
    // scan() takes the snapshot now, on the shard's thread. The job holds the Count; when this Usage has let go of
    // it, the job sees that it is alone and ends.
    in_background([count = count_, scan = scan()] {
      count->status = scan([&](std::string_view key, std::string_view leaf) {
        count->size.add(size_of(key, leaf));
        return count.use_count() > 1;  // somebody still wants to know
      });
      count->is_done.store(true, std::memory_order_release);
    });
  }

  Size by;
  for (const TableChange& change : changes) by.add(put_by(change.after));
  Size then = size_;
  then.add(by);
  const bool is_far = is_known_ && count_ == nullptr && !wants_count_ && is_far_from(quota, then, is_loose_);
  if (is_far) {
    size_ = then;
    is_loose_ = true;
    return {};
  }
  // Of the tree before the write; the write itself is added below.
  if (is_known_ && is_loose_ && count_ == nullptr && !wants_count_) RETURN_IF_ERROR(count_here(tables));
  ASSIGN_OR_RETURN(const auto removed, removed_by(changes));
  if (removed) by.add({-removed->rows, -removed->bytes});
  then = size_;
  then.add(by);
  if (is_known_ && !is_loose_ && worsens(quota, then, by)) return too_large(quota, name, then);
  size_ = then;
  since_.add(by);
  if (!removed) is_loose_ = is_since_loose_ = true;
  return {};
}

Result<void> Usage::has_room(const Quota& quota, const std::string& name, std::span<const TreeView* const> tables,
                             const Size& by) {
  take_count();
  if (!is_known_ && count_ == nullptr && !wants_count_) RETURN_IF_ERROR(count_here(tables));
  Size then = size_;
  then.add(by);
  // As in admit(), which then has nothing to count: it may be called where a step cannot end.
  if (is_far_from(quota, then, is_loose_)) return {};
  if (is_known_ && is_loose_ && count_ == nullptr && !wants_count_) {
    RETURN_IF_ERROR(count_here(tables));
    then = size_;
    then.add(by);
  }
  // A large one that is still being counted takes what comes, as it takes writes.
  if (is_known_ && !is_loose_ && worsens(quota, then, by)) return too_large(quota, name, then);
  return {};
}

void Usage::note(const Overlay& after) {
  const Size by = put_by(after);
  size_.add(by);
  since_.add(by);
  is_loose_ = is_since_loose_ = true;
}

}  // namespace hearth::db
