// How a text that comes in is encoded: it is to be UTF-8. Editors put a mark before it, which is skipped (a BOM), or
// save UTF-16, which is refused by its name. Pure.
#pragma once

#include <string_view>

namespace hearth::db {

// Behind the mark, if there is one.
std::string_view without_bom(std::string_view text);

// Judged by the mark, or by the first two characters: JSON begins with ASCII, which has a zero byte beside it in
// UTF-16.
bool is_utf16(std::string_view text);

}  // namespace hearth::db
