// The rows of an index as they would be if what is in memory alone were on disk, where no index has it: a collection whose
// children have a few such values is queried along its index all the same.
//
//   on disk     7·m4   12·m1   15·m2            m3 is in memory alone, and m1 has its order there
//   shown       7·m4   9·m3   15·m2   20·m1     the disk's row of m1 is hidden; two rows are made, by a look at each child
//
// Which children are concerned is found in memory; then a seek or a few for each, once somebody reads rows. Past
// kEphemeralChildrenMax of a collection that costs more than to go through its children, and there is no such index.
//
// What must hold: `disk` is the tree that the rows were made of, and `tree` is it with the rows in memory.
// Thread: one at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "db/model/index.h"
#include "db/model/tree_view.h"
#include "db/store/ephemeral_rows.h"

namespace hearth::db {

inline constexpr size_t kEphemeralChildrenMax = 1'000;  // of one collection, that have something in memory alone

struct EphemeralIndex {
  std::shared_ptr<const TreeView> rows;  // of all indexes, on disk
  std::shared_ptr<const TreeView> tree;  // as it is shown
  std::shared_ptr<const TreeView> disk;
  EphemeralRows ephemeral;
  Index index;
  std::string collection;  // encoded
};

// Nothing: too many children have something in memory, or the collection is a leaf there. Precondition: something below the
// collection is in memory.
std::optional<TreeView::IndexRows> with_ephemeral(EphemeralIndex parts);

// A tree that shows rows in memory among its own, without these. Both must outlive it.
class WithoutRows final : public TreeView {
 public:
  WithoutRows(const TreeView& tree, const EphemeralRows& rows) : tree_(tree), rows_(rows) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override { return first_down(from, upto); }

 private:
  const TreeView& tree_;
  const EphemeralRows& rows_;
};

}  // namespace hearth::db
