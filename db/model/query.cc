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
  if (counts) to += '#';
  return to;
}

namespace {
Query ordered(Order order) {
  Query query;
  query.order = order;
  return query;
}
}  // namespace

Query Query::by_key() { return ordered(Order::Key); }
Query Query::by_value() { return ordered(Order::Value); }
Query Query::by_priority() { return {}; }
Query Query::by_child(std::string_view path) {
  Query query = ordered(Order::Child);
  if (Result<Path> child = Path::parse(path); child.ok()) query.child = std::move(child).value();
  return query;
}

namespace {

// An exclusive bound without a key leaves out every child of that value. SDK: QueryParams.ts.
Bound bound_of(const Query& query, Value value, std::optional<std::string> key, bool is_inclusive, std::string_view past) {
  if (!is_inclusive && !key && query.order != Order::Key) key = std::string(past);
  return {std::move(value), std::move(key), is_inclusive};
}

}  // namespace

Query Query::start_at(Value value, std::optional<std::string> key) const {
  Query query = *this;
  query.start = bound_of(*this, std::move(value), std::move(key), true, kMinKey);
  return query;
}
Query Query::start_after(Value value, std::optional<std::string> key) const {
  Query query = *this;
  query.start = bound_of(*this, std::move(value), std::move(key), false, kMaxKey);
  return query;
}
Query Query::end_at(Value value, std::optional<std::string> key) const {
  Query query = *this;
  query.end = bound_of(*this, std::move(value), std::move(key), true, kMaxKey);
  return query;
}
Query Query::end_before(Value value, std::optional<std::string> key) const {
  Query query = *this;
  query.end = bound_of(*this, std::move(value), std::move(key), false, kMinKey);
  return query;
}
Query Query::equal_to(Value value, std::optional<std::string> key) const {
  return start_at(value, key).end_at(value, key);
}
Query Query::limit_to_first(uint32_t most) const {
  Query query = *this;
  query.limit = Limit::First;
  query.count = most;
  return query;
}
Query Query::limit_to_last(uint32_t most) const {
  Query query = *this;
  query.limit = Limit::Last;
  query.count = most;
  return query;
}

Result<void> check_query(const Query& query) {
  const auto refuse = [](std::string text) { return Error{ErrorCode::InvalidArgument, std::move(text)}; };
  if (query.order == Order::Child && query.child.is_root()) return refuse("The query's child is no path of a child.");
  if (query.limit != Limit::None && query.count == 0) return refuse("A query's limit must be positive.");
  for (const auto& bound : {query.start, query.end}) {
    if (!bound) continue;
    if (bound->value.is_object()) return refuse("A query's bound must be null, a boolean, a number or a string.");
    if (query.order == Order::Key && (bound->value.kind() != Value::Kind::String || bound->key)) {
      return refuse("By key, a query's bound must be a string, alone.");
    }
  }
  return {};
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

// Takes positions one by one, and keeps those that are selected, or counts them.
class Taker {
 public:
  enum class Does : uint8_t { Keep, Count };
  Taker(const Query& query, const Position* beyond, Does does = Does::Keep)
      : query_(query), beyond_(beyond), does_(does) {}

  // Whether nothing that comes in the query's order can be selected any more.
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
    kept_.insert(std::move(position));
    if (query_.limit != Limit::None && kept_.size() > query_.count) {
      kept_.erase(query_.limit == Limit::First ? std::prev(kept_.end()) : kept_.begin());
    }
    if (kept_.size() > kSelectionMax) return Error{ErrorCode::TooLarge, "The query selects too many children; add a limit."};
    return {};
  }
  // One that was found without an index.
  Result<void> take_scanned(Position position) {
    if (does_ == Does::Count && ++scanned_ > kCountScanMax) {
      return Error{ErrorCode::TooLarge, "Counting more than " + std::to_string(kCountScanMax) +
                                            " children takes an index; add an \".indexOn\" to the rules of this path."};
    }
    return take(std::move(position));
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
  const Does does_;
  std::set<Position, PositionLess> kept_;
  size_t count_ = 0;
  size_t scanned_ = 0;
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
Result<void> select_by_key(const TreeView& tree, const std::string& base, const Query& query, const Position* beyond,
                           Taker& taker) {
  std::string from = base;
  std::string upto = base + kPastChildren;
  if (!key_range(query, beyond, from, upto)) return {};
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
    RETURN_IF_ERROR(taker.take_scanned({Value(), decode_segment(segment)}));
  }
  return {};
}

// Goes through all rows, and puts together what each child is ordered by.
Result<void> select_by_scan(const TreeView& tree, const std::string& base, const Query& query, Taker& taker) {
  const std::string ordered_by = query.order == Order::Child      ? encode_path(query.child)
                                 : query.order == Order::Priority ? std::string(1, kPriorityMark)
                                                                  : std::string();
  std::string segment;  // of the child whose rows these are
  Position position;
  Result<void> failed;
  const auto finish = [&] {
    if (!segment.empty() && failed.ok()) failed = taker.take_scanned(std::move(position));
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
  return failed;
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
Result<void> select_by_index(const TreeView& tree, const TreeView::IndexRows& index, const std::string& base,
                             const Query& query, const Position* beyond, Taker& taker) {
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
  if (from >= upto) return {};
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
  return failed;
}

bool is_by_key(const Query& query, bool has_priorities) {
  return query.order == Order::Key || (query.order == Order::Priority && !has_priorities);
}

Result<void> take_all(const TreeView& tree, const Path& path, const Query& query, bool has_priorities,
                      const Position* beyond, Taker& taker) {
  const std::string base = encode_path(path);
  ASSIGN_OR_RETURN(const auto leaf, tree.leaf(base));
  if (leaf) return {};
  if (is_by_key(query, has_priorities)) return select_by_key(tree, base, query, beyond, taker);
  ASSIGN_OR_RETURN(const auto index, tree.index(path, query));
  if (index) return select_by_index(tree, *index, base, query, beyond, taker);
  return select_by_scan(tree, base, query, taker);
}

}  // namespace

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
  if (query.counts) {
    ASSIGN_OR_RETURN(const uint64_t all, count(tree, path, query, has_priorities));
    return Value::integer(static_cast<int64_t>(all));
  }
  ASSIGN_OR_RETURN(const std::vector<Position> positions, select(tree, path, query, has_priorities));
  return read_children(tree, path, positions, bytes_max);
}

}  // namespace hearth::db
