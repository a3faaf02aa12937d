// One table from what went wrong to what each protocol says of it. The only place that knows both worlds.
#pragma once

#include <string_view>

#include "db/base/error.h"

namespace hearth::net {

struct ErrorReply {
  int http_status;
  std::string_view wire_status;  // `s` of wire-protocol.md §4.1
};

ErrorReply error_reply(db::ErrorCode code);

}  // namespace hearth::net
