// Reads the file of a form upload (RFC 7578), as the emulator's import page sends it. Pure.
//
//   form := "--" boundary CRLF  field*  CRLF  content  CRLF "--" boundary …
#pragma once

#include <string>
#include <string_view>

#include "db/base/result.h"

namespace hearth::net::rest {

// Cuts `form` down to the content of its first part, in place: forms are large. Errors: InvalidArgument.
db::Result<void> take_first_part(std::string& form, std::string_view content_type);

}  // namespace hearth::net::rest
