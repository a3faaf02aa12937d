#include "db/events/listener_registry.h"

#include <algorithm>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {

// Notes where a check looks.
class RecordingView final : public TreeView {
 public:
  explicit RecordingView(const TreeView& view) : view_(view) {}
  Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const override {
    note(from);
    return view_.scan(from, upto, row);
  }
  Result<std::optional<std::string>> leaf(std::string_view key) const override {
    note(key);
    return view_.leaf(key);
  }
  const std::vector<Path>& paths() const { return paths_; }

 private:
  void note(std::string_view key) const {
    if (!key.empty() && key.back() == kPriorityMark && key.size() > 1) {
      // Either the end of a segment or of a priority's key; a path that does not decode is one byte too long.
      if (const auto path = decode_path(key); path.ok()) return add(path.value());
      key.remove_suffix(1);
    }
    if (const auto path = decode_path(key); path.ok()) add(path.value());
  }
  void add(const Path& path) const {
    if (std::find(paths_.begin(), paths_.end(), path) == paths_.end()) paths_.push_back(path);
  }

  const TreeView& view_;
  mutable std::vector<Path> paths_;
};

void collect_checked(Node& node, std::unordered_set<Subscription*>& to) {
  for (Subscription* subscription : node.subscriptions) {
    if (subscription->check != nullptr) to.insert(subscription);
  }
  for (auto& [text, view] : node.views) {
    for (Subscription* subscription : view->subscriptions) {
      if (subscription->check != nullptr) to.insert(subscription);
    }
  }
  for (auto& [key, child] : node.children) collect_checked(*child, to);  // at most kDepthMax deep
}

void collect_below(Node& node, std::unordered_set<Subscription*>& to) {
  to.insert(node.watchers.begin(), node.watchers.end());
  for (auto& [key, child] : node.children) collect_below(*child, to);  // at most kDepthMax deep
}

}  // namespace

Node& ListenerRegistry::node_at(const Path& path) {
  Node* at = &root_;
  for (const std::string_view key : path.keys()) {
    auto child = at->children.find(key);
    if (child == at->children.end()) {
      auto made = std::make_unique<Node>();
      made->parent = at;
      made->key = key;
      child = at->children.emplace(std::string(key), std::move(made)).first;
    }
    at = child->second.get();
  }
  return *at;
}

void ListenerRegistry::prune(Node* node) {
  while (node->parent != nullptr && node->children.empty() && node->subscriptions.empty() && node->views.empty() &&
         node->watchers.empty()) {
    Node* parent = node->parent;
    parent->children.erase(parent->children.find(node->key));
    node = parent;
  }
}

void ListenerRegistry::count(int64_t listeners, int64_t views) {
  if (counted_ == nullptr) return;
  counted_->listeners.add(listeners);
  if (views != 0) counted_->views.add(views);
}

ListenerRegistry::Added ListenerRegistry::add(Subscription& subscription) {
  Node& node = node_at(subscription.path);
  subscription.node = &node;
  ++count_;
  std::vector<Subscription*>* list = &node.subscriptions;
  Added added = Added::Alone;
  if (subscription.query != nullptr) {
    std::unique_ptr<View>& view = node.views[subscription.query->text()];
    if (view != nullptr) added = Added::ToView;
    if (view == nullptr) view = std::make_unique<View>(subscription.path, *subscription.query);
    subscription.view_ = view.get();
    list = &view->subscriptions;
  }
  subscription.index = list->size();
  list->push_back(&subscription);
  count(1, subscription.query != nullptr && added == Added::Alone ? 1 : 0);
  return added;
}

void ListenerRegistry::remove(Subscription& subscription) {
  unwatch(subscription);
  Node* node = subscription.node;
  if (node == nullptr) return;
  View* view = subscription.view_;
  std::vector<Subscription*>& list = view != nullptr ? view->subscriptions : node->subscriptions;
  Subscription* last = list.back();
  list[subscription.index] = last;
  last->index = subscription.index;
  list.pop_back();
  const bool is_last = view != nullptr && list.empty();
  count(-1, is_last ? -1 : 0);
  if (is_last) {
    scans_.erase(view);
    node->views.erase(subscription.query->text());
  }
  subscription.view_ = nullptr;
  subscription.node = nullptr;
  --count_;
  prune(node);
}

void ListenerRegistry::unwatch(Subscription& subscription) {
  if (subscription.watching.empty()) return;
  --watched_;
  for (Node* node : subscription.watching) {
    node->watchers.erase(&subscription);
    prune(node);
  }
  subscription.watching.clear();
}

View* ListenerRegistry::find_view(const Path& path, const std::string& text) {
  Node* at = &root_;
  for (const std::string_view key : path.keys()) {
    const auto child = at->children.find(key);
    if (child == at->children.end()) return nullptr;
    at = child->second.get();
  }
  const auto view = at->views.find(text);
  return view == at->views.end() ? nullptr : view->second.get();
}

Result<void> ListenerRegistry::check(Subscription& subscription, const Moment& moment) {
  if (subscription.check == nullptr) {
    unwatch(subscription);
    subscription.lapses_ = Timestamp::max();
    return {};
  }
  const RecordingView recording(moment.before);
  Result<void> verdict = subscription.check->check({recording, moment.now, moment.settings});
  unwatch(subscription);
  if (!verdict.ok()) return verdict;
  subscription.lapses_ = subscription.check->lapses().value_or(Timestamp::max());
  if (subscription.has_lapsed(moment.now.wall)) subscription.lapses_ = Timestamp::max();
  for (const Path& path : recording.paths()) {
    Node& node = node_at(path);
    if (node.watchers.insert(&subscription).second) subscription.watching.push_back(&node);
  }
  if (!subscription.watching.empty()) ++watched_;
  return {};
}

void ListenerRegistry::collect_all(std::unordered_set<Subscription*>& to) { collect_checked(root_, to); }

void ListenerRegistry::collect_watchers(const Path& path, std::unordered_set<Subscription*>& to) {
  if (watched_ == 0) return;
  Node* at = &root_;
  for (const std::string_view key : path.keys()) {
    to.insert(at->watchers.begin(), at->watchers.end());
    const auto child = at->children.find(key);
    if (child == at->children.end()) return;
    at = child->second.get();
  }
  collect_below(*at, to);
}

}  // namespace hearth::db
