// What a query finds. The same question has three ways to its answer, and take_all() chooses the cheapest that fits:
//
//   the order is that of the keys     data    │a│a│b│c│c│c│d│      one seek for each child found: the next seek begins
//   (select_by_key)                            ▲   ▲ ▲     ▲       behind everything that lies below the child
//
//   an index has the order            index   │7·b│12·a│12·d│      one row for each child found; it says the value
//   (select_by_index)                              ▲────▶
//
//   neither                           data    │a│a│b│c│c│c│d│      every row once; a child's values are picked out of
//   (select_by_scan)                           ▲─────────────▶     its rows as they pass
//                                                │
//                                                ▼
//                                  Taker: in_range()? behind `beyond`? then keep it, and drop the worst above the limit
//
// Invariants:
// - The bounds of a seek or of index rows may let too many positions through, and never too few. Whether a position
//   counts is for the Taker alone, so an unclear bound (a cut text, a key that no child can have) is widened and not
//   computed.
// - The first two ways come in the query's order, from the end that the limit counts from; there a full Taker ends the
//   walk. The third comes in key order, where a better position may still follow: it always goes to the end.
// - Texts are cut in index rows. A run of rows that share a cut text is in key order, so the walk may stop only at
//   the end of the run. Stopping within it would return the 50 smallest keys instead of the 50 smallest texts.
// - Memory follows the limit, or kSelectionMax, and never the collection.
//
// What is selected is then read: of each child one seek and its rows. An index that covers has given a copy of them on
// the way (Copies), and such a child is not looked at again.
#include "db/model/select.h"

#include <algorithm>
#include <set>

#include "db/model/index.h"
#include "db/model/key_order.h"

namespace hearth::db {

Result<std::optional<Position>> find_position(const TreeView& tree, const Path& path, std::string_view key,
                                              const Query& query) {
  std::string encoded = encode_path(path);
  append_segment(key, encoded);
  ASSIGN_OR_RETURN(auto position, find_place(tree, encoded, query.order, query.child, query.then));
  if (position) position->key = key;
  return position;
}

namespace {

// Takes positions one by one, and keeps those that are selected, or counts them.
class Taker {
 public:
  enum class Does : uint8_t { Keep, Count };
  Taker(const Query& query, const Position* beyond, Does does = Does::Keep)
      : query_(query), beyond_(beyond), does_(does) {}

  // Whether nothing that comes in the query's order can be selected any more.
  // Only for ways that come in order; select_by_scan() never asks.
  bool is_full() const { return query_.limit != Limit::None && count() >= query_.count; }
  size_t count() const { return does_ == Does::Count ? count_ : kept_.size(); }

  Result<void> take(Position position) {
    if (!in_range(position, query_)) return {};
    if (beyond_ != nullptr) {
      const int order = compare_positions(position, *beyond_);
      if (query_.limit == Limit::Last ? order >= 0 : order <= 0) return {};
    }
    if (does_ == Does::Count) {
      ++count_;
      return {};
    }
    // One more than the limit for a moment: whichever end is worse goes. Where positions come in order, the last ones
    // come from the end, so the new one belongs to an end of those that are kept.
    kept_.insert(query_.limit == Limit::Last ? kept_.begin() : kept_.end(), std::move(position));
    if (query_.limit != Limit::None && kept_.size() > query_.count) {
      kept_.erase(query_.limit == Limit::First ? std::prev(kept_.end()) : kept_.begin());
    }
    if (kept_.size() > kSelectionMax)
      return Error{ErrorCode::TooLarge,
                   "The query selects more than " + std::to_string(kSelectionMax) + " children; add a limit."};
    return {};
  }
  // Takes a position that was found without an index, and counts it against kCountScanMax.
  Result<void> take_scanned(Position position) {
    if (does_ == Does::Count && ++scanned_ > kCountScanMax) {
      return Error{ErrorCode::TooLarge, "Counting more than " + std::to_string(kCountScanMax) +
                                            " children takes an index; add an \".indexOn\" to the rules of this path."};
    }
    return take(std::move(position));
  }

  // extract() hands the position out of its node, where a set would only let it be copied.
  std::vector<Position> positions() && {
    std::vector<Position> all;
    all.reserve(kept_.size());
    while (!kept_.empty()) all.push_back(std::move(kept_.extract(kept_.begin()).value()));
    return all;
  }

 private:
  const Query& query_;
  const Position* beyond_;
  const Does does_;
  std::set<Position, PositionLess> kept_;
  size_t count_ = 0;
  size_t scanned_ = 0;
};

// What a walk along an index that covers has seen of the children it selected, until they are read. Holds a little more
// than may be read at most, for then the read is refused anyway.
class Copies {
 public:
  explicit Copies(size_t bytes_max) : bytes_max_(bytes_max) {}
  void add(std::string_view segment, std::string_view copy) {
    if (copy.empty() || bytes_ > bytes_max_) return;
    bytes_ += copy.size();
    all_.emplace_back(segment, copy);
  }
  void sort() { std::sort(all_.begin(), all_.end()); }
  // The copy of that child, or nothing. Asked in ascending order, after sort().
  const std::string* find(std::string_view segment) {
    while (at_ < all_.size() && all_[at_].first < segment) ++at_;
    return at_ < all_.size() && all_[at_].first == segment ? &all_[at_].second : nullptr;
  }

 private:
  const size_t bytes_max_;
  size_t bytes_ = 0;
  size_t at_ = 0;
  std::vector<std::pair<std::string, std::string>> all_;  // by encoded segment
};

// Narrows [from, upto) to the keys that the query's bounds allow, where positions have no values. False: none is left.
// In an order by priority where no node has one, all values are null: the bounds' values then decide at once whether
// there is a range, and their keys, if they have any, where it begins and ends.
bool key_range(const Query& query, const Position* beyond, std::string& from, std::string& upto) {
  const auto narrow = [&](const std::optional<Bound>& bound, bool is_start) {
    if (!bound) return true;
    const bool is_key = query.order == Order::Key;
    const int order = is_key ? 0 : compare_values(Value(), bound->value);
    // null is below the start's value, and every child has null.
    if (is_start && order < 0) return false;
    const std::string key(!is_key                                      ? std::string_view(bound->key ? *bound->key : "")
                          : bound->value.kind() == Value::Kind::String ? bound->value.as_string()
                                                                       : "");
    if (order != 0 || !check_key(key).ok()) return true;  // in_range() sees to the rest
    std::string segment;
    append_segment(key, segment);
    if (is_start) {
      from += segment;
    } else {
      // `upto` ends in the collection's kPastChildren; behind the segment the end is that of the child.
      upto.pop_back();
      upto.append(segment).push_back(kPastChildren);
    }
    return true;
  };
  const std::string base = from;
  if (!narrow(query.start, true) || !narrow(query.end, false)) return false;
  if (beyond != nullptr) {
    std::string segment;
    append_segment(beyond->key, segment);
    if (query.limit == Limit::Last) {
      upto = std::min(upto, base + segment);
    } else {
      from = std::max(from, base + segment + kPastChildren);
    }
  }
  return from < upto;
}

// Where the order is that of the keys: a seek for each child that is selected.
Result<void> select_by_key(const TreeView& tree, const std::string& base, const Query& query, const Position* beyond,
                           Taker& taker) {
  std::string from = base;
  std::string upto = base + kPastChildren;
  if (!key_range(query, beyond, from, upto)) return {};
  const bool backwards = query.limit == Limit::Last;
  while (!taker.is_full()) {
    std::string segment;
    if (backwards) {
      // The last row before `upto` belongs to the last child. A row with nothing or a mark behind the base is the
      // collection's own.
      ASSIGN_OR_RETURN(const auto row, tree.last(from, upto));
      if (!row || row->first.size() <= base.size() || row->first[base.size()] == kPriorityMark) break;
      segment = row->first.substr(base.size(), segment_length(std::string_view(row->first).substr(base.size())));
      upto = base + segment;
    } else {
      RETURN_IF_ERROR(tree.scan(from, upto, [&](std::string_view key, std::string_view) {
        const std::string_view below = key.substr(base.size());
        if (below.empty() || below.front() == kPriorityMark) return true;
        segment = below.substr(0, segment_length(below));
        return false;
      }));
      if (segment.empty()) break;
      from = base + segment + kPastChildren;
    }
    RETURN_IF_ERROR(taker.take_scanned({Value(), decode_segment(segment)}));
  }
  return {};
}

// The paths from a child to what it is ordered by.
// Relative and encoded, so that a row is compared by its bytes. Order::Value looks at the child's own leaf: an empty
// path.
std::vector<std::string> encoded_order(const Query& query) {
  std::vector<std::string> paths(1);
  if (query.order == Order::Priority) paths[0] = std::string(1, kPriorityMark);
  if (query.order != Order::Child) return paths;
  paths[0] = encode_path(query.child);
  for (const Path& path : query.then) paths.push_back(encode_path(path));
  return paths;
}

// Goes through all rows, and puts together what each child is ordered by.
Result<void> select_by_scan(const TreeView& tree, const std::string& base, const Query& query, Taker& taker) {
  const std::vector<std::string> ordered_by = encoded_order(query);
  std::vector<Value> values(ordered_by.size());
  std::string segment;  // of the child whose rows these are
  Result<void> failed;
  const auto finish = [&] {
    if (!segment.empty() && failed.ok()) {
      failed = taker.take_scanned({std::move(values[0]), decode_segment(segment), {values.begin() + 1, values.end()}});
    }
    std::fill(values.begin(), values.end(), Value());
  };
  RETURN_IF_ERROR(tree.scan(base, base + kPastChildren, [&](std::string_view key, std::string_view leaf) {
    const std::string_view below = key.substr(base.size());
    if (below.empty() || below.front() == kPriorityMark) return true;
    const size_t length = segment_length(below);
    if (below.substr(0, length) != segment) {
      finish();
      segment = below.substr(0, length);
    }
    // Row by row: an exact match is the value itself, and a longer one means that an object stands there.
    const std::string_view within = below.substr(length);
    for (size_t i = 0; i < values.size(); ++i) {
      if (within == ordered_by[i]) {
        Result<Value> value = decode_leaf(leaf);
        if (!value.ok()) failed = value.error();
        if (value.ok()) values[i] = std::move(value).value();
      } else if (query.order != Order::Priority && within.starts_with(ordered_by[i]) && values[i].is_null()) {
        // Below what it is ordered by. The priority of a leaf stands behind the leaf.
        values[i] = any_object();
      }
    }
    return failed.ok();
  }));
  finish();
  return failed;
}

// Where in an index a range begins (`is_start`) or ends, as rows. A bound that is cut stands for all that begin alike.
std::string index_edge(const Query& query, bool is_start) {
  const std::optional<Bound>& bound = is_start ? query.start : query.end;
  std::string edge;
  if (!bound) return is_start ? "\x01" : "\xff";
  const bool is_whole = append_index_values(bound->value, bound->rest, edge);
  // A key that no child can have (kMinKey, kMaxKey, or nonsense) can't be encoded: the edge then lies beside all keys.
  const std::string key(bound->key ? std::string_view(*bound->key) : is_start ? kMinKey : kMaxKey);
  if (is_whole && check_key(key).ok()) {
    append_segment(key, edge);
    if (!is_start) edge += '\0';  // the row itself is within; whether it is selected, in_range() says
    return edge;
  }
  // Before or behind all children of that value.
  // 0xff is above every segment. A cut end value takes in all rows that begin alike, and in_range() sorts them out.
  const bool is_behind = is_start ? is_whole && key == kMaxKey : !is_whole || key != kMinKey;
  if (is_behind) edge += '\xff';
  return edge;
}

// Along the rows of an index. Texts that are cut sort by their keys alone: all that begin alike are read and kept in
// order.
Result<void> select_by_index(const TreeView& tree, const TreeView::IndexRows& index, const std::string& base,
                             const Query& query, const Position* beyond, Taker& taker, Copies* copies) {
  std::string from = index.base + index_edge(query, true);
  std::string upto = index.base + index_edge(query, false);
  if (beyond != nullptr) {
    std::string edge = index.base;
    // A cut value has no exact place: the walk begins at the start of its run, and take() drops what is not beyond.
    if (append_index_values(beyond->value, beyond->rest, edge)) append_segment(beyond->key, edge);
    if (query.limit == Limit::Last) {
      upto = std::min(upto, edge + '\xff');
    } else {
      from = std::max(from, edge);
    }
  }
  if (from >= upto) return {};
  Result<void> failed;
  std::string run;  // what cut rows share
  const std::vector<std::string> ordered_by = encoded_order(query);
  const TreeView::RowFunction take = [&](std::string_view row, std::string_view copy) {
    row.remove_prefix(index.base.size());
    Result<IndexEntry> decoded = decode_index_entry(row, ordered_by.size());
    if (!decoded.ok()) {
      failed = decoded.error();
      return false;
    }
    IndexEntry entry = std::move(decoded).value();
    // Full, and not within the run of cut texts that the last kept row belongs to: nothing better can come.
    const std::string_view start = row.substr(0, entry.cut_bytes);
    if (taker.is_full() && (entry.cut_bytes == 0 || run != start)) return false;
    if (entry.cut_bytes > 0) {
      run = start;
      for (size_t i = 0; i < ordered_by.size() && failed.ok(); ++i) {
        if (!entry.is_cut[i]) continue;
        // The row has only the beginning of the text; the whole text is one look at the data away.
        const auto leaf = tree.leaf(base + std::string(entry.segment) + ordered_by[i]);
        Result<Value> text = !leaf.ok() ? leaf.error() : decode_leaf(leaf.value().value_or(""));
        if (!text.ok()) failed = text.error();
        if (text.ok()) entry.values[i] = std::move(text).value();
      }
      if (!failed.ok()) return false;
    }
    const size_t before = taker.count();
    failed = taker.take(
        {std::move(entry.values[0]), decode_segment(entry.segment), {entry.values.begin() + 1, entry.values.end()}});
    // Of a run of cut texts any number may come, and few be kept.
    const bool is_kept = entry.cut_bytes == 0 && taker.count() > before;
    if (copies != nullptr && index.covers && is_kept) copies->add(entry.segment, copy);
    return failed.ok();
  };
  RETURN_IF_ERROR(query.limit == Limit::Last ? index.rows->scan_down(from, upto, take)
                                             : index.rows->scan(from, upto, take));
  return failed;
}

bool is_by_key(const Query& query, bool has_priorities) {
  return query.order == Order::Key || (query.order == Order::Priority && !has_priorities);
}

Result<void> take_all(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                      const Position* beyond, Taker& taker, Copies* copies = nullptr) {
  const std::string base = encode_path(path);
  ASSIGN_OR_RETURN(const auto leaf, tree.leaf(base));
  // A leaf has no children, and a query of a leaf selects nothing.
  if (leaf) return {};
  if (is_by_key(query, has_priorities)) return select_by_key(tree, base, query, beyond, taker);
  ASSIGN_OR_RETURN(const auto index, tree.index(path, query));
  if (index) return select_by_index(tree, *index, base, query, beyond, taker, copies);
  return select_by_scan(tree, base, query, taker);
}

}  // namespace

Result<bool> selects_by_seek(const TreeView& tree, const Path& path, const Query& query, bool has_priorities) {
  const bool counts_all = query.counts && query.limit == Limit::None;
  if (!counts_all && is_by_key(query, has_priorities)) return true;
  ASSIGN_OR_RETURN(const auto index, tree.index(path, query));
  return index.has_value();
}

Result<std::vector<Position>> select(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                                     const Position* beyond) {
  Taker taker(query, beyond);
  RETURN_IF_ERROR(take_all(tree, path, query, has_priorities, beyond, taker));
  return std::move(taker).positions();
}

Result<uint64_t> count(const TreeView& tree, const Path& path, const Query& query, bool has_priorities) {
  const uint64_t most = query.limit == Limit::None ? UINT64_MAX : query.count;
  if (!query.start && !query.end) {
    Query any = query;
    // IndexPlan::find() then takes an index of any order: each of them keeps the number of children.
    any.counts = true;
    ASSIGN_OR_RETURN(const auto index, tree.index(path, any));
    if (index) {
      ASSIGN_OR_RETURN(const auto row, index->rows->leaf(index->base + '\0'));
      if (!row) return uint64_t{0};
      ASSIGN_OR_RETURN(const uint64_t all, decode_count(*row));
      return std::min(all, most);
    }
  }
  Taker taker(query, nullptr, Taker::Does::Count);
  RETURN_IF_ERROR(take_all(tree, path, query, has_priorities, nullptr, taker));
  return std::min<uint64_t>(taker.count(), most);
}

Value keys_of(const std::vector<Position>& positions) {
  std::vector<std::pair<std::string, Value>> keys;
  keys.reserve(positions.size());
  for (const Position& position : positions) keys.emplace_back(position.key, Value::boolean(true));
  return Value::object(keys);
}

namespace {

// `copies`: children that need not be looked for; null: there are none.
Result<Value> read_selected(const TreeView& tree, const Path& path, const std::vector<Position>& positions,
                            size_t bytes_max, const Projection& projection, Copies* copies) {
  const std::string base = encode_path(path);
  std::vector<std::string> segments;
  segments.reserve(positions.size());
  for (const Position& position : positions) append_segment(position.key, segments.emplace_back());
  std::sort(segments.begin(), segments.end());
  // In the order of rows, none below another.
  // A projection of "a" and "a/b" would read the rows of a/b twice, and the builder wants ascending keys.
  std::vector<std::string> parts;
  for (const Path& one : projection) parts.push_back(encode_path(one));
  if (projection.empty()) parts.emplace_back();
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return b.starts_with(a); }),
              parts.end());
  ValueBuilder builder;
  bool fits = true;
  if (copies != nullptr) copies->sort();
  std::string row;
  for (const std::string& segment : segments) {
    const std::string* copy = copies == nullptr ? nullptr : copies->find(segment);
    if (copy != nullptr) {
      RETURN_IF_ERROR(read_copy(*copy, [&](std::string_view below, std::string_view leaf) {
        const auto holds = [below](const std::string& part) { return below.starts_with(part); };
        if (std::any_of(parts.begin(), parts.end(), holds)) builder.add(row.assign(segment).append(below), leaf);
      }));
      fits = builder.byte_count() <= bytes_max;
    }
    for (size_t i = 0; i < parts.size() && copy == nullptr && fits; ++i) {
      const std::string from = base + segment + parts[i];
      RETURN_IF_ERROR(tree.scan(from, from + kPastChildren, [&](std::string_view key, std::string_view leaf) {
        builder.add(key.substr(base.size()), leaf);
        fits = builder.byte_count() <= bytes_max;
        return fits;
      }));
    }
    if (!fits) {
      return Error{ErrorCode::TooLarge,
                   "Data requested exceeds the maximum size that can be accessed with a single request."};
    }
  }
  return std::move(builder).build();
}

}  // namespace

Result<Value> read_children(const TreeView& tree, const Path& path, const std::vector<Position>& positions,
                            size_t bytes_max, const Projection& projection) {
  return read_selected(tree, path, positions, bytes_max, projection, nullptr);
}

Result<Value> read_window(const TreeView& tree, const Path& path, const Query& query,
                          const std::vector<Position>& positions, size_t bytes_max) {
  Copies copies(bytes_max);
  std::optional<TreeView::IndexRows> index;
  if (!positions.empty() && (query.order == Order::Child || query.order == Order::Value)) {
    ASSIGN_OR_RETURN(index, tree.index(path, query));
  }
  if (index && index->covers) {
    std::string from = index->base;
    std::string upto = index->base;
    const Position& first = positions.front();
    const Position& last = positions.back();
    bool is_whole = append_index_values(first.value, first.rest, from);
    is_whole = append_index_values(last.value, last.rest, upto) && is_whole;
    append_segment(first.key, from);
    append_segment(last.key, upto);
    Result<void> failed;
    size_t rows = 0;
    const auto add = [&](std::string_view row, std::string_view copy) {
      const auto entry = decode_index_entry(row.substr(index->base.size()), query.then.size() + 1);
      if (!entry.ok()) failed = entry.error();
      if (entry.ok()) copies.add(entry.value().segment, copy);
      return entry.ok() && ++rows < positions.size();
    };
    // Texts that are cut have no exact place: then each child is looked for.
    if (is_whole) RETURN_IF_ERROR(index->rows->scan(from, upto + '\0', add));
    RETURN_IF_ERROR(failed);
  }
  return read_selected(tree, path, positions, bytes_max, {}, &copies);
}

Result<Value> read_query(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                         size_t bytes_max, const Projection& projection) {
  if (query.counts) {
    ASSIGN_OR_RETURN(const uint64_t all, count(tree, path, query, has_priorities));
    return Value::integer(static_cast<int64_t>(all));
  }
  if (query.keys_only) {
    // keys_only of a leaf is the leaf itself, as a shallow read of it is, unless the query restricts something.
    const bool is_all = !query.start && !query.end && query.limit == Limit::None;
    ASSIGN_OR_RETURN(const auto leaf, tree.leaf(encode_path(path)));
    if (leaf && is_all) return decode_leaf(*leaf);
    ASSIGN_OR_RETURN(const std::vector<Position> positions, select(tree, path, query, has_priorities));
    return keys_of(positions);
  }
  if (!query.is_filtered()) {
    if (projection.empty()) return tree.read(path, bytes_max);
    ASSIGN_OR_RETURN(const auto leaf, tree.leaf(encode_path(path)));
    if (leaf) return tree.read(path, bytes_max);
    // The order is the reader's to make again.
    ASSIGN_OR_RETURN(const std::vector<Position> all, select(tree, path, Query::by_key(), has_priorities));
    return read_children(tree, path, all, bytes_max, projection);
  }
  Taker taker(query, nullptr);
  Copies copies(bytes_max);
  RETURN_IF_ERROR(take_all(tree, path, query, has_priorities, nullptr, taker, &copies));
  return read_selected(tree, path, std::move(taker).positions(), bytes_max, projection, &copies);
}

}  // namespace hearth::db
