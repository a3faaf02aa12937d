// A tree as it would be, without copying the tree that is.
//
//   keys ─▶       a     b     c     d     e     f     g
//   rows_         .     put   .     erase .     .     .       one by one, in a map; "erase" is an entry without a leaf
//   sheets_       .     .     [c ────────────── f)    .       a range emptied, and filled from one Value: here d and e
//   base_         a     b     c     .     .     f     g       what lies below: another overlay, or what is on disk
//                 ─────────────────────────────────────
//   seen          a     b'    .     .     e     f     g       the upper layer hides the lower, key by key
//
//   a write's Overlay ─▶ its group's Overlay ─▶ SnapshotView         refused: the upper one is dropped, no more
//
// Why two kinds of changes: a map entry for each row is right for small writes; a tree of a million leaves stays the
// one block that it came as, and what it replaces is never read.
//
// Invariants:
// - rows_ is always newer than sheets_ at the same key. So replace() drops the single rows of its range before the
//   sheet comes, and absorb() takes the upper overlay's sheets before its rows.
// - Sheets never overlap. A later one cuts the earlier ones (cut_sheets): what is left of them keeps the whole Value,
//   and only its bounds shrink. So every walk over a sheet must respect the bounds and not the Value.
// - The base does not change while the overlay lives. Otherwise a scan would mix two moments.
// - Work is counted where it is caused (Step): put and erase a row each, a sheet all its rows, for all will be written.
#include "db/commit/overlay.h"

#include <algorithm>

#include "db/base/step.h"

namespace hearth::db {
namespace {

// The first row of `value` whose key is not below `key`.
size_t lower_row(const Value& value, std::string_view key) {
  size_t low = 0;
  size_t high = value.row_count();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (value.row(middle).key < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// The first row of a sheet whose key is not below `key`: the Value has its keys below the prefix, and `key` may lie before,
// within or behind all of them.
size_t lower_row(const Value& value, std::string_view prefix, std::string_view key) {
  if (key.starts_with(prefix)) return lower_row(value, key.substr(prefix.size()));
  return key > prefix ? value.row_count() : 0;
}

}  // namespace

const Overlay::Sheet* Overlay::sheet_over(std::string_view key) const {
  auto at = sheets_.upper_bound(key);
  if (at == sheets_.begin()) return nullptr;
  --at;
  return key < at->second.upto ? &at->second : nullptr;
}

// The sheet's rows in [from, upto), with `lead` in front of each key. All rows of a large write come through here.
bool Overlay::scan_sheet(const Sheet& sheet, std::string_view lead, std::string_view from, std::string_view upto,
                         const RowFunction& row) {
  const size_t end = lower_row(sheet.value, sheet.prefix, upto);
  std::string key(lead);
  key += sheet.prefix;
  const size_t before = key.size();
  for (size_t index = lower_row(sheet.value, sheet.prefix, from); index < end; ++index) {
    const Value::Row at = sheet.value.row(index);
    key.resize(before);
    key += at.key;
    if (!row(key, at.leaf)) return false;
  }
  return true;
}

// A merge of two ascending sequences: the own rows, and what lies below them. `merged` is called with the lower
// sequence.
Result<void> Overlay::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  auto own = rows_.lower_bound(from);
  const auto own_end = rows_.lower_bound(upto);
  bool going = true;

  // Own rows below `key` come first; one that equals it hides it.
  const RowFunction merged = [&](std::string_view key, std::string_view leaf) {
    for (; going && own != own_end && own->first < key; ++own) {
      if (own->second) going = row(own->first, *own->second);
    }
    if (!going) return false;
    if (own != own_end && own->first == key) return true;
    going = row(key, leaf);
    return going;
  };

  // Below them, sheets and the gaps between, where the base shows.
  std::string at(from);
  while (going && at < upto) {
    if (const Sheet* sheet = sheet_over(at); sheet != nullptr) {
      const std::string end = std::min(sheet->upto, std::string(upto));
      going = scan_sheet(*sheet, {}, at, end, merged) && going;
      at = end;
      continue;
    }
    const auto next = sheets_.lower_bound(at);
    const std::string end = next != sheets_.end() ? std::min(next->first, std::string(upto)) : std::string(upto);
    RETURN_IF_ERROR(base_.scan(at, end, merged));
    at = end;
  }
  for (; going && own != own_end; ++own) {
    if (own->second) going = row(own->first, *own->second);
  }
  return {};
}

// A sheet answers also for what it does not have: within its range the base is not asked.
Result<std::optional<std::string>> Overlay::leaf(std::string_view key) const {
  if (const auto own = rows_.find(key); own != rows_.end()) return own->second;
  if (const Sheet* sheet = sheet_over(key); sheet != nullptr) {
    if (!key.starts_with(sheet->prefix)) return std::optional<std::string>();
    const std::string_view below = key.substr(sheet->prefix.size());
    const size_t index = lower_row(sheet->value, below);
    if (index == sheet->value.row_count() || sheet->value.row(index).key != below) return std::optional<std::string>();
    return std::optional<std::string>(sheet->value.row(index).leaf);
  }
  return base_.leaf(key);
}

// From the top down, through sheets and the gaps between them.
Result<TreeView::Row> Overlay::last_below(std::string_view from, std::string_view upto) const {
  std::string end(upto);
  while (from < end) {
    const auto next = sheets_.lower_bound(end);
    if (next == sheets_.begin()) return base_.last(from, end);
    const auto& [start, sheet] = *std::prev(next);
    if (sheet.upto < end) {
      ASSIGN_OR_RETURN(Row row, base_.last(std::max(from, std::string_view(sheet.upto)), end));
      if (row) return row;
      end = sheet.upto;
      continue;
    }
    if (size_t index = lower_row(sheet.value, sheet.prefix, end); index > 0) {
      const Value::Row row = sheet.value.row(--index);
      std::string key = sheet.prefix + std::string(row.key);
      if (key >= from) return Row(std::in_place, std::move(key), row.leaf);
      return Row();
    }
    end = start;
  }
  return Row();
}

Result<TreeView::Row> Overlay::last(std::string_view from, std::string_view upto) const {
  std::string end(upto);
  for (;;) {
    ASSIGN_OR_RETURN(Row below, last_below(from, end));
    const auto next = rows_.lower_bound(end);
    if (next == rows_.begin()) return below;
    const auto& [key, leaf] = *std::prev(next);
    if (key < from || (below && key < below->first)) return below;
    if (leaf) return Row(std::in_place, key, *leaf);
    // Loops once for each erased row at the end of the range.
    end = key;  // erased, and what it hid too
  }
}

// Most descending scans meet no pending change, and then the base's own iterator does it in one go. The slow way asks
// for the last row again and again.
Result<void> Overlay::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  const auto own = rows_.lower_bound(from);
  const auto sheet = sheets_.lower_bound(upto);
  const bool has_sheet = sheet != sheets_.begin() && std::prev(sheet)->second.upto > from;
  if (!has_sheet && (own == rows_.end() || own->first >= upto)) return base_.scan_down(from, upto, row);
  return TreeView::scan_down(from, upto, row);
}

void Overlay::cut_sheets(const std::string& from, const std::string& upto) {
  auto at = sheets_.upper_bound(from);
  if (at != sheets_.begin()) --at;
  while (at != sheets_.end() && at->first < upto) {
    if (at->second.upto <= from) {
      ++at;
      continue;
    }
    const std::string left = at->first;
    Sheet sheet = at->second;
    at = sheets_.erase(at);
    if (left < from) sheets_[left] = Sheet{from, sheet.prefix, sheet.value};
    if (sheet.upto > upto) {
      sheets_[upto] = std::move(sheet);
      break;
    }
  }
}

void Overlay::put(std::string key, std::string_view leaf) {
  Step::here().count_row(key.size() + leaf.size());
  rows_[std::move(key)] = std::string(leaf);
}

void Overlay::erase(std::string key) {
  Step::here().count_row(key.size());
  rows_[std::move(key)] = std::nullopt;
}

// All rows of the sheet are counted as work now: whoever commits the overlay writes each of them.
void Overlay::replace(const std::string& from, const std::string& upto, const std::string& prefix, const Value& value) {
  Step::here().foresee({1 + value.row_count(), value.byte_count(), 0});
  rows_.erase(rows_.lower_bound(from), rows_.lower_bound(upto));
  cut_sheets(from, upto);
  sheets_[from] = Sheet{upto, prefix, value};
}

void Overlay::absorb(Overlay&& above) {
  for (auto& [from, sheet] : above.sheets_) {
    rows_.erase(rows_.lower_bound(from), rows_.lower_bound(sheet.upto));
    cut_sheets(from, sheet.upto);
    sheets_[from] = std::move(sheet);
  }
  for (auto& [key, leaf] : above.rows_) rows_[key] = std::move(leaf);
}

size_t Overlay::row_count() const {
  size_t count = rows_.size();
  for (const auto& [from, sheet] : sheets_) count += sheet.value.row_count();
  return count;
}

std::vector<std::pair<std::string, std::string>> Overlay::emptied() const {
  std::vector<std::pair<std::string, std::string>> ranges;
  ranges.reserve(sheets_.size());
  for (const auto& [from, sheet] : sheets_) ranges.emplace_back(from, sheet.upto);
  return ranges;
}

// Erased rows are told as well: the store has to erase them. Sheets ascend, and so does their merge with the own rows.
void Overlay::changes(std::string_view lead, const PutFunction& put) const {
  auto own = rows_.begin();
  std::string key(lead);
  const auto put_own = [&] {
    key.resize(lead.size());
    key += own->first;
    put(key, own->second ? std::optional<std::string_view>(*own->second) : std::nullopt);
    ++own;
  };
  for (const auto& [from, sheet] : sheets_) {
    (void)scan_sheet(sheet, lead, from, sheet.upto, [&](std::string_view whole, std::string_view leaf) {
      const std::string_view row = whole.substr(lead.size());
      while (own != rows_.end() && own->first < row) put_own();
      if (own == rows_.end() || own->first != row) put(whole, leaf);
      return true;
    });
  }
  while (own != rows_.end()) put_own();
}

}  // namespace hearth::db
