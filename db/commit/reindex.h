// Index rows (db/model/index.h) as they follow from effects: the half of *apply* that is derived. Deterministic like
// the rest. Cost follows what the effects change; of a subtree's old rows what a range takes is not read. Thread: its
// shard's.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/commit/overlay.h"
#include "db/model/index.h"
#include "db/model/write.h"
#include "db/store/ephemeral_rows.h"

namespace hearth::db {

using PlanPointer = std::shared_ptr<const IndexPlan>;

// A namespace's indexes, as an effect finds and leaves them.
struct Indexes {
  PlanPointer plan;
  Overlay& rows;
};

// Errors of all: Io, Corruption.
// Updates the index rows for `effects`; `before` and `after` are the tree without and with all of them.
Result<void> follow(const std::vector<Effect>& effects, const TreeView& before, const TreeView& after,
                    Indexes& indexes);
// From here on the indexes are those that `text` names: others go with their rows, new ones wait to be built.
Result<void> reindex(std::string_view text, Indexes& indexes);
// Gives the next `count` children their rows in the first index that is not complete.
Result<void> build(uint64_t count, const TreeView& tree, Indexes& indexes);

bool is_current(const IndexPlan& plan, const std::vector<IndexSpec>& wanted);

// A tree with its indexes, whose rows may be pending too. All must outlive it.
class IndexedView final : public TreeView {
 public:
  // `ephemeral`: what of the tree is in memory alone, and in no index; null: nothing.
  IndexedView(const TreeView& tree, const PlanPointer& plan, const TreeView& rows,
              const EphemeralRows* ephemeral = nullptr)
      : tree_(tree), plan_(plan), rows_(rows), ephemeral_(ephemeral) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return tree_.scan(from, upto, row);
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override { return tree_.leaf(key); }
  Result<Row> last(std::string_view from, std::string_view upto) const override { return tree_.last(from, upto); }
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return tree_.scan_down(from, upto, row);
  }
  Result<std::string> hash(const Path& path, size_t bytes_max) const override { return tree_.hash(path, bytes_max); }
  Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const override;

 private:
  const TreeView& tree_;
  const PlanPointer& plan_;
  const TreeView& rows_;
  const EphemeralRows* const ephemeral_;
};

}  // namespace hearth::db
