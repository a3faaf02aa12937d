// The committer's part in ages of children (expiry.h): their rows are in the batch of the write that they follow from.
#include <algorithm>

#include "db/base/step.h"
#include "db/commit/pending_tree.h"
#include "db/store/row_key.h"

namespace hearth::db {

// A tree whose rows are of other rules than its setting asks for has been restored, or repaired: it begins anew.
Result<void> Committer::load_expiry(Tree& tree) {
  tree.expiry = {};
  ASSIGN_OR_RETURN(const auto setting, durable()->get(row_key(Table::Setting, tree.number, kPathPlanSetting)));
  if (!setting) return {};
  ASSIGN_OR_RETURN(PathPlan read, PathPlan::parse(*setting));
  const auto paths = std::make_shared<const PathPlan>(std::move(read));
  ASSIGN_OR_RETURN(const auto stored, durable()->get(row_key(Table::Expiry, tree.number, kExpiryPlanRow)));
  ExpiryPlan plan;
  if (stored) {
    ASSIGN_OR_RETURN(plan, ExpiryPlan::decode(*stored));
  }
  const bool is_it = plan.attach(paths);
  tree.expiry.plan = std::make_shared<const ExpiryPlan>(std::move(plan));
  if (!is_it) {
    PendingTree& at = pending(tree);
    Ages ages{tree.expiry.plan, at.with_expiry(*this), tree.expiry.fronts};
    set_paths(paths, ages);
    tree.expiry.plan = std::move(ages.plan);
    at.changed = true;
  }
  if (!tree.expiry.plan->rules.empty()) tree.expiry.due = Timestamp(0);  // nobody knows yet
  return {};
}

Result<void> Committer::follow_expiry(PendingTree& at, After& after, const std::vector<Effect>& effects,
                                      Timestamp time) {
  TreeExpiry& expiry = at.tree.expiry;
  if (expiry.plan->rules.empty()) return {};
  after.expiry.emplace(static_cast<const TreeView&>(at.with_expiry(*this)));
  Ages ages{expiry.plan, *after.expiry, expiry.fronts};
  RETURN_IF_ERROR(follow_ages(effects, time, WithoutEphemeral(after.tree, after.paths), ages));
  after.expiry_plan = std::move(ages.plan);
  after.due = ages.due;
  return {};
}

void Committer::keep_expiry(PendingTree& at, After& after, const Record& record) {
  const Step::Whole whole;  // the write is accepted: it is not done again elsewhere
  TreeExpiry& expiry = at.tree.expiry;
  if (after.expiry) {
    at.with_expiry(*this).absorb(std::move(*after.expiry));
    expiry.plan = std::move(after.expiry_plan);
    expiry.due = std::min(expiry.due, after.due);
  }
  for (const Effect& effect : record.effects) {
    if (effect.kind != Effect::Kind::Configure || effect.name != kPathPlanSetting) continue;
    std::shared_ptr<const PathPlan> paths;
    if (!effect.value.is_null()) {
      Result<PathPlan> read = PathPlan::parse(effect.value.as_string());
      if (!read.ok()) continue;  // it was refused before it came here
      paths = std::make_shared<const PathPlan>(std::move(read).value());
    }
    at.replans_ephemeral = true;
    Ages ages{expiry.plan, at.with_expiry(*this), expiry.fronts};
    set_paths(std::move(paths), ages);
    expiry.plan = std::move(ages.plan);
    expiry.due = Timestamp(0);
  }
}

Result<void> Committer::take_up_ages(Tree& tree, size_t count, Timestamp now) {
  RETURN_IF_ERROR(load(tree));
  PendingTree& at = pending(tree);
  Ages ages{tree.expiry.plan, at.with_expiry(*this), tree.expiry.fronts};
  RETURN_IF_ERROR(take_up(count, Times::after(tree.head.time, now).server, at.durable_view(), ages));
  tree.expiry.plan = std::move(ages.plan);
  tree.expiry.due = std::min(tree.expiry.due, ages.due);
  at.changed = true;
  return {};
}

Result<Expired> Committer::expired(Tree& tree, Timestamp now, const ExpiryBounds& bounds) {
  RETURN_IF_ERROR(load(tree));
  PendingTree& at = pending(tree);
  Overlay& rows = at.with_expiry(*this);
  Ages ages{tree.expiry.plan, rows, tree.expiry.fronts};
  at.known.keep_scans(true);  // the removal asks for them again
  Result<Expired> found = find_expired(now, bounds, at.durable_view(), ages);
  at.known.keep_scans(false);
  at.changed = at.changed || !rows.empty();
  if (found.ok()) tree.expiry.due = found.value().has_more ? Timestamp(0) : found.value().due;
  return found;
}

Result<void> Committer::keep_expired(Tree& tree, const Path& child, Timestamp due) {
  PendingTree& at = pending(tree);
  Ages ages{tree.expiry.plan, at.with_expiry(*this), tree.expiry.fronts};
  const ExpiryRule* rule = ages.plan->rule_of_child(child.keys());
  if (rule == nullptr) return {};
  RETURN_IF_ERROR(keep_aged(child, due - *rule->settings->ttl, ages));
  tree.expiry.due = std::min(tree.expiry.due, due);
  at.changed = true;
  return {};
}

}  // namespace hearth::db
