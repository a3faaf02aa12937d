#include "db/model/query.h"

#include <algorithm>
#include <set>

#include "db/model/index.h"
#include "db/model/json.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

int rank(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Null:
      return 0;
    case Value::Kind::Boolean:
      return value.as_boolean() ? 2 : 1;
    case Value::Kind::Integer:
    case Value::Kind::Double:
      return 3;
    case Value::Kind::String:
      return 4;
    case Value::Kind::Object:
    case Value::Kind::Timestamp:
    case Value::Kind::Increment:
      break;
  }
  return 5;
}

template <typename T>
int three_way(T a, T b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

int compare_bound_keys(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  if (a == kMinKey || b == kMaxKey) return -1;
  if (a == kMaxKey || b == kMinKey) return 1;
  return compare_keys(a, b);
}

Position bound_position(const Bound& bound, const Query& query, std::string_view without_key) {
  if (query.order == Order::Key) {
    return {Value(), bound.value.kind() == Value::Kind::String ? std::string(bound.value.as_string()) : std::string(without_key)};
  }
  return {bound.value, bound.key.value_or(std::string(without_key))};
}

void append_bound(const std::optional<Bound>& bound, std::string& to) {
  if (!bound) return;
  append_json(bound->value, JsonStyle::Export, to);
  if (bound->key) append_json_string(*bound->key, to);
  to += bound->is_inclusive ? '=' : '!';
}

}  // namespace

const Value& any_object() {
  static const Value object = Value::object({{"o", Value::boolean(true)}});
  return object;
}

std::pair<double, int64_t> number_of(const Value& number) {
  if (number.kind() != Value::Kind::Integer) return {number.as_double(), 0};
  const int64_t whole = number.as_integer();
  const auto rounded = static_cast<double>(whole);
  return {rounded, static_cast<int64_t>(static_cast<__int128>(whole) - static_cast<__int128>(rounded))};
}

std::string Query::text() const {
  std::string to(1, "kvpc"[static_cast<size_t>(order)]);
  to.append(child.text()).append("|");
  append_bound(start, to);
  to += '|';
  append_bound(end, to);
  to += '|';
  if (limit != Limit::None) to.append(limit == Limit::First ? "f" : "l").append(std::to_string(count));
  return to;
}

int compare_values(const Value& a, const Value& b) {
  const int rank_a = rank(a);
  const int rank_b = rank(b);
  if (rank_a != rank_b) return three_way(rank_a, rank_b);
  if (rank_a == 4) return compare_utf16(a.as_string(), b.as_string());
  if (rank_a != 3) return 0;
  const auto number_a = number_of(a);
  const auto number_b = number_of(b);
  return number_a.first != number_b.first ? three_way(number_a.first, number_b.first)
                                          : three_way(number_a.second, number_b.second);
}

int compare_positions(const Position& a, const Position& b) {
  const int by_value = compare_values(a.value, b.value);
  return by_value != 0 ? by_value : compare_bound_keys(a.key, b.key);
}

Position position_of(std::string_view key, const Value& child, const Query& query) {
  Position position{Value(), std::string(key)};
  switch (query.order) {
    case Order::Key:
      return position;
    case Order::Value:
      position.value = child.without_priority();
      break;
    case Order::Priority:
      position.value = child.priority();
      break;
    case Order::Child:
      position.value = child.at(query.child).without_priority();
      break;
  }
  if (position.value.is_object()) position.value = any_object();
  return position;
}

bool in_range(const Position& position, const Query& query) {
  if (query.start) {
    const int order = compare_positions(position, bound_position(*query.start, query, kMinKey));
    if (order < 0 || (order == 0 && !query.start->is_inclusive)) return false;
  }
  if (query.end) {
    const int order = compare_positions(position, bound_position(*query.end, query, kMaxKey));
    if (order > 0 || (order == 0 && !query.end->is_inclusive)) return false;
  }
  return true;
}

Result<std::optional<Position>> find_position(const TreeView& tree, const Path& path, std::string_view key,
                                              const Query& query) {
  std::string encoded = encode_path(path);
  append_segment(key, encoded);
  ASSIGN_OR_RETURN(auto value, ordered_value(tree, encoded, query.order, query.child));
  if (!value) return std::optional<Position>();
  return std::optional(Position{std::move(*value), std::string(key)});
}

namespace {

// Takes positions one by one, and keeps those that are selected.
class Taker {
 public:
  Taker(const Query& query, const Position* beyond) : query_(query), beyond_(beyond) {}

  // False when nothing that comes in the query's order can be selected any more.
  bool is_full() const { return query_.limit != Limit::None && kept_.size() >= query_.count; }

  Result<void> take(Position position) {
    if (!in_range(position, query_)) return {};
    if (beyond_ != nullptr) {
      const int order = compare_positions(position, *beyond_);
      if (query_.limit == Limit::Last ? order >= 0 : order <= 0) return {};
    }
    kept_.insert(std::move(position));
    if (query_.limit != Limit::None && kept_.size() > query_.count) {
      kept_.erase(query_.limit == Limit::First ? std::prev(kept_.end()) : kept_.begin());
    }
    if (kept_.size() > kSelectionMax) return Error{ErrorCode::TooLarge, "The query selects too many children; add a limit."};
    return {};
  }

  std::vector<Position> positions() && {
    std::vector<Position> all;
    all.reserve(kept_.size());
    while (!kept_.empty()) all.push_back(std::move(kept_.extract(kept_.begin()).value()));
    return all;
  }

 private:
  const Query& query_;
  const Position* beyond_;
  std::set<Position, PositionLess> kept_;
};

// The keys that a range of positions without values is about. False: none.
bool key_range(const Query& query, const Position* beyond, std::string& from, std::string& upto) {
  const auto narrow = [&](const std::optional<Bound>& bound, bool is_start) {
    if (!bound) return true;
    const Position at = bound_position(*bound, query, is_start ? kMinKey : kMaxKey);
    const int order = compare_values(Value(), at.value);
    if (is_start && order < 0) return false;
    if (order != 0 || !check_key(at.key).ok()) return true;  // in_range() sees to the rest
    std::string segment;
    append_segment(at.key, segment);
    if (is_start) {
      from += segment;
    } else {
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
Result<std::vector<Position>> select_by_key(const TreeView& tree, const std::string& base, const Query& query,
                                            const Position* beyond) {
  Taker taker(query, beyond);
  std::string from = base;
  std::string upto = base + kPastChildren;
  if (!key_range(query, beyond, from, upto)) return std::move(taker).positions();
  const bool backwards = query.limit == Limit::Last;
  while (!taker.is_full()) {
    std::string segment;
    if (backwards) {
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
    RETURN_IF_ERROR(taker.take({Value(), decode_segment(segment)}));
  }
  return std::move(taker).positions();
}

// Goes through all rows, and puts together what each child is ordered by.
Result<std::vector<Position>> select_by_scan(const TreeView& tree, const std::string& base, const Query& query,
                                             const Position* beyond) {
  Taker taker(query, beyond);
  const std::string ordered_by = query.order == Order::Child      ? encode_path(query.child)
                                 : query.order == Order::Priority ? std::string(1, kPriorityMark)
                                                                  : std::string();
  std::string segment;  // of the child whose rows these are
  Position position;
  Result<void> failed;
  const auto finish = [&] {
    if (!segment.empty() && failed.ok()) failed = taker.take(std::move(position));
    position = Position();
  };
  RETURN_IF_ERROR(tree.scan(base, base + kPastChildren, [&](std::string_view key, std::string_view leaf) {
    const std::string_view below = key.substr(base.size());
    if (below.empty() || below.front() == kPriorityMark) return true;
    const size_t length = segment_length(below);
    if (below.substr(0, length) != segment) {
      finish();
      segment = below.substr(0, length);
      position.key = decode_segment(segment);
    }
    const std::string_view within = below.substr(length);
    if (within == ordered_by) {
      Result<Value> value = decode_leaf(leaf);
      if (!value.ok()) failed = value.error();
      if (value.ok()) position.value = std::move(value).value();
    } else if (query.order != Order::Priority && within.starts_with(ordered_by) && position.value.is_null()) {
      // Below what it is ordered by. The priority of a leaf stands behind the leaf.
      position.value = any_object();
    }
    return failed.ok();
  }));
  finish();
  RETURN_IF_ERROR(failed);
  return std::move(taker).positions();
}

// Where in an index a range begins (`is_start`) or ends, as rows. A bound that is cut stands for all that begin alike.
std::string index_edge(const Query& query, bool is_start) {
  const std::optional<Bound>& bound = is_start ? query.start : query.end;
  std::string edge;
  if (!bound) return is_start ? "\x01" : "\xff";
  const bool is_whole = append_index_value(bound->value, edge);
  const Position at = bound_position(*bound, query, is_start ? kMinKey : kMaxKey);
  if (is_whole && check_key(at.key).ok()) {
    append_segment(at.key, edge);
    if (!is_start) edge += '\0';  // the row itself is within; whether it is selected, in_range() says
    return edge;
  }
  // Before or behind all children of that value.
  const bool is_behind = is_start ? is_whole && at.key == kMaxKey : !is_whole || at.key != kMinKey;
  if (is_behind) edge += '\xff';
  return edge;
}

// Along the rows of an index. Texts that are cut sort by their keys alone: all that begin alike are read and kept in order.
Result<std::vector<Position>> select_by_index(const TreeView& tree, const TreeView::IndexRows& index,
                                              const std::string& base, const Query& query, const Position* beyond) {
  Taker taker(query, beyond);
  std::string from = index.base + index_edge(query, true);
  std::string upto = index.base + index_edge(query, false);
  if (beyond != nullptr) {
    std::string edge = index.base;
    if (append_index_value(beyond->value, edge)) append_segment(beyond->key, edge);
    if (query.limit == Limit::Last) {
      upto = std::min(upto, edge + '\xff');
    } else {
      from = std::max(from, edge);
    }
  }
  if (from >= upto) return std::move(taker).positions();
  Result<void> failed;
  std::string run;  // the value that cut rows share
  const std::string ordered_by = query.order == Order::Child ? encode_path(query.child) : std::string();
  const TreeView::RowFunction take = [&](std::string_view row, std::string_view) {
    row.remove_prefix(index.base.size());
    Result<IndexEntry> entry = decode_index_entry(row);
    if (!entry.ok()) {
      failed = entry.error();
      return false;
    }
    const std::string_view value = row.substr(0, entry.value().value_bytes);
    if (taker.is_full() && (!entry.value().is_cut || run != value)) return false;
    Position position{std::move(entry.value().value), decode_segment(entry.value().segment)};
    if (entry.value().is_cut) {
      run = value;
      const auto leaf = tree.leaf(base + std::string(entry.value().segment) + ordered_by);
      Result<Value> text = !leaf.ok() ? leaf.error() : decode_leaf(leaf.value().value_or(""));
      if (!text.ok()) {
        failed = text.error();
        return false;
      }
      position.value = std::move(text).value();
    }
    failed = taker.take(std::move(position));
    return failed.ok();
  };
  RETURN_IF_ERROR(query.limit == Limit::Last ? index.rows->scan_down(from, upto, take) : index.rows->scan(from, upto, take));
  RETURN_IF_ERROR(failed);
  return std::move(taker).positions();
}

}  // namespace

Result<std::vector<Position>> select(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                                     const Position* beyond) {
  const std::string base = encode_path(path);
  ASSIGN_OR_RETURN(const auto leaf, tree.leaf(base));
  if (leaf) return std::vector<Position>();
  const bool by_key = query.order == Order::Key || (query.order == Order::Priority && !has_priorities);
  if (by_key) return select_by_key(tree, base, query, beyond);
  ASSIGN_OR_RETURN(const auto index, tree.index(path, query));
  if (index) return select_by_index(tree, *index, base, query, beyond);
  return select_by_scan(tree, base, query, beyond);
}

Result<Value> read_children(const TreeView& tree, const Path& path, const std::vector<Position>& positions,
                            size_t bytes_max) {
  const std::string base = encode_path(path);
  std::vector<std::string> segments;
  segments.reserve(positions.size());
  for (const Position& position : positions) append_segment(position.key, segments.emplace_back());
  std::sort(segments.begin(), segments.end());
  ValueBuilder builder;
  bool fits = true;
  for (const std::string& segment : segments) {
    const std::string from = base + segment;
    RETURN_IF_ERROR(tree.scan(from, from + kPastChildren, [&](std::string_view key, std::string_view leaf) {
      builder.add(key.substr(base.size()), leaf);
      fits = builder.byte_count() <= bytes_max;
      return fits;
    }));
    if (!fits) {
      return Error{ErrorCode::TooLarge, "Data requested exceeds the maximum size that can be accessed with a single request."};
    }
  }
  return std::move(builder).build();
}

Result<Value> read_query(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                         size_t bytes_max) {
  if (!query.is_filtered()) return tree.read(path, bytes_max);
  ASSIGN_OR_RETURN(const std::vector<Position> positions, select(tree, path, query, has_priorities));
  return read_children(tree, path, positions, bytes_max);
}

}  // namespace hearth::db
