// Parting a write: each row belongs to one side by its key alone, whatever wrote it.
#include "db/commit/ephemeral.h"

#include <algorithm>
#include <utility>

#include "db/base/step.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

Error not_ephemeral(const Path& at, std::string_view why) {
  return {ErrorCode::InvalidArgument, "What is at " + at.slashed() + " is ephemeral: " + std::string(why)};
}

// Calls `row(key)` for each row of the value below `base` that lies at an ephemeral place, until it answers false.
template <typename RowOf>
void each_ephemeral(const std::string& base, const Value& value, const PathPlan& plan, const RowOf& row) {
  std::string key = base;
  for (size_t index = 0; index < value.row_count(); ++index) {
    key.resize(base.size());
    key += value.row(index).key;
    if (plan.is_ephemeral(key) && !row(std::string_view(key))) return;
  }
}

}  // namespace

// An ephemeral place is passed over in one seek.
Result<void> WithoutEphemeral::scan(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (plan_ == nullptr) return tree_.scan(from, upto, row);
  std::string at(from);
  for (bool is_more = true; is_more && at < upto;) {
    is_more = false;
    std::string next;
    RETURN_IF_ERROR(tree_.scan(at, upto, [&](std::string_view key, std::string_view leaf) {
      const auto place = plan_->ephemeral_place(key);
      if (!place) return row(key, leaf);
      next.assign(*place).push_back(kPastChildren);
      is_more = true;
      return false;
    }));
    at = std::move(next);
  }
  return {};
}

Result<std::optional<std::string>> WithoutEphemeral::leaf(std::string_view key) const {
  if (plan_ != nullptr && plan_->is_ephemeral(key)) return std::optional<std::string>();
  return tree_.leaf(key);
}

Result<TreeView::Row> WithoutEphemeral::last(std::string_view from, std::string_view upto) const {
  if (plan_ == nullptr) return tree_.last(from, upto);
  std::string end(upto);
  while (from < end) {
    ASSIGN_OR_RETURN(Row found, tree_.last(from, end));
    if (!found) return found;
    const auto place = plan_->ephemeral_place(found->first);
    if (!place) return found;
    end.assign(*place);
  }
  return Row();
}

Result<void> WithoutEphemeral::scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const {
  if (plan_ == nullptr) return tree_.scan_down(from, upto, row);
  return TreeView::scan_down(from, upto, row);
}

Result<std::vector<Path>> ephemeral_puts(const Write& write, const PathPlan& plan) {
  std::vector<Path> puts;
  for (const Overwrite& overwrite : write.overwrites) {
    if (!plan.touches_ephemeral(overwrite.path)) continue;
    // All rows are looked at below, and written later.
    Step::here().end_if_beyond({overwrite.value.row_count(), overwrite.value.byte_count(), 0});
    if (Step::here().is_over()) return step_is_over();
    const std::string base = encode_path(overwrite.path);
    const bool is_inside = plan.is_ephemeral(base);
    if (is_inside && !write.preconditions.empty()) {
      return not_ephemeral(overwrite.path, "transactions and conditional writes are not done there; write what is so.");
    }
    if (is_inside && write.once != nullptr)
      return not_ephemeral(overwrite.path, "no answer is kept for an idempotency key; write again.");
    if (is_inside && overwrite.slot == Slot::Priority && !overwrite.value.is_null())
      return not_ephemeral(overwrite.path, "it has no priorities.");
    const size_t before = puts.size();
    std::string place;
    each_ephemeral(base, overwrite.value, plan, [&](std::string_view key) {
      if (is_inside) {
        puts.push_back(overwrite.path);
        return false;
      }
      const std::string_view found = *plan.ephemeral_place(key);
      if (found == place) return true;
      place = found;
      if (Result<Path> path = decode_path(place); path.ok()) puts.push_back(std::move(path).value());
      return true;
    });
    if (puts.size() > before && overwrite.value.has_priorities())
      return not_ephemeral(puts[before], "it has no priorities, nor has what is set together with it.");
  }
  if (!puts.empty() && write.holder == 0) {
    return not_ephemeral(puts.front(),
                         "who writes there without a connection of its own says how long it is to stay, at most "
                         "60 seconds: ?ttl=SECONDS.");
  }
  if (puts.empty() && write.ttl.count() > 0 && !write.selection) {
    return Error{ErrorCode::InvalidArgument,
                 "ttl is for what is written at ephemeral paths (/.settings/paths.json), and this is not."};
  }
  return puts;
}

std::vector<Effect> durable_effects(std::vector<Effect> effects, const PathPlan& plan) {
  std::vector<Effect> durable;
  for (Effect& effect : effects) {
    const bool is_of_tree = effect.kind == Effect::Kind::Set || effect.kind == Effect::Kind::SetPriority ||
                            effect.kind == Effect::Kind::Unleaf;
    const std::string base = encode_path(effect.path);
    if (is_of_tree && plan.is_ephemeral(base)) continue;
    if (effect.kind == Effect::Kind::Set && plan.touches_ephemeral(effect.path)) {
      bool has_any = false;
      each_ephemeral(base, effect.value, plan, [&](std::string_view) {
        has_any = true;
        return false;
      });
      if (has_any) {
        ValueBuilder kept;
        std::string key = base;
        for (size_t index = 0; index < effect.value.row_count(); ++index) {
          const Value::Row row = effect.value.row(index);
          key.resize(base.size());
          key += row.key;
          if (!plan.is_ephemeral(key)) kept.add(row.key, row.leaf);
        }
        effect.value = std::move(kept).build();
      }
    }
    durable.push_back(std::move(effect));
  }
  return durable;
}

void follow_ephemeral(const Overlay& after, const PathPlan& plan, const std::vector<Path>& puts, uint64_t holder,
                      EphemeralRows& rows) {
  if (!rows.empty()) {
    for (const auto& [from, upto] : after.emptied()) rows.erase(from, upto);
  }
  after.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
    if (leaf && plan.is_ephemeral(key)) {
      rows.put(key, *leaf, holder);
    } else if (!rows.empty()) {
      rows.erase(key);
    }
  });
  for (const Path& path : puts) {
    const std::string from = encode_path(path);
    const EphemeralRows before = rows;
    for (EphemeralRows::Cursor at(before, from, from + kPastChildren); at.row() != nullptr; at.next()) {
      if (at.row()->holder != holder) rows.put(at.row()->key, at.row()->leaf, holder);
    }
  }
}

void copy_durable(const Overlay& after, const PathPlan& plan, Overlay& to) {
  for (const auto& [from, upto] : after.emptied()) to.replace(from, upto, from, {});
  after.changes([&](std::string_view key, std::optional<std::string_view> leaf) {
    if (plan.is_ephemeral(key)) return;
    if (leaf) {
      to.put(std::string(key), *leaf);
    } else {
      to.erase(std::string(key));
    }
  });
}

}  // namespace hearth::db
