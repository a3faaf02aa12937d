// A request target taken apart, as clients really send it: raw quotes, braces, blanks and UTF-8 are taken as they are,
// for they are no URIs (net/rest/http-api.md §11). A value; pure.
//
//   target := [ scheme "://" authority ] path [ "?" query ]
//   path   := ( "/" segment )*                                  decoded after splitting; empty segments are left out
//   query  := name [ "=" value ] ( "&" name [ "=" value ] )*    decoded, "+" being a blank; of equal names the first
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "db/base/result.h"

namespace hearth::net::http {

struct Target {
  std::vector<std::string> segments;  // decoded, so an escaped "/" may be in them
  std::vector<std::pair<std::string, std::string>> parameters;

  std::optional<std::string_view> parameter(std::string_view name) const;
  bool has(std::string_view name) const { return parameter(name).has_value(); }
};

// Errors: InvalidPath, InvalidArgument: an escape that is none ("%zz").
db::Result<Target> parse_target(std::string_view text);

}  // namespace hearth::net::http
