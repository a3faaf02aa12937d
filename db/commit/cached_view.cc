// Four questions are answered without the store:
//
//   leaf(key)         a leaf, or none, at that very key           unleaf_ancestors(), rules
//   scan of a node    a leaf alone, or nothing                    the old rows of a write, exists()
//   either, of what   nothing, for it would come behind the       a new message, a new room
//   is not known      last child of a place above
//   scan of a node    all of it, while scans are kept             a child that is too old: it is looked at, and then removed
//
//   rooms ─ last child "one" ─▶ rooms/two, rooms/two/x, … are nothing, before anybody has looked
#include "db/commit/cached_view.h"

#include <utility>

#include "db/base/step.h"
#include "db/model/key_order.h"
#include "db/store/row_key.h"

namespace hearth::db {
namespace {

std::string_view parent_of(std::string_view key) {
  size_t length = 0;
  for (size_t next = segment_length(key); next > 0 && length + next < key.size();) {
    length += next;
    next = segment_length(key.substr(length));
  }
  return key.substr(0, length);
}

// A seek, and a row if there is one.
Result<void> count_known(std::optional<size_t> bytes) {
  Step& step = Step::here();
  if (step.is_over()) return step_is_over();
  step.count_row(0);
  if (!bytes) return {};
  if (step.is_over()) return step_is_over();
  step.count_row(kTableAndNumber + *bytes);
  return {};
}

}  // namespace

Result<std::optional<std::string>> CachedView::leaf(std::string_view key) const {
  const auto known = cache_.find(tree_.leaves, key);
  const bool is_leaf = known && known->kind == LeafCache::Kind::Leaf;
  std::string_view unsure;
  const bool is_known = known || is_behind(key, unsure);
  cache_.count(is_known);
  if (is_known) {
    if (Step::here().is_over()) return step_is_over();
    Step::here().count_row(is_leaf ? known->leaf.size() : 0);
    if (is_leaf) return std::optional<std::string>(known->leaf);
    // Asked of a place above one that is written: it will be there, and its last child is then known from the first.
    if (!known) cache_.learn(tree_.leaves, key, LeafCache::Kind::Nothing);
    return std::optional<std::string>();
  }
  ASSIGN_OR_RETURN(auto found, base_.leaf(key));
  if (found) {
    cache_.learn(tree_.leaves, key, LeafCache::Kind::Leaf, *found);
  } else {
    cache_.learn(tree_.leaves, key, LeafCache::Kind::NoLeaf);
  }
  return found;
}

// Of scans those of a whole node are known: whether nothing is there, or a leaf. A leaf may have a priority, which is
// a row of its own, so where priorities are, the store is asked.
Result<void> CachedView::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (upto.size() != from.size() + 1 || upto.back() != kPastChildren || !upto.starts_with(from)) {
    return base_.scan(from, upto, row);
  }
  const auto known = cache_.find(tree_.leaves, from);
  const bool is_leaf = known && known->kind == LeafCache::Kind::Leaf && !tree_.head.has_priorities;
  std::string_view unsure;
  const bool is_nothing = known ? known->kind == LeafCache::Kind::Nothing : is_behind(from, unsure);
  cache_.count(is_leaf || is_nothing);
  if (is_nothing) return count_known({});
  if (is_leaf) {
    const std::string leaf(known->leaf);  // what `row` does may change the cache
    RETURN_IF_ERROR(count_known(from.size() + leaf.size()));
    row(from, leaf);
    return {};
  }
  if (const auto kept = kept_.find(from); kept != kept_.end()) {
    RETURN_IF_ERROR(count_known({}));
    for (const auto& [key, leaf] : kept->second) {
      if (Step::here().is_over()) return step_is_over();
      Step::here().count_row(kTableAndNumber + key.size() + leaf.size());
      if (!row(key, leaf)) break;
    }
    return {};
  }
  const bool is_inner = known && known->kind == LeafCache::Kind::NoLeaf;
  bool is_first = true, is_whole = keeps_;
  Rows rows;
  RETURN_IF_ERROR(base_.scan(from, upto, [&](std::string_view key, std::string_view leaf) {
    if (std::exchange(is_first, false)) {
      // What is known already may be more: the last child.
      if (key == from) {
        cache_.learn(tree_.leaves, from, LeafCache::Kind::Leaf, leaf);
      } else if (!is_inner) {
        cache_.learn(tree_.leaves, from, LeafCache::Kind::NoLeaf);
      }
    }
    const bool goes_on = row(key, leaf);
    is_whole = is_whole && goes_on;
    if (is_whole) rows.emplace_back(key, leaf);
    return goes_on;
  }));
  if (is_whole && !is_first) kept_.emplace(from, std::move(rows));
  if (!is_first) return {};
  if (unsure.data() == nullptr || !learn_last(unsure)) cache_.learn(tree_.leaves, from, LeafCache::Kind::Nothing);
  return {};
}

// Whether nothing is there by what is known of the nearest place above. The child of that place on the way is then
// known to be nothing, too. `unsure`: that place, if its last child is not known.
bool CachedView::is_behind(std::string_view key, std::string_view& unsure) const {
  std::string_view below = key;
  while (!below.empty()) {
    const std::string_view above = parent_of(below);
    const auto known = cache_.find(tree_.leaves, above);
    if (!known) {
      below = above;
      continue;
    }
    // A leaf has no children. But it may have a priority: then no segment follows, only the mark.
    if (known->kind == LeafCache::Kind::Leaf) return segment_length(below.substr(above.size())) > 0;
    if (known->kind == LeafCache::Kind::Nothing) return true;
    if (known->leaf.empty()) unsure = above;
    if (known->leaf.empty() || below.substr(above.size()) <= known->leaf) return false;
    if (below.size() < key.size()) cache_.learn(tree_.leaves, below, LeafCache::Kind::Nothing);
    return true;
  }
  return false;
}

// Looks for the last child. Not for the request, so that nothing is counted and no file is asked. Returns whether what is
// below the parent is known now.
bool CachedView::learn_last(std::string_view parent) const {
  const Step::Trial trial({1, 1u << 20, 1});
  const std::string from = row_key(Table::Data, tree_.number, parent);
  std::optional<std::string> last;
  const auto looked = snapshot_->scan_down(from, from + kPastChildren, [&](std::string_view key, std::string_view) {
    last = key.substr(from.size());
    return false;
  });
  const auto* in_memory = snapshot_->ephemeral().last(parent, std::string(parent) + kPastChildren);
  if (looked.ok() && in_memory != nullptr) {
    const std::string_view below = std::string_view(in_memory->key).substr(parent.size());
    if (!last || *last < below) last = below;
  }
  if (!looked.ok()) {
    // Too many erased rows are in the way, or a file. That is not tried again for each write: no child is behind this.
    cache_.learn(tree_.leaves, parent, LeafCache::Kind::NoLeaf, std::string_view(&kPastChildren, 1));
    return false;
  }
  if (!last) {
    cache_.learn(tree_.leaves, parent, LeafCache::Kind::Nothing);
    return true;
  }
  const size_t length = segment_length(*last);
  if (length > 0)
    cache_.learn(tree_.leaves, parent, LeafCache::Kind::NoLeaf, std::string_view(*last).substr(0, length));
  return length > 0;
}

}  // namespace hearth::db
