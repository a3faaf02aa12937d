// Which rows of a table somebody asks for, and in which order; and finding them. A table is a path, its rows are its
// children (db/model/row_filter.h). Pure; reads only through the view.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/path.h"
#include "db/model/row_filter.h"
#include "db/model/tree_view.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kRowsLookedAtMax = 10'000;  // for one question; more take an index, or a limit

struct RowOrder {
  RowColumn column;
  bool descending = false;
  bool nulls_first = false;
};

struct RowQuery {
  RowExpression where{};          // of an And without parts: every row
  std::vector<RowOrder> order{};  // then by key, in the direction of the first; empty: by key
  uint64_t offset = 0;
  std::optional<uint64_t> limit{};
  bool counts = false;     // how many there are in all, whatever offset and limit leave out
  bool wants_rows = true;  // else it only counts
};

// Which rows of the table may be seen. The others are as if they were not there.
class RowSight {
 public:
  virtual ~RowSight() = default;
  virtual bool sees_all() const = 0;
  virtual Result<bool> sees(std::string_view key) const = 0;
};

class SeesAll final : public RowSight {
 public:
  bool sees_all() const override { return true; }
  Result<bool> sees(std::string_view) const override { return true; }
};

struct FoundRow {
  std::string key;
  Value row;
};
struct FoundRows {
  std::vector<FoundRow> rows{};
  std::optional<uint64_t> total{};  // with RowQuery::counts
};

// Reads by keys where conditions name them; along an index or the keys where conditions or the order allow it; else
// through the table. Errors: TooLarge: more than kRowsLookedAtMax rows would have to be looked at, and which index
// would help; or the rows have more than `bytes_max` bytes. Those of the view.
Result<FoundRows> find_rows(const TreeView& tree, const Path& table, const RowQuery& query, const RowSight& sight,
                            bool has_priorities, size_t bytes_max);

// The same rows as a value, to travel in an answer: {"rows": {"0": {"key": …, "row": …}, …}, "total": …}.
Value to_value(const FoundRows& found);
FoundRows found_rows_of(const Value& value);

}  // namespace hearth::db
