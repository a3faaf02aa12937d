// From one commit to what each listener is told.
//
//   an update at /rooms/a: {messages/m1: {…}, topic: "tea"}                  base = /rooms/a
//
//   ● /                    ┐ above or at the base: told the update itself, in one Body for all of them
//   ● /rooms/a             ┘
//   ● /rooms/a/messages      between base and change: told its part of the update (tell_between)
//   ● /rooms/a/messages/m1   at a change: told that change
//   ● …/m1/text              below a change: told its own new value, unless it is the old one (tell_below)
//   ◇ a query at any of these places: told what its view says (tell_views)
//
// The order of the steps, and why:
//   1. ask_again()        those whose check read something that changed; who is refused hears Revoked and nothing else
//   2. tell()             plain listeners; their events are collected, not sent
//   3. ask_those_lapsed() those of step 2 whose right was one for a time that is over
//   4. touch_views()      which views are concerned, and what it will cost to look at them
//   ── up to here a second try would find the same: when the step is over, all is given up and done elsewhere
//   5. tell_views()       windows move; from here on there is no way back
//
// What is shared is one Body for each distinct change, however many are told: it is serialised once for all of them.
#include "db/events/match.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "db/base/step.h"

namespace hearth::db {
namespace {

// An old value that is larger than the new one by more than this is another value: it need not be read to its end.
constexpr size_t kCompareBytesSlack = 4096;
constexpr uint64_t kLooksAtAll = 64;  // about, of a view of which everything was set

using BodyPointer = std::shared_ptr<const Body>;

class Matching {
 public:
  Matching(ListenerRegistry& registry, const Difference& difference, const TreeView& before, const TreeView& after)
      : registry_(registry), difference_(difference), before_(before), after_(after) {}

  // These steps find out and change nothing: they may be given up when the step is over.
  Result<void> ask_again();
  Result<void> tell();
  Result<void> ask_those_lapsed();
  Result<void> touch_views();
  // These steps change views and the registry: they are done as a whole.
  Result<void> tell_views();
  std::vector<Notification> told() &&;

 private:
  void tell_all(const Node& node, const BodyPointer& body) {
    Step::here().foresee({node.subscriptions.size(), 0, 0});
    for (Subscription* subscription : node.subscriptions) add(*subscription, body);
  }
  // Noted on the way: most commits meet no lapsed right, and then step 3 costs nothing.
  void add(Subscription& subscription, const BodyPointer& body) {
    has_lapsed_ = has_lapsed_ || subscription.has_lapsed(difference_.now.wall);
    told_.push_back({&subscription, body, {}});
  }
  void ask(Subscription& subscription);
  Result<BodyPointer> whole();
  Result<BodyPointer> one(size_t index);
  std::string entry_path(const Overwrite& overwrite, const Path& base) const;
  Result<void> tell_between(Node& base);
  Result<void> tell_below(Node& node, const Path& path, const Overwrite& from);
  TouchedChildren& touched(Node& node, const Path& path);
  void touch_below(Node& node, const Path& path);

  ListenerRegistry& registry_;
  const Difference& difference_;
  const TreeView& before_;
  const TreeView& after_;
  std::unordered_map<Subscription*, Error> refused_;
  std::vector<Notification> told_;
  bool has_lapsed_ = false;  // the check of somebody in told_
  std::unordered_map<size_t, BodyPointer> ones_;
  std::map<Node*, TouchedChildren> touched_;  // those with views
};

// Asks the subscription's check again: may it hear of the tree after?
void Matching::ask(Subscription& subscription) {
  Step::here().count_row(0);
  const bool has_lapsed = subscription.has_lapsed(difference_.now.wall);
  const Result<void> verdict = registry_.check(subscription, {after_, difference_.now, difference_.settings});
  if (!verdict.ok()) refused_.emplace(&subscription, has_lapsed ? lapsed(verdict.error()) : verdict.error());
}

Result<void> Matching::ask_again() {
  std::unordered_set<Subscription*> watchers;
  if (difference_.configures) {
    registry_.collect_all(watchers);
  } else {
    for (const Overwrite& overwrite : difference_.changed) registry_.collect_watchers(overwrite.path, watchers);
  }
  for (Subscription* subscription : watchers) {
    ask(*subscription);
    if (Step::here().is_over()) return step_is_over();
  }
  return {};
}

// A listener whose check has lapsed may have lost its right to what is told now: its check is asked again.
Result<void> Matching::ask_those_lapsed() {
  if (!std::exchange(has_lapsed_, false)) return {};
  std::unordered_set<const Subscription*> asked;
  for (const Notification& one : told_) {
    if (!one.subscription->has_lapsed(difference_.now.wall) || refused_.contains(one.subscription)) continue;
    if (asked.insert(one.subscription).second) ask(*one.subscription);
    if (Step::here().is_over()) return step_is_over();
  }
  return {};
}

// Refused listeners hear Revoked, and nothing else of this commit.
std::vector<Notification> Matching::told() && {
  std::vector<Notification> all;
  all.reserve(refused_.size() + told_.size());
  for (auto& [subscription, why] : refused_) {
    registry_.remove(*subscription);
    all.push_back({subscription, nullptr, why});
  }
  for (Notification& one : told_) {
    if (refused_.empty() || !refused_.contains(one.subscription)) all.push_back(std::move(one));
  }
  return all;
}

std::string Matching::entry_path(const Overwrite& overwrite, const Path& base) const {
  std::string path = overwrite.path.relative_to(base).text();
  if (overwrite.slot == Slot::Priority) path += path.empty() ? ".priority" : "/.priority";
  return path;
}

Result<BodyPointer> Matching::one(size_t index) {
  // One Body for each change, made when the first listener needs it.
  BodyPointer& body = ones_[index];
  if (body != nullptr) return body;
  const Overwrite& overwrite = difference_.changed[index];
  Value value = overwrite.value;
  if (difference_.is_unread) {
    ASSIGN_OR_RETURN(value, after_.read(overwrite.path, kReadBytesMax));
  }
  body = Body::put(overwrite.path, overwrite.slot, std::move(value));
  return body;
}

// The Body for listeners at or above the base.
Result<BodyPointer> Matching::whole() {
  if (!difference_.merge) return one(0);
  const bool removes = std::any_of(
      difference_.changed.begin(), difference_.changed.end(),
      [](const Overwrite& overwrite) { return overwrite.slot == Slot::Value && overwrite.value.is_null(); });
  if (removes && difference_.has_priorities && difference_.changed.size() > 1) {
    // A client that empties a node on the way to filling it again loses its priority (net/wire/protocol.md §6.3).
    ASSIGN_OR_RETURN(const Value value, after_.read(difference_.base, kReadBytesMax));
    return Body::put(difference_.base, Slot::Value, value);
  }
  std::vector<std::pair<std::string, Value>> entries;
  entries.reserve(difference_.changed.size());
  for (const Overwrite& overwrite : difference_.changed) {
    std::string path = entry_path(overwrite, difference_.base);
    if (path.empty()) return one(0);  // the base itself, so it is alone
    entries.emplace_back(std::move(path), overwrite.value);
  }
  return Body::merge(difference_.base, std::move(entries));
}

// Walks from the root to the base. The Body is made at the first node that has somebody to tell.
Result<void> Matching::tell() {
  const Path& base = difference_.merge ? difference_.base : difference_.changed.front().path;
  BodyPointer body;
  const auto tell_here = [&](const Node& node) -> Result<void> {
    if (node.subscriptions.empty()) return {};
    if (body == nullptr) {
      ASSIGN_OR_RETURN(body, whole());
    }
    tell_all(node, body);
    return {};
  };
  Node* at = &registry_.root();
  for (const std::string_view key : base.keys()) {
    RETURN_IF_ERROR(tell_here(*at));
    const auto child = at->children->find(key);
    if (child == at->children->end()) return {};
    at = child->get();
  }
  RETURN_IF_ERROR(tell_here(*at));
  if (at->children.empty()) return {};
  return tell_between(*at);
}

// Listeners strictly below the base: at, above or below the single changes.
Result<void> Matching::tell_between(Node& base_node) {
  const Path& base = difference_.merge ? difference_.base : difference_.changed.front().path;
  std::vector<std::pair<Node*, Path>> order;
  // Gathered first: a listener with several changes below it hears them as one merge, not one by one.
  std::unordered_map<Node*, std::vector<size_t>> changes_at_or_below;
  for (size_t i = 0; i < difference_.changed.size(); ++i) {
    const Overwrite& overwrite = difference_.changed[i];
    Node* at = &base_node;
    const std::vector<std::string_view> keys = overwrite.path.keys();
    for (size_t depth = base.depth(); at != nullptr && depth < keys.size(); ++depth) {
      const auto child = at->children->find(keys[depth]);
      at = child == at->children->end() ? nullptr : child->get();
      if (at == nullptr || at->subscriptions.empty()) continue;
      auto& changes = changes_at_or_below[at];
      if (changes.empty()) order.emplace_back(at, overwrite.path.prefix(depth + 1));
      changes.push_back(i);
    }
    if (at == nullptr || overwrite.slot == Slot::Priority) continue;
    for (const auto& child : *at->children) {
      const Result<Path> path = overwrite.path.child(child->key);
      if (path.ok()) RETURN_IF_ERROR(tell_below(*child, path.value(), overwrite));
    }
  }
  for (const auto& [node, path] : order) {
    const std::vector<size_t>& changes = changes_at_or_below[node];
    if (changes.size() == 1) {
      ASSIGN_OR_RETURN(const BodyPointer body, one(changes.front()));
      tell_all(*node, body);
      continue;
    }
    std::vector<std::pair<std::string, Value>> entries;
    bool removes = false;
    for (const size_t index : changes) {
      const Overwrite& overwrite = difference_.changed[index];
      removes = removes || overwrite.value.is_null();
      entries.emplace_back(entry_path(overwrite, path), overwrite.value);
    }
    const bool of_itself =
        std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.first.empty(); });
    if (of_itself || (removes && difference_.has_priorities)) {
      ASSIGN_OR_RETURN(const Value value, after_.read(path, kReadBytesMax));
      tell_all(*node, Body::put(path, Slot::Value, value));
    } else {
      tell_all(*node, Body::merge(path, std::move(entries)));
    }
  }
  return {};
}

// `from` was set above `path`: told the new value here, unless it is the old one.
Result<void> Matching::tell_below(Node& node, const Path& path, const Overwrite& from) {
  if (!node.subscriptions.empty()) {
    Value value;
    if (difference_.is_unread) {
      ASSIGN_OR_RETURN(value, after_.read(path, kReadBytesMax));
    } else {
      value = from.value.at(path.relative_to(from.path));
    }
    const Result<Value> old = before_.read(path, value.byte_count() + kCompareBytesSlack);
    if (!old.ok() && old.error().code != ErrorCode::TooLarge) return old.error();
    if (!old.ok() || !(old.value() == value)) tell_all(node, Body::put(path, Slot::Value, value));
  }
  for (const auto& child : *node.children) {  // at most kDepthMax deep
    const Result<Path> below = path.child(child->key);
    if (below.ok()) RETURN_IF_ERROR(tell_below(*child, below.value(), from));
  }
  return {};
}

TouchedChildren& Matching::touched(Node& node, const Path& path) {
  return touched_.try_emplace(&node, path, before_, after_).first->second;
}

void Matching::touch_below(Node& node, const Path& path) {
  if (!node.views.empty()) touched(node, path).all = true;
  for (const auto& child : *node.children) {  // at most kDepthMax deep
    const Result<Path> below = path.child(child->key);
    if (below.ok()) touch_below(*child, below.value());
  }
}

// Which views the changes at, below and above them concern. What it will take to look at each is counted here.
Result<void> Matching::touch_views() {
  for (const Overwrite& overwrite : difference_.changed) {
    Node* at = &registry_.root();
    const std::vector<std::string_view> keys = overwrite.path.keys();
    for (size_t depth = 0; at != nullptr && depth < keys.size(); ++depth) {
      if (!at->views.empty()) {
        touched(*at, overwrite.path.prefix(depth)).children[std::string(keys[depth])].push_back(&overwrite);
      }
      const auto child = at->children->find(keys[depth]);
      at = child == at->children->end() ? nullptr : child->get();
    }
    // A view shows children, so a changed priority of the node itself, or of one above it, cannot change what it shows.
    if (at != nullptr && overwrite.slot == Slot::Value) touch_below(*at, overwrite.path);
  }
  for (auto& [node, touched] : touched_) {
    const uint64_t looks = touched.all ? kLooksAtAll : touched.children.size();
    for (const auto& [text, view] : *node->views) Step::here().foresee({looks + view->subscriptions.size(), 0, 0});
    if (touched.all) RETURN_IF_ERROR(touched.count_rows(kStepMax.rows));
  }
  return {};
}

// Listeners with a query hear what their view says.
Result<void> Matching::tell_views() {
  for (auto& [node, touched] : touched_) {
    for (const auto& [text, view] : *node->views) {
      ASSIGN_OR_RETURN(const BodyPointer body, view->change(touched, difference_.has_priorities));
      if (view->wants_scan()) registry_.want_scan(*view);
      registry_.recount(*view);
      if (body == nullptr) continue;
      for (Subscription* subscription : view->subscriptions) add(*subscription, body);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Notification>> match(ListenerRegistry& registry, const Difference& difference,
                                        const TreeView& before, const TreeView& after) {
  Matching matching(registry, difference, before, after);
  if (registry.empty()) return std::vector<Notification>();
  RETURN_IF_ERROR(matching.ask_again());
  if (!difference.changed.empty()) {
    RETURN_IF_ERROR(matching.tell());
    RETURN_IF_ERROR(matching.ask_those_lapsed());
    RETURN_IF_ERROR(matching.touch_views());
  }
  if (Step::here().is_over()) return step_is_over();
  const Step::Whole whole;
  // From here on views and the registry are changed.

  if (!difference.changed.empty()) {
    RETURN_IF_ERROR(matching.tell_views());
    RETURN_IF_ERROR(matching.ask_those_lapsed());
  }
  return std::move(matching).told();
}

}  // namespace hearth::db
