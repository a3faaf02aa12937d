// Child events from two values, as the SDK's EventGenerator makes them: both lists of children in the order of the
// query, and then removed, added, moved, changed, each in the order of its list. `previous` is always the child
// before it in the *new* order, because that is where the client inserts.
#include "db/child_events.h"

#include <algorithm>
#include <map>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {

struct Child {
  std::string key;
  Value value;
  Position place;
};

std::vector<Child> children_of(const Value& value, const Query& query) {
  std::vector<Child> children;
  bool is_by_key = true;
  for (auto at = value.children(); !at.done(); at.next()) {
    const Value child = at.value();
    children.push_back({at.key(), child, position_of(at.key(), child, query)});
    is_by_key = is_by_key && children.back().place.value.is_null() && query.then.empty();
  }
  if (!is_by_key) {  // the sort is stable, and they come in key order
    std::stable_sort(children.begin(), children.end(),
                     [](const Child& a, const Child& b) { return compare_places(a.place, b.place) < 0; });
  }
  return children;
}

// A priority of nothing is not kept: the node may have gone in the same event.
Value with_priority_below(const Value& value, const Path& path, const Value& priority) {
  const Value node = value.at(path);
  return node.is_null() ? value : value.with(path, node.with_priority(priority));
}

}  // namespace

Value applied(const Value& value, const Path& path, const Body& body) {
  if (body.kind() == Body::Kind::Put) {
    const Path below = body.path().relative_to(path);
    return body.slot() == Slot::Priority ? with_priority_below(value, below, body.value())
                                         : value.with(below, body.value());
  }
  Value result = value;
  const Path& base = body.path();
  for (const auto& [entry, inner] : body.entries()) {
    const Result<Overwrite> overwrite = make_overwrite(base.text() + "/" + entry, inner);
    invariant(overwrite.ok(), "what was committed has a path");
    // A merge from above the listener may have entries beside its path.
    if (!path.contains(overwrite.value().path)) continue;
    const Path below = overwrite.value().path.relative_to(path);
    result = overwrite.value().slot == Slot::Priority ? with_priority_below(result, below, inner)
                                                      : result.with(below, inner);
  }
  return result;
}

std::vector<ChildEvent> child_events(const Value& before, const Value& after, const Query& query) {
  const std::vector<Child> old_children = children_of(before, query);
  const std::vector<Child> new_children = children_of(after, query);
  std::map<std::string_view, const Child*> old_by_key;
  for (const Child& child : old_children) old_by_key.emplace(child.key, &child);
  std::vector<ChildEvent> removed, added, moved, changed;
  std::string previous;
  for (const Child& child : new_children) {
    const auto old = old_by_key.find(child.key);
    if (old == old_by_key.end()) {
      added.push_back({ChildEvent::Kind::Added, child.key, child.value, previous});
    } else {
      if (!(old->second->value == child.value)) {
        const bool has_moved = compare_places(old->second->place, child.place) != 0;
        if (has_moved) moved.push_back({ChildEvent::Kind::Moved, child.key, child.value, previous});
        changed.push_back({ChildEvent::Kind::Changed, child.key, child.value, previous});
      }
      // What is left at the end was removed.
      old_by_key.erase(old);
    }
    previous = child.key;
  }
  for (const Child& child : old_children) {
    if (old_by_key.contains(child.key)) removed.push_back({ChildEvent::Kind::Removed, child.key, child.value, {}});
  }
  for (auto* list : {&added, &moved, &changed}) std::move(list->begin(), list->end(), std::back_inserter(removed));
  return removed;
}

}  // namespace hearth::db
