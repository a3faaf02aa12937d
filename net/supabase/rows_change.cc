// Rows are written so that rules see what a client did:
//
//   a row that is new            one location, the row                       /todos/a = {…}
//   a row that is there          one location for each column that is sent   /todos/a/done = true
//   a row that goes              one location                                /todos/a = null
//
// All of it is one update of the tree. It relies on the rows being as they were seen (rules/row_access.h): conditions then
// held at the commit, "new" was right, and the rows that are told are the rows that stand there.
//
// The tree keeps no row without columns. A row of an id alone would vanish, so such a row is refused as PostgreSQL
// refuses one that lacks a column it must have.
#include "net/supabase/rows_change.h"

#include <fmt/format.h>

#include <map>
#include <set>

namespace hearth::net::supabase {
namespace {

using Duplicates = RowsRequest::Duplicates;

RowsError empty_row(std::string_view table, std::string_view key) {
  return {.code = "23502",
          .message = fmt::format("null value in every column of a row of \"{:.100}\" but its id", table),
          .details = fmt::format("The row \"{:.200}\" would have no column that is not null.", key),
          .hint = "A row needs a column beside its id."};
}

RowsError of(const db::Error& error) {
  return {400, error.code == db::ErrorCode::TooLarge ? "54000" : "22P02", error.message};
}

using Columns = std::map<std::string, db::Value, std::less<>>;

// The row with some columns set; those that are null go. A leaf makes room for columns.
db::Value with_columns(const db::Value& row, const Columns& set) {
  std::vector<std::pair<std::string, db::Value>> columns;
  for (auto column = row.children(); !column.done(); column.next()) {
    if (!set.contains(column.key())) columns.emplace_back(column.key(), column.value());
  }
  columns.insert(columns.end(), set.begin(), set.end());
  const db::Value changed = db::Value::object(columns);
  if (changed.is_null() && row.is_leaf()) return row;
  return changed.with_priority(row.priority());
}

class Planner {
 public:
  Planner(const RowsRequest& request, const db::Path& table) : request_(request), table_(table) {
    change_.write.merge = true;
    change_.write.base = table;
    change_.expected.table = table;
  }

  // The functions below return an error where a path or a value can't be, or where there are too many of them.
  std::optional<RowsError> add_row(const std::string& key, const SentRow& sent, bool is_key_known) {
    db::Value row = with_columns({}, sent.columns);
    if (row.is_null()) return empty_row(request_.table, key);
    if (auto refused = write(key, {}, row)) return refused;
    if (is_key_known) change_.expected.rows.push_back({key, {}});
    change_.makes_rows = true;
    affect(key, std::move(row));
    return {};
  }

  // `others`: columns that are set to null.
  std::optional<RowsError> change_row(const db::FoundRow& seen, const SentRow& sent,
                                      const std::vector<std::string>& others) {
    Columns columns = sent.columns;
    for (const std::string& name : others) columns.try_emplace(name);
    for (const auto& [name, value] : columns) {
      if (auto refused = write(seen.key, db::Path().child(name).value(), value)) return refused;
    }
    db::Value row = with_columns(seen.row, columns);
    // A row that is a leaf has no columns. with_columns() leaves it as it is where no column is set.
    if (row.is_null()) return empty_row(request_.table, seen.key);
    change_.expected.rows.push_back(seen);
    affect(seen.key, std::move(row));
    return {};
  }

  std::optional<RowsError> remove_row(db::FoundRow seen) {
    if (auto refused = write(seen.key, {}, {})) return refused;
    change_.expected.rows.push_back(seen);
    change_.rows.push_back(std::move(seen));
    return {};
  }

  Planned plan() && {
    change_.write.wants_value = change_.has_server_values && request_.shows_rows();
    return std::move(change_);
  }

 private:
  void affect(const std::string& key, db::Value row) {
    if (request_.shows_rows()) change_.expected.shown.push_back(key);
    change_.rows.push_back({key, std::move(row)});
  }

  std::optional<RowsError> write(const std::string& key, const db::Path& column, const db::Value& value) {
    auto path = table_.child(key);
    if (path.ok() && !column.is_root()) path = path.value().join(column);
    if (!path.ok()) return of(path.error());
    if (const auto fits = db::check_fits(path.value(), value); !fits.ok()) return of(fits.error());
    if (change_.write.overwrites.size() >= db::kUpdatePathsMax) {
      return RowsError{400, "54000",
                       fmt::format("One request sets at most {} columns of rows in all", db::kUpdatePathsMax)};
    }
    change_.has_server_values |= value.has_server_values();
    change_.write.overwrites.push_back({std::move(path).value(), db::Slot::Value, value});
    return {};
  }

  const RowsRequest& request_;
  const db::Path& table_;
  RowsChange change_;
};

// Columns that the request names and the row lacks: PostgREST sets them to null in a row that is there already.
std::vector<std::string> missing_columns(const RowsRequest& request, const SentRow& sent) {
  std::vector<std::string> missing;
  if (!request.columns || request.missing_is_default) return missing;
  for (const std::string& name : *request.columns) {
    const bool is_sent = sent.columns.contains(name);
    if (!is_sent && name != db::kRowId && db::check_key(name).ok()) missing.push_back(name);
  }
  return missing;
}

}  // namespace

std::vector<std::string> keys_of(const std::vector<SentRow>& sent) {
  std::set<std::string> keys;
  for (const SentRow& row : sent) {
    if (row.key) keys.insert(*row.key);
  }
  return {keys.begin(), keys.end()};
}

db::RowQuery query_of(const std::vector<std::string>& keys) {
  db::RowExpression is_one;
  is_one.kind = db::RowExpression::Kind::Condition;
  is_one.condition.op = db::RowCondition::Op::In;
  is_one.condition.column.name = db::kRowId;
  is_one.condition.operands = keys;
  db::RowQuery query;
  query.where.parts.push_back(std::move(is_one));
  return query;
}

Planned plan_insert(const RowsRequest& request, const db::Path& table, const std::vector<SentRow>& sent,
                    const std::vector<db::FoundRow>& seen, const std::function<std::string()>& next_key) {
  std::map<std::string_view, const db::FoundRow*> there;
  for (const db::FoundRow& row : seen) there.emplace(row.key, &row);
  std::set<std::string> done;
  Planner planner(request, table);
  for (const SentRow& row : sent) {
    const std::string key = row.key ? *row.key : next_key();
    const auto found = there.find(key);
    if (!done.insert(key).second) {
      if (request.duplicates == Duplicates::Ignored) continue;
      if (request.duplicates == Duplicates::Refused) {
        return exists_already(request.table, "Key (id)=(" + key + ") already exists.");
      }
      return RowsError{.code = "21000",
                       .message = "ON CONFLICT DO UPDATE command cannot affect row a second time",
                       .hint = "Ensure that no rows proposed for insertion within the same command have the same id."};
    }
    std::optional<RowsError> refused;
    if (found == there.end()) {
      refused = planner.add_row(key, row, row.key.has_value());
    } else if (request.duplicates == Duplicates::Merged) {
      refused = planner.change_row(*found->second, row, missing_columns(request, row));
    }
    if (refused) return std::move(*refused);
  }
  return std::move(planner).plan();
}

Planned plan_update(const RowsRequest& request, const db::Path& table, const SentRow& sent,
                    std::vector<db::FoundRow> seen) {
  Planner planner(request, table);
  if (sent.columns.empty() && !sent.key) return std::move(planner).plan();
  for (const db::FoundRow& row : seen) {
    if (sent.key && *sent.key != row.key) {
      return RowsError{.code = "0A000",
                       .message = "The id of a row cannot be changed",
                       .hint = "Insert a row with the other id, and delete this one."};
    }
    if (auto refused = planner.change_row(row, sent, {})) return std::move(*refused);
  }
  return std::move(planner).plan();
}

Planned plan_delete(const RowsRequest& request, const db::Path& table, std::vector<db::FoundRow> seen) {
  Planner planner(request, table);
  for (db::FoundRow& row : seen) {
    if (auto refused = planner.remove_row(std::move(row))) return std::move(*refused);
  }
  return std::move(planner).plan();
}

void settle(RowsChange& change, const db::Value& written) {
  if (!change.has_server_values) return;
  std::map<std::string_view, Columns> settled;  // by row
  for (const db::Overwrite& overwrite : change.write.overwrites) {
    if (!overwrite.value.has_server_values()) continue;
    const db::Path below = overwrite.path.relative_to(change.write.base);
    const std::string_view key = overwrite.path.keys()[change.write.base.depth()];
    const db::Value value = written.at(below);
    if (below.depth() > 1) {
      settled[key].insert_or_assign(std::string(below.last()), value);
      continue;
    }
    for (auto column = value.children(); !column.done(); column.next()) {
      settled[key].insert_or_assign(column.key(), column.value());
    }
  }
  for (db::FoundRow& row : change.rows) {
    if (const auto found = settled.find(row.key); found != settled.end())
      row.row = with_columns(row.row, found->second);
  }
}

}  // namespace hearth::net::supabase
