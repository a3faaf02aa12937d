// The parameters of a query → db::Query (net/rest/http-api.md §6). Values are JSON, as `startAt=3`, `startAt="a"`,
// `startAt=3,"key"`. Pure.
#pragma once

#include <optional>

#include "db/base/result.h"
#include "db/model/query.h"
#include "net/http/target.h"

namespace hearth::net::rest {

using http::Target;

enum class Shallow : bool { No, Yes };

// `count=true` (ours) makes a query of anything, and alone one of all children.
// Nothing when no parameter is there. A shallow read needs no orderBy (its order is that of keys), and takes bounds that are
// no JSON as keys: tools of the service send them so. Errors: InvalidArgument, in the service's words.
db::Result<std::optional<db::Query>> parse_query(const Target& target, Shallow shallow);

}  // namespace hearth::net::rest
