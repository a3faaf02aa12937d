// What a client asks of the rows of a table, typed: from the method, the target and the header fields, as PostgREST's
// clients send them. The body is not looked at. A value; pure.
//
//   query   := name "=" value ( "&" name "=" value )*
//   name    := "select" | "order" | "limit" | "offset" | "columns" | "on_conflict"
//            | [ "not." ] ( "and" | "or" )                a logic, db/model/row_filter.h
//            | column                                     a condition on it, any number of times: all hold
//   order   := part ( "," part )*       part := column [ ".asc" | ".desc" ] [ ".nullsfirst" | ".nullslast" ]
//   Prefer  := preference ( "," preference )*
//   preference := "return=" ( "minimal" | "headers-only" | "representation" ) | "count=" ( "exact" | "planned" | "estimated" )
//            | "resolution=" ( "merge-duplicates" | "ignore-duplicates" ) | "missing=" ( "default" | "null" )
//            | "handling=" ( "strict" | "lenient" ) | "max-affected=" number | …       others mean nothing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/model/row_query.h"
#include "net/http/request.h"
#include "net/http/target.h"
#include "net/supabase/project.h"
#include "net/supabase/rows_error.h"
#include "net/supabase/rows_select.h"

namespace hearth::net::supabase {

inline constexpr uint64_t kRowNumberMax = uint64_t{1} << 53;  // of limit and offset

struct RowsRequest {
  enum class Method : uint8_t { Read, Insert, Update, Delete };
  enum class Return : uint8_t { Minimal, HeadersOnly, Representation };
  enum class Duplicates : uint8_t { Refused, Merged, Ignored };

  Method method = Method::Read;
  bool wants_body = true;  // else HEAD
  std::string table;
  db::RowQuery query{};
  Selection selection{};
  Nulls nulls = Nulls::Told;
  RowsText::Form form = RowsText::Form::List;
  Return returns = Return::Minimal;
  bool counts = false;

  // Of an insert.
  Duplicates duplicates = Duplicates::Refused;
  std::optional<std::vector<std::string>> columns{};  // others of the body are left out
  bool missing_is_default = false;                    // a column that a row lacks stays as it is, instead of null

  std::optional<uint64_t> affected_max{};
  std::string applied{};  // the preferences that were understood, for the answer

  bool shows_rows() const { return method == Method::Read || returns == Return::Representation; }
};

// `project`: of Service::Rest.
std::variant<RowsRequest, RowsError> parse_rows_request(const http::Request& request, const Project& project);

const char* deed_of(const RowsRequest& request);  // for the log of slow requests

}  // namespace hearth::net::supabase
