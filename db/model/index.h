// Secondary indexes: for each child of the collections that a pattern matches, a row whose key sorts as the child
// does in an order (db/model/data-model.md §4). A plan is what a namespace has of them.
//
//   row  := id:4 BE  collection  0x00  value+  segment         → copy     a value for each child that it orders by
//         | id:4 BE  collection  0x00  0x00                    → children:8 BE, how many the collection has
//         | 0x00000000                                         → plan
//   value := 0x01 null | 0x02 false | 0x03 true | 0x04 double:8 residual:2
//          | 0x05 text ( 0x00 | 0x01 cut ) | 0x06 object
//   copy := ( bytes2(key) bytes2(leaf) )*     the child's own rows, of an index that covers; "" of any other, and when
//           they would be longer than kCopyBytesMax                                     bytes2 := length:2 BE bytes
//   plan := version:1  next id:4 BE  index*   version 2 where an index covers: who does not know of copies would
//           not keep them; else 1
//   index := id:4 BE  complete:1  order:1  bytes(children)  bytes(pattern)  bytes(built)     bytes := length:4 BE bytes
//            children: their paths, a 0x0A between two; order: 0 child, 1 value, and 2 more when it covers
//
// `collection` and `segment` are encoded paths (db/model/key_order.h); what is below a collection's own path sorts
// behind its rows, so the rows of a whole subtree are one range for each index. `double` is ordered as bytes,
// `residual` what an int64 has beyond it. `text` is UTF-8 remapped to sort by UTF-16 units, 0x00 and 0x01 escaped,
// and cut at kIndexedTextBytes: rows of cut texts that begin alike are in no order but that of their keys. On disk.
// Never renumber.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/query.h"
#include "db/model/settings.h"
#include "db/model/tree_view.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kIndexedTextBytes = 255;  // of a text, in a row's key
inline constexpr size_t kIndexesMax = 1'000;      // of a namespace; more are left to scans
inline constexpr size_t kCopyBytesMax = 1'024;    // of a child's rows, in an index that covers
inline constexpr std::string_view kPlanRow{"\0\0\0\0", 4};

// Describes an index: of each path that the pattern matches, the children are indexed, by a child of theirs or by
// their value.
struct IndexSpec {
  std::vector<std::string> at;  // keys; "$" matches any
  Order order = Order::Child;   // or Order::Value
  Path child{};
  std::vector<Path> then{};  // and then by those (Query::then)
  // Its rows have copies of their children: a query along it reads nothing else, and a write anywhere in a child writes
  // that child's row of it again.
  bool covers = false;
  friend bool operator==(const IndexSpec&, const IndexSpec&) = default;

  // Whether the first keys of the pattern, or all of them, match these.
  bool matches_start(std::span<const std::string_view> keys) const;
  bool matches(std::span<const std::string_view> keys) const { return keys.size() == at.size() && matches_start(keys); }
  std::string pattern() const;                       // /rooms/$/messages
  std::string by() const;                            // "sent", "author/name", "uid,sent" or ".value"
  bool is_same_order(const IndexSpec& other) const;  // whether it covers or not
};

// [{"at": "/rooms/$room/messages", "by": "sent", "covers": true}, …], in any order, twice the same once; `by` may be a
// list of child paths, for an order by several; without `covers` it does not. Errors: InvalidData.
Result<std::vector<IndexSpec>> parse_indexes(std::string_view json);
std::string indexes_text(const std::vector<IndexSpec>& specs);
// The indexes that a namespace should have: those of its two settings, or of `usual` where a setting is not set. One of
// both covers if its own setting says so. Errors: InvalidData, Io.
struct UsualIndexes {
  std::string of_rules{}, own{};
};
Result<std::vector<IndexSpec>> wanted_indexes(const Settings& settings, const UsualIndexes& usual);
// The index of one ".indexOn". `pattern`: keys, a "$…" matches any. `by`: a child path or ".value"; for anything else
// there is no index, and the result is nothing.
std::optional<IndexSpec> make_index(std::span<const std::string> pattern, std::string_view by);

struct Index {
  IndexSpec spec;
  uint32_t id = 0;  // of its namespace, never used again
  bool is_complete = false;
  std::string built{};  // until it is complete: children whose path is below this have their rows
  bool holds(std::string_view encoded_child) const { return is_complete || encoded_child < built; }
};

struct IndexPlan {
  std::vector<Index> indexes{};
  uint32_t next_id = 1;

  std::string encode() const;
  static Result<IndexPlan> decode(std::string_view bytes);  // Errors: Corruption
  bool is_building() const;
  // A complete index that has the collection in the query's order, or null; one that covers, where there are several.
  // To count all children, any order will do.
  const Index* find(std::span<const std::string_view> collection, const Query& query) const;
};

std::string index_prefix(uint32_t id, std::string_view encoded_path);
std::string count_row(uint32_t id, std::string_view encoded_collection);
std::string encode_count(uint64_t count);
Result<uint64_t> decode_count(std::string_view bytes);  // Errors: Corruption

// False: the text was cut.
bool append_index_value(const Value& value, std::string& to);
bool append_index_values(const Value& value, std::span<const Value> rest, std::string& to);  // until one is cut
void append_index_place(const Position& position, std::string& to);                          // all of them
// The part of an index row's key behind the collection's prefix and its 0x00. Errors: Corruption.
struct IndexEntry {
  std::vector<Value> values{};  // of a cut text nothing: a string that is empty
  std::vector<bool> is_cut{};
  size_t cut_bytes = 0;  // up to the end of the first value that is cut; 0: none is
  std::string_view segment{};
};
Result<IndexEntry> decode_index_entry(std::string_view bytes, size_t values);

// The copy of a child's rows, or "" when they are too long: of one in a tree (errors: as the tree), and of a value.
Result<std::string> copy_of_child(const TreeView& tree, std::string_view encoded_child);
std::string copy_of_child(const Value& child);
// Calls `row(key, leaf)` for each row of a copy, keys below the child. Errors: Corruption.
Result<void> read_copy(std::string_view copy, const std::function<void(std::string_view, std::string_view)>& row);

// The child's position in the order, without its key; nothing when the child does not exist.
Result<std::optional<Position>> find_place(const TreeView& tree, std::string_view encoded_child, Order order,
                                           const Path& child, std::span<const Path> then);

// The first child in [from, upto), by encoded path, of a collection that the pattern matches; a seek or a few.
// Children of children are skipped, not read.
struct IndexedChild {
  std::string collection;  // encoded
  std::string segment;
  std::string path() const { return collection + segment; }
};
Result<std::optional<IndexedChild>> next_child(const TreeView& tree, const IndexSpec& spec, std::string from,
                                               std::string_view upto);

}  // namespace hearth::db
