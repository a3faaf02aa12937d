// What is in memory alone, shown among the rows on disk: one ascending sequence of two.
//
//   disk        rooms/a/name   rooms/b                          seen: rooms/a/name, rooms/a/cursors/x, rooms/b
//   in memory   rooms/a/cursors/x   rooms/b/cursors/y
//
// Where both have a row, memory has the newer one. A leaf on disk hides what memory has below it: the disk may be a moment
// ahead of the rows in memory for somebody who reads beside the shard, and a leaf never has children. (No key below begins as
// the row of a priority does.)
#include "db/base/step.h"
#include "db/store/snapshot.h"

namespace hearth::db {
namespace {

// One row of those in memory, which counts as one that is read. False: the step is over, or `row` wants no more.
bool show_ephemeral(const EphemeralRows::Row& one, const TreeView::RowFunction& row) {
  Step& step = Step::here();
  if (step.is_over()) return false;
  step.count_row(one.key.size() + one.leaf.size());
  return row(one.key, one.leaf);
}

}  // namespace

Result<void> SnapshotView::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (!has_ephemeral(from, upto)) return scan_disk(from, upto, row);
  EphemeralRows::Cursor cursor(*ephemeral_, from, upto);
  bool is_going = true;
  RETURN_IF_ERROR(scan_disk(from, upto, [&](std::string_view key, std::string_view leaf) {
    const EphemeralRows::Row* own = cursor.row();
    for (; is_going && own != nullptr && own->key < key; own = cursor.row()) {
      is_going = show_ephemeral(*own, row);
      cursor.next();
    }
    if (!is_going) return false;
    if (own != nullptr && own->key == key) return true;
    is_going = row(key, leaf);
    if (own != nullptr && std::string_view(own->key).starts_with(key)) {
      cursor.skip_to(std::string(key) + kPastChildren);
    }
    return is_going;
  }));
  for (; is_going && cursor.row() != nullptr; cursor.next()) is_going = show_ephemeral(*cursor.row(), row);
  if (!is_going && Step::here().is_over()) return step_is_over();
  return {};
}

Result<void> SnapshotView::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (!has_ephemeral(from, upto)) return scan_down_disk(from, upto, row);
  return TreeView::scan_down(from, upto, row);
}

Result<TreeView::Row> SnapshotView::last(std::string_view from, std::string_view upto) const {
  Row found;
  RETURN_IF_ERROR(scan_down_disk(from, upto, [&](std::string_view key, std::string_view leaf) {
    found.emplace(key, leaf);
    return false;
  }));
  if (ephemeral_ == nullptr) return found;
  const EphemeralRows::Row* own = ephemeral_->last(from, upto);
  if (own == nullptr || (found && found->first > own->key)) return found;
  return Row(std::in_place, own->key, own->leaf);
}

}  // namespace hearth::db
