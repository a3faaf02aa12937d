// The order of a query, and what lies in its range.
//
//   null < false < true < numbers < strings < objects        and among equal values by key
//
//        start ┌───────────────── in_range() ─────────────────┐ end
//   ───────────●──────────●─────────●──────────●──────────────●────────▶ positions: (value, value of `then` …, key)
//                                   └── the last 3 of these: Limit::Last, count = 3
//
// A bound may name a key or not. Without one, it stands before or behind all children of its value: that is what the
// two names kMinKey and kMaxKey are for, which sort before and after every real key. An exclusive bound without a key
// leaves out every child of the value, as in the SDKs. These functions are the truth: whatever finds positions faster
// (an index, a seek along keys) may find too many, and asks in_range() of each.
#include "db/model/query.h"

#include <algorithm>
#include <set>

#include "db/model/json.h"
#include "db/model/key_order.h"

namespace hearth::db {
namespace {

int type_rank(const Value& value) {
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

// Real keys can't be one of the two names: they contain brackets.
int compare_bound_keys(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  if (a == kMinKey || b == kMaxKey) return -1;
  if (a == kMaxKey || b == kMinKey) return 1;
  return compare_keys(a, b);
}

void append_bound(const std::optional<Bound>& bound, std::string& to) {
  if (!bound) return;
  append_json(bound->value, JsonStyle::Export, to);
  for (const Value& value : bound->rest) append_json(value, JsonStyle::Export, to += ',');
  if (bound->key) append_json_string(*bound->key, to);
  to += bound->is_inclusive ? '=' : '!';
}

}  // namespace

// Objects are all equal in an order, so one of them stands for the others, and no position keeps a subtree alive.
const Value& any_object() {
  static const Value object = Value::object({{"o", Value::boolean(true)}});
  return object;
}

// Compared first as doubles, as every client does, then by what the double leaves out: so int64 neighbours beyond
// 2^53 have an order here, and it never contradicts the clients'.
std::pair<double, int64_t> number_of(const Value& number) {
  if (number.kind() != Value::Kind::Integer) return {number.as_double(), 0};
  const int64_t whole = number.as_integer();
  const auto rounded = static_cast<double>(whole);
  return {rounded, static_cast<int64_t>(static_cast<__int128>(whole) - static_cast<__int128>(rounded))};
}

// The name of a view: two listeners with equal texts share a window. Everything that changes the result must be in it.
std::string Query::text() const {
  std::string to(1, "kvpc"[static_cast<size_t>(order)]);
  to += child.text();
  for (const Path& path : then) to.append(",").append(path.text());
  to += '|';
  append_bound(start, to);
  to += '|';
  append_bound(end, to);
  to += '|';
  if (limit != Limit::None) to.append(limit == Limit::First ? "f" : "l").append(std::to_string(count));
  if (counts) to += '#';
  if (keys_only) to += '*';
  return to;
}

size_t Query::byte_count() const {
  size_t bytes = sizeof(Query) + child.text().size();
  for (const Path& path : then) bytes += sizeof(Path) + path.text().size();
  for (const auto* bound : {&start, &end}) {
    if (!*bound) continue;
    bytes += (*bound)->value.byte_count() + ((*bound)->key ? (*bound)->key->size() : 0);
    for (const Value& value : (*bound)->rest) bytes += sizeof(Value) + value.byte_count();
  }
  return bytes;
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
Bound bound_of(const Query& query, Value value, std::optional<std::string> key, bool is_inclusive,
               std::string_view past) {
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

bool read_order(const JsonNode& list, Path& child, std::vector<Path>& then) {
  if (list.kind() != JsonNode::Kind::Array) return false;
  std::vector<Path> paths;
  for (const JsonNode& one : list.elements()) {
    Result<Path> path = Path::parse(one.string().value_or(""));
    if (!path.ok() || path.value().is_root() || paths.size() == kOrderChildrenMax) return false;
    paths.push_back(std::move(path).value());
  }
  if (paths.empty()) return false;
  child = std::move(paths.front());
  then.assign(std::make_move_iterator(paths.begin() + 1), std::make_move_iterator(paths.end()));
  return true;
}

// Queries come from clients. What passes here is what the rest of db relies on.
Result<void> check_query(const Query& query) {
  const auto refuse = [](std::string text) { return Error{ErrorCode::InvalidArgument, std::move(text)}; };
  const bool names_none = query.child.is_root() || std::any_of(query.then.begin(), query.then.end(),
                                                               [](const Path& path) { return path.is_root(); });
  if (query.order == Order::Child && names_none) return refuse("The query's child is no path of a child.");
  if (query.then.size() > kOrderChildrenMax - 1)
    return refuse("A query orders by at most " + std::to_string(kOrderChildrenMax) + " children.");
  if (query.limit != Limit::None && query.count == 0) return refuse("A query's limit must be positive.");
  for (const auto& bound : {query.start, query.end}) {
    if (!bound) continue;
    if (bound->rest.size() > query.then.size())
      return refuse("A query's bound has more values than its order has children.");
    if (bound->value.is_object()) return refuse("A query's bound must be null, a boolean, a number or a string.");
    if (query.order == Order::Key && (bound->value.kind() != Value::Kind::String || bound->key)) {
      return refuse("By key, a query's bound must be a string, alone.");
    }
  }
  return {};
}

int compare_values(const Value& a, const Value& b) {
  const int rank_a = type_rank(a);
  const int rank_b = type_rank(b);
  if (rank_a != rank_b) return three_way(rank_a, rank_b);
  if (rank_a == 4) return compare_utf16(a.as_string(), b.as_string());
  if (rank_a != 3) return 0;
  const auto number_a = number_of(a);
  const auto number_b = number_of(b);
  return number_a.first != number_b.first ? three_way(number_a.first, number_b.first)
                                          : three_way(number_a.second, number_b.second);
}

int compare_places(const Position& a, const Position& b) {
  int order = compare_values(a.value, b.value);
  for (size_t i = 0; order == 0 && i < std::min(a.rest.size(), b.rest.size()); ++i)
    order = compare_values(a.rest[i], b.rest[i]);
  return order;
}

int compare_positions(const Position& a, const Position& b) {
  const int by_place = compare_places(a, b);
  return by_place != 0 ? by_place : compare_bound_keys(a.key, b.key);
}

// `without_key` decides for a bound that has none: kMinKey for a start, kMaxKey for an end, so both ends are included.
int compare_to_bound(const Position& position, const Bound& bound, const Query& query, std::string_view without_key) {
  if (query.order == Order::Key) {
    const bool has_key = bound.value.kind() == Value::Kind::String;
    return compare_bound_keys(position.key, has_key ? bound.value.as_string() : without_key);
  }
  const int by_place = compare_places(position, {bound.value, {}, bound.rest});
  return by_place != 0 ? by_place : compare_bound_keys(position.key, bound.key ? *bound.key : without_key);
}

// From a value that is in memory; find_place() (index.cc) does the same from rows. The two must agree, or a child
// would be looked for in an index row that it does not have.
Position position_of(std::string_view key, const Value& child, const Query& query) {
  Position position{Value(), std::string(key)};
  const auto of_child = [&](const Path& path) {
    Value value = child.at(path).without_priority();
    return value.is_object() ? any_object() : value;
  };
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
      position.value = of_child(query.child);
      for (const Path& path : query.then) position.rest.push_back(of_child(path));
      break;
  }
  if (position.value.is_object()) position.value = any_object();
  return position;
}

bool in_range(const Position& position, const Query& query) {
  if (query.start) {
    const int order = compare_to_bound(position, *query.start, query, kMinKey);
    if (order < 0 || (order == 0 && !query.start->is_inclusive)) return false;
  }
  if (query.end) {
    const int order = compare_to_bound(position, *query.end, query, kMaxKey);
    if (order > 0 || (order == 0 && !query.end->is_inclusive)) return false;
  }
  return true;
}

}  // namespace hearth::db
