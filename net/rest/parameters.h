// Which parameters a write takes. A read ignores what it does not know, as caches and frameworks add; a write that did so
// would remove more than was asked for (`DELETE …?select=`, `?limitTolast=`), or write where a dry run was meant. Pure.
#pragma once

#include <optional>
#include <string>

#include "net/rest/request.h"
#include "net/rest/target.h"

namespace hearth::net::rest {

// What refuses the first parameter of a PUT, POST, PATCH or DELETE that is none of its endpoint's, by name; nothing: all fit.
std::optional<std::string> refused_parameter(const Target& target, Endpoint endpoint, Method method);

}  // namespace hearth::net::rest
