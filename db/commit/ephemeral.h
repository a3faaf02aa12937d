// What of a write is never on disk: what lies at the namespace's ephemeral places (db/model/path_plan.h). A write is judged
// and applied as any other, on the tree that has both; then it is parted.
//
//   Write ─▶ evaluate ─▶ After.tree ─┬─ rows at ephemeral places ─▶ EphemeralRows, shown once the group is committed
//                                    └─ all others ─▶ record, log, versions, indexes, sizes, disk
//
// A write of which nothing is left on the lower way needs no disk, and no sequence of its own: it is told with its group, and
// where all of that is such, at once.
//
// A write may concern both, a set of what is above an ephemeral place does: one commit, and what of it is ephemeral is gone
// after a restart. Thread: its shard's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/commit/overlay.h"
#include "db/model/path_plan.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"
#include "db/store/ephemeral_rows.h"

namespace hearth::db {

// A tree as it is on disk, or will be: without what is at ephemeral places. `plan` null: nothing is. Both outlive it.
class WithoutEphemeral final : public TreeView {
 public:
  WithoutEphemeral(const TreeView& tree, const PathPlan* plan)
      : tree_(tree), plan_(plan != nullptr && plan->has_ephemeral() ? plan : nullptr) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override;
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override;

 private:
  const TreeView& tree_;
  const PathPlan* plan_;
};

// Where a write puts something that goes with Write::holder: its locations within an ephemeral place, and the places of which
// it sets what is above. Errors: InvalidArgument, what is not done there.
Result<std::vector<Path>> ephemeral_puts(const Write& write, const PathPlan& plan);

// Those that are of the disk, and what of their values is.
std::vector<Effect> durable_effects(std::vector<Effect> effects, const PathPlan& plan);

// `rows` as a write leaves them, which has made `after`. All that its locations hold has its holder from here on, also what
// it has not changed.
void follow_ephemeral(const Overlay& after, const PathPlan& plan, const std::vector<Path>& puts, uint64_t holder,
                      EphemeralRows& rows);

// What the write changes on disk, over the tree without what is ephemeral, for whoever counts it.
void copy_durable(const Overlay& after, const PathPlan& plan, Overlay& to);

}  // namespace hearth::db
