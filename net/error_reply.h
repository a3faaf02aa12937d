// One table from what went wrong to what each protocol says of it. The only place that knows both worlds.
#pragma once

#include <string_view>

#include "db/base/error.h"

namespace hearth::net {

struct ErrorReply {
  int http_status;
  std::string_view wire_status;  // `s` of net/wire/protocol.md §4.1
};

inline ErrorReply error_reply(db::ErrorCode code) {
  using db::ErrorCode;
  switch (code) {
    case ErrorCode::InvalidPath:
    case ErrorCode::InvalidData:
    case ErrorCode::InvalidArgument:
    case ErrorCode::Unsupported:
      return {400, "failure"};
    case ErrorCode::PermissionDenied:
      return {401, "permission_denied"};
    case ErrorCode::Stale:
      return {412, "datastale"};
    case ErrorCode::TooLarge:
      return {400, "too_big"};
    case ErrorCode::NotFound:
      return {404, "permission_denied"};
    case ErrorCode::Timeout:
      return {400, "unavailable"};
    case ErrorCode::Unavailable:
    case ErrorCode::Locked:
      return {503, "unavailable"};
    case ErrorCode::
        NotOwner:  // no client sees this: the request is passed on, or is answered 503 (Exchange::kMisdirected)
      return {421, "unavailable"};
    case ErrorCode::Io:
    case ErrorCode::Corruption:
      return {500, "unavailable"};
    case ErrorCode::InvalidToken:
      return {401, "invalid_token"};
    case ErrorCode::ExpiredToken:
      return {401, "expired_token"};
    case ErrorCode::KeyReused:
      return {422, "failure"};
  }
  return {500, "failure"};
}

}  // namespace hearth::net
