// Rows as PostgREST's clients expect them under row security, on the rules of a tree:
//
//   .read at the table       ─▶ every row is seen
//   .read at a row alone     ─▶ that row is seen: the rules filter here, where a query of Firebase would be refused
//
// A writer must not learn of a row that it does not see. So "exists already" is told only of rows that are seen, and for
// any other the answer is the one that a rule would give.
#include "rules/row_access.h"

#include "db/model/key_order.h"

namespace hearth::rules {
namespace {

class TableSight final : public db::RowSight {
 public:
  TableSight(const Sight& sight, const db::Path& table, bool sees_all)
      : sight_(sight), table_(table), sees_all_(sees_all) {}
  bool sees_all() const override { return sees_all_; }
  db::Result<bool> sees(std::string_view key) const override {
    if (sees_all_) return true;
    ASSIGN_OR_RETURN(const db::Path row, table_.child(key));
    return sight_.sees(row);
  }

 private:
  const Sight& sight_;
  const db::Path& table_;
  const bool sees_all_;
};

db::Result<db::Value> row_at(const db::TreeView& tree, const db::Path& table, std::string_view key) {
  std::string encoded = db::encode_path(table);
  db::append_segment(key, encoded);
  return tree.read(encoded, db::kReadBytesMax);
}

}  // namespace

db::Result<db::Value> RowReading::read(const db::Moment& moment, bool has_priorities, size_t bytes_max) const {
  ASSIGN_OR_RETURN(const Sight sight, Sight::of(asker_, moment));
  ASSIGN_OR_RETURN(const bool sees_all, sight.sees(table_));
  const TableSight rows(sight, table_, sees_all);
  ASSIGN_OR_RETURN(const auto found, db::find_rows(moment.before, table_, query_, rows, has_priorities, bytes_max));
  return db::to_value(found);
}

db::Result<void> RowsAre::check(const db::Moment& moment) const {
  ASSIGN_OR_RETURN(const Sight sight, Sight::of(asker_, moment));
  for (const db::FoundRow& expected : expected_->rows) {
    ASSIGN_OR_RETURN(const db::Value row, row_at(moment.before, expected_->table, expected.key));
    if (expected.row.is_null() && row.is_null()) continue;
    ASSIGN_OR_RETURN(const db::Path path, expected_->table.child(expected.key));
    ASSIGN_OR_RETURN(const bool is_seen, sight.sees(path));
    if (expected.row.is_null()) {
      if (!is_seen) return denied();
      return db::Error{db::ErrorCode::Stale, "Key (id)=(" + expected.key + ") already exists."};
    }
    if (!is_seen || !(row == expected.row)) {
      return db::Error{db::ErrorCode::Stale, "A row was changed at the same time."};
    }
  }
  return {};
}

db::Result<void> RowsAccess::check(const db::Moment& moment) const {
  RETURN_IF_ERROR(asker_->may_write(moment));
  const db::Moment after{*moment.after, moment.now, moment.settings};
  ASSIGN_OR_RETURN(const Sight sight, Sight::of(asker_, after));
  for (const std::string& key : expected_->shown) {
    ASSIGN_OR_RETURN(const db::Path path, expected_->table.child(key));
    ASSIGN_OR_RETURN(const bool is_seen, sight.sees(path));
    if (!is_seen) return denied();
  }
  return {};
}

}  // namespace hearth::rules
