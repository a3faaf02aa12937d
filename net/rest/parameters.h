// Which parameters a write takes. A read ignores what it does not know, as caches and frameworks add; a write that did so
// would remove more than was asked for (`DELETE …?select=`, `?limitTolast=`), or write where a dry run was meant. Pure.
#pragma once

#include <optional>
#include <string>

#include "net/http/target.h"
#include "net/rest/request.h"

namespace hearth::net::rest {

using http::Target;

// Returns the sentence that refuses the first unknown parameter of a PUT, POST, PATCH or DELETE, by name. Nothing:
// all are known.
std::optional<std::string> refused_parameter(const Target& target, Endpoint endpoint, Method method);

}  // namespace hearth::net::rest
