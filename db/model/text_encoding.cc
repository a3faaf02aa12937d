#include "db/model/text_encoding.h"

namespace hearth::db {

std::string_view without_bom(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

// Without a mark, by its shape: JSON begins with two ASCII characters, and UTF-16 puts a zero beside each of them.
bool is_utf16(std::string_view text) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) return true;
  const auto is_zero = [text](size_t at) { return text[at] == '\0'; };
  return text.size() >= 4 && is_zero(0) != is_zero(1) && is_zero(2) == is_zero(0) && is_zero(3) == is_zero(1);
}

}  // namespace hearth::db
