// The committer's part in what is in memory alone (ephemeral.h): it is accepted beside what goes to disk, and shown to readers
// when its group is committed, be that a batch for the disk or nothing.
#include <set>

#include "db/base/step.h"
#include "db/commit/pending_tree.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

const Effect* path_plan_effect(const Settled& all) {
  for (const Effect& effect : all.effects) {
    if (effect.kind == Effect::Kind::Configure && effect.name == kPathPlanSetting) return &effect;
  }
  return nullptr;
}

}  // namespace

void ShownEphemeral::show(EphemeralRows rows) {
  const bool has_any = !rows.empty();
  const std::lock_guard lock(mutex_);
  rows_ = std::move(rows);
  has_any_.store(has_any, std::memory_order_release);
}

EphemeralRows ShownEphemeral::rows() const {
  if (empty()) return {};
  const std::lock_guard lock(mutex_);
  return rows_;
}

std::shared_ptr<const Snapshot> Committer::readable(const Tree& tree) const {
  return tree.ephemeral.rows.empty() ? durable() : durable()->with(tree.ephemeral.rows);
}

const EphemeralRows& Committer::ephemeral(Tree& tree) { return pending(tree).ephemeral; }

// What is not ephemeral any more, or by another place, goes, and whoever listens hears so. What becomes so may have nothing
// on disk.
Result<void> Committer::replan_ephemeral(PendingTree& at, After& after, Settled& all) {
  const Effect* effect = path_plan_effect(all);
  if (effect == nullptr) return {};
  PathPlan next;
  if (!effect->value.is_null()) {
    ASSIGN_OR_RETURN(next, PathPlan::parse(effect->value.as_string()));
  }
  std::set<std::string> gone;
  for (EphemeralRows::Cursor row(at.ephemeral, "", "\xff"); row.row() != nullptr;) {
    const std::string& key = row.row()->key;
    Step::here().count_row(key.size());
    const auto place = after.paths != nullptr ? after.paths->ephemeral_place(key) : std::nullopt;
    if (!place || next.ephemeral_place(key) == place) {
      row.next();
      continue;
    }
    gone.emplace(*place);
    row.skip_to(std::string(*place) + kPastChildren);
  }
  for (const std::string& place : gone) {
    ASSIGN_OR_RETURN(Path path, decode_path(place));
    Pending to = after.pending(at.tree.number);
    Effect removal{.kind = Effect::Kind::Set, .path = path};
    RETURN_IF_ERROR(apply(removal, to));
    all.changed.push_back({std::move(path), Slot::Value, {}});
    all.effects.push_back(std::move(removal));
  }
  ASSIGN_OR_RETURN(auto found, next.first_ephemeral(WithoutEphemeral(after.tree, after.paths)));
  if (!found && after.documents) {
    ASSIGN_OR_RETURN(found, next.first_ephemeral(*after.documents));
  }
  if (!found) return {};
  ASSIGN_OR_RETURN(const Path path, decode_path(*found));
  return Error{ErrorCode::InvalidArgument, "There is data on disk at " + path.slashed() +
                                               ", and what is ephemeral is never there. Remove it first."};
}

Result<void> Committer::keep_ephemeral(PendingTree& at, After& after, const std::vector<Path>& puts, uint64_t holder) {
  follow_ephemeral(after.tree, *after.paths, puts, holder, after.ephemeral);
  const size_t bytes = after.ephemeral.byte_count();
  if (bytes > at.ephemeral.byte_count() && ephemeral_room_ != nullptr) {
    RETURN_IF_ERROR(ephemeral_room_(bytes + at.tree.ephemeral.holder_bytes));
  }
  if (Step::here().is_over()) return step_is_over();
  return {};
}

// Nothing of it is for the disk: it has the sequence of the last commit, and leaves head and log alone.
Result<Accepted> Committer::accept_ephemeral(PendingTree& at, After&& after, Accepted accepted, const Tell& tell) {
  Tree& tree = at.tree;
  accepted.is_ephemeral = true;
  if (Step::here().is_over()) return step_is_over();
  if (tell != nullptr && !accepted.changed.empty()) {
    const IndexedView shown(after.tree, after.indexes.plan, after.index_rows, &after.ephemeral);
    RETURN_IF_ERROR(tell(accepted, at.view, shown, GroupSettings(*this, tree.number, after.rules, &after.beside)));
  }
  at.overlay.absorb(std::move(after.tree));
  at.ephemeral = std::move(after.ephemeral);
  at.changes_ephemeral = true;
  for (const Overwrite& changed : accepted.changed) forget_related(tree.hashes, changed.path);
  counted_.ephemeral_writes.add();
  return accepted;
}

void Committer::show_ephemeral(Tree& tree, EphemeralRows rows) {
  TreeEphemeral& ephemeral = tree.ephemeral;
  counted_.ephemeral_rows.add(static_cast<int64_t>(rows.row_count()) -
                              static_cast<int64_t>(ephemeral.rows.row_count()));
  counted_.ephemeral_bytes.add(static_cast<int64_t>(rows.byte_count()) -
                               static_cast<int64_t>(ephemeral.rows.byte_count()));
  ephemeral.rows = std::move(rows);
  ephemeral.shown->show(ephemeral.rows);
}

// The group is committed: from here on readers see it.
void Committer::show_ephemeral() {
  for (const auto& [number, pending] : pending_) {
    if (!pending->changes_ephemeral) continue;
    show_ephemeral(pending->tree, std::move(pending->ephemeral));
  }
}

void Committer::drop_ephemeral(Tree& tree, const Path& at) {
  if (tree.ephemeral.rows.empty()) return;
  EphemeralRows left = tree.ephemeral.rows;
  const std::string from = encode_path(at);
  left.erase(from, from + kPastChildren);
  show_ephemeral(tree, std::move(left));
}

}  // namespace hearth::db
