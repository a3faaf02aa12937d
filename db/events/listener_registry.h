// Who listens where in one namespace: a trie by path. A commit finds those it concerns by walking the paths it changed,
// so its cost follows them and not the listeners elsewhere. Thread: the namespace's shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "db/base/lazy.h"
#include "db/base/metrics.h"
#include "db/base/pointer_list.h"
#include "db/events/view.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// Someone who is told of changes. The layer above knows what it is (Conversation, db/shard/namespace_state.h).
class Audience {
 public:
  virtual ~Audience() = default;
  size_t listener_bytes = 0;  // about what its subscriptions hold in memory, windows included; by the registry
};

class ListenerRegistry;

// One subscription. Its conversation owns it; the registry refers to it for as long as it is to be told.
struct Subscription {
  std::shared_ptr<Audience> audience;
  uint64_t id = 0;  // the audience's name for it
  SharedPath path;
  std::shared_ptr<const Precondition> check;  // null: always allowed
  SharedQuery query;                          // none, as it mostly is: to everything at the path
  // What the right is for: to listen at the path, to be in a topic, or to speak there (db/shard/shard_topics.cc). The
  // two of a topic are in the registry for their checks alone.
  enum class For : uint8_t { Listener, Topic, Speaking };
  size_t bytes_beside = 0;  // that others keep for it
  For purpose = For::Listener;

  View* view() const { return view_; }                               // once it is in the registry, of one with a query
  bool has_lapsed(Timestamp wall) const { return wall >= lapses_; }  // `check` has, and was not asked since
  size_t byte_count() const;  // about what it holds in memory, beside its view and what it watches

 private:
  friend class ListenerRegistry;
  bool is_right_ = false;  // in the registry by add_right()
  uint32_t index = 0;      // in its node's list, or its view's
  View* view_ = nullptr;
  Timestamp lapses_ = Timestamp::max();
  struct Node* node = nullptr;
  PointerList<struct Node> watching;  // what `check` read
  size_t counted_bytes_ = 0;          // of its audience
};

// There are as many as listeners, and most have one of these: so what is mostly empty takes a pointer.
struct Node {
  Node* parent = nullptr;
  std::string key;
  // By their keys, which they are found by too.
  struct ByKey {
    using is_transparent = void;
    static std::string_view key_of(std::string_view key) { return key; }
    static std::string_view key_of(const std::unique_ptr<Node>& node) { return node->key; }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return key_of(a) < key_of(b);
    }
  };
  Lazy<std::set<std::unique_ptr<Node>, ByKey>> children;
  PointerList<Subscription> subscriptions;                        // without a query
  Lazy<std::map<std::string_view, std::unique_ptr<View>>> views;  // by the query's text, which is the view's
  Lazy<std::unordered_set<Subscription*>> watchers;
};

class ListenerRegistry {
 public:
  // Sums over all registries that count here, directly or through another Count whose `in_all` this is.
  struct Count {
    Gauge listeners;
    Gauge views;
    Gauge bytes;  // about what they hold in memory
    Count* in_all = nullptr;
  };
  ListenerRegistry() = default;
  explicit ListenerRegistry(Count& counted) : counted_(&counted) {}
  ListenerRegistry(const ListenerRegistry&) = delete;
  ListenerRegistry& operator=(const ListenerRegistry&) = delete;

  enum class Added : uint8_t { Alone, ToView };
  // For a subscription with a query, returns Alone when its view was created just now: the caller must then call
  // View::open(). ToView: the subscription joined a view that was there.
  Added add(Subscription& subscription);
  void remove(Subscription& subscription);  // also when it is not in
  // One that is told nothing of changes: its check alone is asked again, and it can be revoked.
  void add_right(Subscription& subscription);
  bool empty() const { return count_ == 0; }  // rights count
  size_t size() const { return count_; }
  size_t byte_count() const { return bytes_; }            // about what all this holds in memory
  size_t view_byte_count() const { return view_bytes_; }  // part of it: that of views

  // Asks the subscription's check, and from here on again whenever a commit touches what it read.
  Result<void> check(Subscription& subscription, const Moment& moment);

  // Views that want a scan, since they were last taken.
  void want_scan(View& view) { scans_.insert(&view); }
  std::set<View*> take_scans() { return std::exchange(scans_, {}); }
  View* find_view(uint64_t number) const;  // null: there is none
  // To be called after a view was opened, changed or settled: counts its bytes anew. count_opened() also charges them
  // to those who listen.
  void recount(View& view);
  void count_opened(View& view);
  std::vector<View*> largest_views() const;  // by View::byte_count(), the largest first

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
  void count_bytes(int64_t bytes);

  Count* const counted_ = nullptr;
  Node root_;
  std::set<View*> scans_;
  std::unordered_set<Subscription*> rights_;
  std::unordered_map<uint64_t, View*> views_;  // by number
  uint64_t last_view_ = 0;
  size_t bytes_ = 0;
  size_t view_bytes_ = 0;
  size_t count_ = 0;
  size_t watched_ = 0;  // subscriptions that watch something
};

}  // namespace hearth::db
