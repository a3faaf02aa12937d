// The words are PostgREST's and PostgreSQL's where clients look at them. A 404 always has a body that is no list: clients
// take an empty one for success, and a list for an empty answer.
#include "net/supabase/rows_error.h"

#include <fmt/format.h>

#include <utility>

#include "db/model/json.h"
#include "net/supabase/pages.h"

namespace hearth::net::supabase {

using db::ErrorCode;

std::string body_of(const RowsError& error) {
  std::string body = "{";
  const auto add = [&](std::string_view name, std::string_view text, bool is_nullable) {
    if (body.size() > 1) body += ',';
    db::append_json_string(name, body);
    body += ':';
    if (text.empty() && is_nullable) {
      body += "null";
    } else {
      db::append_json_string_of_any(text, body);  // a request's escapes may decode to any bytes
    }
  };
  add("code", error.code, false);
  add("details", error.details, true);
  add("hint", error.hint, true);
  add("message", error.message, false);
  return body + "}";
}

http::Response reply_of(const RowsError& error) {
  http::Response reply;
  reply.status = error.status;
  reply.headers.emplace_back("Content-Type", "application/json; charset=utf-8");
  allow_pages(reply);
  if (error.status == 503) reply.headers.emplace_back("Retry-After", "1");
  reply.body = body_of(error);
  return reply;
}

RowsError bad_request(std::string message, std::string details) {
  return {400, "PGRST100", std::move(message), std::move(details)};
}

RowsError not_single(uint64_t rows) {
  return {406, "PGRST116", "Cannot coerce the result to a single JSON object",
          fmt::format("The result contains {} rows", rows)};
}

RowsError exists_already(std::string_view table, const std::string& details) {
  return {409, "23505", fmt::format(R"(duplicate key value violates unique constraint "{}_pkey")", table), details};
}

RowsError denied(std::string_view table, const rules::Auth& auth) {
  return {auth.kind == rules::Auth::Kind::None ? 401 : 403, "42501",
          fmt::format(R"(new row violates row-level security policy for table "{}")", table)};
}

RowsError error_of(const db::Error& error, std::string_view table, const rules::Auth& auth) {
  switch (error.code) {
    case ErrorCode::PermissionDenied:
      return denied(table, auth);
    case ErrorCode::Stale:
      return {500, "40001", "could not serialize access due to concurrent update", error.message};
    case ErrorCode::TooLarge:
      return {400, "54000", error.message};
    case ErrorCode::InvalidPath:
    case ErrorCode::InvalidData:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Unsupported:
      return {400, "22P02", error.message};
    case ErrorCode::NotFound:
      return {404, "PGRST125", error.message};
    case ErrorCode::Timeout:
    case ErrorCode::Unavailable:
    case ErrorCode::Locked:
      return {503, "53000", error.message};
    case ErrorCode::NotOwner:
      return {421, "53000", error.message};  // as net/error_reply.h
    case ErrorCode::InvalidToken:
      return {401, "PGRST301", error.message};
    case ErrorCode::ExpiredToken:
      return {401, "PGRST303", error.message};
    case ErrorCode::Io:
    case ErrorCode::Corruption:
    case ErrorCode::KeyReused:  // a table's client sends none
      break;
  }
  return {500, "XX000", "An internal error occurred"};
}

}  // namespace hearth::net::supabase
