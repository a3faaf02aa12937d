// Index rows, derived from effects. For each index, the path of an effect lies in one of four places:
//
//   index: the children of /rooms/$/messages, by `sent`
//
//   /rooms, /rooms/a, /rooms/a/messages     a collection, or above      replace(): its index rows go, and are made anew
//   /rooms/a/messages/m1                    a child as a whole          move(): the value is in the effect
//   /rooms/a/messages/m1/sent               within a child              move(): the place is read from the tree after
//   /users/ada                              elsewhere                   nothing
//
// A row of an index that covers has a copy of its child's rows (index.h). Then a child is also moved, to the same place,
// when only its priority or something that it is not ordered by was written.
//
//   before   m1 at 12 ─┐                    index   │ 7·m4 │ 12·m1 │ 15·m2 │  count 3
//   after    m1 at 20  └─▶ move():                         erase             put 20·m1, count stays
//
// `before` and `after` stand around all effects of the write. So a child that several effects touch is moved once, from
// where it stood before all of them to where it stands after all of them.
//
// Invariants:
// - A child has exactly one row in each index that holds it, and a collection's count row says how many. A stale row
//   would be a query's result that is not there; that is why erasing needs the *old* place, and the tree before.
// - An index that is being built holds the children below `built` and no others. Writes keep the rows of what is built;
//   build() finds the rest in key order, 200 in a group. A row that a write made ahead of `built` would be made,
//   and counted, a second time.
// - Everything follows from the effects and the trees: a replayed record gives the same index rows.
#include "db/commit/reindex.h"

#include <algorithm>
#include <map>
#include <set>

#include "db/commit/apply.h"
#include "db/model/key_order.h"
#include "db/store/ephemeral_index.h"

namespace hearth::db {
namespace {

std::string row_of(uint32_t id, const IndexedChild& child, const Position& place) {
  std::string row = index_prefix(id, child.collection) + '\0';
  append_index_place(place, row);
  return row + child.segment;
}

Result<std::optional<Position>> place_in(const TreeView& tree, const IndexedChild& child, const IndexSpec& spec) {
  return find_place(tree, child.path(), spec.order, spec.child, spec.then);
}

// The index row of a child that exists.
struct IndexRow {
  std::string key, copy;
};
Result<IndexRow> row_in(const TreeView& tree, const IndexedChild& child, const Index& index) {
  ASSIGN_OR_RETURN(const auto place, place_in(tree, child, index.spec));
  invariant(place.has_value(), "a row was found below the child");
  IndexRow row{row_of(index.id, child, *place), {}};
  if (index.spec.covers) {
    ASSIGN_OR_RETURN(row.copy, copy_of_child(tree, child.path()));
  }
  return row;
}

void put_plan(IndexPlan plan, Indexes& indexes) {
  indexes.rows.put(std::string(kPlanRow), plan.encode());
  indexes.plan = std::make_shared<const IndexPlan>(std::move(plan));
}

// One index and what one write does to it.
class Following {
 public:
  Following(const Index& index, const TreeView& before, const TreeView& after, Overlay& rows)
      : index_(index), spec_(index.spec), before_(before), after_(after), rows_(rows) {
    order_.order = spec_.order;
    order_.child = spec_.child;
    order_.then = spec_.then;
  }

  void note(const Effect& effect);
  Result<void> run();

 private:
  bool is_covered(const std::string& child) const;
  Result<void> replace(const std::string& base);
  struct Touch {
    IndexedChild child;
    const Value* value;  // what the whole child is now; null: to be read
  };
  Result<void> move(const Touch& touch);
  Result<void> count();

  const Index& index_;
  const IndexSpec& spec_;
  Query order_;
  const TreeView& before_;
  const TreeView& after_;
  Overlay& rows_;
  std::set<std::string> subtrees_;         // set as a whole, encoded: collections and what is above them
  std::map<std::string, Touch> children_;  // set, or something below them; by encoded path
  std::map<std::string, int64_t> counts_;  // what collections gain, encoded
};

// No index is ordered by priorities (make_index), so they concern copies alone; those at or above a collection, none. An
// Unleaf there removes a leaf that had no children.
void Following::note(const Effect& effect) {
  const bool sets_priority = effect.kind == Effect::Kind::SetPriority && spec_.covers;
  if (effect.kind != Effect::Kind::Set && effect.kind != Effect::Kind::Unleaf && !sets_priority) return;
  const std::vector<std::string_view> keys = effect.path.keys();
  const size_t depth = spec_.at.size();
  if (!spec_.matches_start(std::span(keys).first(std::min(keys.size(), depth)))) return;
  if (keys.size() <= depth) {
    if (effect.kind == Effect::Kind::Set) subtrees_.insert(encode_path(effect.path));
    return;
  }
  IndexedChild child{encode_path(effect.path.prefix(depth)), {}};
  append_segment(keys[depth], child.segment);
  std::string path = child.path();
  if (!index_.holds(path)) return;
  const bool is_whole = effect.kind == Effect::Kind::Set && keys.size() == depth + 1;
  const auto [at, is_new] =
      children_.try_emplace(std::move(path), Touch{std::move(child), is_whole ? &effect.value : nullptr});
  if (!is_new) at->second.value = nullptr;  // one effect upon the other
}

bool Following::is_covered(const std::string& child) const {
  return std::any_of(subtrees_.begin(), subtrees_.end(),
                     [&](const std::string& base) { return child.starts_with(base); });
}

// Everything below `base` was set: its index rows go, whatever they are, and those of the children that are there now
// come. The old index rows are erased one by one when they are few, and else with one range: their values are not
// needed.
Result<void> Following::replace(const std::string& base) {
  const std::string from = index_prefix(index_.id, base);
  const std::string upto = from + kPastChildren;
  ASSIGN_OR_RETURN(const OldRows old, old_rows(rows_, from));
  std::vector<std::pair<std::string, std::string>> fresh;
  std::map<std::string, uint64_t> counts;
  std::string at = base;
  for (;;) {
    ASSIGN_OR_RETURN(const auto child, next_child(after_, spec_, at, base + kPastChildren));
    if (!child || !index_.holds(child->path())) break;
    ASSIGN_OR_RETURN(IndexRow row, row_in(after_, *child, index_));
    fresh.emplace_back(std::move(row.key), std::move(row.copy));
    ++counts[child->collection];
    // Behind all rows of that child.
    at = child->path() + kPastChildren;
  }
  for (const auto& [collection, count] : counts)
    fresh.emplace_back(count_row(index_.id, collection), encode_count(count));
  if (!old.more && fresh.size() <= kPointRowsMax) {
    for (const std::string& row : old.keys) rows_.erase(row);
    for (auto& [row, value] : fresh) rows_.put(std::move(row), value);
    return {};
  }
  std::sort(fresh.begin(), fresh.end());
  ValueBuilder builder;
  for (const auto& [row, value] : fresh) builder.add(std::string_view(row).substr(from.size()), value);
  rows_.replace(from, upto, from, std::move(builder).build());
  return {};
}

Result<void> Following::move(const Touch& touch) {
  const IndexedChild& child = touch.child;
  ASSIGN_OR_RETURN(const auto old, place_in(before_, child, spec_));
  std::optional<Position> now;
  if (touch.value == nullptr) {
    ASSIGN_OR_RETURN(now, place_in(after_, child, spec_));
  } else if (!touch.value->is_null()) {
    now = position_of({}, *touch.value, order_);
  }
  if (old.has_value() != now.has_value()) counts_[child.collection] += now ? 1 : -1;
  std::string old_row = old ? row_of(index_.id, child, *old) : std::string();
  std::string row = now ? row_of(index_.id, child, *now) : std::string();
  if (row == old_row && !spec_.covers) return {};
  std::string copy;
  if (now && spec_.covers) {
    if (touch.value != nullptr) {
      copy = copy_of_child(*touch.value);
    } else {
      ASSIGN_OR_RETURN(copy, copy_of_child(after_, child.path()));
    }
  }
  if (old && row != old_row) rows_.erase(std::move(old_row));
  if (now) rows_.put(std::move(row), copy);
  return {};
}

Result<void> Following::count() {
  for (const auto& [collection, gained] : counts_) {
    if (gained == 0) continue;
    std::string row = count_row(index_.id, collection);
    ASSIGN_OR_RETURN(const auto stored, rows_.leaf(row));
    uint64_t count = 0;
    if (stored) {
      ASSIGN_OR_RETURN(count, decode_count(*stored));
    }
    // Wraps around for negative numbers, and so subtracts.
    count += static_cast<uint64_t>(gained);
    if (count == 0) {
      rows_.erase(std::move(row));
    } else {
      rows_.put(std::move(row), encode_count(count));
    }
  }
  return {};
}

Result<void> Following::run() {
  // Sorted, so a subtree within another one comes right behind it.
  const std::string* above = nullptr;  // what lies below it was replaced with it
  for (const std::string& base : subtrees_) {
    if (above != nullptr && base.starts_with(*above)) continue;
    RETURN_IF_ERROR(replace(base));
    above = &base;
  }
  for (const auto& [path, touch] : children_) {
    if (!is_covered(path)) RETURN_IF_ERROR(move(touch));
  }
  return count();
}

}  // namespace

Result<void> follow(const std::vector<Effect>& effects, const TreeView& before, const TreeView& after,
                    Indexes& indexes) {
  for (const Index& index : indexes.plan->indexes) {
    Following following(index, before, after, indexes.rows);
    for (const Effect& effect : effects) following.note(effect);
    RETURN_IF_ERROR(following.run());
  }
  return {};
}

// Order does not matter: the plan keeps the order in which indexes came.
bool is_current(const IndexPlan& plan, const std::vector<IndexSpec>& wanted) {
  return plan.indexes.size() == std::min(wanted.size(), kIndexesMax) &&
         std::all_of(plan.indexes.begin(), plan.indexes.end(), [&](const Index& index) {
           return std::find(wanted.begin(), wanted.end(), index.spec) != wanted.end();
         });
}

Result<void> reindex(std::string_view text, Indexes& indexes) {
  ASSIGN_OR_RETURN(std::vector<IndexSpec> wanted, parse_indexes(text));
  if (wanted.size() > kIndexesMax) wanted.resize(kIndexesMax);
  IndexPlan plan;
  plan.next_id = indexes.plan->next_id;
  for (const Index& index : indexes.plan->indexes) {
    const auto found = std::find(wanted.begin(), wanted.end(), index.spec);
    if (found != wanted.end()) {
      plan.indexes.push_back(index);
      wanted.erase(found);
      continue;
    }
    const std::string from = index_prefix(index.id, "");
    // The ids are big-endian numbers in front: everything of one index lies before the next id.
    const std::string upto = index_prefix(index.id + 1, "");
    indexes.rows.replace(from, upto, from, Value());
  }
  for (IndexSpec& spec : wanted) plan.indexes.push_back({std::move(spec), plan.next_id++});
  put_plan(std::move(plan), indexes);
  return {};
}

Result<void> build(uint64_t count, const TreeView& tree, Indexes& indexes) {
  IndexPlan plan = *indexes.plan;
  const auto index =
      std::find_if(plan.indexes.begin(), plan.indexes.end(), [](const Index& one) { return !one.is_complete; });
  if (index == plan.indexes.end()) return {};
  std::map<std::string, uint64_t> counts;
  for (; count > 0; --count) {
    ASSIGN_OR_RETURN(const auto child, next_child(tree, index->spec, index->built, std::string(1, kPastChildren)));
    if (!child) {
      index->is_complete = true;
      index->built.clear();
      break;
    }
    const std::string path = child->path();
    ASSIGN_OR_RETURN(IndexRow row, row_in(tree, *child, *index));
    indexes.rows.put(std::move(row.key), row.copy);
    ++counts[child->collection];
    // From here on writes below this child keep its row (Index::holds).
    index->built = path + kPastChildren;
  }
  for (const auto& [collection, added] : counts) {
    std::string row = count_row(index->id, collection);
    ASSIGN_OR_RETURN(const auto stored, indexes.rows.leaf(row));
    uint64_t before = 0;
    if (stored) {
      ASSIGN_OR_RETURN(before, decode_count(*stored));
    }
    indexes.rows.put(std::move(row), encode_count(before + added));
  }
  put_plan(std::move(plan), indexes);
  return {};
}

Result<std::optional<TreeView::IndexRows>> IndexedView::index(const Path& collection, const Query& query) const {
  const Index* found = plan_ == nullptr ? nullptr : plan_->find(collection.keys(), query);
  if (found == nullptr) return std::optional<IndexRows>();
  // Not owned: they live as long as this view.
  const auto here = [](const TreeView& view) {
    return std::shared_ptr<const TreeView>(std::shared_ptr<void>(), &view);
  };
  const std::string base = encode_path(collection);
  if (ephemeral_ != nullptr && ephemeral_->any(base, base + kPastChildren)) {
    return with_ephemeral({.rows = here(rows_),
                           .tree = here(tree_),
                           .disk = std::make_shared<const WithoutRows>(tree_, *ephemeral_),
                           .ephemeral = *ephemeral_,
                           .index = *found,
                           .collection = base});
  }
  return std::optional(IndexRows{here(rows_), index_prefix(found->id, base) + '\0', found->spec.covers});
}

}  // namespace hearth::db
