// What a query finds in a tree: along keys, along an index, or through all children, whichever is least. Errors: as
// the tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/projection.h"
#include "db/model/query.h"
#include "db/model/tree_view.h"

namespace hearth::db {

// The child's position in the query's order, or nothing when the child does not exist. Reads only what orders it.
Result<std::optional<Position>> find_position(const TreeView& tree, const Path& path, std::string_view key,
                                              const Query& query);

// The children of `path` that the query selects; none of a leaf. Reads only what it selects when the order is by key,
// by priority where no node has one, or when the tree has an index; else it reads every row once, and holds no more
// positions than the limit. `beyond`: only positions that lie behind that one, seen from the limit's side. Errors: as
// the tree; TooLarge above kSelectionMax positions.
inline constexpr size_t kSelectionMax = 1'000'000;
Result<std::vector<Position>> select(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                                     const Position* beyond = nullptr);

// Whether select() (for a query that counts: count()) reads only what it finds. If not, it goes through the collection.
Result<bool> selects_by_seek(const TreeView& tree, const Path& path, const Query& query, bool has_priorities);

// How many select() would find, at most the limit; `counts` need not be set. Of all children of a collection that has
// an index one look, of a range of one its rows alone, else every child once. Errors: as the tree; TooLarge when more
// than kCountScanMax children are looked at without an index.
inline constexpr size_t kCountScanMax = 1'000'000;
Result<uint64_t> count(const TreeView& tree, const Path& path, const Query& query, bool has_priorities);

// The value at `path` as the query sees it: the selected children, without the priority of the node itself. One that
// only orders sees everything. Errors: TooLarge above `bytes_max` bytes of rows. `projection`: of each child those
// paths alone, and nothing else is read.
Result<Value> read_query(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                         size_t bytes_max, const Projection& projection = {});
Value keys_of(const std::vector<Position>& positions);  // as Query::keys_only
// The same of positions that are neighbours in the query's order, which an index that covers may save the looks at.
Result<Value> read_window(const TreeView& tree, const Path& path, const Query& query,
                          const std::vector<Position>& positions, size_t bytes_max);
Result<Value> read_children(const TreeView& tree, const Path& path, const std::vector<Position>& positions,
                            size_t bytes_max, const Projection& projection = {});

}  // namespace hearth::db
