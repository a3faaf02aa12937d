// What one query shows of the children of a path, kept for all who listen to it there. A limited one keeps the positions of
// what it shows, so that a write beside it costs two looks and no scan; one without a limit keeps nothing.
//
// Thread: the namespace's shard.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/query.h"
#include "db/model/tree_view.h"
#include "db/model/write.h"

namespace hearth::db {

struct Subscription;

// What of a commit concerns the children of a path, and where they stand: looked up once for all views of the path.
class Touched {
 public:
  Touched(Path path, const TreeView& before, const TreeView& after)
      : path_(std::move(path)), before_(before), after_(after) {}

  bool all = false;                                              // the whole of the path, from it or from above
  std::map<std::string, std::vector<const Overwrite*>> children;  // by key: what was changed at or below it

  const TreeView& before() const { return before_; }
  const TreeView& after() const { return after_; }

  // Errors of all: Io.
  struct Places {
    std::optional<Position> from, to;  // nothing: the child is not there
  };
  Result<const std::vector<std::pair<std::string, Places>>*> places(const Query& query);  // of all children, by key
  Result<bool> was_leaf();
  Result<Value> child(const std::string& key);  // after

 private:
  const Path path_;
  const TreeView& before_;
  const TreeView& after_;
  std::map<std::string, std::vector<std::pair<std::string, Places>>> places_;  // by the order's text
  std::map<std::string, Value> values_;
  std::optional<bool> was_leaf_;
};

class View {
 public:
  View(Path path, Query query) : path_(std::move(path)), query_(std::move(query)) {}
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  const Path& path() const { return path_; }
  const Query& query() const { return query_; }
  bool is_limited() const { return query_.limit != Limit::None; }
  const std::set<Position, PositionLess>& window() const { return window_; }  // of a limited one
  uint64_t count() const { return count_; }                                    // of one that counts

  // From here on it shows what is in `tree`. Errors: as select().
  Result<void> open(const TreeView& tree, bool has_priorities);

  // What those who listen are told of a commit: what left, what entered and what changed within, as one step; null when
  // nothing that they see is another. Errors: as select().
  Result<std::shared_ptr<const Body>> change(Touched& touched, bool has_priorities);

  std::vector<Subscription*> subscriptions;  // by the registry

 private:
  struct Moved;
  Result<std::shared_ptr<const Body>> change_all(const TreeView& before, const TreeView& after, bool has_priorities);
  Result<Value> read(const TreeView& tree, bool has_priorities) const;
  Result<std::shared_ptr<const Body>> tell_count(uint64_t count);
  bool is_beyond(const Position& position, const Position& edge) const;
  Result<void> move_window(std::map<std::string, Moved>& moved, const TreeView& after, bool has_priorities);

  const Path path_;
  const Query query_;
  std::set<Position, PositionLess> window_;
  uint64_t count_ = 0;  // of one that counts
};

}  // namespace hearth::db
