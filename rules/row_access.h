// Rows of a table (db/model/row_query.h) with the rights of who asks: a row is seen by those who may read it, whether
// or not they may read the table; others find it nowhere, neither in an answer nor in a count. Thread: any.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "db/model/path.h"
#include "db/model/precondition.h"
#include "db/model/read.h"
#include "db/model/row_query.h"
#include "db/model/value.h"
#include "rules/access.h"

namespace hearth::rules {

// Finds rows on the snapshot that answers; the answer is db::to_value(FoundRows).
class RowReading final : public db::Reading {
 public:
  RowReading(SharedAsker asker, db::Path table, db::RowQuery query)
      : asker_(std::move(asker)), table_(std::move(table)), query_(std::move(query)) {}
  // Errors: of db::find_rows.
  db::Result<db::Value> read(const db::Moment& moment, bool has_priorities, size_t bytes_max) const override;

 private:
  const SharedAsker asker_;
  const db::Path table_;
  const db::RowQuery query_;
};

// What a write of rows relies on: rows as its writer has seen them, or that there are none.
struct ExpectedRows {
  db::Path table;
  std::vector<db::FoundRow> rows;    // a null row: none stands there
  std::vector<std::string> shown{};  // keys of rows that the answer will show: the writer has to see them afterwards
};

// Rows are as they were seen, and still seen. Errors: Stale: another row stands there, which the asker may see; its
// message is in PostgREST's words where none was expected. PermissionDenied: the asker may not see it.
class RowsAre final : public db::Precondition {
 public:
  RowsAre(SharedAsker asker, std::shared_ptr<const ExpectedRows> expected)
      : asker_(std::move(asker)), expected_(std::move(expected)) {}
  db::Result<void> check(const db::Moment& moment) const override;

 private:
  const SharedAsker asker_;
  const std::shared_ptr<const ExpectedRows> expected_;
};

// The rules of a write (WriteAccess), and that its writer sees what the answer will show.
class RowsAccess final : public db::Precondition {
 public:
  RowsAccess(SharedAsker asker, std::shared_ptr<const ExpectedRows> expected)
      : asker_(std::move(asker)), expected_(std::move(expected)) {}
  db::Result<void> check(const db::Moment& moment) const override;
  db::Result<void> begin(const db::Moment& moment) const override { return asker_->may_begin(moment); }

 private:
  const SharedAsker asker_;
  const std::shared_ptr<const ExpectedRows> expected_;
};

}  // namespace hearth::rules
