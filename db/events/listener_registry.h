// Who listens where in one namespace: a trie by path. A commit finds those it concerns by walking the paths it changed,
// so its cost follows them and not the listeners elsewhere. Thread: the namespace's shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "db/base/metrics.h"
#include "db/events/view.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// Whoever is told; what it is, the layer above knows.
class Audience {
 public:
  virtual ~Audience() = default;
};

class ListenerRegistry;

// One subscription. Owned by whoever asked for it; in the registry while it is to be told.
struct Subscription {
  std::shared_ptr<Audience> audience;
  uint64_t id = 0;  // the audience's name for it
  Path path;
  std::shared_ptr<const Precondition> check;  // null: always allowed
  std::unique_ptr<const Query> query;         // null, as it mostly is: to everything at the path

  View* view() const { return view_; }  // once it is in the registry, of one with a query
  bool has_lapsed(Timestamp wall) const { return wall >= lapses_; }  // `check` has, and was not asked since

 private:
  friend class ListenerRegistry;
  View* view_ = nullptr;
  Timestamp lapses_ = Timestamp::max();
  struct Node* node = nullptr;
  size_t index = 0;                    // in its node's list, or its view's
  std::vector<struct Node*> watching;  // what `check` read
};

struct Node {
  Node* parent = nullptr;
  std::string key;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  std::vector<Subscription*> subscriptions;                             // without a query
  std::map<std::string, std::unique_ptr<View>, std::less<>> views;  // by the query's text
  std::unordered_set<Subscription*> watchers;
};

class ListenerRegistry {
 public:
  // Of all registries that count in it.
  struct Count {
    Gauge listeners;
    Gauge views;
  };
  ListenerRegistry() = default;
  explicit ListenerRegistry(Count& counted) : counted_(&counted) {}
  ListenerRegistry(const ListenerRegistry&) = delete;
  ListenerRegistry& operator=(const ListenerRegistry&) = delete;

  enum class Added : uint8_t { Alone, ToView };
  // Of one with a query: whether there was a view of it already; a new one shows nothing before View::open().
  Added add(Subscription& subscription);
  void remove(Subscription& subscription);  // also when it is not in
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }

  // Asks the subscription's check, and from here on again whenever a commit touches what it read.
  Result<void> check(Subscription& subscription, const Moment& moment);

  // Views that want a scan, since they were last taken.
  void want_scan(View& view) { scans_.insert(&view); }
  std::set<View*> take_scans() { return std::exchange(scans_, {}); }
  View* find_view(const Path& path, const std::string& text);  // null: there is none

  Node& root() { return root_; }
  const Node& root() const { return root_; }
  // Those whose check read something at, above or below `path`.
  void collect_watchers(const Path& path, std::unordered_set<Subscription*>& to);
  void collect_all(std::unordered_set<Subscription*>& to);  // those that have a check

 private:
  Node& node_at(const Path& path);
  void prune(Node* node);
  void unwatch(Subscription& subscription);

  void count(int64_t listeners, int64_t views);

  Count* const counted_ = nullptr;
  Node root_;
  std::set<View*> scans_;
  size_t count_ = 0;
  size_t watched_ = 0;  // subscriptions that watch something
};

}  // namespace hearth::db
