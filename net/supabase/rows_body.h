// The body of an insert or an update → rows, as they were sent. Pure; may take long: large ones are for workers.
//
//   insert := row | "[" [ row ( "," row )* ] "]"        update := row
//   row    := { column: JSON, … }                       null: the column is absent; `id`: the row's key, a text or a number
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/model/path.h"
#include "db/model/value.h"
#include "net/supabase/rows_error.h"
#include "net/supabase/rows_request.h"

namespace hearth::net::supabase {

inline constexpr size_t kRowsSentMax = 100'000;  // of one body

struct SentRow {
  std::optional<std::string> key{};  // nothing: none was sent
  std::map<std::string, db::Value, std::less<>> columns{};
};

// Errors: PGRST102, PGRST204 (a column that cannot be), 22P02 (a value, or an id, that cannot be), 54000.
std::variant<std::vector<SentRow>, RowsError> read_rows(const RowsRequest& request, std::string&& body,
                                                        std::string_view content_type);

}  // namespace hearth::net::supabase
