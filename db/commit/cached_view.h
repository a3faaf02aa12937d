// What is on disk of one namespace, without asking the disk for what its shard's cache knows (leaf_cache.h). A row counts for
// the step as if it were read: what a request may do must not hang on what others asked before. Thread: its shard's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/commit/committer.h"

namespace hearth::db {

class CachedView final : public TreeView {
 public:
  // `base` is of that snapshot.
  CachedView(const TreeView& base, std::shared_ptr<const Snapshot> snapshot, LeafCache& cache, const Tree& tree)
      : base_(base), snapshot_(std::move(snapshot)), cache_(cache), tree_(tree) {}

  Result<std::optional<std::string>> leaf(std::string_view key) const override;
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override;
  Result<Row> last(std::string_view from, std::string_view upto) const override { return base_.last(from, upto); }
  Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    return base_.scan_down(from, upto, row);
  }

  // While it keeps scans, what one of a whole node finds is told again to whoever asks for that node until this view ends: for
  // who looks at nodes before it writes them. Of how much that is, whoever scans is the judge.
  void keep_scans(bool keeps) { keeps_ = keeps; }

 private:
  bool is_behind(std::string_view key, std::string_view& unsure) const;
  bool learn_last(std::string_view parent) const;

  const TreeView& base_;
  const std::shared_ptr<const Snapshot> snapshot_;
  LeafCache& cache_;
  const Tree& tree_;
  bool keeps_ = false;
  using Rows = std::vector<std::pair<std::string, std::string>>;
  mutable std::map<std::string, Rows, std::less<>> kept_;  // by the node
};

}  // namespace hearth::db
