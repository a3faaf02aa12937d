// Who listens where: a trie whose nodes hold subscriptions, views and watchers.
//
//   root ─ rooms ─ a ─ messages         subscriptions: those who listen to all of this path
//                      │                views: one for each query, shared by all who listen with it
//                      └ m1             watchers: those whose read check looked here; a change asks them again
//
// A commit walks from the root along the paths that it changed (match.cc), so it costs nothing where nobody listens.
// A node lives as long as it has something or a child that has; prune() takes empty branches away.
//
// Lists hold plain pointers: a subscription belongs to its conversation and remembers its own place (node, index), so
// it is removed by swapping the last one into that place. Everything is counted as it comes and goes, in bytes that
// are a careful guess, for the limits on memory.
#include "db/events/listener_registry.h"

#include <algorithm>

#include "db/model/key_order.h"

namespace hearth::db {
namespace {

// About what these hold in memory, with the nodes of maps that lead to them, and with what the layers above keep of a
// listener: its place in the lists of two sessions, its check, its path, which all of them share. A node that has
// none of what is Lazy holds less.
constexpr size_t kListenerBytes = 640;
constexpr size_t kNodeBytes = 320;
constexpr size_t kWatchBytes = 64;

size_t bytes_of(const Node& node) { return kNodeBytes + 2 * node.key.size(); }

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
  // One note for each path that was looked at; collect_watchers() finds the notes above and below a change.
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
  for (const auto& [text, view] : *node.views) {
    for (Subscription* subscription : view->subscriptions) {
      if (subscription->check != nullptr) to.insert(subscription);
    }
  }
  for (const auto& child : *node.children) collect_checked(*child, to);  // at most kDepthMax deep
}

void collect_below(Node& node, std::unordered_set<Subscription*>& to) {
  to.insert(node.watchers->begin(), node.watchers->end());
  for (const auto& child : *node.children) collect_below(*child, to);  // at most kDepthMax deep
}

}  // namespace

Node& ListenerRegistry::node_at(const Path& path) {
  Node* at = &root_;
  for (const std::string_view key : path.keys()) {
    const auto child = at->children->find(key);
    if (child != at->children->end()) {
      at = child->get();
    } else {
      auto made = std::make_unique<Node>();
      made->parent = at;
      made->key = key;
      count_bytes(static_cast<int64_t>(bytes_of(*made)));
      Node* node = made.get();
      at->children.make().insert(std::move(made));
      at = node;
    }
  }
  return *at;
}

void ListenerRegistry::prune(Node* node) {
  while (node->parent != nullptr && node->children.empty() && node->subscriptions.empty() && node->views.empty() &&
         node->watchers.empty()) {
    Node* parent = node->parent;
    count_bytes(-static_cast<int64_t>(bytes_of(*node)));
    auto& children = parent->children.make();
    children.erase(children.find(std::string_view(node->key)));
    parent->children.tidy();
    node = parent;
  }
}

void ListenerRegistry::count(int64_t listeners, int64_t views) {
  for (Count* count = counted_; count != nullptr; count = count->in_all) {
    count->listeners.add(listeners);
    if (views != 0) count->views.add(views);
  }
}

void ListenerRegistry::count_bytes(int64_t bytes) {
  bytes_ += static_cast<size_t>(bytes);
  for (Count* count = counted_; count != nullptr; count = count->in_all) count->bytes.add(bytes);
}

size_t Subscription::byte_count() const {
  return kListenerBytes + path->text().size() + bytes_beside + (query ? query->byte_count() : 0);
}

void ListenerRegistry::recount(View& view) {
  const size_t now = view.byte_count();
  count_bytes(static_cast<int64_t>(now) - static_cast<int64_t>(view.counted_bytes));
  view_bytes_ += now - view.counted_bytes;
  view.counted_bytes = now;
}

// The bytes of a view count for everyone who listens to it, as if each held it alone.
void ListenerRegistry::count_opened(View& view) {
  recount(view);
  for (Subscription* subscription : view.subscriptions) {
    const size_t now = subscription->byte_count() + view.byte_count();
    if (subscription->audience != nullptr) subscription->audience->listener_bytes += now - subscription->counted_bytes_;
    subscription->counted_bytes_ = now;
  }
}

std::vector<View*> ListenerRegistry::largest_views() const {
  std::vector<View*> all;
  for (const auto& [number, view] : views_) all.push_back(view);
  std::sort(all.begin(), all.end(), [](const View* a, const View* b) {
    return a->byte_count() != b->byte_count() ? a->byte_count() > b->byte_count() : a->number < b->number;
  });
  return all;
}

ListenerRegistry::Added ListenerRegistry::add(Subscription& subscription) {
  Node& node = node_at(subscription.path);
  subscription.node = &node;
  ++count_;
  Added added = Added::Alone;
  if (subscription.query) {
    const auto known = node.views->find(subscription.query->text());
    if (known != node.views->end()) {
      added = Added::ToView;
      subscription.view_ = known->second.get();
    } else {
      auto view = std::make_unique<View>(subscription.path, subscription.query);
      view->number = ++last_view_;
      subscription.view_ = view.get();
      views_.emplace(view->number, view.get());
      recount(*view);
      node.views.make().emplace(subscription.view_->text(), std::move(view));
    }
  }
  subscription.counted_bytes_ = subscription.byte_count();
  count_bytes(static_cast<int64_t>(subscription.byte_count()));
  if (subscription.audience != nullptr) subscription.audience->listener_bytes += subscription.counted_bytes_;
  auto& list = subscription.view_ != nullptr ? subscription.view_->subscriptions : node.subscriptions;
  subscription.index = static_cast<uint32_t>(list.size());
  list.push_back(&subscription);
  count(1, subscription.query && added == Added::Alone ? 1 : 0);
  return added;
}

void ListenerRegistry::add_right(Subscription& subscription) {
  subscription.is_right_ = true;
  rights_.insert(&subscription);
  ++count_;
  subscription.counted_bytes_ = subscription.byte_count();
  count_bytes(static_cast<int64_t>(subscription.counted_bytes_));
  if (subscription.audience != nullptr) subscription.audience->listener_bytes += subscription.counted_bytes_;
}

void ListenerRegistry::remove(Subscription& subscription) {
  unwatch(subscription);
  if (std::exchange(subscription.is_right_, false)) {
    rights_.erase(&subscription);
    --count_;
    count_bytes(-static_cast<int64_t>(subscription.counted_bytes_));
    if (subscription.audience != nullptr) subscription.audience->listener_bytes -= subscription.counted_bytes_;
  }
  Node* node = subscription.node;
  if (node == nullptr) return;
  View* view = subscription.view_;
  auto& list = view != nullptr ? view->subscriptions : node->subscriptions;
  // The order within a list means nothing.
  Subscription* last = list.back();
  list[subscription.index] = last;
  last->index = subscription.index;
  list.pop_back();
  const bool is_last = view != nullptr && list.empty();
  count(-1, is_last ? -1 : 0);
  count_bytes(-static_cast<int64_t>(subscription.byte_count()));
  if (subscription.audience != nullptr) subscription.audience->listener_bytes -= subscription.counted_bytes_;
  if (is_last) {
    scans_.erase(view);
    views_.erase(view->number);
    count_bytes(-static_cast<int64_t>(view->counted_bytes));
    view_bytes_ -= view->counted_bytes;
    auto& views = node->views.make();
    views.erase(views.find(view->text()));
    node->views.tidy();
  }
  subscription.view_ = nullptr;
  subscription.node = nullptr;
  --count_;
  prune(node);
}

void ListenerRegistry::unwatch(Subscription& subscription) {
  if (subscription.watching.empty()) return;
  --watched_;
  count_bytes(-static_cast<int64_t>(kWatchBytes * subscription.watching.size()));
  for (Node* node : subscription.watching) {
    node->watchers.make().erase(&subscription);
    node->watchers.tidy();
    prune(node);
  }
  subscription.watching.clear();
}

View* ListenerRegistry::find_view(uint64_t number) const {
  const auto view = views_.find(number);
  return view == views_.end() ? nullptr : view->second;
}

Result<void> ListenerRegistry::check(Subscription& subscription, const Moment& moment) {
  if (subscription.check == nullptr) {
    unwatch(subscription);
    subscription.lapses_ = Timestamp::max();
    return {};
  }
  // The check runs on a view that takes notes: where it looked is where a change may turn its verdict.
  const RecordingView recording(moment.before);
  Result<void> verdict = subscription.check->check({recording, moment.now, moment.settings});
  unwatch(subscription);
  if (!verdict.ok()) return verdict;
  subscription.lapses_ = subscription.check->lapses().value_or(Timestamp::max());
  // The check was asked after its time and still said yes: it does not have to be asked again at every event.
  if (subscription.has_lapsed(moment.now.wall)) subscription.lapses_ = Timestamp::max();
  for (const Path& path : recording.paths()) {
    Node& node = node_at(path);
    if (node.watchers.make().insert(&subscription).second) subscription.watching.push_back(&node);
  }
  if (subscription.watching.empty()) return {};
  ++watched_;
  count_bytes(static_cast<int64_t>(kWatchBytes * subscription.watching.size()));
  return {};
}

void ListenerRegistry::collect_all(std::unordered_set<Subscription*>& to) {
  collect_checked(root_, to);
  for (Subscription* right : rights_) {
    if (right->check != nullptr) to.insert(right);
  }
}

void ListenerRegistry::collect_watchers(const Path& path, std::unordered_set<Subscription*>& to) {
  if (watched_ == 0) return;
  Node* at = &root_;
  for (const std::string_view key : path.keys()) {
    to.insert(at->watchers->begin(), at->watchers->end());
    const auto child = at->children->find(key);
    if (child == at->children->end()) return;
    at = child->get();
  }
  collect_below(*at, to);
}

}  // namespace hearth::db
