// A query: of the children of a path those in a range of an order, and of these the first or last so many
// (db/model/data-model.md §4-§6). A value; pure.
//
//   orderBy, startAt …, limitToLast    read by net/rest/query.h and net/wire/message.h
//        └─▶ Query ─┬─▶ db/model/select.h     a read: what it finds, and how many
//                   └─▶ db/events/view.h      a listener: what it shows, commit by commit
//
// Each child has a position in the order: the value it is ordered by, then its key. Positions are totally ordered. An
// order by several children (ours) compares the values one after the other.
#pragma once

#include <cstdint>
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

// Keys of bounds that are before and after every key. SDK: core/util/util.ts.
inline constexpr std::string_view kMinKey = "[MIN_NAME]";
inline constexpr std::string_view kMaxKey = "[MAX_NAME]";

inline constexpr size_t kOrderChildrenMax = 8;  // of an order by several

enum class Order : uint8_t { Key, Value, Priority, Child };
enum class Limit : uint8_t { None, First, Last };

// Where a range begins or ends.
struct Bound {
  Value value{};                     // null, a boolean, a number or a string; of Order::Key, the key as a string
  std::optional<std::string> key{};  // nothing: all children of that value are within a start or end, inclusive or not
  bool is_inclusive = true;
  std::vector<Value> rest{};  // of an order by several children: behind `value`; fewer than the order has stand for all
  friend bool operator==(const Bound&, const Bound&) = default;
};

class JsonNode;

struct Query {
  Order order = Order::Priority;
  Path child{};              // Order::Child
  std::vector<Path> then{};  // and then by those
  std::optional<Bound> start{}, end{};
  Limit limit = Limit::None;
  uint32_t count = 0;  // of Limit::First and Last; at least 1
  // Instead of what is selected (ours, no client of the service asks it):
  bool counts = false;     // how many they are: an integer
  bool keys_only = false;  // their keys: an object of `true`; of a leaf, and without bound or limit, the leaf

  // A query in one expression: Query::by_child("sent").start_at(Value::integer(7)).limit_to_last(50). A bad child
  // path and a limit of 0 are refused where the query is asked (check_query).
  static Query by_key();
  static Query by_value();
  static Query by_priority();
  static Query by_child(std::string_view path);
  Query start_at(Value value, std::optional<std::string> key = {}) const;
  Query start_after(Value value, std::optional<std::string> key = {}) const;
  Query end_at(Value value, std::optional<std::string> key = {}) const;
  Query end_before(Value value, std::optional<std::string> key = {}) const;
  Query equal_to(Value value, std::optional<std::string> key = {}) const;
  Query limit_to_first(uint32_t most) const;
  Query limit_to_last(uint32_t most) const;

  bool is_filtered() const { return start || end || limit != Limit::None || counts || keys_only; }
  // Equal for queries that mean the same.
  std::string text() const;
  size_t byte_count() const;  // about what it holds in memory
  friend bool operator==(const Query&, const Query&) = default;
};

// A query that all who need it share, or none. A copy is a pointer; crosses threads freely.
class SharedQuery {
 public:
  SharedQuery() = default;  // none
  SharedQuery(std::nullopt_t) {}
  SharedQuery(Query query) : query_(std::make_shared<const Query>(std::move(query))) {}
  SharedQuery(std::optional<Query> query)
      : query_(query ? std::make_shared<const Query>(std::move(*query)) : nullptr) {}
  explicit operator bool() const { return query_ != nullptr; }
  const Query& operator*() const { return *query_; }
  const Query* operator->() const { return query_.get(); }
  void reset() { query_.reset(); }

 private:
  std::shared_ptr<const Query> query_;
};

// ["uid", "sent/at"] → Query::child and then. False: it is no list of 1 to kOrderChildrenMax child paths.
bool read_order(const JsonNode& list, Path& child, std::vector<Path>& then);
Result<void> check_query(const Query& query);  // Errors: InvalidArgument

// Where a child stands. `value`: what it is ordered by, without priority; any object stands for all. Order::Key has
// null.
struct Position {
  Value value{};
  std::string key{};
  std::vector<Value> rest{};  // of Query::then
};
const Value& any_object();  // stands for every object where positions are compared
// A double, and what of an int64 beyond 2^53 it leaves out (db/model/data-model.md §2.3).
std::pair<double, int64_t> number_of(const Value& number);
// <0, 0 or >0.
int compare_values(const Value& a, const Value& b);        // db/model/data-model.md §4
int compare_places(const Position& a, const Position& b);  // without their keys
int compare_positions(const Position& a, const Position& b);
struct PositionLess {
  bool operator()(const Position& a, const Position& b) const { return compare_positions(a, b) < 0; }
};

int compare_to_bound(const Position& position, const Bound& bound, const Query& query, std::string_view without_key);

Position position_of(std::string_view key, const Value& child, const Query& query);
bool in_range(const Position& position, const Query& query);

}  // namespace hearth::db
