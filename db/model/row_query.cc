// Finding rows. What is looked at is chosen from the conditions that every row has to fulfil, and from the order:
//
//   1  id=eq.a, id=in.(a,b)               those keys, and nothing else
//   2  n=eq.5, n=in.(5,6), n=is.null      index of n: a piece for each value, of each kind that is spelled so
//   3  n=gt.5 & order=n                   index of n, in the order that is asked for
//   4  order=n & limit=10, no count       index of n from one end; ends when ten rows have matched
//   5  n=gt.5                             index of n
//   6  else                               all rows by their keys; with a limit, and no order, until it is reached
//
//   pieces of n=gt.5:    … 5 ┤ numbers ├───────┤ "5" ┤ texts ├──▶      a condition does not say which kind it means
//
// Every row that is looked at is asked for all conditions again, so a piece may hold too many rows, and never too few.
// Then who asks must be allowed to see it: rows that are not seen count nowhere, neither in the total nor against offset
// and limit. Work has one bound, the rows that are looked at, seen or not.
#include "db/model/row_query.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "db/model/key_order.h"
#include "db/model/select.h"

namespace hearth::db {
namespace {

using Op = RowCondition::Op;

constexpr size_t kPageRows = 256;
constexpr size_t kPageBytes = 1u << 20;

// Rows in some order, a page at a time.
class RowWalk {
 public:
  virtual ~RowWalk() = default;
  // At most about `rows`; none: it is over.
  virtual Result<std::vector<FoundRow>> next(size_t rows) = 0;
};

// The rows of those keys.
class KeysWalk final : public RowWalk {
 public:
  KeysWalk(const TreeView& tree, const Path& table, std::vector<std::string> keys, size_t bytes_max)
      : tree_(tree), base_(encode_path(table)), keys_(std::move(keys)), bytes_max_(bytes_max) {}
  Result<std::vector<FoundRow>> next(size_t rows) override {
    std::vector<FoundRow> page;
    size_t bytes = 0;
    while (page.size() < rows && bytes < kPageBytes && at_ < keys_.size()) {
      std::string encoded = base_;
      append_segment(keys_[at_], encoded);
      ASSIGN_OR_RETURN(Value row, tree_.read(encoded, bytes_max_));
      bytes += row.byte_count();
      if (!row.is_null()) page.push_back({keys_[at_], std::move(row)});
      ++at_;
    }
    return page;
  }

 private:
  const TreeView& tree_;
  const std::string base_;
  const std::vector<std::string> keys_;
  const size_t bytes_max_;
  size_t at_ = 0;
};

// All rows in the order of their keys: one scan for a page, whose rows are cut into children.
class TableWalk final : public RowWalk {
 public:
  TableWalk(const TreeView& tree, const Path& table, size_t bytes_max)
      : tree_(tree), base_(encode_path(table)), bytes_max_(bytes_max) {}
  Result<std::vector<FoundRow>> next(size_t rows) override {
    std::vector<FoundRow> page;
    std::string segment;  // of the row that is being read
    std::optional<ValueBuilder> builder;
    size_t bytes = 0;
    bool is_too_large = false;
    const auto finish = [&] {
      if (segment.empty()) return;
      page.push_back({decode_segment(segment), std::move(*builder).build()});
      from_ = segment + kPastChildren;
    };
    RETURN_IF_ERROR(tree_.scan(base_ + from_, base_ + kPastChildren, [&](std::string_view key, std::string_view leaf) {
      const std::string_view below = key.substr(base_.size());
      const size_t length = segment_length(below);
      if (below.substr(0, length) != segment) {
        finish();
        segment.clear();
        if (page.size() >= rows || bytes >= kPageBytes) return false;
        segment = below.substr(0, length);
        builder.emplace();
      }
      builder->add(below.substr(length), leaf);
      bytes += key.size() + leaf.size();
      is_too_large = builder->byte_count() > bytes_max_;
      return !is_too_large;
    }));
    if (is_too_large) return Error{ErrorCode::TooLarge, "A row is larger than one answer may be."};
    finish();
    return page;
  }

 private:
  const TreeView& tree_;
  const std::string base_;
  const size_t bytes_max_;
  std::string from_ = "\x01";  // behind a priority of the table itself
};

// What queries select, one after the other: along an index, or along keys.
class QueryWalk final : public RowWalk {
 public:
  QueryWalk(const TreeView& tree, Path table, std::vector<Query> pieces, Limit side, bool has_priorities,
            size_t bytes_max)
      : tree_(tree),
        table_(std::move(table)),
        pieces_(std::move(pieces)),
        side_(side),
        has_priorities_(has_priorities),
        bytes_max_(bytes_max) {}
  Result<std::vector<FoundRow>> next(size_t rows) override {
    std::vector<FoundRow> page;
    while (page.empty() && at_ < pieces_.size()) {
      Query& piece = pieces_[at_];
      piece.limit = side_;
      piece.count = static_cast<uint32_t>(std::clamp<size_t>(rows, 1, kPageRows));
      ASSIGN_OR_RETURN(auto positions, select(tree_, table_, piece, has_priorities_, beyond_ ? &*beyond_ : nullptr));
      if (side_ == Limit::Last) std::reverse(positions.begin(), positions.end());
      const std::string base = encode_path(table_);
      for (const Position& position : positions) {
        std::string encoded = base;
        append_segment(position.key, encoded);
        ASSIGN_OR_RETURN(Value row, tree_.read(encoded, bytes_max_));
        page.push_back({position.key, std::move(row)});
      }
      const bool is_over = positions.size() < piece.count;
      if (!positions.empty()) beyond_ = std::move(positions.back());
      if (is_over) {
        ++at_;
        beyond_.reset();
      }
    }
    return page;
  }

 private:
  const TreeView& tree_;
  const Path table_;
  std::vector<Query> pieces_;
  const Limit side_;
  const bool has_priorities_;
  const size_t bytes_max_;
  size_t at_ = 0;
  std::optional<Position> beyond_;
};

// The conditions that every row has to fulfil, as far as they stand alone.
void collect(const RowExpression& where, std::vector<const RowCondition*>& to) {
  if (where.negated || where.kind == RowExpression::Kind::Or) return;
  if (where.kind == RowExpression::Kind::And) {
    for (const RowExpression& part : where.parts) collect(part, to);
    return;
  }
  const RowCondition& condition = where.condition;
  if (!condition.negated && condition.of == RowCondition::Of::One) to.push_back(&condition);
}

// The child path whose index has the column; "": none can.
std::string index_path(const RowColumn& column) {
  // Rows that are leaves have the column `value`, and stand in an index of a child of that name as null.
  if (column.as_text || column.is_id() || column.name == kRowValue) return {};
  std::string path = column.name;
  for (const std::string& key : column.below) path += "/" + key;
  return path;
}

std::string_view key_of(const Value& value) { return value.as_string(); }

// The values that a condition of equality means, whatever kind they are of; nothing: it is no such condition.
std::optional<std::vector<Value>> equal_values(const RowCondition& condition) {
  std::vector<Value> values;
  if (condition.op == Op::Is) {
    const std::string& what = condition.operands.front();
    if (what == "not_null") return {};
    if (what == "true" || what == "false") return std::vector{Value::boolean(what == "true")};
    return std::vector{Value()};
  }
  if (condition.op != Op::Eq && condition.op != Op::In) return {};
  for (const std::string& operand : condition.operands) {
    values.push_back(Value::string(operand));
    if (Value number = number_of_operand(operand); !number.is_null()) values.push_back(std::move(number));
    if (const auto boolean = boolean_of_operand(operand)) values.push_back(Value::boolean(*boolean));
  }
  std::sort(values.begin(), values.end(), [](const Value& a, const Value& b) { return compare_values(a, b) < 0; });
  values.erase(std::unique(values.begin(), values.end(),
                           [](const Value& a, const Value& b) { return compare_values(a, b) == 0; }),
               values.end());
  return values;
}

bool is_lower(Op op) { return op == Op::Gt || op == Op::Gte; }
bool is_upper(Op op) { return op == Op::Lt || op == Op::Lte; }

Query bounded(const Query& query, Op op, const Value& value) {
  if (op == Op::Gt) return query.start_after(value);
  if (op == Op::Gte) return query.start_at(value);
  return op == Op::Lt ? query.end_before(value) : query.end_at(value);
}

// What the conditions leave of one column, ascending: pieces for the kinds that all operands can be read as.
std::vector<Query> range_pieces(const std::string& path, const std::vector<const RowCondition*>& bounds) {
  std::vector<Query> pieces;
  const auto add = [&](Query piece, auto read) {
    for (const RowCondition* bound : bounds) {
      const Value value = read(bound->operands.front());
      if (value.is_null()) return;
      piece = bounded(piece, bound->op, value);
    }
    pieces.push_back(std::move(piece));
  };
  const Query by = Query::by_child(path);
  add(by.start_at(Value::boolean(false)).end_at(Value::boolean(true)), [](const std::string& operand) {
    const auto boolean = boolean_of_operand(operand);
    return boolean ? Value::boolean(*boolean) : Value();
  });
  add(by.start_after(Value::boolean(true)).end_before(Value::string("")),
      [](const std::string& operand) { return number_of_operand(operand); });
  add(by.start_at(Value::string("")), [](const std::string& operand) { return Value::string(operand); });
  return pieces;
}

class Finder {
 public:
  Finder(const TreeView& tree, const Path& table, const RowQuery& query, const RowSight& sight, bool has_priorities,
         size_t bytes_max)
      : tree_(tree),
        table_(table),
        query_(query),
        sight_(sight),
        has_priorities_(has_priorities),
        bytes_max_(bytes_max) {
    collect(query.where, conditions_);
  }

  Result<FoundRows> run();

 private:
  struct Held {
    FoundRow found;
    std::vector<Value> places;  // what it is ordered by
  };

  Result<std::unique_ptr<RowWalk>> choose();
  std::unique_ptr<RowWalk> along(std::vector<Query> pieces, bool is_in_order);
  Result<bool> has_index(const std::string& path) const {
    return selects_by_seek(tree_, table_, Query::by_child(path).limit_to_first(1), has_priorities_);
  }
  std::vector<const RowCondition*> bounds_of(const RowColumn& column) const;
  bool is_ordered_by(const RowColumn& column) const;
  bool ends_early() const { return query_.limit && (!query_.counts || is_all_counted()) && query_.wants_rows; }
  bool is_all_counted() const { return query_.where.parts.empty() && sight_.sees_all(); }
  bool is_descending() const { return !query_.order.empty() && query_.order.front().descending; }
  Result<void> take(FoundRow row);
  bool is_before(const Held& a, const Held& b) const;
  void cut();
  Error too_many() const;

  const TreeView& tree_;
  const Path& table_;
  const RowQuery& query_;
  const RowSight& sight_;
  const bool has_priorities_;
  const size_t bytes_max_;
  std::vector<const RowCondition*> conditions_;
  bool is_in_order_ = false;  // the walk is in the order that is asked for
  std::string missing_;       // a column whose index would help
  std::vector<Held> held_;
  uint64_t matched_ = 0;
  size_t bytes_ = 0;
};

std::vector<const RowCondition*> Finder::bounds_of(const RowColumn& column) const {
  const RowCondition* lower = nullptr;
  const RowCondition* upper = nullptr;
  for (const RowCondition* condition : conditions_) {
    if (!(condition->column == column)) continue;
    if (is_lower(condition->op) && lower == nullptr) lower = condition;
    if (is_upper(condition->op) && upper == nullptr) upper = condition;
  }
  std::vector<const RowCondition*> bounds;
  if (lower != nullptr) bounds.push_back(lower);
  if (upper != nullptr) bounds.push_back(upper);
  return bounds;
}

// An order by the column alone, or by it and then by id, which is how equal ones lie in an index anyway.
bool Finder::is_ordered_by(const RowColumn& column) const {
  const auto& order = query_.order;
  if (order.empty() || !(order.front().column == column)) return false;
  return order.size() == 1 ||
         (order.size() == 2 && order[1].column.is_id() && order[1].descending == order[0].descending);
}

// Pieces come in ascending order.
std::unique_ptr<RowWalk> Finder::along(std::vector<Query> pieces, bool is_in_order) {
  is_in_order_ = is_in_order;
  const bool is_down = is_in_order && is_descending();
  if (is_down) std::reverse(pieces.begin(), pieces.end());
  return std::make_unique<QueryWalk>(tree_, table_, std::move(pieces), is_down ? Limit::Last : Limit::First,
                                     has_priorities_, bytes_max_);
}

Result<std::unique_ptr<RowWalk>> Finder::choose() {
  const RowColumn id{std::string(kRowId), {}, false};
  const bool is_by_id = query_.order.empty() || is_ordered_by(id);
  for (const RowCondition* condition : conditions_) {
    if (!condition->column.is_id() || (condition->op != Op::Eq && condition->op != Op::In)) continue;
    std::vector<std::string> keys;
    std::copy_if(condition->operands.begin(), condition->operands.end(), std::back_inserter(keys),
                 [](const std::string& key) { return check_key(key).ok(); });
    std::sort(keys.begin(), keys.end(),
              [](const std::string& a, const std::string& b) { return compare_keys(a, b) < 0; });
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    if (is_descending()) std::reverse(keys.begin(), keys.end());
    is_in_order_ = is_by_id;
    return std::unique_ptr<RowWalk>(std::make_unique<KeysWalk>(tree_, table_, std::move(keys), bytes_max_));
  }

  for (const RowCondition* condition : conditions_) {
    const std::string path = index_path(condition->column);
    const auto values = path.empty() ? std::nullopt : equal_values(*condition);
    if (!values) continue;
    ASSIGN_OR_RETURN(const bool is_indexed, has_index(path));
    if (!is_indexed) {
      if (missing_.empty()) missing_ = path;
      continue;
    }
    std::vector<Query> pieces;
    for (const Value& value : *values) pieces.push_back(Query::by_child(path).equal_to(value));
    // Within one value the index is in the order of keys.
    const bool is_in_order = is_ordered_by(condition->column) || (values->size() == 1 && query_.order.empty());
    return along(std::move(pieces), is_in_order);
  }

  const bool has_order = !query_.order.empty() && !query_.order.front().column.is_id();
  const std::string order_path = has_order ? index_path(query_.order.front().column) : "";
  if (!order_path.empty() && is_ordered_by(query_.order.front().column)) {
    const auto bounds = bounds_of(query_.order.front().column);
    if (ends_early() || !bounds.empty()) {
      ASSIGN_OR_RETURN(const bool is_indexed, has_index(order_path));
      if (is_indexed && !bounds.empty()) return along(range_pieces(order_path, bounds), true);
      if (is_indexed) {
        const Query nulls = Query::by_child(order_path).equal_to(Value());
        const Query others = Query::by_child(order_path).start_at(Value::boolean(false));
        // Turned round for a descending order, where nulls come first by themselves.
        const bool are_nulls_below = query_.order.front().nulls_first != is_descending();
        return along(are_nulls_below ? std::vector{nulls, others} : std::vector{others, nulls}, true);
      }
      if (missing_.empty()) missing_ = order_path;
    }
  }

  for (const RowCondition* condition : conditions_) {
    const std::string path = index_path(condition->column);
    if (path.empty() || !(is_lower(condition->op) || is_upper(condition->op))) continue;
    ASSIGN_OR_RETURN(const bool is_indexed, has_index(path));
    if (is_indexed) return along(range_pieces(path, bounds_of(condition->column)), false);
    if (missing_.empty()) missing_ = path;
  }

  Query by_key = Query::by_key();
  const auto bounds = bounds_of(id);
  for (const RowCondition* bound : bounds) by_key = bounded(by_key, bound->op, Value::string(bound->operands.front()));
  if (!bounds.empty() || (is_by_id && is_descending())) return along({by_key}, is_by_id);
  is_in_order_ = is_by_id;
  return std::unique_ptr<RowWalk>(std::make_unique<TableWalk>(tree_, table_, bytes_max_));
}

bool Finder::is_before(const Held& a, const Held& b) const {
  for (size_t i = 0; i < query_.order.size(); ++i) {
    const RowOrder& order = query_.order[i];
    const Value& left = a.places[i];
    const Value& right = b.places[i];
    if (left.is_null() || right.is_null()) {
      if (left.is_null() == right.is_null()) continue;
      return left.is_null() == order.nulls_first;
    }
    const int compared = order.column.is_id() ? compare_keys(key_of(left), key_of(right)) : compare_values(left, right);
    if (compared != 0) return (compared < 0) != order.descending;
  }
  const int compared = compare_keys(a.found.key, b.found.key);
  return is_descending() ? compared > 0 : compared < 0;
}

// Drops what cannot be among the first offset + limit.
void Finder::cut() {
  if (is_in_order_ || !query_.limit) return;
  const uint64_t most = query_.offset + *query_.limit;
  if (held_.size() < 2 * most + kPageRows) return;
  const auto end = held_.begin() + static_cast<std::ptrdiff_t>(most);
  std::nth_element(held_.begin(), end, held_.end(), [&](const Held& a, const Held& b) { return is_before(a, b); });
  for (auto at = end; at != held_.end(); ++at) bytes_ -= at->found.row.byte_count();
  held_.erase(end, held_.end());
}

Result<void> Finder::take(FoundRow row) {
  if (!matches(query_.where, row.key, row.row)) return {};
  ASSIGN_OR_RETURN(const bool is_seen, sight_.sees_all() ? Result<bool>(true) : sight_.sees(row.key));
  if (!is_seen) return {};
  ++matched_;
  if (!query_.wants_rows) return {};
  if (is_in_order_ && (matched_ <= query_.offset || (query_.limit && matched_ - query_.offset > *query_.limit)))
    return {};
  Held held{std::move(row), {}};
  for (const RowOrder& order : query_.order) {
    if (!is_in_order_) held.places.push_back(column_of(order.column, held.found.key, held.found.row));
  }
  bytes_ += held.found.row.byte_count();
  held_.push_back(std::move(held));
  cut();
  if (bytes_ > bytes_max_) {
    return Error{ErrorCode::TooLarge, "The rows of this answer are larger than " + std::to_string(bytes_max_) +
                                          " bytes: ask for fewer at a time, by a limit."};
  }
  return {};
}

Error Finder::too_many() const {
  std::string text = "This looks at more than " + std::to_string(kRowsLookedAtMax) + " rows of " + table_.slashed();
  if (!missing_.empty()) {
    text += ", and no index helps yet: add \".indexOn\": \"" + missing_ + "\", for path \"" + table_.slashed() +
            "\", to the rules";
  } else {
    text += ": ask for fewer at a time, by a limit and a condition on what they are ordered by";
  }
  return {ErrorCode::TooLarge, std::move(text)};
}

Result<FoundRows> Finder::run() {
  FoundRows found;
  if (query_.counts && is_all_counted()) {
    ASSIGN_OR_RETURN(found.total, count(tree_, table_, Query::by_key(), has_priorities_));
    if (!query_.wants_rows) return found;
  }
  ASSIGN_OR_RETURN(const auto walk, choose());
  const bool ends = is_in_order_ && ends_early();
  const uint64_t wanted = query_.limit ? query_.offset + *query_.limit : UINT64_MAX;
  if (wanted < query_.offset) return Error{ErrorCode::InvalidArgument, "offset and limit are too large"};
  size_t looked_at = 0;
  while (!(ends && matched_ >= wanted)) {
    const size_t most = ends ? std::clamp<uint64_t>(wanted - matched_, 1, kPageRows) : kPageRows;
    ASSIGN_OR_RETURN(auto page, walk->next(most));
    if (page.empty()) break;
    for (FoundRow& row : page) {
      if (++looked_at > kRowsLookedAtMax) return too_many();
      RETURN_IF_ERROR(take(std::move(row)));
    }
  }
  if (query_.counts && !found.total) found.total = matched_;
  size_t from = 0;
  if (!is_in_order_) {
    std::sort(held_.begin(), held_.end(), [&](const Held& a, const Held& b) { return is_before(a, b); });
    from = static_cast<size_t>(std::min<uint64_t>(query_.offset, held_.size()));
  }
  const uint64_t most = query_.limit.value_or(UINT64_MAX);
  for (size_t i = from; i < held_.size() && i - from < most; ++i) found.rows.push_back(std::move(held_[i].found));
  return found;
}

}  // namespace

Result<FoundRows> find_rows(const TreeView& tree, const Path& table, const RowQuery& query, const RowSight& sight,
                            bool has_priorities, size_t bytes_max) {
  return Finder(tree, table, query, sight, has_priorities, bytes_max).run();
}

Value to_value(const FoundRows& found) {
  std::vector<std::pair<std::string, Value>> rows;
  rows.reserve(found.rows.size());
  for (const FoundRow& one : found.rows) {
    rows.emplace_back(std::to_string(rows.size()), Value::object({{"key", Value::string(one.key)}, {"row", one.row}}));
  }
  std::vector<std::pair<std::string, Value>> all = {{"rows", Value::object(rows)}};
  if (found.total) all.emplace_back("total", Value::integer(static_cast<int64_t>(*found.total)));
  return Value::object(all);
}

FoundRows found_rows_of(const Value& value) {
  FoundRows found;
  for (auto one = value.child("rows").children(); !one.done(); one.next()) {
    const Value row = one.value();
    found.rows.push_back({std::string(row.child("key").as_string()), row.child("row")});
  }
  const Value total = value.child("total");
  if (!total.is_null()) found.total = static_cast<uint64_t>(total.as_integer());
  return found;
}

}  // namespace hearth::db
