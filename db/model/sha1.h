// SHA-1 in base64, as the SDKs name trees by it. No secret hangs on it. Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>

namespace hearth::db {

std::string sha1_base64(std::string_view text);  // 28 characters

}  // namespace hearth::db
