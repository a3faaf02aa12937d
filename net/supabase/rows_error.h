// What is told when a request for rows fails: a status, and PostgREST's body of four members. A value; pure.
#pragma once

#include <string>
#include <string_view>

#include "db/base/error.h"
#include "net/http/request.h"
#include "rules/auth.h"

namespace hearth::net::supabase {

struct RowsError {
  int status = 400;
  std::string code;  // PostgREST's, or PostgreSQL's
  std::string message;
  std::string details{};  // "": null
  std::string hint{};     // "": null
};

std::string body_of(const RowsError& error);
http::Response reply_of(const RowsError& error);

// A query string or header that cannot be understood.
RowsError bad_request(std::string message, std::string details = {});
RowsError not_single(uint64_t rows);
RowsError exists_already(std::string_view table, const std::string& details);
// Nobody's requests get 401, so that a client signs in.
RowsError denied(std::string_view table, const rules::Auth& auth);
// What the database says of a request that was understood. What the disk said is not told.
RowsError error_of(const db::Error& error, std::string_view table, const rules::Auth& auth);

}  // namespace hearth::net::supabase
