// A projection: of each child of a path only some paths below it (`select=name,author/id`; ours). A value; pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "db/base/result.h"
#include "db/model/event.h"
#include "db/model/path.h"
#include "db/model/value.h"

namespace hearth::db {

inline constexpr size_t kProjectedPathsMax = 100;

using Projection = std::vector<Path>;  // empty: everything

// "name,author/id". Errors: InvalidArgument: empty, no path, too many.
Result<Projection> parse_projection(std::string_view text);

// The part of the value at the path that the projection keeps. A leaf stays as it is; a child without any selected
// path goes.
Value projected(const Value& value, const Projection& projection);

// The part of an event for a listener at `path` that the projection keeps; null: nothing.
std::shared_ptr<const Body> projected(const std::shared_ptr<const Body>& body, const Path& path,
                                      const Projection& projection);

}  // namespace hearth::db
