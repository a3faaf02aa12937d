// Who listens to rows in one namespace (db/model/row_change.h), found by table, and within a table by what its filter
// equals: a change that no filter is about costs two looks, however many filters there are.
//
//   table /todos    all         a, b                      no equality: each of their filters is asked
//                   by value    user_id ─┬ "u1"  c, d     asked when the row has just that there
//                                        └ "u2"  e
//
// Thread: the namespace's shard.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "db/events/listener_registry.h"
#include "db/events/match.h"
#include "db/model/path.h"
#include "db/model/row_change.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// One listener of rows. Its conversation owns it; the registry refers to it for as long as it is to be told.
struct RowSubscription {
  std::shared_ptr<Audience> audience;
  uint64_t id = 0;  // the audience's name for it
  RowListen what{};
  size_t byte_count() const;  // about what it holds in memory

 private:
  friend class RowRegistry;
  bool is_in_ = false;
  size_t counted_bytes_ = 0;
};

// What a listener is told of a commit.
struct RowNotification {
  RowSubscription* subscription;
  RowEvent event;
};

class RowRegistry {
 public:
  RowRegistry() = default;
  explicit RowRegistry(ListenerRegistry::Count& counted) : counted_(&counted) {}
  RowRegistry(const RowRegistry&) = delete;
  RowRegistry& operator=(const RowRegistry&) = delete;

  void add(RowSubscription& subscription);
  void remove(RowSubscription& subscription);  // also when it is not in
  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  size_t byte_count() const { return bytes_; }

  // Errors: Io; of a step that is over (db/base/step.h): nothing was changed, and it can be asked again elsewhere.
  Result<std::vector<RowNotification>> match(const Difference& difference, uint64_t sequence, const TreeView& before,
                                             const TreeView& after);

 private:
  struct Bound {
    RowSubscription* subscription;
    unsigned binding;
  };
  using ByKey = std::map<std::string, std::vector<Bound>, std::less<>>;
  struct Table {
    Path path;
    std::vector<Bound> all;
    std::map<std::string, ByKey> by_value;  // by column, then by equality_key()
    bool empty() const { return all.empty() && by_value.empty(); }
  };
  using Tables = std::map<std::string, Table, std::less<>>;  // by path text
  class Matching;
  friend class Matching;

  void count(int64_t listeners, int64_t bytes);

  ListenerRegistry::Count* const counted_ = nullptr;
  Tables tables_;
  Tables parents_;  // of those who listen to every table below a path
  size_t count_ = 0;
  size_t bytes_ = 0;
};

}  // namespace hearth::db
