// What a request does to rows: one write of the tree, made from what was sent and from the rows as they were seen. Pure;
// may take long for many rows.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "db/model/path.h"
#include "db/model/row_query.h"
#include "db/model/write.h"
#include "net/supabase/rows_body.h"
#include "net/supabase/rows_error.h"
#include "net/supabase/rows_request.h"
#include "rules/row_access.h"

namespace hearth::net::supabase {

struct RowsChange {
  db::Write write{};                 // of no locations: there is nothing to do
  rules::ExpectedRows expected{};    // what it relies on
  std::vector<db::FoundRow> rows{};  // that it affects: as they will be, or of a deletion as they were
  bool makes_rows = false;           // some were not there
  bool has_server_values = false;    // settle() is needed before `rows` are told
};
using Planned = std::variant<RowsChange, RowsError>;

// The keys that were sent, each once.
std::vector<std::string> keys_of(const std::vector<SentRow>& sent);
// The question for the rows of those keys.
db::RowQuery query_of(const std::vector<std::string>& keys);

// `seen`: the rows of keys_of(sent) that are there and that the asker sees; of a plain insert none are needed.
// `next_key`: makes the key of a row that was sent without one.
Planned plan_insert(const RowsRequest& request, const db::Path& table, const std::vector<SentRow>& sent,
                    const std::vector<db::FoundRow>& seen, const std::function<std::string()>& next_key);
// `seen`: the rows that the request's conditions find.
Planned plan_update(const RowsRequest& request, const db::Path& table, const SentRow& sent,
                    std::vector<db::FoundRow> seen);
Planned plan_delete(const RowsRequest& request, const db::Path& table, std::vector<db::FoundRow> seen);

// Puts into `rows` what server values have become. `written`: db::Answer::value.
void settle(RowsChange& change, const db::Value& written);

}  // namespace hearth::net::supabase
