// A write settles to effects. The order of the steps is the design (evaluate(), at the end):
//
//   begin ─▶ preconditions ─▶ values ─▶ priorities ─▶ emptied nodes ─▶ settings ─▶ access
//   rights, as far as        ╰──────────── `after` grows with each effect ───────╯  rights, on both trees
//   they can be told yet
//
// - Rights come before work: a writer who may not write at all must not learn anything, or cost anything, by a
//   condition.
// - Server values are resolved against the tree before the write, whatever else the update sets.
// - Priorities come after values, for a node that this very update makes may get one.
// - What an update emptied is looked at last: it may have been filled again by a later location.
// - What does not change anything leaves no effect: no event, no sequence number, no row.
#include "db/commit/evaluate.h"

#include <optional>

#include "db/base/step.h"
#include "db/commit/ephemeral.h"
#include "db/model/key_order.h"
#include "db/model/select.h"
#include "db/model/server_value.h"

namespace hearth::db {
namespace {

class Evaluation {
 public:
  Evaluation(const Found& found, Pending& after, Timestamp now)
      : before_(found.tree),
        settings_(found.settings),
        paths_(found.paths),
        after_(after),
        has_priorities_(found.has_priorities),
        now_(now) {}

  Result<void> set(const Overwrite& overwrite);
  Result<void> set_priority(const Overwrite& overwrite);
  Result<void> drop_priorities_of_emptied();
  Result<void> configure(const Setting& setting);
  Result<void> spare_documents(const TreeView& documents, const Overwrite& overwrite);
  Settled settled() && { return std::move(settled_); }

 private:
  Result<void> effect(Effect effect, const OldRows* known = nullptr) {
    RETURN_IF_ERROR(apply(effect, after_, known));
    settled_.effects.push_back(std::move(effect));
    return {};
  }
  Result<Value> resolve(const Value& value, const std::string& base) const;
  Result<void> unleaf_ancestors(const Path& path);
  Result<bool> has_children_or_leaf(const Path& path) const;

  // Never changes, unlike after_.tree, which each effect() changes at once.
  const TreeView& before_;
  const Settings& settings_;
  const PathPlan* const paths_;
  Pending& after_;
  // When no node of the namespace ever had a priority, the upward walks for each removal are spared.
  bool has_priorities_;
  Timestamp now_;
  Settled settled_;
};

Result<Value> Evaluation::resolve(const Value& value, const std::string& base) const {
  if (!value.has_server_values()) return value;
  const auto read = [this](const std::string& key) -> Result<Value> {
    ASSIGN_OR_RETURN(const auto leaf, before_.leaf(key));
    if (!leaf) return Value();
    return decode_leaf(*leaf);
  };
  StoredValues stored;
  stored.leaf = [&](std::string_view below) { return read(base + std::string(below)); };
  stored.priority = [&](std::string_view below) { return read(base + std::string(below) + kPriorityMark); };
  return resolve_server_values(value, now_, stored);
}

// A leaf has no children: one that stands above makes room (db/model/data-model.md §1; its priority is kept).
Result<void> Evaluation::unleaf_ancestors(const Path& path) {
  for (size_t depth = path.depth(); depth-- > 0;) {
    const Path ancestor = path.prefix(depth);
    ASSIGN_OR_RETURN(const auto leaf, after_.tree.leaf(encode_path(ancestor)));
    // One at most: above a leaf there are only objects.
    if (leaf) return effect({.kind = Effect::Kind::Unleaf, .path = ancestor});
  }
  return {};
}

Result<void> Evaluation::set(const Overwrite& overwrite) {
  // Each row will be written: that is known before any is looked at.
  Step::here().end_if_beyond({overwrite.value.row_count(), overwrite.value.byte_count(), 0});
  if (Step::here().is_over()) return step_is_over();
  const std::string base = encode_path(overwrite.path);
  ASSIGN_OR_RETURN(Value value, resolve(overwrite.value, base));

  // The old rows tell what to erase, and whether anything changes at all.
  // One scan for both questions; it ends early when the old subtree is large, and then the whole range goes.
  OldRows old;
  bool same = true;
  size_t index = 0;
  RETURN_IF_ERROR(before_.scan(base, base + kPastChildren, [&](std::string_view key, std::string_view leaf) {
    old.more = old.keys.size() == kPointRowsMax;
    if (old.more) return false;
    if (same) {
      same = index < value.row_count();
      if (same) {
        const Value::Row row = value.row(index++);
        same = row.key == key.substr(base.size()) && row.leaf == leaf;
      }
    }
    old.keys.emplace_back(key);
    return true;
  }));
  if (same && !old.more && index == value.row_count()) return {};

  if (value.has_priorities()) settled_.writes_priorities = true;
  // Where rows lie no leaf stands above, so that nothing has to be looked up. The locations of one write never lie above each
  // other, so what it has done before changes nothing of that.
  if (!value.is_null() && old.keys.empty()) RETURN_IF_ERROR(unleaf_ancestors(overwrite.path));
  RETURN_IF_ERROR(effect({.kind = Effect::Kind::Set, .path = overwrite.path, .value = value}, &old));
  settled_.changed.push_back({overwrite.path, Slot::Value, std::move(value)});
  return {};
}

Result<void> Evaluation::set_priority(const Overwrite& overwrite) {
  const std::string base = encode_path(overwrite.path);
  // A priority is on disk: it is of what is there too.
  ASSIGN_OR_RETURN(const bool exists, WithoutEphemeral(after_.tree, paths_).exists(overwrite.path));
  if (!exists) return {};  // nothing to have a priority
  // A leaf that carries the priority brings it to its stored form, and server values to theirs.
  const Value carrier = Value::boolean(true).with_priority(overwrite.value);
  ASSIGN_OR_RETURN(const Value resolved, resolve(carrier, base));
  const Value priority = resolved.priority();
  const std::string wanted =
      priority.is_null() ? std::string() : std::string(resolved.row(resolved.row_count() - 1).leaf);
  ASSIGN_OR_RETURN(const auto stored, after_.tree.leaf(base + kPriorityMark));
  if (stored.value_or("") == wanted) return {};
  if (!priority.is_null()) settled_.writes_priorities = true;
  RETURN_IF_ERROR(effect(
      {.kind = Effect::Kind::SetPriority, .path = overwrite.path, .value = priority.is_null() ? Value() : resolved}));
  settled_.changed.push_back({overwrite.path, Slot::Priority, priority});
  return {};
}

Result<bool> Evaluation::has_children_or_leaf(const Path& path) const {
  const std::string base = encode_path(path);
  bool found = false;
  const WithoutEphemeral tree(after_.tree, paths_);
  RETURN_IF_ERROR(tree.scan(base, base + kPastChildren, [&](std::string_view key, std::string_view) {
    found = key.size() != base.size() + 1 || key.back() != kPriorityMark;
    return !found;
  }));
  return found;
}

// A node whose last child went is gone, and its priority with it (db/model/data-model.md §1). Judged at the end, so
// that an update which empties a node and fills it again keeps the priority.
Result<void> Evaluation::drop_priorities_of_emptied() {
  if (!has_priorities_ && !settled_.writes_priorities) return {};
  for (const Overwrite& changed : std::vector<Overwrite>(settled_.changed)) {
    if (changed.slot != Slot::Value || !changed.value.is_null()) continue;
    for (size_t depth = changed.path.depth(); depth-- > 0;) {
      const Path ancestor = changed.path.prefix(depth);
      ASSIGN_OR_RETURN(const bool alive, has_children_or_leaf(ancestor));
      if (alive) break;
      ASSIGN_OR_RETURN(const auto priority, after_.tree.leaf(encode_path(ancestor) + kPriorityMark));
      if (priority) RETURN_IF_ERROR(effect({.kind = Effect::Kind::SetPriority, .path = ancestor}));
    }
  }
  return {};
}

Result<void> Evaluation::configure(const Setting& setting) {
  ASSIGN_OR_RETURN(const auto old, settings_.text(setting.name));
  if (old == setting.text) return {};
  settled_.configures = true;
  const Value text = setting.text ? Value::string(*setting.text) : Value();
  return effect({.kind = Effect::Kind::Configure, .value = text, .name = setting.name});
}

// Documents are changed by their own clients alone. What is removed, or set above them, takes them along.
Result<void> Evaluation::spare_documents(const TreeView& documents, const Overwrite& overwrite) {
  const bool is_removal = overwrite.slot == Slot::Value && overwrite.value.is_null();
  for (size_t depth = 0; depth <= overwrite.path.depth(); ++depth) {
    if (depth == overwrite.path.depth() && is_removal) break;
    const Path at = overwrite.path.prefix(depth);
    const std::string encoded = encode_path(at);
    ASSIGN_OR_RETURN(const bool exists, documents.any(document_row(encoded, 0), encoded + '\1'));
    if (!exists) continue;
    return Error{ErrorCode::InvalidArgument,
                 "There is a Yjs document at " + at.slashed() +
                     ", which its own clients change; nothing else is written there. To remove it, remove its path."};
  }
  if (overwrite.slot == Slot::Priority) return {};
  const std::string encoded = encode_path(overwrite.path);
  ASSIGN_OR_RETURN(const bool exists, documents.any(encoded, encoded + kPastChildren));
  return exists ? effect({.kind = Effect::Kind::Forget, .path = overwrite.path}) : Result<void>();
}

// A null for each child that the write's query selects.
Result<std::vector<Overwrite>> removals(const Write& write, const Found& found) {
  ASSIGN_OR_RETURN(const auto positions, select(found.tree, write.base, *write.selection, found.has_priorities));
  std::vector<Overwrite> all;
  all.reserve(positions.size());
  for (const Position& position : positions) {
    ASSIGN_OR_RETURN(Path path, write.base.child(position.key));
    all.push_back({std::move(path), Slot::Value, {}});
  }
  return all;
}

}  // namespace

Result<Settled> evaluate(const Write& write, const Found& found, Pending& after, Times now) {
  std::vector<bool> granted;
  if (write.access != nullptr && !write.selection) {
    granted.resize(write.overwrites.size());
    RETURN_IF_ERROR(write.access->begin({.before = found.tree,
                                         .now = now,
                                         .settings = found.settings,
                                         .overwrites = write.overwrites,
                                         .granted = &granted}));
  }
  // From here on it may be that the writer may do this.

  for (const auto& precondition : write.preconditions) {
    RETURN_IF_ERROR(precondition->check({found.tree, now, found.settings}));
  }
  // From here on the tree is as the writer thinks it is.

  std::vector<Overwrite> selected;
  if (write.selection) {
    ASSIGN_OR_RETURN(selected, removals(write, found));
  }
  const std::vector<Overwrite>& overwrites = write.selection ? selected : write.overwrites;
  Evaluation evaluation(found, after, now.server);
  for (const Overwrite& overwrite : overwrites) {
    if (overwrite.slot == Slot::Value) RETURN_IF_ERROR(evaluation.set(overwrite));
  }
  for (const Overwrite& overwrite : overwrites) {  // after the values, for a node made here may get one
    if (overwrite.slot == Slot::Priority) RETURN_IF_ERROR(evaluation.set_priority(overwrite));
  }
  RETURN_IF_ERROR(evaluation.drop_priorities_of_emptied());
  for (const Setting& setting : write.settings) RETURN_IF_ERROR(evaluation.configure(setting));
  // From here on `after` is the tree as it would be.

  if (write.access != nullptr) {
    granted.resize(overwrites.size());
    RETURN_IF_ERROR(write.access->check({.before = found.tree,
                                         .now = now,
                                         .settings = found.settings,
                                         .after = &after.tree,
                                         .overwrites = overwrites,
                                         .granted = &granted}));
  }
  // Last: who may not write here is not told what stands here.
  if (found.documents != nullptr && !write.is_mirror) {
    for (const Overwrite& overwrite : overwrites) {
      RETURN_IF_ERROR(evaluation.spare_documents(*found.documents, overwrite));
    }
  }
  return std::move(evaluation).settled();
}

// A dry run: the same evaluation into an overlay that nobody takes in.
Result<void> judge(const Write& write, const Found& found, Times now) {
  Overlay after(found.tree);
  std::optional<Overlay> documents;
  if (found.documents != nullptr) documents.emplace(*found.documents);
  Batch rows;
  std::string rules;
  Pending to{.number = 0, .tree = after, .rows = rows, .rules = rules, .documents = documents ? &*documents : nullptr};
  ASSIGN_OR_RETURN(const Settled settled, evaluate(write, found, to, now));
  return {};
}

}  // namespace hearth::db
