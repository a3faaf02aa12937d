// The names that namespaces may have.
#pragma once

#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::db {

// The stored form of a namespace's name: lower case. Errors: InvalidArgument: not 1-128 of a-z 0-9 - _.
Result<std::string> check_namespace_name(std::string_view name);

// Whether this is one in its stored form. Errors: InvalidArgument.
Result<void> check_stored_name(std::string_view name);

Error no_such_namespace();  // NotFound

}  // namespace hearth::db
