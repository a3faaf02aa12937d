#include "net/supabase/rows_error.h"

#include <catch2/catch.hpp>

namespace db = hearth::db;
using db::ErrorCode;
using namespace hearth::net::supabase;
using hearth::rules::Auth;

TEST_CASE("rows: an error has PostgREST's four members, and a 404 never an empty body", "[net][supabase]") {
  CHECK(body_of({400, "C", "say \"x\"", "", "h"}) == R"({"code":"C","details":null,"hint":"h","message":"say \"x\""})");
  CHECK(
      body_of(not_single(3)) ==
      R"({"code":"PGRST116","details":"The result contains 3 rows","hint":null,"message":"Cannot coerce the result to a single JSON object"})");
  CHECK_FALSE(reply_of({404, "C", "m"}).body.empty());
  CHECK(reply_of({503, "C", "m"}).headers.back() == std::pair<std::string, std::string>("Retry-After", "1"));
}

TEST_CASE("rows: what the database says becomes a status and a code", "[net][supabase]") {
  const Auth nobody, user{Auth::Kind::User, R"({"uid":"u"})", {}};
  const auto told = [&](ErrorCode code, const Auth& auth = Auth()) {
    const RowsError error = error_of({code, "a sentence"}, "todos", auth);
    return std::to_string(error.status) + " " + error.code;
  };
  CHECK(told(ErrorCode::PermissionDenied) == "401 42501");
  CHECK(told(ErrorCode::PermissionDenied, user) == "403 42501");
  CHECK(told(ErrorCode::Stale) == "500 40001");
  CHECK(told(ErrorCode::TooLarge) == "400 54000");
  CHECK(told(ErrorCode::InvalidData) == "400 22P02");
  CHECK(told(ErrorCode::Unavailable) == "503 53000");
  CHECK(told(ErrorCode::NotFound) == "404 PGRST125");
  CHECK(told(ErrorCode::ExpiredToken) == "401 PGRST303");
  CHECK(told(ErrorCode::Io) == "500 XX000");
  CHECK(error_of({ErrorCode::Io, "/var/lib/secret"}, "todos", nobody).message == "An internal error occurred");
  CHECK(exists_already("todos", "d").message == R"(duplicate key value violates unique constraint "todos_pkey")");
}

TEST_CASE("rows: an error's body is JSON, whatever the request's escapes have become", "[net][supabase]") {
  const std::string body = body_of(bad_request("no pattern: \xea\xff(", "\"\x80\""));
  CHECK(body == R"({"code":"PGRST100","details":"\"?\"","hint":null,"message":"no pattern: ??("})");
  CHECK(body_of(bad_request("\xc3\xa9")).find("\xc3\xa9") != std::string::npos);
}
