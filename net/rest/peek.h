// GET /path.json?shallow=leaves: what a person needs to see of a node without reading what is below its children.
//
//   child := a leaf                  as it is, with its priority
//          | {".cut": bytes}         a string that is longer than kPeekedLeafBytesMax
//          | {"first key": true}     an object: the first of its keys, so that it is told from a leaf
//
// Costs one seek for each child. With a query, of those children that it selects. The ETag is that of this answer.
#pragma once

#include <memory>
#include <optional>

#include "db/model/path.h"
#include "db/model/query.h"
#include "db/model/read.h"

namespace hearth::net::rest {

inline constexpr size_t kPeekedLeafBytesMax = 4u << 10;

std::shared_ptr<const db::Reading> peek_of(db::Path path, std::optional<db::Query> query);

}  // namespace hearth::net::rest
