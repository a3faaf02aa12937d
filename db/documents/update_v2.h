// Updates of format 2, as clients that ask for it write them ("updateV2", encodeStateAsUpdateV2): the same structs, with
// each of their fields gathered from all of them and its repetitions counted. They become updates of format 1. Pure.
#pragma once

#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::db::documents {

// The same update in format 1; it is to be parsed as any other: not all that is wrong in it is found here.
// A few bytes of format 2 can stand for very many, so what comes out has a limit.
// Errors: InvalidData; TooLarge past `bytes_max`.
Result<std::string> from_v2(std::string_view bytes, size_t bytes_max);

}  // namespace hearth::db::documents
