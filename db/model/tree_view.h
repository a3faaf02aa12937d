// A read-only tree at one moment, on disk or as it would be: the shape on which store, commit, events and rules meet.
// Thread: one at a time, unless the view says otherwise. Reads may block on disk.
//
// Keys are encoded paths (db/model/key_order.h), rows as in db/model/value.h. What lies at `path` are the rows from
// encode_path(path) up to, not including, encode_path(path) + kPastChildren.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr char kPriorityMark = '\x00';  // ends the key of a node's priority row
inline constexpr char kPastChildren = '\x03';  // above every segment, behind a path

struct Query;

class TreeView {
 public:
  virtual ~TreeView() = default;

  // Calls `row(key, leaf)` for the rows of [from, upto) in ascending order until it answers false. Errors: Io,
  // Corruption.
  using RowFunction = std::function<bool(std::string_view key, std::string_view leaf)>;
  virtual Result<void> scan(std::string_view from, std::string_view upto, const RowFunction& row) const = 0;

  // The last row of [from, upto), or nothing: key and leaf. Views that have no shorter way go through all of them.
  using Row = std::optional<std::pair<std::string, std::string>>;
  virtual Result<Row> last(std::string_view from, std::string_view upto) const;

  // scan() in descending order. Views that have no shorter way ask for the last one again and again.
  virtual Result<void> scan_down(std::string_view from, std::string_view upto, const RowFunction& row) const;

  // The rows that hold the children of `collection` in the query's order (db/model/index.h), or nothing when no
  // complete index has them. Each row's key is `base` followed by an entry.
  struct IndexRows {
    std::shared_ptr<const TreeView> rows;
    std::string base;
    bool covers = false;  // a row's value is a copy of the child's rows, or "" where that would be too long
  };
  virtual Result<std::optional<IndexRows>> index(const Path& collection, const Query& query) const;

  // The leaf of just the row `key`, or nothing.
  virtual Result<std::optional<std::string>> leaf(std::string_view key) const = 0;

  // The exact_hash of what lies at `path` (db/model/hash.h). Views that know better than to compute it override this.
  virtual Result<std::string> hash(const Path& path, size_t bytes_max) const;

  // The subtree at `path`, with priorities; null when nothing is there. Errors: TooLarge above `bytes_max` bytes of
  // rows.
  Result<Value> read(const Path& path, size_t bytes_max) const;
  // The same by encoded path, without the check of a Path.
  Result<Value> read(std::string_view encoded, size_t bytes_max) const;

  // Whether there is a row in [from, upto): one seek.
  Result<bool> any(std::string_view from, std::string_view upto) const;

  // Whether anything lies at `path`: one seek.
  Result<bool> exists(const Path& path) const;

  // A leaf as it is; of an object an object of its keys, each `true`: one seek a child. Errors: TooLarge as read.
  Result<Value> shallow(const Path& path, size_t bytes_max) const;

 protected:
  // last(), for views that have a shorter way down.
  Result<Row> first_down(std::string_view from, std::string_view upto) const;
};

}  // namespace hearth::db
