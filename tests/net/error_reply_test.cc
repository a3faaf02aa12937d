#include "net/error_reply.h"

#include <catch2/catch.hpp>

using hearth::db::ErrorCode;
using hearth::net::error_reply;

TEST_CASE("ErrorReply: every code has a status of HTTP and a word of the Firebase protocol", "[net]") {
  struct Case {
    ErrorCode code;
    int http_status;               // net/rest/http-api.md §9
    std::string_view wire_status;  // net/wire/protocol.md §4.1
  };
  const std::vector<Case> cases = {
      {ErrorCode::InvalidPath, 400, "failure"},
      {ErrorCode::InvalidData, 400, "failure"},
      {ErrorCode::InvalidArgument, 400, "failure"},
      {ErrorCode::PermissionDenied, 401, "permission_denied"},
      {ErrorCode::Stale, 412, "datastale"},
      {ErrorCode::TooLarge, 400, "too_big"},
      {ErrorCode::NotFound, 404, "permission_denied"},
      {ErrorCode::Timeout, 400, "unavailable"},
      {ErrorCode::Unavailable, 503, "unavailable"},
      {ErrorCode::Io, 500, "unavailable"},
      {ErrorCode::Corruption, 500, "unavailable"},
      {ErrorCode::Locked, 503, "unavailable"},
      {ErrorCode::Unsupported, 400, "failure"},
      {ErrorCode::InvalidToken, 401, "invalid_token"},
      {ErrorCode::ExpiredToken, 401, "expired_token"},
      {ErrorCode::KeyReused, 422, "failure"},
      {ErrorCode::NotOwner, 421, "unavailable"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    INFO("code " << i);
    CHECK(static_cast<size_t>(cases[i].code) == i);  // all of them, in their order
    CHECK(error_reply(cases[i].code).http_status == cases[i].http_status);
    CHECK(error_reply(cases[i].code).wire_status == cases[i].wire_status);
  }
  CHECK(static_cast<size_t>(ErrorCode::NotOwner) + 1 == cases.size());
}
